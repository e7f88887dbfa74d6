"""Alert rules stepped by the engine in data time (README, Alerts)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.running import GRID, RULE, STEP, Site, two_meters
from tests.support import T0
from wattwell.intervals import HOUR, MINUTE
from wattwell.store.duckdb import DuckdbStore

Pue = Callable[[float], float]
Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes sites with stores of their own."""
    stores: list[DuckdbStore] = []

    def made(pue: Pue, *rules: Any, **changes: Any) -> Site:
        stores.append(DuckdbStore(Path("memory"), duckdb.connect()))
        return Site(config=two_meters(tmp_path, *rules), store=stores[-1], pue=pue, **changes)

    yield made
    for store in stores:
        store.close()


def step_up(hours: float) -> float:
    """1.42 from six to nine, so that the hour's PUE is 1.31 at 6:30 and at 9:30."""
    return 1.42 if 6 <= hours < 9 else 1.2


def saw_tooth(hours: float) -> float:
    return 1.31 if int(hours) % 2 else 1.29


def test_a_saw_tooth_about_the_threshold_is_one_alert(make: Make) -> None:
    site = make(saw_tooth, RULE | {"for": "0s"})
    site.live(12)
    assert site.alerts() == [("PueHigh", "firing", 1.75, None)]
    assert site.told() == [("PueHigh", "firing", 1.75)]


def test_without_a_clear_line_each_tooth_is_an_alert(make: Make) -> None:
    rule = {name: value for name, value in RULE.items() if name != "clear"}
    site = make(saw_tooth, rule | {"for": "0s"})
    site.live(8.5)
    assert [fired for _, _, fired, _ in site.alerts()] == [1.75, 3.75, 5.75, 7.75]


def test_a_step_fires_after_its_hold_and_resolves_below_the_clear_line(make: Make) -> None:
    site = make(step_up)
    site.live(11)
    assert site.alerts() == [("PueHigh", "inactive", 7.0, 9.75)]
    assert site.told() == [("PueHigh", "firing", 7.0), ("PueHigh", "resolved", 9.75)]


def test_a_rule_on_a_slow_meter_holds_up_no_other(tmp_path: Path) -> None:
    """A water meter that is read once a day delays what is said of water, not the PUE."""
    slow = {"id": "water", "role": "water_input", "quantity": "water", "accumulation": "register", "max_rate": 9}
    wue = {"name": "WueHigh", "kpi": "wue", "window": "1h", "above": 1.0}
    meters = [{"id": "grid", "role": "utility_import", **STEP}, {"id": "it", "role": "it_ups", **STEP}]
    config = two_meters(tmp_path, RULE, wue, meters=[*meters, slow | {"period": "24h"}])
    site = Site(config=config, store=DuckdbStore(Path("memory"), duckdb.connect()), pue=step_up)
    site.live(11)
    assert ("PueHigh", "inactive", 7.0, 9.75) in site.alerts()
    assert ("PueHigh", "firing", 7.0) in site.told()
    site.store.close()


def test_what_was_pending_starts_anew_after_a_break(make: Make) -> None:
    site = make(lambda hours: 1.6 if hours % 1 < 0.25 else 1.2, RULE | {"for": "30m", "window": "1h"})
    site.live(6)
    assert site.alerts() == []
    assert site.engine.alerts()[0]["value"] == pytest.approx(1.3)


def test_keep_firing_outlasts_the_clear_line(make: Make) -> None:
    site = make(step_up, RULE | {"keep_firing": "2h"})
    site.live(12)
    assert site.alerts() == [("PueHigh", "inactive", 7.0, 11.5)]


def test_an_it_meter_that_is_cut_leaves_the_alert_firing_and_adds_one_data_alert(make: Make) -> None:
    """Cut at 7:30, the hour has less than half of its intervals from 8:15 on."""
    site = make(lambda _: 1.42, it=lambda hours: 100.0 if hours <= 7.5 or hours >= 12 else None)
    site.live(11.5)
    assert site.alerts() == [("PueHigh", "firing", 1.5, None), ("PueHighNoData", "no_data", 8.75, None)]
    site.live(15)
    assert site.alerts() == [("PueHigh", "firing", 1.5, None), ("PueHighNoData", "inactive", 8.75, 12.5)]
    wanted = [("PueHigh", "firing", 1.5), ("PueHighNoData", "firing", 8.75), ("PueHighNoData", "resolved", 12.5)]
    assert site.told() == wanted


