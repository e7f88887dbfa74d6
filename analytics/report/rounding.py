"""How figures are printed: digits, units that suit the size, and parts that sum to their total to the last digit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from analytics.report.model import Breakdown, Part

DIGITS = {"ref": 1, "erf": 1, "dcie": 1, "ups_efficiency": 1, "cfe": 1, "load_factor": 1, "water_reclaimed_share": 1}
"""Digits of the KPIs that are printed in per cent."""
RATIO_DIGITS = 3
"""Of PUE, WUE, CUE and other ratios."""
_SCALES = {
    "energy": ((1e6, "GWh"), (1e3, "MWh"), (1.0, "kWh")),
    "water": ((1e3, "m3"), (1.0, "L")),
    "mass": ((1e3, "t"), (1.0, "kg")),
}
KINDS = tuple(_SCALES)
_COARSE = 10.0
"""An amount is printed in the largest unit of which it is at least so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How amounts of one kind are printed."""

    unit: str
    size: float
    """Of the unit, in kWh, L or kg."""
    digits: int


def percent(kpi: str) -> bool:
    """Whether a KPI is printed in per cent."""
    return kpi in DIGITS


def digits_of(kpi: str) -> int:
    """Digits after the point with which a KPI is printed."""
    return 0 if kpi == "peak_demand_kw" else DIGITS.get(kpi, RATIO_DIGITS)


def scale_of(kind: str, most: float) -> Scale:
    """The unit for amounts of energy, water or mass, the largest of which is ``most`` kWh, L or kg."""
    size, unit = next((step for step in _SCALES[kind] if most >= _COARSE * step[0]), _SCALES[kind][-1])
    scaled = most / size
    return Scale(unit=unit, size=size, digits=0 if scaled >= 1000 or size == 1 else 1 if scaled >= 100 else 2)


def shown(value: float, digits: int) -> str:
    """A number with thousands separators and without a negative zero."""
    return f"{value:z,.{digits}f}"


def breakdown(
    label: str, kind: str, parts: Sequence[tuple[str, str, float]], usable: float, most: float = 0.0
) -> Breakdown:
    """A total and its parts (name, label, value), printed so that they add up; ``kind``: energy, water or mass.

    ``most``: an amount that is printed beside them, so that all have the same unit and digits.
    """
    total = math.fsum(value for _, _, value in parts)
    scale = scale_of(kind, max([most, abs(total), *(abs(value) for _, _, value in parts)]))
    if scale.size != 1.0:  # finer than anywhere else, so that what is moved to add up shows nowhere else
        scale = replace(scale, digits=scale.digits + 1)
    texts, whole = adding_up([value for _, _, value in parts], scale)
    shares = [100 * value / total for _, _, value in parts] if total > 0 else []
    percents = adding_up(shares, Scale(unit="%", size=1.0, digits=1))[0] if shares else [None] * len(parts)
    return Breakdown(
        label=label,
        unit=scale.unit,
        total=total,
        total_shown=whole,
        parts=tuple(
            Part(
                name=name,
                label=said,
                value=value,
                shown=text,
                share=value / total if total > 0 else None,
                share_shown=percent,
            )
            for (name, said, value), text, percent in zip(parts, texts, percents, strict=True)
        ),
        usable=usable,
    )


def adding_up(values: Sequence[float], scale: Scale) -> tuple[list[str], str]:
    """Each value and their sum in steps of the last digit; steps go to the largest remainders until they add up."""
    step = Fraction(scale.size) / 10**scale.digits
    exact = [Fraction(value) / step for value in values]
    floors = [math.floor(each) for each in exact]
    whole = round(sum(exact))
    order = sorted(range(len(exact)), key=lambda place: (floors[place] - exact[place], place))
    for place in order[: whole - sum(floors)]:
        floors[place] += 1
    return [_steps(each, scale.digits) for each in floors], _steps(whole, scale.digits)


def _steps(count: int, digits: int) -> str:
    """So many steps of the last digit as text, exactly."""
    sign, count = ("-" if count < 0 else ""), abs(count)
    return f"{sign}{count // 10**digits:,}" + (f".{count % 10**digits:0{digits}}" if digits else "")
