"""Work grows with the meters of a site, not with their square: lines of Python counted, so no clock decides."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import duckdb
import numpy as np
import pytest

import wattwell
from collector.ingest import Ingestor
from tests.support import T0
from wattwell.app.access import rules_of
from wattwell.config import parse
from wattwell.engine.engine import Engine
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import Readings
from wattwell.store.duckdb import DuckdbStore
from wattwell.web.metrics import families

FEW = 40
MOST_GROWTH = 2.3
"""Of what twice as many meters take."""
UNMEASURED = 100
"""Lines by which a function's count may differ whatever the number of meters."""
ROOT = Path(wattwell.__file__).parents[1]
OWN = tuple(str(ROOT / name) + "/" for name in ("wattwell", "collector", "analytics", "alerts"))


@contextmanager
def counting(lines: Counter[CodeType]) -> Iterator[None]:
    """Counts the lines of the product that run, by function."""

    def within(frame: FrameType, event: str, _arg: Any) -> Callable[..., Any]:
        lines[frame.f_code] += event == "line"
        return within

    def entered(frame: FrameType, _event: str, _arg: Any) -> Callable[..., Any] | None:
        return within if frame.f_code.co_filename.startswith(OWN) else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield
    finally:
        sys.settrace(before)


def document(meters: int) -> dict[str, Any]:
    """One site: two feeds, a distribution board for every ten meters, and registers and gauges of IT power."""
    register = {"quantity": "energy", "accumulation": "register", "max_rate": 1e6}
    gauge = {"quantity": "power", "accumulation": "instantaneous"}
    listed: list[dict[str, Any]] = [{"id": f"feed-{n}", "role": "utility_import", **register} for n in range(2)]
    listed += [{"id": f"pdu-{n}", "role": "it_pdu", "parent": f"feed-{n % 2}", **register} for n in range(meters // 10)]
    for number in range(meters):
        device = {"id": f"m{number}", "role": "it_equipment", "parent": f"pdu-{number // 10}"}
        device["from"] = str(date(2020, 1, 1) + timedelta(days=number))
        level = "+" if number % 3 else "hall"
        topic = f"dc/{level}/m{number}"
        listed.append({**device, **(gauge if number % 2 else register), "source": {"topic": topic}})
    site = {"id": "s", "timezone": "UTC", "pue_category": 3, "meters": listed}
    return {"mqtt": {"url": "mqtt://127.0.0.1"}, "sites": [site]}


def minutes(engine: Engine, first: int, count: int) -> Iterator[Readings]:
    """Readings of every meter once a minute."""
    keys = tuple(("s", name) for name in engine.config.sites["s"].meters)
    for minute in range(first, first + count):
        at = np.full(len(keys), T0 + minute * MINUTE)
        yield Readings(
            keys=keys,
            meter=np.arange(len(keys), dtype=np.int32),
            at=at,
            received_at=at,
            value=np.full(len(keys), 5.0 + minute),
            arrival_time=np.zeros(len(keys), dtype=np.bool_),
        )


def one_hour(meters: int) -> None:
    """Reads a configuration, starts on it, takes an hour of readings in two turns, and answers every question."""
    config = parse(document(meters), Path())
    store = DuckdbStore(Path("memory"), duckdb.connect())
    engine = Engine(config, rules_of(config), store, lambda: T0 + HOUR + 2 * MINUTE, {})
    router = Ingestor(config, store, lambda: T0).router
    assert len(router.filters()) == meters + 1
    assert router.uncovered(["wattwell/#", "dc/#"]) == ()
    for number in range(meters):
        assert router.route(f"dc/hall/m{number}") is not None
    for first in (0, 31):
        for readings in minutes(engine, first, 31):
            store.commit(readings, [])
        engine.refresh(cold=False)
    assert families(engine.snapshot())
    answers = [
        engine.sites(),
        engine.kpi("s", window="24h"),
        engine.series("s"),
        engine.balance("s"),
        engine.alerts("s"),
    ]
    assert all([*answers, engine.power("s"), engine.explain("s", "pue", "1h")])
    engine.problems("s")
    store.close()


@pytest.fixture(scope="module")
def counted() -> list[Counter[CodeType]]:
    """Lines by function for so many meters and for twice as many."""
    one_hour(10)  # what is made once is made
    found: list[Counter[CodeType]] = [Counter(), Counter()]
    for times, lines in enumerate(found, start=1):
        with counting(lines):
            one_hour(times * FEW)
    return found


def test_twice_as_many_meters_at_one_site_take_twice_the_work(counted: list[Counter[CodeType]]) -> None:
    few, many = counted
    assert few.total() > 1000 * FEW
    grown = {
        f"{Path(code.co_filename).relative_to(ROOT)} {code.co_qualname}": (few[code], many[code])
        for code in many
        if many[code] > MOST_GROWTH * few[code] + UNMEASURED
    }
    assert grown == {}
