"""One thing to tell people: an alert has begun or has ended, a report was issued or could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.machine import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What every notifier is given; times are microseconds UTC, data time."""

    site: str
    """Empty for what concerns no site."""
    name: str
    status: Status
    starts_at: int
    ends_at: int | None
    """None while the alert is firing."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    meter: str = ""
    """Of a rule on meters, the one that it is about; else empty."""

    @property
    def of_report(self) -> bool:
        """Whether it tells of a report, and of no alert."""
        return self.status in (Status.ISSUED, Status.REFUSED)

    @property
    def key(self) -> str:
        """The same for every repetition of this notification, and for no other one."""
        name = f"{self.name}/{self.meter}" if self.meter else self.name
        return f"{self.site}/{name}/{self.starts_at}/{self.status.value}"

    def to_json(self) -> dict[str, Any]:
        """As a JSON object that :meth:`from_json` reads back to an equal notification."""
        return {
            "site": self.site,
            "name": self.name,
            "status": self.status.value,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "meter": self.meter,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Notification:
        """The notification of a document of :meth:`to_json`; KeyError, TypeError or ValueError when it is none."""
        return cls(**{**document, "status": Status(document["status"])})
