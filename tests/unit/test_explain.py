"""A KPI value taken back to its meters, against numbers worked out by hand."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics.evaluate import Window
from analytics.kpi import KPIS
from tests.explaining import BEGIN, END, MIDNIGHT, REGISTER, SITE, SPAN, explained_engine
from tests.support import readings_of
from wattwell.cli.explain import words, wrapped
from wattwell.config import parse
from wattwell.engine.dials import dials_at_ends
from wattwell.engine.engine import Engine
from wattwell.engine.explain import explain as explained
from wattwell.engine.explain import take_apart
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, Interval, iso, parse_iso
from wattwell.ledger import GENESIS
from wattwell.store.duckdb import DuckdbStore
from wattwell.web.pages import Pages

NONE_STORED = "no accepted reading of this meter is stored"
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "cli" / "explain.txt"


@pytest.fixture
def store() -> Iterator[DuckdbStore]:
    opened = DuckdbStore(Path("memory"), duckdb.connect(), lambda: END + DAY)
    yield opened
    opened.close()


@pytest.fixture
def engine(store: DuckdbStore) -> Engine:
    return explained_engine(store)


def meters(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["meter"]: each for each in found["meters"]}


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-9)


def test_the_figure_and_its_parts(engine: Engine) -> None:
    found = engine.explain("s", "pue", **SPAN)
    (plain,) = engine.kpi("s", ["pue"], None, SPAN["start"], SPAN["end"])
    assert found["figure"] == plain
    # Two of 16 intervals lack b: half an hour of 120 kW is left out of E_DC, and of 60 kW of E_IT.
    assert (plain["value"], plain["usable"], plain["provisional"]) == (near(660 / 315), 14 / 16, True)
    assert found["formula"] == {"symbols": "E_DC / E_IT", "numbers": "660 / 315 = 2.095238095"}
    assert found["intervals"] == {"all": 16, "usable": 14, "grid_seconds": 900.0}
    assert found["numerator"]["value"] == near(660)
    assert found["numerator"]["sum"] == near(660)
    (term,) = found["numerator"]["terms"]
    assert [(part["name"], part["role"], part["factor"]) for part in term["parts"]] == [
        ("grid", "utility_import", 1.0),
        ("pv", "onsite_renewable", 1.0),
    ]
    assert [part["amount"] for part in term["parts"]] == [near(660), 0.0]
    (term,) = found["denominator"]["terms"]
    assert [(part["kind"], part["name"], part["amount"]) for part in term["parts"]] == [("meter", "it", near(315))]
    assert found["unusable"] == [
        {
            "from": iso(BEGIN + HOUR),
            "to": iso(BEGIN + 90 * MINUTE),
            "intervals": 2,
            "meters": ["b"],
            "unserved": [],
            "factors": [],
            "cut": False,
        }
    ]
    assert (found["peak"], found["hours"]) == (None, None)
    assert found["pruned_before"] is None


def test_a_register_behind_dated_multipliers(engine: Engine) -> None:
    grid = meters(engine.explain("s", "pue", **SPAN))["grid"]
    assert grid["dial"] == {
        "start": {
            "at": iso(BEGIN),
            "value": near(10.01),
            "between": [
                {"at": iso(BEGIN - 10 * MINUTE), "value": near(10.0)},
                {"at": iso(BEGIN + 10 * MINUTE), "value": near(10.02)},
            ],
        },
        "end": {
            "at": iso(END),
            "value": near(10.25),
            "between": [
                {"at": iso(END - 10 * MINUTE), "value": near(10.24)},
                {"at": iso(END + 10 * MINUTE), "value": near(10.26)},
            ],
        },
        "difference": near(0.24),
        "by_events": 0.0,
    }
    # 120 kWh on the dial at ratio 2 and 120 at ratio 4.
    assert (grid["amount"], grid["counted"]) == (near(720), near(0.24))
    assert grid["booked"] == {"read": near(720), "scaled": 0.0, "scaled_intervals": 0, "left_out": 0.0}
    assert grid["factors"] == [
        {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "value": 2.0},
        {"from": "2026-01-02T00:00:00Z", "to": None, "value": 4.0},
    ]
    assert grid["readings"] == {
        "accepted": 12,
        "refused": 0,
        "first": {"at": iso(BEGIN + 10 * MINUTE), "value": near(10.02), "received_at": iso(END + HOUR)},
        "last": {"at": iso(END - 10 * MINUTE), "value": near(10.24), "received_at": iso(END + HOUR)},
    }
    assert (grid["rejected"], grid["conflicts"], grid["gaps"]) == ({"value.range": 1}, [], [])
    assert (grid["measured"], grid["estimated"], grid["missing"]) == (1.0, 0.0, 0.0)


def test_a_meter_that_was_replaced(engine: Engine) -> None:
    a = meters(engine.explain("s", "pue", **SPAN))["a"]
    assert (a["dial"]["start"]["value"], a["dial"]["end"]["value"]) == (near(510), near(125))
    assert a["dial"]["difference"] == near(-385)
    assert a["dial"]["by_events"] == near(630 - 5)
    assert (a["counted"], a["amount"]) == (near(240), near(240))
    (event,) = a["events"]
    assert (event["event"], event["at"], event["before"], event["after"]) == ("replacement", iso(MIDNIGHT), 630.0, 5.0)
    assert a["corrections"] == [
        {
            "at": iso(MIDNIGHT),
            "event": "replacement",
            "final": 630.0,
            "first": 5.0,
            "author": "ann",
            "reason": "worn out",
        }
    ]


def test_a_window_that_ends_at_a_replacement_ends_on_the_old_dial(engine: Engine) -> None:
    before = meters(engine.explain("s", "pue", start=SPAN["start"], end=iso(MIDNIGHT)))["a"]["dial"]
    after = meters(engine.explain("s", "pue", start=iso(MIDNIGHT), end=SPAN["end"]))["a"]["dial"]
    assert (before["end"]["value"], before["difference"]) == (630.0, near(120))
    assert (after["start"]["value"], after["difference"]) == (5.0, near(120))


def test_a_rate_with_a_gap(engine: Engine) -> None:
    b = meters(engine.explain("s", "pue", **SPAN))["b"]
    assert b["dial"] is None
    assert b["counted"] is None
    # 30 kW over 220 minutes; the ten after the gap lie in an interval of which more than a tenth is missing.
    assert b["booked"] == {"read": near(110), "scaled": 0.0, "scaled_intervals": 0, "left_out": near(5)}
    assert b["amount"] == near(105)
    assert b["intervals"] == {"all": 16, "with_value": 14}
    assert b["gaps"] == [
        {"from": iso(BEGIN + HOUR), "to": iso(BEGIN + 80 * MINUTE), "treated": "missing", "why": "no readings"}
    ]
    assert b["conflicts"] == [{"at": iso(BEGIN + 5 * MINUTE), "value": "31.0"}]
    assert b["readings"]["accepted"] == 45


def test_virtual_meters_and_those_out_of_service(engine: Engine) -> None:
    found = meters(engine.explain("s", "pue", **SPAN))
    assert list(found) == ["grid", "pv", "it", "a", "b"]
    assert found["it"]["formula"] == [{"meter": "a", "sign": 1}, {"meter": "b", "sign": 1}]
    assert found["it"]["amount"] == near(210 + 105)
    assert found["pv"]["in_service"] is None
    assert (found["pv"]["amount"], found["pv"]["readings"]) == (None, None)


def test_the_highest_interval(engine: Engine) -> None:
    found = engine.explain("s", "peak_demand_kw", **SPAN)
    assert found["formula"] == {"symbols": "max E_import / hours", "numbers": "60 / 0.25 = 240"}
    assert parse_iso(found["peak"]["start"]) >= MIDNIGHT
    (term,) = found["numerator"]["terms"]
    assert [(part["name"], part["amount"]) for part in term["parts"]] == [("grid", near(60))]
    assert found["denominator"]["terms"][0]["parts"] == [
        {"kind": "length", "name": "interval", "role": None, "factor": 1.0, "amount": 0.25}
    ]


def test_a_figure_without_an_input_says_so(engine: Engine) -> None:
    found = engine.explain("s", "wue", **SPAN)
    assert [issue["code"] for issue in found["figure"]["issues"]] == ["input.missing"]
    assert (found["formula"], found["meters"]) == (None, [])
    assert words(found)[0].startswith("WUE of s: no value, 2026-01-01 22:00+00:00 to")


def test_which_window(engine: Engine) -> None:
    def span(**asked: str) -> tuple[str, str]:
        figure = engine.explain("s", "pue", **asked)["figure"]
        return figure["start"], figure["end"]

    new_year = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    assert span(window="day", at="2026-01-01") == new_year
    assert span(window="day", at="2026-01-01T23:59:59Z") == new_year
    assert span(window="day", at="2026-01-02")[0] == new_year[1]
    assert span(window="month", at="2025-12") == ("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z")
    assert span(window="1h", at="2026-01-02") == ("2026-01-01T23:00:00Z", "2026-01-02T00:00:00Z")
    assert span(window="day")[0] == "2026-01-02T00:00:00Z", "the latest"
    assert span(window="24h") == span(window="24h", at=iso(END + 30 * MINUTE)), "at the live edge"
    assert span(window="month", at="2030-01") == ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"), "still to come"
    wrong: list[tuple[str, dict[str, str]]] = [
        ("--at needs --window", {"at": "2026-01"}),
        ("without --window, --from is needed", {}),
        ("--from and --to stand alone", {"window": "day", "start": "2026-01-01"}),
        ("window 'week' is not known", {"window": "week"}),
        ("time 'noon' is not understood", {"window": "day", "at": "noon"}),
    ]
    for message, asked in wrong:
        with pytest.raises(UsageError, match=message):
            engine.explain("s", "pue", **asked)
    with pytest.raises(UsageError, match="kpi 'eup' is not known; use one of pue"):
        engine.explain("s", "eup", window="day")
    with pytest.raises(UsageError, match="site 'mars' is not configured"):
        engine.explain("mars", "pue", window="day")


def test_what_pins_the_number_down(engine: Engine, store: DuckdbStore) -> None:
    ledger = engine.explain("s", "pue", **SPAN)["ledger"]
    entries = store.audit()
    assert (ledger["head"], ledger["entries"], ledger["issued"]) == (entries[-1].hash, len(entries), None)
    assert (ledger["configuration"]["seq"], ledger["configuration"]["at"]) == (2, iso(END + DAY))
    engine.issue("s", ["pue"], None, SPAN["start"], SPAN["end"], "ann", "contract")
    after = engine.explain("s", "pue", **SPAN)["ledger"]
    assert after["issued"] == {"revision": 1, "value": near(660 / 315), "author": "ann", "reason": "contract"}
    assert after["head"] != ledger["head"]
    assert after["configuration"] == ledger["configuration"]


def test_dropped_readings_leave_the_dials_around_month_starts(store: DuckdbStore) -> None:
    meter = {"id": "grid", "role": "utility_import", **REGISTER}
    config = parse({"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}]}, Path())
    first = parse_iso("2025-12-20T00:00:00Z")
    hours = [(("s", "grid"), first + 10 * MINUTE + n * HOUR, 100.0 + n) for n in range(60 * 24)]
    store.commit(readings_of(hours), [])
    engine = Engine(config, config.rules, store, lambda: first + 60 * DAY, {})
    engine.refresh()
    asked = {"window": "month", "at": "2026-01"}
    whole = engine.explain("s", "peak_demand_kw", **asked)
    assert engine.prune(parse_iso("2026-02-10T00:00:00Z")) > 1000
    found = engine.explain("s", "peak_demand_kw", **asked)
    assert found["pruned_before"] == "2026-02-10T00:00:00Z"
    (before,), (after,) = whole["meters"], found["meters"]
    assert (after["amount"], after["readings"], after["booked"]) == (before["amount"], None, None)
    for end in ("start", "end"):
        assert after["dial"][end] == before["dial"][end]
    assert after["dial"]["difference"] == near(31 * 24)
    told = "\n".join(words(found))
    assert "Raw readings before 2026-02-10 00:00+00:00 have been dropped (raw_retention)" in told
    assert "Its readings in the window have been dropped." in told


def test_a_gap_across_the_end_of_the_window_names_what_ended_it(store: DuckdbStore) -> None:
    meter = {"id": "grid", "role": "utility_import", **REGISTER}
    config = parse({"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}]}, Path())
    dials = [(-1, 0.0), (0, 60.0), (1, 120.0), (9, 600.0), (10, 660.0)]
    store.commit(readings_of([(("s", "grid"), BEGIN + hour * HOUR, dial) for hour, dial in dials]), [])
    engine = Engine(config, config.rules, store, lambda: END + DAY, {})
    engine.refresh()
    (grid,) = engine.explain("s", "peak_demand_kw", **SPAN)["meters"]
    assert (grid["dial"]["end"]["value"], grid["counted"], grid["amount"]) == (near(300), near(240), near(240))
    assert grid["dial"]["end"]["between"] == [
        {"at": iso(BEGIN + HOUR), "value": 120.0},
        {"at": iso(BEGIN + 9 * HOUR), "value": 600.0},
    ]
    assert [(e["event"], e["at"], e["booked"]) for e in grid["events"]] == [
        ("catch-up", iso(BEGIN + 9 * HOUR), near(480))
    ]
    assert [(gap["from"], gap["to"], gap["treated"]) for gap in grid["gaps"]] == [
        (iso(BEGIN + HOUR), iso(END), "recovered")
    ]
    assert (grid["recovered_intervals"], grid["estimated"]) == (12, 0.75)


def test_too_many_readings_leave_the_dials_at_both_ends(engine: Engine, store: DuckdbStore) -> None:
    site, grid = engine.config.sites["s"], engine.config.grid
    span = Window(name=None, interval=Interval(BEGIN, END))
    made = take_apart(store, site, "pue", span.interval, grid)

    def told(most: int) -> dict[str, Any]:
        return explained(store, site, engine.value("s", "pue", span), made, grid, None, most)

    followed, short = told(69), told(68)  # 12 of the grid, 12 of a, and 45 of b
    assert (followed["too_many"], short["too_many"]) == (None, {"readings": 69, "limit": 68})
    for each, other in zip(short["meters"], followed["meters"], strict=True):
        if not each["virtual"] and each["in_service"] is not None:
            assert (each["readings"], each["booked"], each["gaps"]) == (None, None, [])
        assert [each.get(name) for name in ("amount", "events", "corrections", "factors")] == [
            other.get(name) for name in ("amount", "events", "corrections", "factors")
        ]
        for end in ("start", "end"):
            assert (each.get("dial") or {}).get(end) == (other.get("dial") or {}).get(end)
    text = "\n".join(words(short))
    assert "The window holds 69 readings of these meters, more than are followed one by one (68)" in text
    assert text.count("Its readings were not followed one by one.") == 3


def test_dials_at_ends_beside_what_is_no_reading_of_the_dial(store: DuckdbStore) -> None:
    key, span = ("s", "m"), Interval(BEGIN, END)
    around = [(-3, 10.0), (-2, 9.5), (2, 0.5), (30, 1.0), (235, 5.0), (238, 900.0), (300, 6.0)]
    store.commit(readings_of([(key, BEGIN + minute * MINUTE, dial) for minute, dial in around], keys=[key]), [])
    ((start, end),) = dials_at_ends(store, {key: span}, {key: [BEGIN + 238 * MINUTE]}).values()
    # Down across the start, as at a replacement: the first reading inside. Across the end, past the spike: the line.
    assert (start.at, start.value, start.before) == (BEGIN + 2 * MINUTE, 0.5, start.after)
    assert (end.at, end.value) == (END, near(5 + 5 / 65))
    beyond = {key: Interval(END + DAY, END + 2 * DAY), ("s", "other"): span}
    assert dials_at_ends(store, beyond, {}) == {}, "nothing inside, and a meter that never reported"


def test_the_page_tells_the_same(engine: Engine, store: DuckdbStore) -> None:
    pages = Pages(engine, lambda: 0)

    def page(found: dict[str, Any]) -> str:
        answer = pages.explain(engine.sites()[0], engine.sites(), found)
        return html.unescape(bytes(answer.body).decode())

    engine.issue("s", ["pue"], None, SPAN["start"], SPAN["end"], "ann", "contract")
    found = engine.explain("s", "pue", **SPAN)
    text = page(found)
    assert "<h1>iPUE: 2.095238095 (provisional)</h1>" in text
    tabled = r" +(\+|It reads|and|a difference|Event|Gap|\d)|Numerator|Denominator|Not usable|Meter|iPUE|warning"
    assert [line for line in words(found) if not re.match(tabled, line) and line.strip() not in text] == []
    told = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    for row in (
        "start 2026-01-01 22:00+00:00 10.01 MWh between 10 at 2026-01-01 21:50+00:00 and 10.02 at 2026-01-01",
        "replacement 2026-01-02 00:00+00:00 630 kWh 5 kWh 20 kWh booked",
        "20m 2026-01-01 23:00+00:00 2026-01-01 23:20+00:00 missing (no readings)",
        "2026-01-01 23:00+00:00 2026-01-01 23:30+00:00 2 intervals no value of b",
        "grid (utility_import) 660 kWh pv (onsite_renewable) 0 kWh Numerator, E_DC 660 kWh",
    ):
        assert row in told
    for kpi in KPIS:
        assert engine.explain("s", kpi, **SPAN)["figure"]["label"] in page(engine.explain("s", kpi, **SPAN))


def test_an_empty_store_is_explained(store: DuckdbStore) -> None:
    config = parse({"sites": [SITE]}, Path())
    engine = Engine(config, config.rules, store, lambda: END, {})
    found = engine.explain("s", "pue", **SPAN)
    assert found["figure"]["value"] is None
    assert found["ledger"] == {"head": GENESIS, "entries": 0, "configuration": None, "issued": None}
    assert [span["meters"] for span in found["unusable"]] == [["grid", "a", "b"]]
    assert meters(found)["a"]["gaps"] == [
        {"from": iso(BEGIN), "to": iso(END), "treated": "missing", "why": NONE_STORED}
    ]
    text = "\n".join(words(found))
    assert text.count("unknown, for none of 16 intervals has a value.") == 4, "three real meters and a virtual one"
    assert text.count("No accepted reading of this meter is stored: it has not reported yet") == 3
    assert "after the last reading" not in text
    assert "From the readings" not in text
    assert "0 of 16" not in text.partition("Meter ")[2]


def test_a_meter_that_was_always_refused_or_has_fallen_silent(store: DuckdbStore) -> None:
    config = parse({"sites": [SITE]}, Path())
    rows = [(("s", "a"), BEGIN - DAY, 500.0), (("s", "b"), BEGIN + HOUR, float("nan"))]
    store.commit(readings_of(rows), [])
    engine = Engine(config, config.rules, store, lambda: END, {})
    engine.refresh()
    told = meters(engine.explain("s", "pue", **SPAN))
    assert (told["a"]["last_reading"], told["b"]["last_reading"]) == (iso(BEGIN - DAY), None)
    assert [gap["why"] for name in ("a", "b") for gap in told[name]["gaps"]] == ["after the last reading", NONE_STORED]
    text = "\n".join(words(engine.explain("s", "pue", **SPAN)))
    silent, refused = (text.split(f"Meter {name} ")[1].split("Meter ")[0] for name in ("a", "b"))
    assert "No reading was accepted in the window." in silent
    assert "No accepted reading of this meter is stored" in refused
    assert "1 reading refused for the value" in refused


def test_the_words(engine: Engine) -> None:
    engine.issue("s", ["pue"], None, SPAN["start"], SPAN["end"], "ann", "contract")
    text = "\n".join(words(engine.explain("s", "pue", **SPAN))) + "\n"
    assert re.sub(r"\b[0-9a-f]{64}\b", "HASH", text) == GOLDEN.read_text(encoding="utf-8")


def test_words_are_folded_for_a_terminal(engine: Engine) -> None:
    lines = words(engine.explain("s", "pue", **SPAN))
    assert list(wrapped(lines, None)) == lines, "a pipe takes lines as they are"
    folded = list(wrapped(lines, 60))
    assert max(len(line) for line in folded if not re.search(r"[0-9a-f]{64}", line)) <= 60
    assert " ".join(" ".join(folded).split()) == " ".join(" ".join(lines).split()), "nothing is lost"
