"""Limits on PUE as dated data, each table with its source and the day on which it was checked.

A table is what a site chooses by name (``limits:`` in the configuration). What holds on a day, and for whom, is told
by :mod:`analytics.report.limits`. A draft is a table of its own: it never stands in for the law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

_CHECKED = date(2026, 11, 22)
_ENEFG_POWER = 300.0
_ENEFG_WHO = "data centres in Germany with a non-redundant connected power of 300 kW or more"
_ENEFG = "Energieeffizienzgesetz (EnEfG), section 11, BGBl. 2023 I Nr. 309"
_NEW = date(2026, 7, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStep:
    """One limit of a table, in force from a day on until the next step for the same data centres."""

    since: date
    pue: float
    """Highest annual PUE that meets it."""
    started_from: date | None = None
    """It holds for data centres that started operation on this day or later."""
    started_before: date | None = None
    """It holds for data centres that started operation before this day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTable:
    """A table of dated limits."""

    name: str
    title: str
    source: str
    checked: date
    """The day on which source and numbers were last compared."""
    draft: bool
    """Not law; holds only where a site chooses it."""
    applies_to: str
    least_power_kw: float | None
    """Connected power from which the table holds; None: any."""
    steps: tuple[LimitStep, ...]
    """Ascending in time."""
    remark: str = ""
    """What else the source says of its limits."""
    grades: tuple[float, ...] = ()
    """Highest PUE of grade 1, 2, 3 ..., ascending; the last one is the limit itself. Empty without grades."""


TABLES: Mapping[str, LimitTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            LimitTable(
                name="enefg-existing",
                title="EnEfG, existing data centres",
                source=_ENEFG,
                checked=_CHECKED,
                draft=False,
                applies_to=f"{_ENEFG_WHO} that started before 1 July 2026",
                least_power_kw=_ENEFG_POWER,
                steps=(
                    LimitStep(since=date(2027, 7, 1), pue=1.5, started_before=_NEW),
                    LimitStep(since=date(2030, 7, 1), pue=1.3, started_before=_NEW),
                ),
            ),
            LimitTable(
                name="enefg-new",
                title="EnEfG, new data centres",
                source=_ENEFG,
                checked=_CHECKED,
                draft=False,
                applies_to=f"{_ENEFG_WHO} that start on or after 1 July 2026",
                least_power_kw=_ENEFG_POWER,
                steps=(LimitStep(since=_NEW, pue=1.2, started_from=_NEW),),
                remark="It must be reached, as a mean over the year, at the latest two years after the start of"
                " operation.",
            ),
            LimitTable(
                name="enefg-draft-2026-04",
                title="EnEfG, draft amendment of April 2026",
                source="draft act to amend the Energieeffizienzgesetz (EnEfG), April 2026",
                checked=_CHECKED,
                draft=True,
                applies_to=_ENEFG_WHO,
                least_power_kw=_ENEFG_POWER,
                steps=(
                    LimitStep(since=_NEW, pue=1.3, started_from=_NEW),
                    LimitStep(since=date(2027, 7, 1), pue=1.6, started_before=_NEW),
                    LimitStep(since=date(2030, 7, 1), pue=1.4, started_before=_NEW),
                ),
            ),
            LimitTable(
                name="gb40879-2021",
                title="GB 40879-2021",
                source="GB 40879-2021, maximum allowable values of energy efficiency and energy efficiency grades"
                " for data centers",
                checked=_CHECKED,
                draft=False,
                applies_to="data centres in China",
                least_power_kw=None,
                steps=(LimitStep(since=date(2022, 11, 1), pue=1.5),),
                grades=(1.2, 1.3, 1.5),
            ),
        )
    }
)
"""Every table by name."""
LIMITS = tuple(TABLES)
"""Names of the tables that a site may choose."""
