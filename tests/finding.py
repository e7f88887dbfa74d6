"""Findings for tests, and a detector that finds by script."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from analytics.anomaly.quality import Model
from tests.support import T0
from wattwell.engine import findings as module
from wattwell.engine.findings import Advance, Known
from wattwell.finding import Course, Estimate, Finding
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import Prices, Site
from wattwell.store.protocol import ReadingStore

COURSE = Course(
    label="ahu-1",
    unit="kW",
    step=15 * MINUTE,
    start=(T0, T0 + 15 * MINUTE, T0 + 30 * MINUTE),
    actual=(10.1, None, 0.1 + 0.2),
    expected=(8.0, 8.1, None),
    low=(7.5, 7.6, None),
    high=(8.5, 8.6, None),
)


def a_finding(**changes: Any) -> Finding:
    """An open finding of fan power at ahu-1 of site s: 4 kW since T0, known an hour later."""
    fields: dict[str, Any] = {
        "id": "f1",
        "site": "s",
        "family": "fan_power",
        "detector": "fans",
        "equipment": "ahu-1",
        "meters": ("fan-1",),
        "start": T0,
        "end": None,
        "detected_at": T0 + HOUR,
        "status": "open",
        "confidence": 0.9,
        "excess_kwh": Estimate(value=40.0, low=36.0, high=44.0),
        "excess_l": None,
        "cost": 8.0,
        "carbon_kg": 20.0,
        "watts": 4000.0,
        "title": "The fans of ahu-1 draw half as much again",
        "cause": "At the same load they drew 8 kW until 1 January and draw 12 kW since.",
        "advice": "Look at the filters of ahu-1.",
        "evidence": {"expected_kw": 8.0, "speed": "unchanged", "drop_pa": None},
        "course": (COURSE,),
    }
    return Finding(**(fields | changes))


def a_model(**changes: Any) -> Model:
    """The fans of ahu-1, well known."""
    fields: dict[str, Any] = {
        "name": "fan-1",
        "kind": "fan",
        "unit": "kW",
        "space": "weather",
        "hours": 8592,
        "cv_rmse": 0.0228,
        "nmbe": -0.0009,
        "rmse": 0.058,
        "weekly": 0.027,
        "accepted": True,
        "unjudged": None,
    }
    return Model(**(fields | changes))


def leave(store: ReadingStore, at: int, *made: Finding, models: tuple[Model, ...] = ()) -> None:
    """Stores findings of one site as the desk does after a detector has looked at the data up to ``at``."""
    record = module._Record(at).after(at, Advance(state="", findings=made, models=models))
    store.save_states(module._documents(made[0].site, record, module._Record()))


def a_priced_site(name: str, zone: str) -> Site:
    """A site without meters that pays 0.2 EUR a kWh and 2 EUR a m3."""
    return Site(
        id=name,
        name=name,
        zone=zone,
        pue_category=1,
        it_power_kw=None,
        fiscal_year_start=1,
        wue_numerator="total_input",
        targets={},
        limits=(),
        prices=Prices(currency="EUR", electricity_per_kwh=0.2, water_per_m3=2.0),
        factors={},
        certificates=None,
        meters={},
    )


@dataclass(kw_only=True)
class Scripted:
    """Opens a finding at an hour since T0 and closes it at another one, by what it was told to look at.

    It is quiet in maintenance and where an operator knows of it, and withdraws the finding when the past changes.
    """

    opens: float = 2.0
    closes: float = 1e9
    finding: Finding = field(default_factory=a_finding)
    site: str | None = None
    """The only one at which it looks."""
    asked: list[tuple[float, float | None, str | None]] = field(default_factory=list)
    """Hours of until and since_changed, and the state, of each call."""

    def cold(self, site: Site, until: int, since_changed: int | None, known: Known) -> bool:  # noqa: ARG002
        """See :class:`~wattwell.engine.findings.Detector`."""
        return False

    def advance(self, site: Site, until: int, since_changed: int | None, known: Known) -> Advance | None:
        """See :class:`~wattwell.engine.findings.Detector`."""
        if self.site not in (None, site.id):
            return None
        since = None if since_changed is None else (since_changed - T0) / HOUR
        self.asked.append(((until - T0) / HOUR, since, known.state))
        state = str(int(known.state or 0) + 1)
        mine = replace(self.finding, site=site.id)
        on_record = {each.id: each for each in known.findings}
        if since_changed is not None and mine.id in on_record:
            return Advance(state=state, withdrawn=(mine.id,))
        opened, closed = (T0 + round(each * HOUR) for each in (self.opens, self.closes))
        if until < opened or any(window.covers(mine.equipment, opened) for window in known.maintenance):
            return Advance(state=state)
        if mine.id in on_record:
            if until >= closed and on_record[mine.id].end is None:
                return Advance(state=state, findings=(replace(mine, status="closed", end=closed, watts=None),))
            return None
        if any(said.quiets(mine.family, mine.equipment, opened) for said in known.feedback):
            return Advance(state=state)
        return Advance(state=state, findings=(replace(mine, detected_at=opened),))
