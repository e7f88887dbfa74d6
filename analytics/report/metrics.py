"""The key-metrics table, as sustainability reports print it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics.report.carbon import Carbon
from analytics.report.model import Metric
from analytics.report.period import PeriodData
from analytics.report.rounding import digits_of, percent, shown
from analytics.report.values import amount_of
from wattwell.model import KpiValue

DASH = "\u2013"
_TONNE = _MWH = _M3 = 1000.0
_AMOUNTS = (
    ("electricity", "Energy of the data centre (E_DC)", "e_dc", "MWh", _MWH),
    ("it", "Energy of the IT equipment (E_IT)", "e_it", "MWh", _MWH),
    ("water", "Water", "water", "m3", _M3),
)
_KPIS = (
    *("pue", "wue", "wue_source", "ref", "cfe", "erf", "ere", "cer"),
    *("cue_location", "cue_market", "water_reclaimed_share", "ups_efficiency", "peak_demand_kw", "load_factor"),
)
_ALWAYS = ("pue", "wue", "ref", "erf", "cue_location", "cue_market")
"""Those that the table lists for every site."""
_SCOPES = (
    ("scope1_kg", "Scope 1 emissions", "fuels and refrigerants, metered and entered", None),
    ("scope2_location_kg", "Scope 2 emissions, location-based", "import by the grid's factor", "location"),
    ("scope2_market_kg", "Scope 2 emissions, market-based", "import by the contract's factor", "market"),
)


def metrics(data: PeriodData, values: Mapping[str, KpiValue], carbon: Carbon, least: float) -> tuple[Metric, ...]:
    """Amounts, the usual KPIs and others that the site has the inputs for, and emissions by scope.

    ``least``: the share of the period below which an amount has no value.
    """
    return (*_amounts(data, least), *_kpis(values), *_emissions(carbon, least))


def _amounts(data: PeriodData, least: float) -> Iterator[Metric]:
    bases = {"e_it": f"category {data.site.pue_category}", "water": data.site.wue_numerator.replace("_", " ")}
    for name, label, quantity, unit, size in _AMOUNTS:
        value = amount_of(quantity, data, 0, len(data.at))
        usable = 0.0 if value is None else float(data.quantities[quantity].required().usable.mean())
        scaled = None if value is None or usable < least else value / size
        yield _metric(name, label, unit, scaled, 1, bases.get(quantity, "metered") + _part(usable))


def _kpis(values: Mapping[str, KpiValue]) -> Iterator[Metric]:
    for name in _KPIS:
        found = values[name]
        if any(issue.code == "input.missing" for issue in found.issues):
            if name in _ALWAYS:
                yield _metric(name, found.label, "%" if percent(name) else found.unit, None, 0, "no meter or factor")
            continue
        basis = ", ".join(
            part
            for part in (
                f"category {found.category}" if found.category is not None else "",
                (found.basis or "").replace("_", " "),
                f"{found.usable:.1%} of the period" if found.usable < 1 else "",
                "provisional" if found.provisional else "",
            )
            if part
        )
        value = found.value if found.value is None or not percent(name) else found.value * 100
        yield _metric(name, found.label, "%" if percent(name) else found.unit, value, digits_of(name), basis)


def _emissions(carbon: Carbon, least: float) -> Iterator[Metric]:
    """Scope 1 of entries alone stands on no meter, so on all of the period."""
    for name, label, basis, bought in _SCOPES:
        kilograms: float | None = getattr(carbon, name)
        metered = [each.usable for each in carbon.metered if each.scope == (1 if bought is None else 2)]
        usable = min([*metered, *([] if bought is None else [getattr(carbon, bought).usable])], default=1.0)
        tonnes = None if kilograms is None or usable < least else kilograms / _TONNE
        yield _metric(name, label, "t CO2e", tonnes, 1, basis + _part(usable))


def _part(usable: float) -> str:
    """What is said of an amount that stands on a part of the period."""
    return "" if usable in (0.0, 1.0) else f", {usable:.1%} of the period"


def _metric(name: str, label: str, unit: str, value: float | None, digits: int, basis: str) -> Metric:
    text = DASH if value is None else shown(value, digits)
    return Metric(name=name, label=label, unit=unit, value=value, shown=text, basis=basis)
