"""What a KPI may say of a window that is not known as a whole (METERING, Quality, coverage)."""

from __future__ import annotations

import math

import pytest

from analytics.evaluate import Window
from analytics.kpi import KPIS
from tests.sites import GRID, T0, Cells, a_site, book, cells, codes, kpi
from wattwell.intervals import DAY, MINUTE, Interval

NAN = math.nan
SITE = a_site({"grid": "utility_import", "it": "it_ups"})


def holed(intervals: int, missing: int) -> dict[str, list[float]]:
    """150/100 over so many intervals; ``grid`` misses the first half of the missing ones, ``it`` the rest."""
    grid, it = [150.0] * intervals, [100.0] * intervals
    for place in range(missing):
        (grid if place % 2 else it)[place * (intervals // max(missing, 1))] = NAN
    return {"grid": grid, "it": it}


@pytest.mark.parametrize(
    ("intervals", "missing", "said"),
    [
        (10, 0, "stands"),
        (10, 1, "stands"),  # 0.90 exactly
        (960, 96, "stands"),
        (960, 97, "provisional"),
        (10, 5, "provisional"),  # 0.50 exactly
        (960, 480, "provisional"),
        (960, 481, "nothing"),
        (3, 3, "nothing"),
    ],
)
def test_bands_and_their_exact_edges(intervals: int, missing: int, said: str) -> None:
    found = kpi(SITE, holed(intervals, missing), "pue")
    assert found.usable == (intervals - missing) / intervals
    assert found.provisional == (said == "provisional")
    assert found.value == (None if said == "nothing" else 1.5)
    wanted = {"stands": [], "provisional": ["coverage.provisional"], "nothing": ["coverage.insufficient"]}
    assert codes(found) == wanted[said]


def test_the_bands_are_configured() -> None:
    for full, provisional, missing, said in [
        (0.99, 0.3, 1, "provisional"),
        (0.9, 0.3, 7, "provisional"),
        (0.7, 0.7, 3, "stands"),
        (0.7, 0.7, 4, "nothing"),
    ]:
        found = kpi(SITE, holed(10, missing), "pue", full=full, provisional=provisional)
        assert (found.value is None, found.provisional) == (said == "nothing", said == "provisional")


def test_below_the_bands_the_sums_are_still_over_the_usable_intervals() -> None:
    found = kpi(SITE, {"grid": [150.0, NAN, NAN], "it": [100.0, 100.0, 100.0]}, "pue")
    assert (found.value, found.numerator, found.denominator) == (None, 150, 100)


def test_coverage_is_the_smallest_measured_share_over_the_usable_intervals() -> None:
    store = Cells()
    store.put("grid", [150.0, 150.0, NAN, 150.0], [1.0, 0.4, 0.0, 1.0])
    store.put("it", [100.0] * 4, [0.9, 0.6, 1.0, 0.0])
    found = kpi(SITE, store, "pue")
    assert found.usable == 0.75
    assert found.coverage == pytest.approx((0.9 + 0.4 + 0.0) / 4)
    assert found.estimated == found.usable - found.coverage


def test_a_meter_that_a_kpi_does_not_need_does_not_count() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups", "chiller": "chiller", "pdu": "it_pdu"})
    loads = {"grid": [150.0] * 2, "it": [100.0] * 2, "chiller": [20.0, NAN]}
    assert kpi(site, loads, "pue").usable == 1
    assert kpi(site, loads, "ppue_other").usable == 0.5


@pytest.mark.parametrize("share", [1 / 3, 0.1, 0.7, 899_999_999 / 900_000_000])
def test_the_estimated_share_is_never_below_zero(share: float) -> None:
    """Measured time is counted in whole microseconds, so no rounding makes coverage exceed the usable share."""
    exact = round(share * GRID) / GRID
    store = Cells()
    store.put("grid", [150.0] * 3 * 96, [exact, *[1.0] * (3 * 96 - 1)])
    store.put("it", [100.0] * 3 * 96)
    asked = book(store, SITE)
    for low in range(96):
        for high in (low + 1, 97, 96 * 2 + 5):
            if high > low:
                found = asked.value("s", "pue", Window(name=None, interval=Interval(T0 + low * GRID, T0 + high * GRID)))
                assert (found.estimated == 0) == (low > 0), (low, high)
                assert found.estimated >= 0


def test_a_window_without_intervals_has_no_value() -> None:
    found = book(cells({"grid": [1.0], "it": [1.0]}), SITE).value(
        "s", "pue", Window(name=None, interval=Interval(T0, T0))
    )
    assert (found.value, found.usable, found.coverage, codes(found)) == (None, 0, 0, ["coverage.insufficient"])


def test_a_window_that_is_cut_is_provisional() -> None:
    asked = book(cells(holed(96, 0)), SITE)
    cut = asked.value("s", "pue", Window(name="month", interval=Interval(T0, T0 + DAY), cut=True))
    assert (cut.value, cut.provisional, codes(cut)) == (1.5, True, ["window.open"])
    thin = asked.value("s", "pue", Window(name="month", interval=Interval(T0, T0 + 3 * DAY), cut=True))
    assert (thin.value, thin.provisional, codes(thin)) == (None, False, ["coverage.insufficient", "window.open"])


@pytest.mark.parametrize(
    "window", ["1h", "24h", "7d", "30d", "365d", "day", "month", "year", "fiscal_year", "ytd", None]
)
def test_pue_is_interim_over_all_but_a_year(window: str | None) -> None:
    labels = {name: kpi(SITE, holed(4, 0), name, window).label for name in KPIS}
    assert labels["pue"] == ("PUE" if window in ("365d", "year", "fiscal_year") else "iPUE")
    assert (labels["dcie"], labels["wue"], labels["ref"]) == ("DCiE", "WUE", "REF")


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60])
def test_any_grid(minutes: int) -> None:
    grid = minutes * MINUTE
    store = Cells()
    store.put("grid", [150.0, NAN, 150.0, 150.0], [1.0, 0.0, 0.5, 1.0], grid=grid)
    store.put("it", [100.0] * 4, grid=grid)
    found = kpi(SITE, store, "pue", grid=grid)
    assert (found.value, found.usable, found.coverage, found.estimated) == (1.5, 0.75, 0.625, 0.125)
