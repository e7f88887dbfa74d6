"""Reports for the tests of the pages: what ``Queries`` answers, from the documents that are made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests import reporting
from wattwell.errors import UnknownError, UsageError

Document = dict[str, Any]


def cooling_alone() -> Document:
    """October without E_DC and E_IT; its cooling is known."""
    found = reporting.full()
    found["energy"] |= {"sources": None, "uses": None}
    return found


MADE: dict[str, Callable[[], Document]] = {
    "2026-10": reporting.full,
    "2026-09": reporting.empty,
    "2026-11": reporting.provisional,
    "2026-08": lambda: reporting.named(reporting.LONG),
    "2026-06": cooling_alone,
    "2026-07": lambda: reporting.named(reporting.HOSTILE),
    "2026": reporting.year,
    "FY2026": reporting.year,
}
_NAMES = {"2026-07": "July 2026", "2026-08": "August 2026", "2026-09": "September 2026", "2026-11": "November 2026"}


class FakeReports:
    """The part of ``Queries`` that is about reports: one issued twice, one provisional, the others as drafts."""

    reported: list[tuple[str, str, int | None]]

    def report(self, site: str, key: str, revision: int | None = None) -> Document:
        """As of ``MADE``, other months as October; a revision other than 1 and 2 is not known."""
        self.reported.append((site, key, revision))
        if not re.fullmatch(r"(FY)?\d{4}|\d{4}-(0[1-9]|1[0-2])", key):
            raise UsageError(f"report {key!r} is not understood: write a month (2026-10) or a year (2026)")
        if revision not in (None, 1, 2):
            raise UnknownError(f"report {key} of {site} has no revision {revision}; issued: 1, 2")
        found = MADE.get(key, reporting.full if "-" in key else reporting.year)()
        found["period"]["key"] = key
        found["period"]["name"] = _NAMES.get(key, found["period"]["name"])
        if key.startswith("FY"):
            found["period"] |= {"window": "fiscal_year", "name": "1 April 2026 to 31 March 2027"}
        for each in found["findings"]:
            each["id"] = "berlin-fans"
        for line in found["headlines"]:
            line["fiscal"]["start"] = "2026-03-31T22:00:00Z"
        if revision == 1:
            found |= {"revision": 1, "revisions": found["revisions"][:1]}
        return found

    def reports(self, site: str | None = None) -> list[Document]:
        """Two revisions of October, and the fiscal year by a long reason."""
        common = {"site": "berlin", "window": "month", "key": "2026-10", "name": "October 2026", "digest": "9f" * 32}
        first = common | {"revision": 1, "issued_at": "2026-11-04T00:05:00Z", "author": "wattwell", "changes": 0}
        second = first | {"revision": 2, "issued_at": "2026-11-12T09:30:00Z", "author": "<b>m.weber</b>", "changes": 2}
        year = second | {"window": "fiscal_year", "key": "FY2026", "name": "1 April 2026 to 31 March 2027"}
        rows = [
            year | {"provisional": True, "reason": "Late_data_of_" + "ups_a_" * 20},
            second | {"provisional": False, "reason": "Late data of ups-a."},
            first | {"provisional": False, "reason": "period over"},
        ]
        return rows if site in (None, "berlin") else []
