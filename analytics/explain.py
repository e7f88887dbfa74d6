"""A KPI taken apart: numerator and denominator as signed sums of meters over the usable intervals, and who is to blame
for those that are not usable.

Intervals are taken in stretches, so that a year needs no more memory than a month; what is added up over them is
rounded once, at the end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from analytics.balance import Quantity, SiteGrid, contracts, even, inputs, members, quantities, served_by, sides
from analytics.factors import FACTOR_OF, GRID_CARBON_FREE, hourly, scaled_column, scaled_sides
from analytics.kpi.base import Kpi
from analytics.kpi.subsystems import METERED
from analytics.matching import some_in_hour, whole_hours
from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64, Int64, Site

SYMBOLS = {
    "e_dc": "E_DC",
    "e_it": "E_IT",
    "cooling": "E_cooling",
    "power_chain": "E_power_chain",
    "lighting": "E_lighting",
    "ups_input": "E_UPS_input",
    "it_ups": "E_UPS_output",
    "import": "E_import",
    "water": "W",
    "onsite": "E_onsite",
    "onsite_sold": "E_onsite_sold",
    "ppa": "E_ppa",
    "certificate": "E_certificate",
    "carbon_location": "CO2_location",
    "carbon_market": "CO2_market",
    "source_water": "W_source",
    "water_total": "W_total",
    "water_reused": "W_reused",
    "water_recovered": "W_recovered",
    "heat_reuse": "E_reuse",
    "heat_removed": "Q_removed",
    "onsite_matched": "E_onsite_matched",
    "grid_carbon_free": "E_grid_carbon_free",
    "import_mean": "mean P_import",
    "import_peak": "max P_import",
    "hours": "hours",
}
"""How each quantity is written in a formula."""
_SIDES: dict[str, tuple[str, str]] = {
    "pue": ("e_dc", "e_it"),
    "dcie": ("e_it", "e_dc"),
    "wue": ("water", "e_it"),
    "ref": ("onsite - onsite_sold + ppa + certificate", "e_dc"),
    "ups_efficiency": ("it_ups", "ups_input"),
    "peak_demand_kw": ("import", "hours"),
    "load_factor": ("import_mean", "import_peak"),
    "cfe": ("onsite_matched + grid_carbon_free", "e_dc"),
    "cue_location": ("carbon_location", "e_it"),
    "cue_market": ("carbon_market", "e_it"),
    "wue_source": ("water + source_water", "e_it"),
    "erf": ("heat_reuse", "e_dc"),
    "ere": ("e_dc - heat_reuse", "e_it"),
    "cer": ("heat_removed", "cooling"),
    "water_reclaimed_share": ("water_reused", "water_total + water_recovered"),
}
"""Numerator and denominator in quantities; those of the subsystems follow a rule."""
_POWERS = {"import_mean": "import", "import_peak": "import"}
"""Mean power of the usable intervals, and of the highest one, by the energy that it is made of."""

Side = tuple[tuple[int, str], ...]
"""(+1 or -1, quantity)"""


def sides_of(kpi: Kpi, available: Collection[str]) -> tuple[Side, Side]:
    """Numerator and denominator of a KPI as signed sums of the quantities that a site has."""
    if kpi.name in _SIDES:
        numerator, denominator = (_parsed(text, available) for text in _SIDES[kpi.name])
        return numerator, denominator
    prefix, _, subsystem = kpi.name.partition("_")
    it: Side = ((1, "e_it"),)
    if subsystem in METERED:
        energy: Side = ((1, subsystem),)
        return (energy + it if prefix == "ppue" else energy), it
    rest: Side = tuple((-1, name) for name in METERED if name in available)
    return (((1, "e_dc"), *rest) if prefix == "ppue" else ((1, "e_dc"), (-1, "e_it"), *rest)), it


def _parsed(text: str, available: Collection[str]) -> Side:
    words = ["+", *text.split()]
    terms = [(1 if sign == "+" else -1, name) for sign, name in zip(words[::2], words[1::2], strict=True)]
    return tuple((sign, name) for sign, name in terms if _POWERS.get(name, name) in available or name == "hours")


# -- what adds up ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One summand of a quantity."""

    kind: str
    """``meter``, ``hourly`` (a meter by the factor of each hour), ``certificate``, ``exported`` (on-site energy that
    left the site in the interval it was made), ``surplus`` (on-site energy beyond E_DC in its hour), ``matched`` (what
    on-site energy covered in its hour, by a constant factor), or ``matched_hourly`` (by the factor of each hour)."""
    name: str
    """Meter or certificate id."""
    factor: float
    """Sign and weight with which it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One quantity on a side of a KPI."""

    quantity: str
    sign: int
    parts: tuple[tuple[Part, float], ...]
    """With what each adds to the quantity over the intervals that count."""

    @property
    def amount(self) -> float:
        """The quantity over the intervals that count, before the sign."""
        return math.fsum(amount for _, amount in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """Consecutive intervals that are not usable, for the same reason."""

    start: int
    end: int
    meters: tuple[str, ...]
    """Real meters without a value."""
    unserved: tuple[str, ...]
    """Quantities of which no meter is in service."""
    factors: tuple[str, ...] = ()
    """Factors of the site that have no value for the hour."""
    cut: bool = False
    """Whole hours are needed, and this one reaches beyond the window."""


@dataclass(slots=True)
class Stats:
    """One meter over the whole window, as far as it is in service."""

    amounts: list[float] = field(default_factory=list)
    intervals: int = 0
    known: int = 0
    measured: list[float] = field(default_factory=list)


class Breakdown:
    """Takes the intervals of a window, stretch by stretch, and says what a KPI's sides are made of."""

    def __init__(self, site: Site, kpi: Kpi, grid: int) -> None:
        self.site = site
        self.kpi = kpi
        self.grid = grid
        self.inputs = inputs(site)
        self.scaled = scaled_sides(site, sides(site))
        self.names = kpi.quantities(self.inputs)
        self.numerator, self.denominator = sides_of(kpi, self.inputs)
        chosen = dict.fromkeys(meter for name in self.names for meter in self.inputs[name])
        self.meters = tuple(dict.fromkeys(each for meter in chosen for each in _below(site, meter)))
        """Every meter behind the KPI, virtual ones before their members."""
        self.stats = {meter: Stats() for meter in self.meters}
        self.recovered: Counter[str] = Counter()
        """Intervals of each real meter of which only the spread is estimated; counted by who lays the intervals out."""
        self.blames: list[Blame] = []
        self.usable = 0
        self.peak_at: int | None = None
        self._peak = -math.inf
        self._sums: dict[tuple[str, Part], list[float]] = {}
        self._tops: dict[tuple[str, Part], list[float]] = {}
        """Of the highest interval so far."""

    @property
    def every(self) -> tuple[str, ...]:
        """Every meter of any KPI of the site: quantities are computed together."""
        return tuple(dict.fromkeys([*self.meters, *(meter for names in self.inputs.values() for meter in names)]))

    @property
    def stored(self) -> tuple[str, ...]:
        """The real meters among them."""
        return tuple(meter for meter in self.meters if not self.site.meters[meter].virtual)

    def add(self, laid: SiteGrid) -> None:
        """Takes the next stretch of intervals."""
        found = quantities(self.site, laid)
        taken = {name: found[name].required() if name in self.kpi.needs else found[name] for name in self.names}
        usable = np.logical_and.reduce([quantity.usable for quantity in taken.values()])
        self.usable += int(usable.sum())
        for meter in self.meters:
            self._count(meter, laid)
        self._blame(laid, taken, usable)
        top = self._top(laid, found, usable) if self.kpi.peak else usable
        for name in dict.fromkeys(name for _, name in (*self.numerator, *self.denominator) if name != "hours"):
            of_top = self.kpi.peak and name != "import_mean"
            counting, sums = (top, self._tops) if of_top else (usable, self._sums)
            if counting.any():
                for part, column in self._columns(_POWERS.get(name, name), laid, found):
                    sums.setdefault((name, part), []).append(float(column[counting].sum()))

    def terms(self, side: Side) -> tuple[Term, ...]:
        """A side of the KPI, with what its quantities are made of."""
        found, kept = [], {**self._sums, **self._tops}
        for sign, name in side:
            intervals = {"import_mean": max(self.usable, 1), "import_peak": 1}.get(name)
            hours = 1.0 if intervals is None else intervals * self.grid / HOUR
            parts = tuple((part, math.fsum(sums) / hours) for (of, part), sums in kept.items() if of == name)
            if name == "hours":
                parts = ((Part("length", "interval", 1.0), self.grid / HOUR),)
            found.append(Term(quantity=name, sign=sign, parts=parts))
        return tuple(found)

    def _count(self, meter: str, laid: SiteGrid) -> None:
        stats, served = self.stats[meter], served_by(self.site.meters[meter], laid.start)
        value = laid.value[meter]
        known = served & ~np.isnan(value)
        stats.intervals += int(served.sum())
        stats.known += int(known.sum())
        stats.amounts.append(float(value[known].sum()))
        stats.measured.append(float(laid.measured[meter][known].sum()))

    def _top(self, laid: SiteGrid, found: Mapping[str, Quantity], usable: Bool) -> Bool:
        """The stretch's own highest interval where it is the highest so far; what was summed before it is dropped."""
        chosen = np.zeros(len(usable), dtype=np.bool_)
        values = np.where(usable, found[self.names[0]].value, -np.inf)
        if len(values) and float(values.max()) > self._peak:
            place = int(values.argmax())
            self._peak, self.peak_at = float(values[place]), int(laid.start[place])
            chosen[place] = True
            self._tops.clear()
        return chosen

    # -- quantities in parts ----------------------------------------------------------------------------------

    def _columns(self, name: str, laid: SiteGrid, found: Mapping[str, Quantity]) -> Iterator[tuple[Part, Float64]]:
        """What each part adds to a quantity on each interval."""
        if name == "power_chain":
            fed = found["ups_input"].served
            yield from self._linear("ups_input", laid, fed, 1.0)
            yield from self._linear("e_it", laid, fed, -1.0)
        elif name == "onsite":
            yield from self._linear("pv", laid, None, 1.0)
            yield self._left(found)
        elif name == "onsite_matched":
            yield from self._covered(laid, found)
        elif name in (kinds := contracts(self.site.certificates)):
            for row in kinds[name]:
                yield Part("certificate", row.id, 1.0), even([row], laid).value
        elif name in self.scaled:
            yield from self._by_factor(name, laid, found)
        else:
            yield from self._linear(name, laid, None, 1.0)

    def _by_factor(self, name: str, laid: SiteGrid, found: Mapping[str, Quantity]) -> Iterator[tuple[Part, Float64]]:
        for coefficient, factor, meter in self.scaled[name]:
            column = scaled_column(name, coefficient, factor, laid.value[meter], laid.start)
            counted = served_by(self.site.meters[meter], laid.start) & ~np.isnan(column)
            kind, times = ("hourly", 1.0) if factor.constant is None else ("meter", factor.constant)
            yield Part(kind, meter, coefficient * times), np.where(counted, column, 0.0)
        covered = found["onsite_matched"].value if name == GRID_CARBON_FREE else np.zeros(0)
        if covered.any():
            kind, times = ("matched_hourly", 1.0) if factor.constant is None else ("matched", factor.constant)
            yield Part(kind, self._pv, -times), -np.nan_to_num(hourly(factor, laid.start)) * covered

    def _linear(self, name: str, laid: SiteGrid, where: Bool | None, sign: float) -> Iterator[tuple[Part, Float64]]:
        for factor, meter in sides(self.site)[name]:
            value = laid.value[meter]
            counted = served_by(self.site.meters[meter], laid.start) & ~np.isnan(value)
            if where is not None:
                counted &= where
            yield Part("meter", meter, sign * factor), np.where(counted, sign * factor * value, 0.0)

    def _covered(self, laid: SiteGrid, found: Mapping[str, Quantity]) -> Iterator[tuple[Part, Float64]]:
        """On-site energy as far as its hour had use for it; an hour with E_DC below zero had less than none."""
        beyond = found["onsite_matched"].value
        if "onsite" in found:
            yield from self._columns("onsite", laid, found)
            beyond = beyond - found["onsite"].value
        if beyond.any():
            yield Part("surplus", self._pv, -1.0), beyond

    @property
    def _pv(self) -> str:
        return " + ".join(self.inputs.get("pv", ())) or "E_DC below zero"

    def _left(self, found: Mapping[str, Quantity]) -> tuple[Part, Float64]:
        pv = found["pv"].value
        out = found["export"].value if "export" in found else np.zeros(len(pv))
        names = " + ".join(self.inputs.get("export", ())) or "below zero"
        return Part("exported", names, -1.0), -np.minimum(pv, out)

    # -- blame ------------------------------------------------------------------------------------------------

    def _blame(self, laid: SiteGrid, taken: Mapping[str, Quantity], usable: Bool) -> None:
        if usable.all():
            return
        reasons: dict[tuple[str, str], Bool] = {}
        for name, quantity in taken.items():
            if name in self.kpi.needs:
                reasons["unserved", name] = ~quantity.served & ~usable
            for _, factor, meter in self.scaled.get(name, ()):
                lacking = np.isnan(hourly(factor, laid.start)) & served_by(self.site.meters[meter], laid.start)
                known = reasons.get(("factor", FACTOR_OF[name]), np.zeros(len(usable), dtype=np.bool_))
                reasons["factor", FACTOR_OF[name]] = known | (lacking & ~usable)
            for meter in self.inputs[name]:
                for guilty, column in self._guilty(meter, laid):
                    known = reasons.get(("meter", guilty), np.zeros(len(usable), dtype=np.bool_))
                    reasons["meter", guilty] = known | (column & ~usable)
        if self.kpi.hourly:
            reasons = {reason: some_in_hour(laid.start, column) & ~usable for reason, column in reasons.items()}
            reasons["cut", ""] = ~whole_hours(laid.start, self.grid)
        self._spans(laid.start, usable, {reason: column for reason, column in reasons.items() if column.any()})

    def _guilty(self, meter: str, laid: SiteGrid) -> Iterator[tuple[str, Bool]]:
        """Where a meter has no value, and which real meter behind it; itself where none of them is in service."""
        lacking = served_by(self.site.meters[meter], laid.start) & np.isnan(laid.value[meter])
        blamed = np.zeros(len(lacking), dtype=np.bool_)
        for real in dict.fromkeys(members(self.site, meter)):
            column = lacking & served_by(self.site.meters[real], laid.start) & np.isnan(laid.value[real])
            blamed |= column
            yield real, column
        yield meter, lacking & ~blamed

    def _spans(self, start: Int64, usable: Bool, reasons: Mapping[tuple[str, str], Bool]) -> None:
        columns = np.stack([usable, *reasons.values()])
        turns = np.flatnonzero((columns[:, 1:] != columns[:, :-1]).any(axis=0)) + 1
        edges = [0, *turns.tolist(), len(start)]
        for low, high in pairwise(edges):
            if not usable[low]:
                why = [reason for reason, column in reasons.items() if column[low]]
                blame = Blame(
                    start=int(start[low]),
                    end=int(start[high - 1]) + self.grid,
                    meters=tuple(name for kind, name in why if kind == "meter"),
                    unserved=tuple(name for kind, name in why if kind == "unserved"),
                    factors=tuple(name for kind, name in why if kind == "factor"),
                    cut=("cut", "") in why,
                )
                self._append(blame)

    def _append(self, blame: Blame) -> None:
        last = self.blames[-1] if self.blames else None
        if last and last.end == blame.start and replace(last, start=blame.start, end=blame.end) == blame:
            self.blames[-1] = replace(last, end=blame.end)
        else:
            self.blames.append(blame)


def _below(site: Site, meter: str) -> Iterator[str]:
    """A meter and, where it is virtual, all that its formula is made of."""
    yield meter
    for _, member in site.meters[meter].formula:
        yield from _below(site, member)


def symbols(kpi: Kpi, numerator: Side, denominator: Side) -> str:
    """A KPI's formula in symbols: ``(E_cooling + E_IT) / E_IT``."""
    above, below = (written(side) for side in (numerator, denominator))
    if kpi.name == "peak_demand_kw":
        above = f"max {above}"
    elif kpi.name == "ref":
        above = f"min({above}, {below})"
    elif len(numerator) > 1:
        above = f"({above})"
    if len(denominator) > 1:
        below = f"({below})"
    return f"{above} / {below}"


def written(side: Side) -> str:
    """A side in symbols: ``E_DC - E_IT``."""
    text = " ".join(f"{'+' if sign > 0 else '-'} {SYMBOLS[name]}" for sign, name in side)
    return text.removeprefix("+ ")
