"""The balance of the meter tree: parent minus children, what accuracy explains, and who is told of the rest."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.closure import Closure, balances
from analytics.evaluate import Window
from tests.sites import GRID, T0, Cells, a_site, book, cells, meter
from tests.support import readings_of
from wattwell.config import parse
from wattwell.engine.engine import Engine
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, Interval, iso
from wattwell.model import Accumulation, Meter, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.units import QuantityKind
from wattwell.web import shapes

NAN = math.nan
COUNT = 8


def tree(*more: Meter, **changes: dict[str, Any]) -> Site:
    """``main`` over ``ups`` and ``chiller``; ``rack`` below ``ups``."""
    found = [
        meter("main", "utility_import"),
        meter("ups", "it_ups", parent="main"),
        meter("chiller", "chiller", parent="main"),
        meter("rack", None, parent="ups"),
    ]
    changed = [replace(each, **changes.get(each.id, {})) for each in found]
    return a_site({}, *changed, *more)


def closed(site: Site, store: Cells, intervals: int = COUNT, **rules: Any) -> dict[str, Closure]:
    """The balances over the first intervals, by parent."""
    window = Window(name=None, interval=Interval(T0, T0 + intervals * GRID))
    return {found.parent: found for found in book(store, site, **rules).closures(site.id, window)}


def amounts(main: float, ups: float, chiller: float, rack: float) -> Cells:
    each = {"main": main, "ups": ups, "chiller": chiller, "rack": rack}
    return cells({name: [value] * COUNT for name, value in each.items()})


def test_what_closes() -> None:
    found = closed(tree(), amounts(100, 80, 19, 80))
    main = found["main"]
    assert list(found) == ["main", "ups"]
    assert (main.parent_amount, main.amounts) == (800, (("ups", 640), ("chiller", 152)))
    assert (main.children_amount, main.residual) == (792, 8)
    assert main.share == pytest.approx(0.01)
    assert main.tolerance == pytest.approx(0.01 * (800 + 640 + 152))
    assert (main.unit, main.usable, main.coverage, main.provisional) == ("kWh", 1.0, 1.0, False)
    assert main.issue is None


@pytest.mark.parametrize(
    ("ups", "severity", "said"),
    [
        (79.03, None, ""),  # |100 - ups - 19| against 0.01 x (100 + ups + 19)
        (79.0, "info", "are not metered below it: losses or loads without a meter"),
        (83.01, None, ""),
        (83.03, "warning", "the meters below main count"),
    ],
)
def test_beyond_accuracy_is_open(ups: float, severity: str | None, said: str) -> None:
    issue = closed(tree(), amounts(100, ups, 19, ups))["main"].issue
    assert (None if issue is None else (issue.code, issue.severity)) == (severity and ("balance.open", severity))
    assert said in (issue.message if issue else "")


def test_the_issue_names_parent_amount_share_and_tolerance() -> None:
    issue = closed(tree(), amounts(100, 90, 30, 90))["main"].issue
    assert issue is not None
    assert issue.message == (
        "the meters below main count 160 kWh (20.0% of it) more than main itself; accuracy explains 17.6 kWh"
    )


def test_accuracy_is_each_meters_own() -> None:
    site = tree(main={"accuracy": 0.1}, ups={"accuracy": 0.0}, chiller={"accuracy": 0.5})
    main = closed(site, amounts(100, 60, 20, 60))["main"]
    assert main.tolerance == pytest.approx(8 * (10 + 0 + 10))
    assert main.issue is None
    exact = tree(main={"accuracy": 0.0}, ups={"accuracy": 0.0}, chiller={"accuracy": 0.0})
    assert closed(exact, amounts(0.3, 0.1, 0.2, 0.1))["main"].issue is None, "binary fractions are no residual"


def test_one_step_of_each_dial_is_no_residual() -> None:
    coarse = {name: {"resolution": 10.0} for name in ("main", "ups", "chiller")}
    store = amounts(10, 10, 3, 10)
    assert closed(tree(**coarse), store)["main"].issue is None
    assert closed(tree(), store)["main"].issue is not None


def test_what_goes_both_ways_is_explained_by_what_passed() -> None:
    site = a_site({}, meter("main", None), meter("battery", None, parent="main"))
    store = cells({"main": [100, -100, 100, -99], "battery": [100, -100, 99, -99]})
    found = closed(site, store, 4)["main"]
    assert (found.parent_amount, found.residual) == (1, 1)
    assert found.tolerance == pytest.approx(0.01 * (399 + 398))
    assert found.issue is None


def test_only_intervals_that_all_of_them_have() -> None:
    store = amounts(100, 80, 20, 80)
    store.put("chiller", [20, NAN, 20, 20, 20, 20, 20, 20], 0.5)
    found = closed(tree(), store)
    assert (found["main"].usable, found["main"].coverage) == (0.875, 0.4375)
    assert (found["main"].parent_amount, found["main"].residual) == (700, 0)
    assert found["main"].provisional
    assert found["ups"].usable == 1


@pytest.mark.parametrize(("known", "value"), [(4, True), (3, False)])
def test_without_enough_there_is_no_residual(known: int, value: bool) -> None:
    store = amounts(100, 80, 20, 80)
    store.put("main", [100.0] * known + [NAN] * (COUNT - known))
    main = closed(tree(), store)["main"]
    assert (main.residual is not None) == value
    if not value:
        assert (main.parent_amount, main.children_amount, main.tolerance, main.share) == (None,) * 4
        assert main.issue is not None
        assert main.issue.code == "coverage.insufficient"


def test_out_of_service_is_neither_needed_nor_counted() -> None:
    half = T0 + 4 * GRID
    site = tree(chiller={"in_service": Interval(half, half + DAY)})
    store = amounts(80, 80, 0, 80)
    store.put("chiller", [NAN] * 4 + [20.0] * 4)
    store.put("main", [80.0] * 4 + [100.0] * 4)
    main = closed(site, store)["main"]
    assert (main.usable, main.residual) == (1.0, 0.0)
    early = Interval(T0 - DAY, half)
    gone = tree(main={"in_service": early}, chiller={"in_service": Interval(half, half + DAY)})
    assert closed(gone, store)["main"].usable == 0.5
    bare = tree(rack={"in_service": Interval(T0 - DAY, T0)})
    assert closed(bare, store)["ups"].usable == 0, "a parent without children in service is no balance"


def test_power_and_energy_are_both_kilowatt_hours_and_water_is_litres() -> None:
    flow = {"quantity": QuantityKind.FLOW, "accumulation": Accumulation.INSTANTANEOUS, "unit": "L/s"}
    power = {"quantity": QuantityKind.POWER, "accumulation": Accumulation.INSTANTANEOUS, "unit": "kW"}
    site = a_site(
        {},
        meter("main", None),
        meter("fan", "fan", parent="main", **power),
        meter("water", "water_input"),
        meter("tower", "water_tower_makeup", parent="water", **flow),
    )
    found = closed(site, cells({"main": [2.0], "fan": [2.0], "water": [5.0], "tower": [9.0]}), 1)
    assert {name: (each.unit, each.residual) for name, each in found.items()} == {
        "main": ("kWh", 0.0),
        "water": ("L", -4.0),
    }


def test_other_forms_of_energy_stand_in_the_tree_but_not_in_the_balance() -> None:
    site = a_site(
        {},
        meter("diesel", "fuel", weight=1.0),
        meter("genset", "generator", parent="diesel"),
        meter("board", "generator"),
        meter("chiller", "chiller", parent="board"),
        meter("heat", "heat_removed", parent="chiller"),
        meter("reuse", "heat_reuse", parent="heat"),
        meter("plain", None, parent="diesel"),
    )
    assert [(b.parent, b.children) for b in balances(site)] == [
        ("diesel", ("plain",)),
        ("board", ("chiller",)),
        ("heat", ("reuse",)),
    ]


def test_a_virtual_child_does_not_count_its_members_again() -> None:
    both = {"formula": ((1, "ups"), (1, "chiller"))}
    site = tree(meter("both", None, parent="main", **both), meter("racks", None, formula=((1, "rack"),), parent="ups"))
    assert [(b.parent, b.children) for b in balances(site)] == [("main", ("ups", "chiller")), ("ups", ("rack",))]
    members = [meter("a", None), meter("b", None)]
    whole = meter("whole", None, parent="main", formula=((1, "a"), (1, "b")))
    site = a_site({"main": "utility_import"}, *members, whole)
    found = closed(site, cells({"main": [10.0], "a": [4.0], "b": [6.0]}), 1)["main"]
    assert (found.amounts, found.residual) == ((("whole", 10.0),), 0.0)


def test_windows_add_up_and_changes_are_forgotten() -> None:
    rng = np.random.default_rng(5)
    days = 5
    values = {name: rng.uniform(1, 9, days * 96).tolist() for name in ("main", "ups", "chiller", "rack")}
    site, store = tree(), cells(values)
    made = book(store, site)
    for low, high in ((0, days * 96), (7, 400), (96, 192), (100, 101)):
        window = Window(name=None, interval=Interval(T0 + low * GRID, T0 + high * GRID))
        main = next(each for each in made.closures("s", window) if each.parent == "main")
        main_, ups, chiller = (np.array(values[name][low:high]) for name in ("main", "ups", "chiller"))
        assert main.residual == pytest.approx((main_ - ups - chiller).sum(), abs=1e-9)


def test_a_kpi_carries_what_its_own_part_of_the_tree_leaves_open() -> None:
    water = [meter("water", "water_input"), meter("taps", None, parent="water")]
    site = tree(*water)
    store = amounts(100, 120, 19, 120)
    for name, value in (("water", 50.0), ("taps", 90.0)):
        store.put(name, [value] * COUNT)
    made, window = book(store, site), Window(name=None, interval=Interval(T0, T0 + COUNT * GRID))
    concerned = {kpi: [each.parent for each in made.closures("s", window, kpi)] for kpi in ("pue", "wue", "ref")}
    whole = {each.parent: each for each in made.closures("s", window)}
    for each in made.closures("s", window, "wue"):
        assert (each.residual, each.issue, each.amounts) == (whole[each.parent].residual, whole[each.parent].issue, ())
    assert concerned == {"pue": ["main", "ups"], "wue": ["main", "ups", "water"], "ref": ["main"]}


# -- the engine ----------------------------------------------------------------------------------------------------

STEP = {"quantity": "power", "accumulation": "instantaneous", "interpolation": "step", "period": "5m"}
KEYS = (
    "site meter children window start end parent_amount children_amount residual tolerance share unit usable coverage"
    " provisional issue"
)


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    meters = [
        {"id": "grid", "role": "utility_import", **STEP},
        {"id": "it", "role": "it_ups", "parent": "grid", **STEP},
        {"id": "crac", "role": "crac", "parent": "grid", **STEP},
    ]
    sites = [{"id": "s", "timezone": "Europe/Berlin", "pue_category": 1, "meters": meters}]
    sites.append({"id": "bare", "timezone": "UTC", "pue_category": 1, "meters": meters[:1]})
    store = DuckdbStore.open(tmp_path / "w.duckdb")
    kw = {"grid": 150.0, "it": 100.0, "crac": 70.0}
    rows = [(("s", m), T0 + t, v + t / HOUR / 50) for m, v in kw.items() for t in range(0, 30 * HOUR, 5 * MINUTE)]
    store.commit(readings_of(rows), [])
    made = Engine(parse({"sites": sites}, tmp_path), (), store, lambda: T0 + 30 * HOUR, {})
    made.refresh()
    yield made
    store.close()


def test_the_balance_document(engine: Engine) -> None:
    found = engine.balance()
    assert [list(document) for document in found] == [KEYS.split()]
    shapes.BalanceShape.model_validate(found[0])
    row = found[0]
    assert (row["site"], row["meter"], row["window"]) == ("s", "grid", "24h")
    assert [child["meter"] for child in row["children"]] == ["it", "crac"]
    assert row["residual"] == pytest.approx(row["parent_amount"] - row["children_amount"])
    assert row["issue"]["code"] == "balance.open"
    assert engine.balance("bare") == []


def test_windows_of_the_balance(engine: Engine) -> None:
    assert len(engine.balance("s", window="1h", start=iso(T0 + 6 * HOUR), end=iso(T0 + 7 * HOUR))) == 4
    (whole,) = engine.balance("s", start=iso(T0), end=iso(T0 + 24 * HOUR))
    assert (whole["window"], whole["start"], whole["usable"]) == (None, iso(T0), 1.0)
    (day,) = engine.balance("s", window="day", start="2026-01-01", end="2026-01-02")
    assert (day["start"], day["usable"]) == ("2025-12-31T23:00:00Z", pytest.approx(23 / 24))
    with pytest.raises(UsageError, match="window '2h' is not known"):
        engine.balance("s", window="2h")
    with pytest.raises(UsageError, match="site 'x' is not configured"):
        engine.balance("x")


def test_a_reader_of_a_kpi_is_told(engine: Engine) -> None:
    (pue,) = engine.kpi("s", ["pue"], "24h")
    assert pue["value"] is not None
    assert [(i["code"], i["severity"]) for i in pue["issues"]] == [("balance.open", "warning")]
    assert "the meters below grid count" in pue["issues"][0]["message"]
    (none,) = engine.kpi("s", ["pue"], None, "2025-06-01", "2025-06-02")
    assert [i["code"] for i in none["issues"]] == ["coverage.insufficient"]
