"""The plausibility gate: what must hold among the figures of a report or an export before it is issued."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ROUNDING = 1e-9
"""Share of the larger side by which two figures may differ and still be equal: sums in floating point."""
_AMOUNTS = ("kWh", "MWh", "L", "m3", "kW")
"""Units in which less than nothing is a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure to be looked at; None: it is missing, and whatever needs it cannot be judged."""

    name: str
    value: float | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold."""

    code: str
    """Dotted, such as ``energy.it_above_dc``."""
    ok: bool | None
    """None where a figure that it needs is missing."""
    message: str
    """A sentence; of a breach it names both values, of what cannot be judged the figures that are missing."""
    values: tuple[Figure, ...]
    """The figures that were compared."""


def gate(
    figures: Iterable[Figure],
    *,
    hours: float,
    sums: Mapping[str, Sequence[str]] | None = None,
    joint: Iterable[Figure] = (),
) -> tuple[Check, ...]:
    """Judges the figures of a period of ``hours`` hours.

    Known names: E_DC, E_IT, E_REUSE [kWh], PD_IT [kW], PUE, REF [1]. Every figure, of any name, must be a finite
    number, and amounts of energy, water and power must not be negative. ``sums``: names of totals, each with those of
    its parts. Names that are not among the figures count as missing. ``joint``: some of the figures over the intervals
    that all of them have; where figures are compared with each other these are.
    """
    by_name = {figure.name: figure for figure in figures}
    judged = _Judge(by_name, {figure.name: figure for figure in joint})
    judged.whole()
    judged.compare("energy.it_above_dc", "E_IT", "E_DC", "must not be above")
    judged.compare("energy.reuse_not_below_dc", "E_REUSE", "E_DC", "must be below", strictly=True)
    judged.at_most("energy.it_above_installed", "E_IT", "PD_IT", hours)
    judged.between("pue.below_one", "PUE", 1.0, None)
    judged.between("ref.outside", "REF", 0.0, 1.0)
    for total, parts in (sums or {}).items():
        judged.sum("sum.differs", total, parts)
    return tuple(judged.checks)


def breaches(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Those that do not hold."""
    return tuple(check for check in checks if check.ok is False)


class _Judge:
    """Collects checks on figures by name."""

    def __init__(self, figures: Mapping[str, Figure], joint: Mapping[str, Figure]) -> None:
        self.checks: list[Check] = []
        self._figures = figures
        self._joint = joint

    def _add(self, code: str, message: str, figures: Sequence[Figure], *, ok: bool | None) -> None:
        self.checks.append(Check(code=code, ok=ok, message=message, values=tuple(figures)))

    def _known(
        self, code: str, names: Sequence[str], joint: Mapping[str, Figure] | None = None
    ) -> list[tuple[Figure, float]] | None:
        """The figures with their values; None, and said so, where one is missing or no number.

        ``joint``: what takes the place of those that have a value.
        """
        found = [self._figures.get(name, Figure(name=name, value=None, unit="")) for name in names]
        found = [each if each.value is None else (joint or {}).get(each.name, each) for each in found]
        known = [(each, each.value) for each in found if each.value is not None and math.isfinite(each.value)]
        if len(known) == len(found):
            return known
        lacking = ", ".join(each.name for each in found if each not in [have for have, _ in known])
        self._add(code, f"Not judged: {lacking} has no value.", found, ok=None)
        return None

    def whole(self) -> None:
        """Single finite numbers, and no negative amounts."""
        for figure in self._figures.values():
            if figure.value is None:
                continue
            if not math.isfinite(figure.value):
                self._add("number.not_finite", f"{_show(figure)} is no finite number.", [figure], ok=False)
            elif figure.unit in _AMOUNTS:
                ok = figure.value >= 0
                says = "is not negative" if ok else "is negative"
                self._add("amount.negative", f"{_show(figure)} {says}.", [figure], ok=ok)

    def compare(self, code: str, low: str, high: str, rule: str, *, strictly: bool = False) -> None:
        """``low`` is at most ``high``, or below it."""
        known = self._known(code, [low, high], self._joint)
        if known is None:
            return
        (first, a), (second, b) = known
        ok = a < b or (not strictly and a <= b + ROUNDING * abs(b))
        says = "holds against" if ok else rule
        self._add(code, f"{_show(first)} {says} {_show(second)}.", [first, second], ok=ok)

    def at_most(self, code: str, energy: str, power: str, hours: float) -> None:
        """An energy is at most a power at work all the time."""
        known = self._known(code, [energy, power])
        if known is None:
            return
        (first, a), (second, kw) = known
        most = Figure(name=f"{power} x {hours:g} h", value=kw * hours, unit=first.unit)
        ok = a <= kw * hours * (1 + ROUNDING)
        says = "holds against" if ok else "must not be above"
        self._add(code, f"{_show(first)} {says} {_show(most)}.", [first, second, most], ok=ok)

    def between(self, code: str, name: str, low: float, high: float | None) -> None:
        """A ratio lies within its bounds."""
        known = self._known(code, [name])
        if known is None:
            return
        ((figure, value),) = known
        ok = value >= low - ROUNDING and (high is None or value <= high + ROUNDING)
        bounds = f"{low:g} or more" if high is None else f"{low:g} to {high:g}"
        self._add(code, f"{_show(figure)} {'is' if ok else 'must be'} {bounds}.", [figure], ok=ok)

    def sum(self, code: str, total: str, parts: Sequence[str]) -> None:
        """Parts sum to their total."""
        known = self._known(code, [total, *parts])
        if known is None:
            return
        (whole, value), *rest = known
        found = math.fsum(each for _, each in rest)
        size = max(abs(value), math.fsum(abs(each) for _, each in rest))
        ok = abs(found - value) <= ROUNDING * size
        added = Figure(name=" + ".join(parts), value=found, unit=whole.unit)
        says = "equals" if ok else "must equal"
        self._add(code, f"{_show(whole)} {says} {_show(added)}.", [*(figure for figure, _ in known), added], ok=ok)


def _show(figure: Figure) -> str:
    """``E_IT 12.5 kWh``, with digits enough to tell two figures apart."""
    unit = "" if figure.unit in ("", "1") else f" {figure.unit}"
    return f"{figure.name} {figure.value:.9g}{unit}"
