"""What a year is on course for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.course import MONTHS, Part, year_end
from tests.running import Site, two_meters
from tests.support import readings_of
from wattwell.intervals import DAY, HOUR, day_start
from wattwell.store.duckdb import DuckdbStore

JULY = 2026 * 12 + 6


def year(values: dict[int, float], weight: float = 100.0) -> dict[int, Part]:
    """Months by number."""
    return {number: Part(value, weight) for number, value in values.items()}


def left(first: int, share: float = 1.0) -> list[tuple[int, float]]:
    return [(first, share)] + [(number, 1.0) for number in range(first + 1, 2027 * 12)]


def test_without_last_year_the_rest_lies_between_the_best_and_the_worst_month() -> None:
    past = year({JULY - 6 + n: 1.2 + 0.02 * n for n in range(6)})
    low, high = year_end(Part(1.25, 600.0), left(JULY), past) or (0, 0)
    assert low == pytest.approx((1.25 * 600 + 1.20 * 600) / 1200)
    assert high == pytest.approx((1.25 * 600 + 1.30 * 600) / 1200)


def test_with_last_year_the_rest_follows_its_season() -> None:
    last = {JULY - 18 + n: 1.3 + 0.01 * n for n in range(18)}
    moved = {JULY - 6 + n: 1.3 + 0.01 * n - 0.05 + 0.001 * n for n in range(6)}
    past = year(last | moved)
    found = year_end(Part(1.3, 600.0), left(JULY), past)
    shifts = [moved[m] - last[m - 12] for m in moved]
    rest = sum(last[m] for m in range(JULY - 12, JULY - 6)) / 6
    assert found == pytest.approx(((1.3 + rest + min(shifts)) / 2, (1.3 + rest + max(shifts)) / 2))


def test_too_few_months_say_nothing() -> None:
    past = year({JULY - 1 - n: 1.2 for n in range(MONTHS - 1)})
    assert year_end(Part(1.25, 600.0), left(JULY), past) is None
    assert year_end(Part(1.25, 600.0), [], past) == (1.25, 1.25)


values = st.floats(1.0, 3.0)


@given(st.lists(values, min_size=6, max_size=24), values, st.floats(1, 1e6), st.floats(0.01, 1))
def test_the_interval_is_in_order_and_closes_at_the_years_end(
    months: list[float], done: float, weight: float, share: float
) -> None:
    past = year({JULY - len(months) + n: value for n, value in enumerate(months)})
    found = year_end(Part(done, weight), left(JULY, share), past)
    assert found is not None
    low, high = found
    assert low <= high + 1e-12
    near = year_end(Part(done, weight), [(JULY, 1e-9)], past)
    assert near == pytest.approx((done, done), rel=1e-3)


@pytest.fixture
def store() -> Iterator[DuckdbStore]:
    opened = DuckdbStore(Path("memory"), duckdb.connect())
    yield opened
    opened.close()


def test_a_rule_on_the_course_of_the_year_fires_when_even_the_kind_end_misses(
    tmp_path: Path, store: DuckdbStore
) -> None:
    """1.20 to the end of June, 1.60 from July: a mean of 1.4 is out of reach of good months, 1.3 is missed late."""
    rules = [{"name": f"Year{limit}", "course": "pue", "above": limit} for limit in (1.25, 1.55)]
    config = two_meters(
        tmp_path,
        *rules,
        meters=[
            {"id": name, "role": role, "quantity": "energy", "accumulation": "register", "max_rate": 500,
             "period": "1h", "max_gap": "3h"}
            for name, role in (("grid", "utility_import"), ("it", "it_ups"))
        ],
    )  # fmt: skip
    start, turn, end = (day_start(date(2025, month, 1), "UTC") for month in (1, 7, 12))
    at = np.arange(start, end + 1, HOUR)
    rows = []
    for place, when in enumerate(at.tolist()):
        grid = 120.0 * place + max(0.0, (when - turn) / HOUR) * 40.0
        rows += [(("s", "grid"), when, grid), (("s", "it"), when, 100.0 * place)]
    store.commit(readings_of(rows, received_at=end), [])
    site = Site(config=config, store=store, pue=lambda _: 1.2, now=end + DAY, listener=None)
    site.refresh()
    by_name = {each["name"]: each for each in site.engine.alerts()}
    assert by_name["Year1.55"]["state"] == "inactive"
    found = by_name["Year1.25"]
    assert found["state"] == "firing"
    assert str(date(2025, 7, 1)) < found["fired_at"] < str(date(2025, 10, 1))
    low, high = found["between"]
    assert found["value"] == low < high
    assert "is on course for" in found["annotations"]["summary"]
