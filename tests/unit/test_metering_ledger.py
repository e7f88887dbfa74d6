"""The meter-event ledger through late data and resumed analyses: nothing that stands is withdrawn, what falls stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from tests.support import T0, a_meter, readings_of, series
from wattwell.engine.analyse import Changed, analyse
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND
from wattwell.model import Correction, Meter
from wattwell.store.duckdb import DuckdbStore

KEY = ("s", "m")
GRID = 15 * MINUTE
Told = tuple[str, float, float, str]


class Site:
    """One meter and its store."""

    def __init__(self, meter: Meter | None = None) -> None:
        self.meter = meter or a_meter()
        self.store = DuckdbStore(Path("memory"), duckdb.connect())

    def arrive(self, text: str, start: int = T0, step: int = MINUTE) -> list[Changed]:
        at, value = series(text, start, step)
        self.store.commit(readings_of([(KEY, t, v) for t, v in zip(at.tolist(), value.tolist(), strict=True)]), [])
        return self.analyse()

    def analyse(self) -> list[Changed]:
        return analyse(self.store, {KEY: self.meter}, GRID)

    def correct(self, *corrections: Correction) -> list[Changed]:
        self.store.add_corrections(corrections)
        return self.analyse()

    def told(self, states: Sequence[str] = ("booked", "pending", "accepted", "withdrawn")) -> list[Told]:
        """(event, minute, booked, state), by time."""
        events = [e for e in self.store.events(*KEY, None, None) if e.state in states]
        return sorted(((e.event, (e.at - T0) / MINUTE, e.booked, e.state) for e in events), key=lambda e: (e[1], e[0]))

    def booked(self) -> float:
        return float(self.store.intervals("s", ["m"], -(2**62), 2**62).values.value.sum())


def swap(at: int, final: float, first: float) -> Correction:
    return Correction(site="s", meter="m", at=at, event="replacement", final=final, first=first, author="a", reason="r")


def accept(at: int) -> Correction:
    return Correction(site="s", meter="m", at=at, event="accept", final=None, first=None, author="a", reason="r")


def test_an_event_that_late_data_disproves_stays_withdrawn() -> None:
    site = Site()
    site.arrive("500 @2m 900000 900001")
    assert site.told() == [("jump", 2, 0, "pending")]
    site.arrive("502", T0 + MINUTE)
    assert site.told() == [("jump", 2, 0, "pending")]
    site.arrive("700000", T0 + MINUTE + 1)  # follows nothing: a transient, and the jump stands
    assert [each[0] for each in site.told()] == ["transient", "jump"]
    gap = Site()
    gap.arrive("500 501 @30m 520 521")
    assert gap.told() == [("catch-up", 30, 19, "booked")]
    gap.arrive("505 509 513 517 518 519", T0 + 4 * MINUTE, 4 * MINUTE)
    gap.arrive("519.5", T0 + 28 * MINUTE)
    assert gap.told() == [("catch-up", 30, 1, "withdrawn")]
    assert gap.booked() == pytest.approx(20)  # of the third quarter one minute is known: not enough


def test_a_withdrawn_event_that_comes_true_again_is_booked_again() -> None:
    site = Site()
    site.arrive("500 501 @30m 520 521")
    site.arrive("505 509 513 517 518 519", T0 + 4 * MINUTE, 4 * MINUTE)
    site.arrive("519.5", T0 + 28 * MINUTE)
    assert site.told() == [("catch-up", 30, 1, "withdrawn")]
    site.arrive("9000", T0 + 28 * MINUTE)  # contradicts it, and is a transient
    assert site.told(["booked"]) == [("transient", 28, 0, "booked"), ("catch-up", 30, 1, "booked")]


def test_a_rollover_that_the_next_reading_disproves_is_a_transient_alone() -> None:
    site = Site(a_meter(rollover_at=1000.0))
    site.arrive("980 990 0")
    assert site.told() == [("rollover", 2, 10, "booked")]
    site.arrive("991", T0 + 3 * MINUTE)
    assert site.told() == [("transient", 2, 0, "booked")]


def test_a_transient_that_late_data_turns_into_a_rollover_is_withdrawn() -> None:
    site = Site(a_meter(rollover_at=1000.0))
    site.arrive("980 990 0 _ 991 992")
    assert site.told() == [("transient", 2, 0, "booked")]
    site.arrive("1", T0 + 3 * MINUTE)
    found = site.told()
    assert ("rollover", 2, 10, "booked") in found
    assert ("transient", 2, 0, "withdrawn") in found


def test_accepting_a_jump_books_it_and_is_kept_when_late_data_arrives() -> None:
    site = Site()
    site.arrive("500 900000 900001 900002")
    site.correct(accept(T0 + MINUTE))
    assert site.told() == [("jump", 1, 899500, "accepted")]
    site.arrive("499", T0 - MINUTE)
    assert site.told() == [("jump", 1, 899500, "accepted")]


def test_a_jump_may_be_accepted_before_its_readings_arrive() -> None:
    site = Site()
    site.correct(accept(T0 + MINUTE))
    site.arrive("500")
    site.arrive("900000", T0 + MINUTE)
    site.arrive("900001", T0 + 2 * MINUTE)
    assert site.told() == [("jump", 1, 899500, "accepted")]


@pytest.mark.parametrize("before", [True, False])
def test_a_replacement_before_or_after_the_readings(before: bool) -> None:
    site = Site()
    entered = swap(T0 + 90 * SECOND, 503.0, 8.0)
    if before:
        site.correct(entered)
    site.arrive("500 501")
    site.arrive("10 11", T0 + 2 * MINUTE)
    if not before:
        assert [each[0] for each in site.told()] == ["reset"]
        site.correct(entered)
    assert site.told(["booked"]) == [("replacement", 1.5, 4, "booked")]
    assert [each[0] for each in site.told(["withdrawn"])] == ([] if before else ["reset"])


def test_a_replacement_entered_anew_with_another_dial_counts_anew() -> None:
    site = Site()
    site.arrive("500 501 @2m 10 11")
    site.correct(swap(T0 + 90 * SECOND, 503.0, 8.0))
    site.correct(swap(T0 + 90 * SECOND, 504.0, 8.0))
    assert site.told(["booked"]) == [("replacement", 1.5, 5, "booked")]


def two_days(before_midnight: str, after_midnight: str) -> Site:
    """A dial read twice a minute for two days, its last reading before midnight, and those of the third day."""
    site = Site(a_meter(rollover_at=1000.0))
    dense = "600+0.0625x5758 " + before_midnight
    site.arrive(f"{dense} {after_midnight}", T0, 30 * SECOND)
    return site


def test_a_pass_that_ends_beside_a_reading_not_yet_judged_leaves_its_event_alone() -> None:
    """Late data on the first day: the analysis goes on over the first midnight and stops at the second, just after a
    zero that looks like a rollover; the reading after it, which makes it a transient, is not read again."""
    site = two_days("0", "960+0.25x90")
    stood = site.told()
    assert stood == [("transient", 2879.5, 0, "booked")]
    (changed,) = site.arrive("637.53", T0 + 5 * HOUR + 15 * SECOND)
    assert changed.end <= T0 + 2 * DAY
    assert site.told() == stood


def test_a_pass_that_ends_beside_a_replacement_leaves_it_whole() -> None:
    site = two_days("959.9375", "5+0.5x90")
    at = T0 + 2 * DAY - 15 * SECOND
    site.correct(swap(at, 960.0, 4.0))
    stood = site.told(["booked"])
    assert stood == [("replacement", 2879.75, 1.0625, "booked")]
    (changed,) = site.arrive("637.53", T0 + 5 * HOUR + 15 * SECOND)
    assert changed.end <= T0 + 2 * DAY
    assert site.told(["booked"]) == stood


def test_late_data_before_everything() -> None:
    site = Site()
    site.arrive("500 3 4", T0 + DAY)
    site.arrive("490 491", T0)
    assert [each[0] for each in site.told()] == ["catch-up", "reset"]
    assert site.booked() == pytest.approx(10)  # of the last quarter two minutes are known: not enough
