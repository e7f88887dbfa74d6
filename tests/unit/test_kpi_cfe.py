"""The 24x7 carbon-free share and the load factor against numbers worked by hand (METRICS)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics.evaluate import Window
from analytics.rollup import roll_up
from analytics.windows import hours_within
from tests.explaining import REGISTER
from tests.sites import DAY, GRID, T0, Cells, a_site, book, codes, kpi
from tests.support import readings_of
from tests.unit.test_kpi_carbon import by_hour
from wattwell.cli.explain import words
from wattwell.config import parse
from wattwell.engine.analyse import Changed
from wattwell.engine.engine import Engine
from wattwell.engine.explain import take_apart
from wattwell.intervals import HOUR, MINUTE, Interval, from_us
from wattwell.model import Factor, KpiValue, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.web.wording import Telling

NAN = math.nan
ROLES = {"grid": "utility_import", "pv": "onsite_renewable", "out": "grid_export"}
SHARES = by_hour(0.3, 0.5)


def near(value: object) -> Any:
    """Equal but for rounding."""
    return pytest.approx(value, rel=1e-12)


def solar(share: Factor = SHARES, **roles: str) -> Site:
    """A site with the carbon-free share of the grid by the hour."""
    return a_site(roles or ROLES, factors={"grid_carbon_free_share": share})


def hours(grid: int, /, **values: list[float]) -> Cells:
    """Amounts of whole hours, spread evenly over intervals of ``grid``."""
    store, many = Cells(), HOUR // grid
    for name, column in values.items():
        store.put(name, [each / many for each in column for _ in range(many)], grid=grid)
    return store


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60])
def test_hourly_matching_is_less_than_yearly(minutes: int) -> None:
    """METRICS: loads 10, 10 with carbon-free 20, 0 and grid shares 0.3, 0.5 give 0.75, where yearly matching says 1.

    One meter nets import and export, so that on-site energy is more than the load of the hour.
    """
    grid = minutes * MINUTE
    store = hours(grid, grid=[-10.0, 10.0], pv=[20.0, 0.0])
    found = kpi(solar(grid="utility_import", pv="onsite_renewable"), store, "cfe", grid=grid)
    assert [found.numerator, found.denominator, found.value] == near([15, 20, 0.75])
    assert (found.usable, found.coverage, found.issues) == (1, 1, ())
    assert (found.label, found.unit, found.category, found.basis) == ("24x7 carbon-free share", "1", None, None)
    assert found.parts == near({"onsite": 0.5, "grid": 0.25})


def test_what_left_the_site_covers_nothing() -> None:
    store = hours(GRID, grid=[0.0, 10.0], pv=[20.0, 0.0], out=[10.0, 0.0])
    found = kpi(solar(), store, "cfe")
    assert [found.numerator, found.denominator] == near([15, 20])


def test_within_an_hour_on_site_energy_covers_all_of_it() -> None:
    store = Cells()
    store.put("grid", [0.0, 0.0, 5.0, 5.0])
    store.put("pv", [8.0, 2.0, 0.0, 0.0])
    site = solar(by_hour(0.1), grid="utility_import", pv="onsite_renewable")
    assert kpi(site, store, "cfe").numerator == near(10 + 0.1 * 10)


def test_without_on_site_energy_it_is_the_grid_s_share() -> None:
    found = kpi(solar(grid="utility_import"), hours(GRID, grid=[10.0, 30.0]), "cfe")
    assert [found.numerator, found.denominator] == near([3 + 15, 40])
    assert found.parts == near({"onsite": 0, "grid": 0.45})


def test_what_is_missing_is_named() -> None:
    blind = kpi(a_site(ROLES, factors={}), hours(GRID, grid=[1.0], pv=[1.0], out=[0.0]), "cfe")
    assert (blind.value, codes(blind)) == (None, ["input.missing"])
    assert "grid_carbon_free_share" in blind.issues[0].message
    unfed = kpi(solar(it="it_ups"), hours(GRID, it=[1.0]), "cfe")
    assert codes(unfed) == ["input.missing"] * 2


@pytest.mark.parametrize("lacking", ["grid", "pv", "out"])
def test_an_hour_with_an_interval_missing_does_not_count(lacking: str) -> None:
    store = hours(GRID, grid=[10.0] * 4, pv=[2.0] * 4, out=[0.0] * 4)
    store.columns["s", lacking][1][6] = NAN
    found = kpi(solar(Factor(constant=0.5)), store, "cfe")
    assert [found.usable, found.coverage] == [0.75, 0.75]
    assert [found.numerator, found.denominator] == near([3 * (2 + 5), 36])
    assert (found.provisional, codes(found)) == (True, ["coverage.provisional"])


def test_an_hour_without_a_factor_does_not_count() -> None:
    store = hours(GRID, grid=[10.0] * 3, pv=[2.0] * 3, out=[0.0] * 3)
    found = kpi(solar(by_hour(0.5, NAN, 0.25)), store, "cfe")
    assert found.usable == near(2 / 3)
    assert [found.numerator, found.denominator] == near([2 + 5 + 2 + 2.5, 24])


def test_only_whole_hours_of_the_window_count() -> None:
    """A local day of a zone half an hour off begins and ends in the midst of an hour."""
    store = hours(GRID, grid=[10.0] * 30)
    made = book(store, solar(Factor(constant=0.5), grid="utility_import"))

    def asked(start: int, end: int) -> KpiValue:
        return made.value("s", "cfe", Window(name=None, interval=Interval(start, end)))

    half = T0 + 30 * MINUTE
    found = asked(half, half + DAY)
    assert (found.usable, found.coverage, found.denominator) == (23 / 24, 23 / 24, near(230))
    within = asked(half, half + 45 * MINUTE)
    assert (within.usable, within.value, within.numerator, codes(within)) == (0, None, None, ["coverage.insufficient"])
    assert asked(half, half + HOUR).usable == 0
    assert asked(half, half + HOUR + 30 * MINUTE).denominator == near(10)
    assert asked(T0, T0 + HOUR).usable == 1


def test_the_whole_hours_of_a_span() -> None:
    assert hours_within(Interval(T0, T0 + DAY)) == Interval(T0, T0 + DAY)
    assert hours_within(Interval(T0 + 1, T0 + DAY - 1)) == Interval(T0 + HOUR, T0 + 23 * HOUR)
    assert hours_within(Interval(T0 + 1, T0 + HOUR)).width == 0
    assert hours_within(Interval(T0 + 5, T0 + 6)) == Interval(T0 + 5, T0 + 5)


def test_a_correction_of_one_interval_reaches_its_hour() -> None:
    store = hours(GRID, grid=[10.0] * 48)
    site = solar(Factor(constant=0.5), grid="utility_import")
    made = book(store, site)
    window = Window(name=None, interval=Interval(T0 + 30 * MINUTE, T0 + 47 * HOUR))
    assert made.value("s", "cfe", window).denominator == near(460)
    store.columns["s", "grid"][1][4] = NAN
    made.forget([Changed("s", T0 + HOUR, T0 + HOUR + GRID)])
    found = made.value("s", "cfe", window)
    assert found.denominator == near(450)
    assert found == book(store, site).value("s", "cfe", window)


def test_sites_roll_up_by_their_energy() -> None:
    one = kpi(solar(Factor(constant=0.5), grid="utility_import"), hours(GRID, grid=[100.0]), "cfe")
    other = kpi(solar(Factor(constant=0.1), grid="utility_import"), hours(GRID, grid=[300.0]), "cfe")
    assert roll_up([one, replace(other, site="t")]).value == near(80 / 400)


# -- explained ------------------------------------------------------------------------------------------------


def test_a_constant_share_is_told_by_meter() -> None:
    site = solar(Factor(constant=0.5))
    store = hours(GRID, grid=[5.0, 8.0, 10.0], pv=[20.0, 2.0, 9.0], out=[10.0, 0.0, 0.0])
    store.columns["s", "out"][1][11] = NAN
    apart = take_apart(store, site, "cfe", Interval(T0 + GRID, T0 + 3 * HOUR), GRID)  # type: ignore[arg-type]
    assert apart is not None
    onsite, rest = apart.terms(apart.numerator)
    (load,) = apart.terms(apart.denominator)
    assert [(p.kind, p.name, p.factor, a) for p, a in onsite.parts] == [
        ("meter", "pv", 1.0, near(2)),
        ("exported", "out", -1.0, near(0)),
        ("surplus", "pv", -1.0, near(0)),
    ]
    assert [(p.kind, p.name, p.factor, a) for p, a in rest.parts] == [
        ("meter", "grid", 0.5, near(4)),
        ("meter", "pv", 0.5, near(1)),
        ("meter", "out", -0.5, near(0)),
        ("matched", "pv", -0.5, near(-1)),
    ]
    assert load.amount == near(10)
    assert [(b.start, b.end, b.meters, b.cut) for b in apart.blames] == [
        (T0 + GRID, T0 + HOUR, (), True),
        (T0 + 2 * HOUR, T0 + 3 * HOUR, ("out",), False),
    ]
    assert apart.usable == 4


def test_a_share_by_the_hour_and_a_surplus() -> None:
    store = hours(GRID, grid=[-10.0, 10.0], pv=[20.0, 0.0])
    site = solar(grid="utility_import", pv="onsite_renewable")
    apart = take_apart(store, site, "cfe", Interval(T0, T0 + 2 * HOUR), GRID)  # type: ignore[arg-type]
    assert apart is not None
    onsite, rest = apart.terms(apart.numerator)
    assert [(p.kind, a) for p, a in onsite.parts] == [
        ("meter", near(20)),
        ("exported", 0),
        ("surplus", near(-10)),
    ]
    assert [(p.kind, p.name, a) for p, a in rest.parts] == [
        ("hourly", "grid", near(-3 + 5)),
        ("hourly", "pv", near(6)),
        ("matched_hourly", "pv", near(-3)),
    ]
    assert apart.blames == []


def test_a_local_day_that_begins_within_an_hour_is_explained() -> None:
    """In India a day has 23 whole UTC hours; document, figure and words agree."""
    meter = {"id": "grid", "role": "utility_import", **REGISTER}
    share = {"grid_carbon_free_share": 0.5}
    site = {"id": "s", "timezone": "Asia/Kolkata", "pue_category": 1, "meters": [meter], "factors": share}
    config = parse({"sites": [site]}, Path())
    store = DuckdbStore(Path("memory"), duckdb.connect(), lambda: T0 + 9 * DAY)
    store.commit(readings_of([(("s", "grid"), T0 + n * 10 * MINUTE, 100.0 + n) for n in range(6 * 72)]), [])
    engine = Engine(config, config.rules, store, lambda: T0 + 3 * DAY, {})
    engine.refresh()
    day = from_us(T0 + DAY).date().isoformat()
    found = engine.explain("s", "cfe", window="day", at=day)
    factor = engine.explain("s", "load_factor", window="day", at=day)
    store.close()
    assert found["hours"] == {"all": 23, "usable": 23}
    assert found["figure"]["usable"] == near(23 / 24)
    assert [found["numerator"]["sum"], found["denominator"]["sum"]] == near([69, 138])
    assert found["formula"] == {
        "symbols": "(E_onsite_matched + E_grid_carbon_free) / E_DC",
        "numbers": "(0 + 69 = 69) / 138 = 0.5",
    }
    assert [span["cut"] for span in found["unusable"]] == [True, True]
    assert "its hour is not whole in the window" in "\n".join(words(found))
    assert factor["formula"] == {"symbols": "mean P_import / max P_import", "numbers": "6 / 6 = 1"}
    assert (factor["numerator"]["unit"], factor["denominator"]["unit"], factor["hours"]) == ("kW", "kW", None)
    assert factor["peak"] is not None


# -- load factor ----------------------------------------------------------------------------------------------


def test_the_load_factor_is_the_mean_by_the_peak_of_all_meters_together() -> None:
    site = a_site({"a": "utility_import", "b": "utility_import"})
    found = kpi(site, {"a": [10.0, 30.0, NAN, 20.0], "b": [30.0, 20.0, 99.0, 10.0]}, "load_factor")
    assert [found.numerator, found.denominator] == near([160, 200])
    assert (found.value, found.usable) == (near(0.8), 0.75)
    assert (found.label, found.unit, found.category) == ("Load factor", "1", None)


def test_a_load_factor_of_nothing() -> None:
    site = a_site({"a": "utility_import"})
    idle = kpi(site, {"a": [0.0, 0.0]}, "load_factor")
    assert (idle.value, idle.numerator, codes(idle)) == (None, 0, ["denominator.zero"])
    silent = kpi(site, {"a": [NAN, NAN]}, "load_factor")
    assert (silent.value, silent.numerator, codes(silent)) == (None, None, ["coverage.insufficient"])
    assert codes(kpi(a_site({"it": "it_ups"}), {"it": [1.0]}, "load_factor")) == ["input.missing"]


def test_a_load_factor_is_told_in_kilowatts() -> None:
    site = a_site({"a": "utility_import", "b": "utility_import"})
    store = Cells()
    store.put("a", [10.0, 30.0, NAN, 20.0])
    store.put("b", [30.0, 20.0, 99.0, 10.0])
    apart = take_apart(store, site, "load_factor", Interval(T0, T0 + HOUR), GRID)  # type: ignore[arg-type]
    assert apart is not None
    ((mean,), (peak,)) = apart.terms(apart.numerator), apart.terms(apart.denominator)
    assert [(part.name, amount) for part, amount in mean.parts] == [("a", near(80)), ("b", near(80))]
    assert [(part.name, amount) for part, amount in peak.parts] == [("a", 120), ("b", 80)]
    assert apart.peak_at == T0 + GRID


# -- in words -------------------------------------------------------------------------------------------------


def test_hours_and_parts_are_told_in_words() -> None:
    figure = {"peak": None, "pruned_before": None, "too_many": None, "hours": {"all": 23, "usable": 1}}
    tell = Telling({"local": {"timezone": "UTC"}} | figure)
    (told,) = tell.caveats()
    assert told.startswith("Whole UTC hours count, those in which every interval has a value: 1 of 23 hours. ")
    assert list(Telling({"local": {"timezone": "UTC"}} | figure | {"hours": None}).caveats()) == []
    part = {"name": "pv", "role": None, "factor": -0.5}
    assert tell.part(part | {"kind": "surplus"}) == "was above E_DC in its hour (pv)"
    assert tell.part(part | {"kind": "matched"}) == "covered on site (pv), counts -0.5 times"
    assert tell.part(part | {"kind": "matched_hourly"}) == "covered on site (pv), taken off by the factor of each hour"
    span = {"meters": [], "unserved": [], "factors": [], "cut": True}
    assert tell.blame(span) == "its hour is not whole in the window"
