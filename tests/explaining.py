"""A small site with nearly everything that an explanation has to tell, and its engine."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from tests.support import readings_of
from wattwell.config import parse
from wattwell.engine.engine import Engine
from wattwell.intervals import DAY, HOUR, MINUTE, parse_iso
from wattwell.model import Correction, MeterKey, Reject
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import ReadingStore
from wattwell.web.jsonio import encode

BEGIN = parse_iso("2026-01-01T22:00:00Z")
END = BEGIN + 4 * HOUR
MIDNIGHT = BEGIN + 2 * HOUR
SPAN = {"start": "2026-01-01T22:00:00Z", "end": "2026-01-02T02:00:00Z"}
REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 6000, "period": "20m", "max_gap": "1h"}
SITE: dict[str, Any] = {
    "id": "s",
    "timezone": "UTC",
    "pue_category": 1,
    "meters": [
        # A dial in MWh that turns 60 kWh an hour behind a transformer of ratio 2, and of ratio 4 from midnight on.
        {"id": "grid", "role": "utility_import", **REGISTER, "unit": "MWh", "multiplier": [
            {"from": "2026-01-01", "value": 2}, {"from": "2026-01-02", "value": 4}]},
        {"id": "a", **REGISTER},
        {"id": "b", "quantity": "power", "accumulation": "instantaneous", "period": "5m", "max_gap": "12m"},
        {"id": "it", "role": "it_ups", "quantity": "energy", "formula": "a + b"},
        {"id": "pv", "role": "onsite_renewable", **REGISTER, "from": "2027-01-01"},
    ],
}  # fmt: skip


def rows() -> Iterator[tuple[MeterKey, int, float]]:
    """Readings at :10, :30 and :50, and those of ``b`` every five minutes with a gap of twenty at 23:00."""
    for at in range(BEGIN - 70 * MINUTE, END + 20 * MINUTE, 20 * MINUTE):
        hours = (at - BEGIN) / HOUR
        yield ("s", "grid"), at, 10.01 + 0.06 * hours
        yield ("s", "a"), at, 510 + 60 * hours if at < MIDNIGHT else 5 + 60 * (hours - 2)
    for at in range(BEGIN - HOUR, END + 1, 5 * MINUTE):
        if not BEGIN + HOUR < at < BEGIN + 80 * MINUTE:
            yield ("s", "b"), at, 30.0


def explained_engine(store: ReadingStore) -> Engine:
    """An engine over the site with a meter replaced at midnight, a conflict and a rejected reading."""
    config = parse({"sites": [SITE]}, Path())
    store.commit(readings_of([(("s", "b"), BEGIN + 5 * MINUTE, 31.0)], received_at=END), [])
    reject = Reject(
        site="s", meter="grid", topic=None, at=BEGIN + MINUTE, received_at=END, reason="value.range", value="-1"
    )
    store.commit(readings_of(rows(), received_at=END + HOUR), [reject])
    made = Engine(config, config.rules, store, lambda: END + HOUR, {})
    swap = Correction(
        site="s", meter="a", at=MIDNIGHT, event="replacement", final=630.0, first=5.0, author="ann", reason="worn out"
    )
    made.correct([swap])
    made.refresh()
    return made


@functools.cache
def explanation() -> str:
    """What that engine says of the site's PUE, as JSON; an operator has put markup into what he entered."""
    store = DuckdbStore(Path("memory"), duckdb.connect(), lambda: END + DAY)
    try:
        engine = explained_engine(store)
        engine.issue("s", ["pue"], None, SPAN["start"], SPAN["end"], "<b>ann</b>", "contract & co")
        text = encode(engine.explain("s", "pue", **SPAN)).decode()
    finally:
        store.close()
    return text.replace('"worn out"', '"<script>worn out</script>"').replace('"meter":"a"', '"meter":"a<1>"')
