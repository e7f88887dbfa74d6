"""What is learnt of a stream's own healthy history: limits, drift, and which streams are looked at together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.anomaly.baseline import Baseline, History, columns, judge, learn
from analytics.anomaly.frame import Frame
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import Stream
from tests import waste
from wattwell.model import Float64

DAYS = 150
FRAME = waste.plant(hours=DAYS * 24)
KNOWN = Settings()


def stream(name: str, **changes: object) -> Stream:
    """A panel by hour and weekday."""
    fields: dict[str, object] = {
        "name": name, "kind": "other", "unit": "kW", "terms": ((1.0, name),), "space": "profile", "equipment": name,
        "waste": 1, "floor": 0.0,
    }  # fmt: skip
    return Stream(**(fields | changes))  # type: ignore[arg-type]


def history(frame: Frame, actual: Float64) -> History:
    blank = np.full(actual.shape, np.nan)
    return History(frame=frame, actual=actual, error=blank.copy(), standard=blank.copy())


def learnt(*streams: Stream, actual: Float64 | None = None, frame: Frame = FRAME) -> tuple[Baseline, History]:
    past = history(frame, columns(streams, frame) if actual is None else actual)
    return learn(streams, past, KNOWN), past


def house(noise: float, step: float = 0.0) -> Float64:
    """3 kW, with noise, and a step over the last month."""
    column = 3.0 + noise * np.random.default_rng(2).standard_normal(len(FRAME))
    column[-30 * 24 :] += step
    return column[:, None]


def test_limits_are_never_lower_than_the_least() -> None:
    found, past = learnt(stream("house"), actual=house(0.1))
    assert found.limits.allowance[0] >= KNOWN.allowance
    assert found.limits.high[0] >= KNOWN.least_limit
    assert found.limits.low[0] >= KNOWN.least_limit
    assert np.isfinite(past.error).any()


def test_what_a_streams_healthy_history_went_through_raises_no_alarm() -> None:
    waves = house(0.05) + 0.3 * (np.arange(len(FRAME))[:, None] % (20 * 24) < 60)
    quiet, restless = learnt(stream("house"), actual=house(0.05))[0], learnt(stream("house"), actual=waves)[0]
    assert restless.limits.high[0] > 2 * quiet.limits.high[0]


def test_a_restless_stream_is_allowed_more() -> None:
    slow = house(0.02) + 0.4 * np.sin(np.arange(len(FRAME)) / 90)[:, None]
    quiet, wander = learnt(stream("house"), actual=house(0.3))[0], learnt(stream("house"), actual=slow)[0]
    assert wander.limits.allowance[0] > quiet.limits.allowance[0]
    assert wander.weekly[0] > quiet.weekly[0]


@pytest.mark.parametrize("hours", [0, KNOWN.least_history - 1])
def test_with_too_little_history_nothing_is_judged(hours: int) -> None:
    actual = house(0.1)
    actual[hours:] = np.nan
    found, _ = learnt(stream("house"), actual=actual)
    assert found.limits.high.tolist() == found.limits.low.tolist() == [np.inf]
    assert np.isnan(judge(found, [stream("house")], FRAME, house(0.1), KNOWN).z).all()


def test_a_slow_drift_is_taken_as_the_plants_own_but_no_more_than_allowed() -> None:
    none = learnt(stream("house"), actual=house(0.1))[0].drift[0]
    some = learnt(stream("house"), actual=house(0.1, step=0.2))[0].drift[0]
    most = learnt(stream("house"), actual=house(0.1, step=9.0))[0].drift[0]
    assert abs(none) < 0.2
    assert abs(none) < some < most <= KNOWN.drift_most


def test_drift_is_taken_off_what_is_judged() -> None:
    panel = stream("house")
    found, _ = learnt(panel, actual=house(0.1))
    judged = judge(replace(found, drift=np.array([0.7])), [panel], FRAME, house(0.1), KNOWN)
    inside = np.abs(judged.standard) < 4
    assert (judged.standard - judged.z)[inside] == pytest.approx(0.7)


def test_one_hour_counts_no_more_than_the_clip() -> None:
    panel, actual = stream("house"), house(0.1)
    found, _ = learnt(panel, actual=actual)
    actual[5], actual[6] = 1e6, -1e6
    judged = judge(found, [panel], FRAME, actual, KNOWN)
    assert judged.z[5:7, 0].tolist() == [KNOWN.clip, -KNOWN.clip]
    assert judged.standard[5, 0] > 1e6


def test_hours_unlike_any_are_not_judged() -> None:
    fan = stream("fan-east", kind="fan", space="weather")
    found, _ = learnt(fan)
    tropics = replace(FRAME, value={**FRAME.value, "oat": FRAME.value["oat"] + 40})
    assert np.isnan(judge(found, [fan], tropics, columns([fan], FRAME), KNOWN).z).all()
    assert (~np.isnan(judge(found, [fan], FRAME, columns([fan], FRAME), KNOWN).z)).mean() > 0.9


def test_streams_of_one_space_share_their_like_hours_but_not_those_that_are_known_less() -> None:
    panels = [stream("house"), stream("lights"), stream("pump")]
    actual = columns(panels, FRAME)
    assert [group.streams for group in learnt(*panels, actual=actual)[0].groups] == [(0, 1, 2)]
    actual[: 40 * 24, 1] = np.nan
    assert sorted(group.streams for group in learnt(*panels, actual=actual)[0].groups) == [(0, 2), (1,)]
    apart = [stream("house"), stream("fan-east", kind="fan", space="weather")]
    assert [group.streams for group in learnt(*apart)[0].groups] == [(0,), (1,)]


def test_streams_that_run_at_times_are_learnt_alone() -> None:
    gated = [stream("chiller", gate=((1.0, "chiller-heat"),)), stream("house")]
    assert sorted(group.streams for group in learnt(*gated)[0].groups) == [(0,), (1,)]


def test_a_later_learning_keeps_the_limits_and_knows_the_new_hours() -> None:
    panel = stream("house")
    first, past = learnt(panel, actual=house(0.1))
    again = learn([panel], replace(past, actual=house(0.1) + 1.0), KNOWN, first)
    assert again.limits == first.limits
    assert again.weekly is first.weekly
    expected = judge(again, [panel], FRAME, house(0.1), KNOWN).expected
    assert np.nanmean(expected) == pytest.approx(4.0, abs=0.02)


def test_without_weather_what_goes_by_it_is_not_judged() -> None:
    where = waste.site("oat", "ahu-oat")
    frame = Frame(site=where, start=FRAME.start, value={name: FRAME.value[name] for name in where.meters})
    fan = stream("fan-east", kind="fan", space="weather")
    found, _ = learnt(fan, frame=frame)
    assert found.groups == ()
    assert np.isnan(judge(found, [fan], frame, columns([fan], frame), KNOWN).z).all()


def test_no_streams_at_all_are_learnt_without_error() -> None:
    found, _ = learnt()
    assert found.groups == ()
    assert judge(found, [], FRAME, columns([], FRAME), KNOWN).z.shape == (len(FRAME), 0)
