"""What the plausibility gate looks at before a report is issued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics.balance import Quantity
from analytics.report.energy import joined, total
from analytics.report.gate import Check, Figure, gate
from analytics.report.model import Breakdown, Energy, Water
from analytics.report.period import PeriodData
from wattwell.model import Bool, KpiValue

_COMPARED = ("e_dc", "e_it", "heat_reuse")
_QUANTITIES = {
    "e_dc": ("E_DC", "kWh"),
    "e_it": ("E_IT", "kWh"),
    "heat_reuse": ("E_REUSE", "kWh"),
    "import": ("E_IMPORT", "kWh"),
    "water_total": ("W_IN", "L"),
}
_KPIS = {"pue": ("PUE", "1"), "ref": ("REF", "1"), "wue": ("WUE", "L/kWh"), "erf": ("ERF", "1")}


def checked(data: PeriodData, values: Mapping[str, KpiValue], energy: Energy, water: Water) -> tuple[Check, ...]:
    """Every check on the figures of a period: those of METRICS (plausibility gate), and that parts sum to totals."""
    figures = [*_amounts(data), *_kpis(values)]
    if data.site.it_power_kw is not None:
        figures.append(Figure(name="PD_IT", value=data.site.it_power_kw, unit="kW"))
    sums = {}
    breakdowns = {
        "energy sources": energy.sources,
        "energy uses": energy.uses,
        "cooling": energy.cooling,
        "water sources": water.sources,
        "water uses": water.uses,
    }
    for name, found in breakdowns.items():
        if found is not None:
            figures += _parts(name, found)
            sums[f"total of {name}"] = [f"{name}: {part.label}" for part in found.parts]
    return gate(figures, hours=data.hours, sums=sums, joint=joint(data))


def joint(data: PeriodData) -> Iterator[Figure]:
    """E_DC, E_IT and E_REUSE over the intervals that E_DC and E_IT both have, so that they can be compared."""
    pair = [data.quantities[name].required() for name in ("e_dc", "e_it") if name in data.quantities]
    both = joined(pair)
    for name in _COMPARED:
        if both is not None and name in data.quantities:
            yield _amount(name, data.quantities[name].required(), both)


def _amounts(data: PeriodData) -> Iterator[Figure]:
    """Sums, each over its own intervals."""
    for name in _QUANTITIES:
        if name in data.quantities:
            found = data.quantities[name].required()
            yield _amount(name, found, found.usable)


def _amount(name: str, column: Quantity, where: Bool) -> Figure:
    written, unit = _QUANTITIES[name]
    where = where & column.usable
    return Figure(name=written, value=total(column, where) if where.any() else None, unit=unit)


def _kpis(values: Mapping[str, KpiValue]) -> Iterator[Figure]:
    """KPIs as their sums give them, also where the KPI itself is withheld for what they give."""
    for name, (written, unit) in _KPIS.items():
        found = values.get(name)
        if found is None or found.numerator is None or not found.denominator:
            continue
        yield Figure(name=written, value=found.numerator / found.denominator, unit=unit)


def _parts(name: str, found: Breakdown) -> Iterator[Figure]:
    """Parts may be negative (an export, what no meter shows), so they carry no unit of an amount."""
    yield Figure(name=f"total of {name}", value=found.total, unit="")
    for part in found.parts:
        yield Figure(name=f"{name}: {part.label}", value=part.value, unit="")