def test_a_site_that_falls_silent_raises_the_data_alert(make: Make) -> None:
    site = make(lambda _: 1.2)
    site.live(6)
    site.live(9, send=False)
    assert site.alerts() == [("PueHighNoData", "no_data", 7.25, None)]


def test_warm_up_raises_nothing(make: Make) -> None:
    site = make(lambda _: 1.2, RULE | {"window": "24h"}, RULE | {"name": "Month", "window": "30d", "for": "0s"})
    site.live(13)
    assert (site.alerts(), site.told()) == ([], [])
    states = {each["name"]: each["state"] for each in site.engine.alerts()}
    assert states == {"PueHigh": "inactive", "Month": "inactive"}


def test_a_restart_between_any_two_refreshes_repeats_and_loses_nothing(make: Make) -> None:
    def load(hours: float) -> float | None:
        return 100.0 if not 7.5 < hours < 12 else None

    through, restarted = make(step_up, it=load), make(step_up, it=load)
    through.live(15)
    restarted.live(15, restart=True)
    assert len(through.told()) == 4
    assert restarted.told() == through.told()
    assert restarted.engine.alerts() == through.engine.alerts()


def test_what_the_broker_kept_while_we_were_away_is_not_missing(make: Make) -> None:
    """The first refreshes after a start come before the backlog; they must not take it for an outage."""
    through, away = make(step_up), make(step_up)
    through.live(12)
    away.live(5.75)
    away.now = T0 + 11 * HOUR
    away.restart()
    away.refresh()
    away.now += MINUTE
    away.refresh()
    assert away.told() == []
    away.send(away.now)
    away.refresh()
    assert [name for name, *_ in away.told()] == ["PueHigh", "PueHigh"]
    away.now = T0 + 11 * HOUR
    away.live(12)
    assert away.told() == through.told()
    assert away.engine.alerts() == through.engine.alerts()


def test_after_a_start_a_site_that_stays_silent_is_told_of(make: Make) -> None:
    site = make(lambda _: 1.2)
    site.live(6)
    site.now = T0 + 11 * HOUR
    site.restart()
    site.refresh()
    assert site.told() == []
    site.now += GRID
    site.refresh()
    assert site.told() == [("PueHighNoData", "firing", 7.25)]


@pytest.mark.parametrize("seed", range(3))
def test_a_back_fill_in_pieces_gives_the_history_of_one(make: Make, seed: int) -> None:
    """Pieces end anywhere, also within an interval, and the meters report at different times."""
    dice = random.Random(seed)
    levels = [dice.choice([1.2, 1.26, 1.29, 1.32, 1.45]) for _ in range(40)]
    silent = dice.uniform(10, 20)

    def load(hours: float) -> float | None:
        return None if silent < hours < silent + 5 else 100.0

    periods = {"grid": 5 * MINUTE, "it": dice.choice([1, 2, 4]) * MINUTE}
    sites = [
        make(lambda hours: levels[int(hours)], it=load, listener=None, period=periods, now=T0 + 60 * HOUR)
        for _ in range(2)
    ]
    whole, pieces = sites
    whole.send(T0 + 39 * HOUR)
    whole.refresh()
    for cut in sorted(dice.randrange(39 * 4) * 15 + dice.choice([0, 7, 14]) for _ in range(50)):
        pieces.send(T0 + cut * MINUTE)
        pieces.refresh()
    pieces.send(T0 + 39 * HOUR)
    pieces.refresh()
    assert any(name == "PueHighNoData" for name, *_ in whole.alerts())
    assert len(whole.alerts()) >= 2
    assert pieces.engine.alerts() == whole.engine.alerts()


def test_alerts_that_began_in_a_back_fill_are_told_once_they_are_live(make: Make) -> None:
    site = make(lambda hours: 1.42 if hours < 3 or hours >= 6 else 1.2, listener=None, now=T0 + 10 * HOUR)
    site.send(T0 + 10 * HOUR)
    site.refresh()
    assert [(name, state) for name, state, *_ in site.alerts()] == [("PueHigh", "inactive"), ("PueHigh", "firing")]
    told = Site(config=site.config, store=site.store, pue=site.pue, now=site.now, sent=site.sent)
    told.live(11)
    told.live(12, restart=True)
    assert told.told() == [("PueHigh", "firing", 7.0)]


def test_late_readings_change_no_alert_that_was_told(make: Make) -> None:
    site = make(step_up)
    site.live(11)
    before = site.engine.alerts()
    site.pue, site.sent = (lambda _: 1.2), T0 + 6 * HOUR
    site.send(T0 + 9 * HOUR - 5 * MINUTE)
    site.refresh()
    assert site.engine.alerts() == before
