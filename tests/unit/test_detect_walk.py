"""The detector finds the same however its walk is cut: hour by hour, with restarts, or with data that come late."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.plant import HOUR, SITE, START, Keeper, plant
from wattwell.engine.findings import Known
from wattwell.model import Maintenance

DAYS, FAILS, MENDED = 100, 70, 84
END = 24 * DAYS
TRIED = 24 * 75
"""An hour at which history is tried out on itself, in the midst of the fault."""
ARRAYS = ("actual", "expected", "sigma", "z", "error", "standard", "masked")


@pytest.fixture(scope="module")
def whole() -> Keeper:
    """All of it in one go."""
    return walked(END)


def walked(hours: int, **changes: Any) -> Keeper:
    made = Keeper(values=plant(DAYS, FAILS, MENDED), **changes)
    made.advance(hours)
    return made


def assert_same(found: Keeper, expected: Keeper) -> None:
    """Everything that was found, and everything that it rests on."""
    assert found.findings == expected.findings
    assert found.models == expected.models
    here, there = found.walk(), expected.walk()
    assert (here.hour, here.tried) == (there.hour, there.tried)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name), err_msg=name)


def test_it_finds_the_fault_and_its_end(whole: Keeper) -> None:
    (found,) = whole.findings.values()
    assert (found.family, found.status) == ("chiller_efficiency", "closed")
    assert abs(found.start - START - 24 * FAILS * HOUR) <= 6 * HOUR
    assert found.end is not None
    assert abs(found.end - START - 24 * MENDED * HOUR) <= 24 * HOUR
    assert whole.walk().tried == TRIED


def test_it_tells_how_well_it_expects_what_it_watches(whole: Keeper) -> None:
    """The fan draws 6 kW and goes with the load, but for 2 % of noise."""
    found = {each.name: each for each in whole.models}
    assert list(found) == [each.name for each in whole.walk().streams]
    fan = found["fan"]
    assert fan.cv_rmse is not None
    assert 0.02 < fan.cv_rmse < 0.03
    assert (fan.accepted, fan.unjudged) == (True, None)


def test_hour_by_hour_it_finds_the_same(whole: Keeper) -> None:
    parts = walked(TRIED - 60)
    for hour in range(TRIED - 59, TRIED + 60):
        parts.advance(hour)
    for hour in range(TRIED + 60, END + 1, 7):
        parts.advance(hour)
    parts.advance(END)
    assert_same(parts, whole)


def test_after_restarts_it_finds_the_same(whole: Keeper) -> None:
    parts = walked(24 * 40)
    made = np.random.default_rng(1)
    for hour in sorted(made.integers(24 * 40, END, 5).tolist()):
        parts.advance(hour)
        parts.restart()
    parts.advance(END)
    assert_same(parts, whole)


@pytest.mark.parametrize("seed", range(3))
def test_with_data_that_come_late_it_finds_the_same(whole: Keeper, seed: int) -> None:
    """Now and then the last days turn out to have been told wrongly, across learnings and try-outs."""
    made, hour, wrong = np.random.default_rng(seed), TRIED - 24 * 14, None
    right, parts = plant(DAYS, FAILS, MENDED), walked(TRIED - 24 * 14)
    while hour < END:
        hour = min(END, hour + int(made.integers(12, 60)))
        since = wrong
        if wrong is not None:
            parts.write(right)
            wrong = None
        elif made.random() < 0.7:
            since = wrong = hour - int(made.integers(1, 24 * 14))
            name = str(made.choice(["chiller", "fan", "it", "oat", "heat", "chw"]))
            told = right[name].copy()
            told[wrong : hour + 24] *= made.choice([0.8, 1.3, np.nan])
            parts.write({name: told})
        parts.advance(hour, since)
    if wrong is not None:
        parts.write(right)
        parts.advance(END, wrong)
    assert_same(parts, whole)


def test_what_was_learnt_before_a_try_out_is_learnt_from_again_after_going_back() -> None:
    """A try-out puts errors in place of those that were known before it: going back takes them back."""
    parts = walked(TRIED + 48)
    for factor, hour in ((1.02, 60), (1.0, 61)):
        fan = plant(DAYS, FAILS, MENDED)["fan"]
        fan[TRIED - 24 * 13 :] *= factor
        parts.write({"fan": fan})
        parts.advance(TRIED + hour, TRIED - 24 * 13)
    assert_same(parts, walked(TRIED + 61))


def test_what_is_new_goes_on_and_what_is_older_than_every_mark_begins_anew() -> None:
    parts = walked(TRIED + 48)

    def cold(hour: int, since: int | None, *windows: Maintenance) -> bool:
        known = Known(state=None, findings=(), feedback=(), maintenance=windows)
        changed = None if since is None else START + since * HOUR
        return parts.detector.cold(SITE, START + hour * HOUR, changed, known)

    assert not cold(TRIED + 49, None)
    assert not cold(TRIED + 49, TRIED + 48)
    assert not cold(TRIED + 49, TRIED - 24 * 13)
    assert cold(TRIED + 49, 24 * 20)
    assert cold(TRIED + 49, None, Maintenance(start=START, end=START + HOUR, equipment=None, reason=""))
    parts.restart()
    assert cold(TRIED + 49, None)


def test_nothing_new_is_not_walked_again() -> None:
    parts = walked(24 * 30)
    before = parts.walk()
    assert parts.advance(24 * 30) is None
    assert parts.advance(24 * 30, 24 * 30) is None
    assert parts.walk() is before


def test_a_walk_that_fails_halfway_is_not_taken_up_again(monkeypatch: pytest.MonkeyPatch, whole: Keeper) -> None:
    parts = walked(TRIED + 48)
    with monkeypatch.context() as patch:
        patch.setattr("wattwell.engine.detect.inspect", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            parts.advance(TRIED + 49)
    parts.advance(END)
    assert_same(parts, whole)


def test_the_overhead_expected_is_that_of_every_hour_walked(whole: Keeper) -> None:
    start, count = START + (END - 30) * HOUR, 32
    found = whole.detector.overhead(SITE, start, start + count * HOUR)
    assert found is not None
    assert np.isnan(found[30:]).all()
    real = whole.values["grid"] - whole.values["it"]
    assert found[:30].mean() == pytest.approx(real[END - 30 : END].mean(), rel=0.1)
