"""What a commissioning engineer looks for: meters that are mounted, set or declared wrongly, each with its evidence.

Every judge is a function of what was seen (:mod:`analytics.commissioning.seen`) and says nothing where the data are
too few, or where a healthy site could look the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from analytics.commissioning.clock import judge_clock
from analytics.commissioning.direction import judge_direction
from analytics.commissioning.scale import judge_scale
from analytics.commissioning.seen import Finding, Seen
from analytics.commissioning.still import judge_still
from analytics.commissioning.totals import judge_totals

CODES = ("pue.below_one", "meter.unit", "meter.reversed", "meter.clock", "meter.frozen", "balance.children")
"""Everything that can be found, worst first."""


def judge(seen: Seen) -> list[Finding]:
    """Every finding on a site, worst first; one code is told of a meter once."""
    wrong = [*judge_scale(seen), *judge_direction(seen), *judge_still(seen)]
    blamed = frozenset(finding.meter for finding in wrong)
    found = [*wrong, *judge_clock(seen), *judge_totals(seen, blamed)]
    return sorted(_told_once(found), key=lambda finding: (CODES.index(finding.code), finding.meter or ""))


def _told_once(found: list[Finding]) -> Iterator[Finding]:
    """The first of each code and meter; a meter that is reversed is not called frozen besides."""
    told: set[tuple[str, str | None]] = set()
    for finding in found:
        names = {(finding.code, finding.meter)}
        if finding.code == "meter.frozen":
            names.add(("meter.reversed", finding.meter))
        if told.isdisjoint(names):
            told.add((finding.code, finding.meter))
            yield finding
