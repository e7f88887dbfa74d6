"""The plain baseline that findings are put beside, and the sums over the sets."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import findings as bench
from benchmarks.findings import TARGETS, WINDOW, Watched
from tests import waste
from wattwell.intervals import HOUR, iso, parse_iso

GOOD = {
    "faults": 10, "detected": 10, "family_accuracy": 0.9, "delay_h_median": 12.0, "precision": 0.9,
    "healthy_false_per_30_days": 0.2, "energy_error_median": 0.1, "water_error_median": 0.1,
}  # fmt: skip


def watched(**changes: object) -> Watched:
    fields: dict[str, object] = {"name": "fan", "family": "fan_power", "way": 1, "unit": "kwh", "column": np.empty(0)}
    return Watched(**(fields | changes))  # type: ignore[arg-type]


def test_an_alarm_begins_a_window_before_and_ends_where_it_clears() -> None:
    frame = waste.plant(hours=200)
    mean = np.zeros(200)
    mean[100:130], mean[130:140], mean[150:160] = 5.0, 3.0, 3.0
    (found,) = bench._alarms(watched(), frame, np.ones(200), mean)
    first = int(frame.start[0])
    begin = 100 - WINDOW + 1
    assert [found["start"], found["end"]] == [iso(first + begin * HOUR), iso(first + 140 * HOUR)]
    assert parse_iso(found["detected_at"]) == first + 101 * HOUR
    assert found["excess_kwh"] == {"value": 140 - begin}
    assert found["excess_l"] is None


@pytest.mark.parametrize(("way", "count"), [(1, 0), (-1, 1), (0, 1)])
def test_an_alarm_counts_the_way_that_wastes(way: int, count: int) -> None:
    mean = np.where(np.arange(100) > 50, -9.0, 0.0)
    assert len(bench._alarms(watched(way=way), waste.plant(hours=100), np.ones(100), mean)) == count


def test_the_residual_is_learnt_on_year_one_only() -> None:
    draw = np.random.default_rng(1)
    features = draw.uniform(0, 1, (1200, 2))
    column = 3 * features[:, 0] + 0.01 * draw.standard_normal(1200)
    column[900:] += 1.0
    residual, mean = bench._residual(column, features, 800)
    assert np.isnan(residual[:800]).all()
    assert residual[800:900].mean() == pytest.approx(0.0, abs=0.05)
    assert residual[900:].mean() == pytest.approx(1.0, abs=0.05)
    assert mean[950] > 4 > abs(mean[890])
    changed = column.copy()
    changed[1000:] = 99.0
    assert np.array_equal(bench._residual(changed, features, 800)[0][:1000], residual[:1000], equal_nan=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("detected", 9),
        ("family_accuracy", 0.8),
        ("delay_h_median", 12.1),
        ("precision", 0.89),
        ("healthy_false_per_30_days", 0.21),
        ("energy_error_median", 0.11),
        ("water_error_median", None),
    ],
)
def test_each_target_can_be_missed(name: str, value: float | None) -> None:
    assert all(met(GOOD) for met in TARGETS.values())
    assert not all(met({**GOOD, name: value}) for met in TARGETS.values())


def test_a_summary_counts_each_fault_once() -> None:
    hit = {"detected": True, "named": True, "accepted": True, "delay_h": 4.0, "energy_error": 0.1, "water_error": None}
    late = {**hit, "named": False, "delay_h": 8.0, "energy_error": None}
    missed = {"detected": False, "named": False, "accepted": False}
    sets = [
        {"per_fault": [hit, late], "false_findings": 1, "healthy_false_per_30_days": 0.1},
        {"per_fault": [missed], "false_findings": 0, "healthy_false_per_30_days": 0.3},
    ]
    assert bench.summary(sets) == {
        "faults": 3, "detected": 2, "named": 1, "accepted": 2, "false_findings": 1, "precision": 0.667,
        "delay_h_median": 6.0, "energy_error_median": 0.1, "water_error_median": None,
        "healthy_false_per_30_days": 0.2,
    }  # fmt: skip
