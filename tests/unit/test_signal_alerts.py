"""Every signal stepped by the engine over readings, in data time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.running import RULE, STEP, Site, two_meters
from tests.support import T0
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, iso
from wattwell.store.duckdb import DuckdbStore

Pue = Callable[[float], float]
Make = Callable[..., Site]
STALE = {"name": "MeterStale", "stale": "any", "above": "15m"}
COVERAGE = {"name": "CoverageLow", "coverage": "pue", "window": "1h", "below": 0.9, "clear": 0.95, "for": "1h"}
POWER = {"name": "LoadHigh", "power": "it", "above": 120}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes sites with stores of their own."""
    stores: list[DuckdbStore] = []

    def made(pue: Pue, *rules: Any, site: dict[str, Any] | None = None, **changes: Any) -> Site:
        stores.append(DuckdbStore(Path("memory"), duckdb.connect()))
        return Site(config=two_meters(tmp_path, *rules, **(site or {})), store=stores[-1], pue=pue, **changes)

    yield made
    for store in stores:
        store.close()


def cut(hours: float) -> float | None:
    """The IT meter is silent from 7:30 to 12:00."""
    return 100.0 if hours <= 7.5 or hours >= 12 else None


def test_a_meter_that_falls_silent_is_told_of_and_what_rests_on_it_is_not(make: Make) -> None:
    site = make(lambda hours: 1.42 if hours >= 6 else 1.2, RULE | {"for": "2h"}, STALE, COVERAGE, it=cut)
    site.live(11)
    assert site.told() == [("MeterStale", "firing", 8.0)]
    states = {(each["name"], each["state"]): each["inhibited_by"] for each in site.engine.alerts()}
    assert states["CoverageLow", "firing"] == "MeterStale/it"
    site.live(17)
    assert site.told()[:2] == [("MeterStale", "firing", 8.0), ("MeterStale", "resolved", 11.75)]
    assert [name for name, status, _ in site.told()[2:] if status == "firing"] == ["CoverageLow", "PueHigh"]
    assert site.told()[-1][:2] == ("PueHigh", "firing")


def test_power_is_that_of_the_last_complete_interval_or_a_mean(make: Make) -> None:
    mean = POWER | {"name": "MeanHigh", "window": "1h", "above": 110}
    site = make(lambda _: 1.2, POWER, mean, it=lambda hours: 150.0 if 6 <= hours < 7 else 100.0)
    site.live(9)
    assert site.alerts() == [("LoadHigh", "inactive", 6.25, 7.25), ("MeanHigh", "inactive", 6.25, 8.0)]
    labels = next(each["labels"] for each in site.engine.alerts() if each["name"] == "LoadHigh")
    assert labels == {"alertname": "LoadHigh", "site": "s", "severity": "warning", "subsystem": "it"}


def test_children_that_count_more_than_their_parent_open_the_balance(make: Make) -> None:
    meters = [
        {"id": "grid", "role": "utility_import", **STEP},
        {"id": "it", "role": "it_ups", "parent": "grid", **STEP},
    ]
    rule = {"name": "BalanceOpen", "balance": "any", "window": "1h", "above": 1}
    site = make(lambda hours: 0.9 if 6 <= hours < 8 else 1.4, rule, site={"meters": meters})
    site.live(10)
    ((name, state, fired, _),) = site.alerts()
    assert (name, state, fired) == ("BalanceOpen", "inactive", 7.0)
    assert site.engine.alerts()[0]["labels"]["meter"] == "grid"


def test_a_rule_that_rests_on_no_meter_hurries_no_other(make: Make) -> None:
    """A site without a meter tree has no balance; what is said of its PUE is said at the same edge as before."""
    alone, beside = make(step_up), make(step_up, RULE, {"name": "B", "balance": "any", "window": "1h", "above": 1})
    for site in (alone, beside):
        site.live(11)
    assert beside.told() == alone.told() == [("PueHigh", "firing", 7.0), ("PueHigh", "resolved", 9.75)]


def step_up(hours: float) -> float:
    return 1.42 if 6 <= hours < 9 else 1.2


def test_pue_below_one_is_told_and_is_no_outage(make: Make) -> None:
    below = {"name": "PueBelowOne", "kpi": "pue", "window": "1h", "below": 1.0}
    site = make(lambda hours: 0.9 if hours >= 6 else 1.2, RULE, below)
    site.live(10)
    assert [name for name, *_ in site.told()] == ["PueBelowOne"]
    (found,) = [each for each in site.engine.alerts() if each["name"] == "PueBelowOne"]
    assert 0.8 < found["value"] < 1


def test_a_spool_that_grows_is_told_of_without_a_site(make: Make) -> None:
    site = make(lambda _: 1.2, {"name": "SpoolGrowing", "spool": "readings", "above": 100, "for": "30m"})
    site.engine.watch.spool = lambda: 500
    site.live(2)
    assert site.told() == [("SpoolGrowing", "firing", 0.75)]
    assert site.listener is not None
    assert "site" not in site.listener.told[0].labels
    assert site.engine.alerts()[0]["site"] is None
    assert site.engine.alerts("s") == []


