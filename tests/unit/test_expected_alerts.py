"""Rules on PUE against what the site's own history lets expect: in PUE points, and silent where nothing was learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.running import GRID, Site, two_meters
from tests.support import T0
from wattwell.intervals import HOUR
from wattwell.model import Float64
from wattwell.model import Site as Place
from wattwell.store.duckdb import DuckdbStore

RULE = {"name": "Beyond", "expected": "pue", "window": "1h", "above": 0.05, "clear": 0.03, "for": "30m"}


@dataclass
class Overhead:
    """Expects so many kW beside the IT load, by hours since T0; NaN: nothing."""

    kilowatts: Callable[[float], float] | None
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def overhead(self, site: Place, start: int, end: int) -> Float64 | None:
        """See :class:`~wattwell.engine.findings.Expectations`."""
        self.asked.append((site.id, start, end))
        if self.kilowatts is None:
            return None
        return np.array([self.kilowatts((at - T0) / HOUR) * GRID / HOUR for at in range(start, end, GRID)])


def a_site(folder: Path, expected: Overhead | None, pue: Callable[[float], float]) -> Site:
    store = DuckdbStore.open(folder / "w.duckdb", lambda: T0)
    return Site(config=two_meters(folder, RULE), store=store, pue=pue, expectations=expected)


def test_it_fires_beyond_the_expectation_and_not_with_it(tmp_path: Path) -> None:
    """100 kW of IT; the weather takes the overhead from 20 to 40 kW at 3 h, and a fault 10 kW more from 6 h to 9 h."""

    def weather(hours: float) -> float:
        return 40.0 if hours >= 3 else 20.0

    expected = Overhead(weather)
    site = a_site(tmp_path, expected, lambda hours: 1 + (weather(hours) + (10 if 6 <= hours < 9 else 0)) / 100)
    site.live(12)
    # Three quarters of the window to 6.75 h are at fault, and of that to 9.75 h one; the breach is held for 30 min.
    assert site.told() == [("Beyond", "firing", 7.25), ("Beyond", "resolved", 9.75)]
    assert {(name, end - start) for name, start, end in expected.asked} == {("s", HOUR)}
    (alert,) = site.engine.alerts()
    assert (alert["labels"]["kpi"], alert["category"], alert["signal"]) == ("pue", 1, "expected")
    assert "is above what weather and load let expect" in alert["annotations"]["summary"]
    assert alert["value"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("expected", "state"),
    [(None, "inactive"), (Overhead(None), "inactive"), (Overhead(lambda _: float("nan")), "no_data")],
    ids=["nobody expects anything", "no model has learnt", "nothing can be expected just now"],
)
def test_without_an_expectation_there_is_no_value_and_no_alert(
    tmp_path: Path, expected: Overhead | None, state: str
) -> None:
    site = a_site(tmp_path, expected, lambda _: 3.0)
    site.live(4)
    (alert,) = site.engine.alerts()
    assert (alert["state"], alert["value"]) == (state, None)
    assert site.told() == []


def test_where_too_little_can_be_expected_it_is_provisional_and_not_judged(tmp_path: Path) -> None:
    some = Overhead(lambda hours: 20.0 if hours % 1 < 0.75 else float("nan"))
    site = a_site(tmp_path, some, lambda _: 1.5)
    site.live(4)
    (alert,) = site.engine.alerts()
    assert (alert["state"], alert["provisional"], alert["coverage"]) == ("inactive", True, 0.75)
    assert alert["value"] == pytest.approx(0.3)
    assert site.told() == []