def test_a_restart_between_any_two_refreshes_repeats_and_loses_nothing(make: Make) -> None:
    rules = (RULE | {"for": "1h"}, STALE, COVERAGE, POWER)
    load = lambda hours: None if 7.5 < hours < 12 else 150.0 if 3 < hours < 4 else 100.0  # noqa: E731
    through, restarted = (make(lambda hours: 1.42 if hours >= 6 else 1.2, *rules, it=load) for _ in range(2))
    through.live(15)
    restarted.live(15, restart=True)
    assert len(through.told()) >= 6
    assert restarted.told() == through.told()
    assert restarted.engine.alerts() == through.engine.alerts()


def test_silence_is_not_judged_where_history_is_filled_in(make: Make) -> None:
    """One file a meter: while the first is in, the other meter looks silent; it is not."""
    site = make(lambda _: 1.2, STALE, listener=None, it=cut, now=T0 + 20 * HOUR)
    site.send(T0 + 11 * HOUR)
    site.refresh()
    assert {(each["labels"]["meter"], each["state"]) for each in site.engine.alerts()} == {
        ("grid", "inactive"),
        ("it", "inactive"),
    }


def test_a_maintenance_window_holds_back_and_what_still_fires_is_told_once(make: Make) -> None:
    site = make(lambda hours: 1.42 if hours >= 6 else 1.2)
    site.live(5)
    made = site.engine.silence("s", {}, None, None, "4h", "ida", "chiller service")
    assert (made["kind"], made["state"], made["until"]) == ("maintenance", "active", iso(T0 + 9 * HOUR))
    site.live(8.75, restart=True)
    assert site.told() == []
    (found,) = site.engine.alerts()
    assert (found["state"], found["silenced_by"]["reason"]) == ("firing", "chiller service")
    site.live(12, restart=True)
    assert site.told() == [("PueHigh", "firing", 7.0)]
    assert site.engine.alerts()[0]["silenced_by"] is None


def test_a_silence_of_another_alert_holds_nothing_back_and_an_expired_one_neither(make: Make) -> None:
    site = make(lambda hours: 1.42 if hours >= 6 else 1.2)
    site.live(5)
    site.engine.silence("s", {"alertname": "Other"}, None, None, "24h", "ida", "another one")
    made = site.engine.silence(None, {"alertname": "PueHigh"}, None, None, "24h", "ida", "known")
    site.live(7.5)
    assert site.told() == []
    ended = site.engine.expire(made["id"], "bo", "mended")
    assert (ended["state"], ended["expired"]) == ("ended", "bo: mended")
    site.live(8)
    assert site.told() == [("PueHigh", "firing", 7.0)]
    with pytest.raises(UsageError, match=f"no silence {made['id']} is in force"):
        site.engine.expire(made["id"], "bo", "again")
    assert [each["state"] for each in site.engine.silences()] == ["active", "ended"]
    assert [each["kind"] for each in site.engine.audit(kind="silence")] == ["silence"] * 3


def test_an_acknowledgement_marks_the_alert_and_no_later_one(make: Make) -> None:
    site = make(lambda hours: 1.42 if hours % 12 >= 6 else 1.2)
    site.live(8)
    with pytest.raises(UsageError, match="no alert Nope is open on s; open: PueHigh"):
        site.engine.acknowledge("s", "Nope", "", "ida", "looking")
    site.engine.acknowledge("s", "PueHigh", "", "ida", "looking")
    site.restart()
    assert site.engine.alerts()[0]["acknowledged_by"] == {
        "at": iso(T0 + 8 * HOUR),
        "author": "ida",
        "reason": "looking",
    }
    site.live(20)
    assert [status for _, status, _ in site.told()] == ["firing", "resolved", "firing"]
    assert site.engine.alerts()[0]["acknowledged_by"] is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"site": "t"}, "site 't' is not configured"),
        ({"site": None}, "a silence of everything is not possible"),
        ({"lasts": None}, "--for 4h or --until"),
        ({"end": "2030-01-01"}, "--for 4h or --until"),
        ({"lasts": None, "end": "2025-01-01"}, "over already"),
        ({"lasts": "4"}, "is not a duration"),
        ({"start": "soon"}, "is not understood"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(make: Make, asked: dict[str, Any], said: str) -> None:
    site = make(lambda _: 1.2)
    given: dict[str, Any] = {
        "site": "s",
        "matchers": {},
        "start": None,
        "end": None,
        "lasts": "4h",
        "author": "ida",
        "reason": "x",
    }
    with pytest.raises(UsageError, match=said):
        site.engine.silence(**(given | asked))
    assert site.engine.silences() == []


def test_suggestions_play_thresholds_over_the_history(make: Make) -> None:
    site = make(lambda hours: 1.42 if hours % 24 >= 18 else 1.2, RULE, listener=None, now=T0 + 4 * DAY)
    site.send(T0 + 4 * DAY)
    site.refresh()
    (found,) = site.engine.suggest("s")
    tried = {each["of"]: each for each in found["thresholds"]}
    assert (tried["own"]["threshold"], tried["own"]["alerts"]) == (1.3, 4)
    assert tried["p50"]["threshold"] == pytest.approx(1.2)
    assert tried["p99"]["threshold"] == pytest.approx(1.42)
    assert tried["p99"]["alerts"] == 0
    assert 0 < tried["own"]["hours"] < 4 * 8
