"""No payload makes the collector raise, and files give what messages give."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.backfill import backfill
from collector.scalars import NOT_A_NUMBER, NUMBER, number_of, shown, text_number, text_numbers, time_of
from tests.collecting import NOW, config, live, message, meter, rows, site
from wattwell.intervals import DAY, MINUTE, iso
from wattwell.model import REASONS, Readings, Source

METERS = [
    meter("grid-a", rollover_at=1e6),
    meter(
        "flow", "flow", "instantaneous", max_rate=5.0, source=Source(topic="x", value="a.b", time="t", time_unit="ns")
    ),
    meter("plain", "water", "delta", source=Source(topic="x", decoder="plain")),
    meter("oat", "temperature", "instantaneous", source=Source(topic="x", value="value", unit="u")),
]
KEYS = st.sampled_from(["time", "value", "unit", "values", "a", "b", "t", "u", "grid-a", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["kWh", "L/s", "degF", "1", iso(NOW), "2026-03-29T00:00:00", "1e999", "nan", str(NOW), "9" * 40])
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
PAYLOADS = st.binary(max_size=60) | DOCUMENTS.map(lambda document: json.dumps(document).encode())
TOPICS = st.sampled_from(["wattwell/s/grid-a", "wattwell/s", "x"])


@given(st.lists(st.tuples(PAYLOADS, TOPICS, st.booleans()), max_size=5))
@settings(max_examples=400, deadline=None)
def test_no_payload_raises_and_all_that_is_refused_can_be_stored(batch: list[tuple[bytes, str, bool]]) -> None:
    judged = live([message(payload, topic, retained=retained) for payload, topic, retained in batch], METERS)
    readings = judged.readings
    assert not np.isinf(readings.value).any()
    assert (readings.at <= NOW + 5 * MINUTE).all()
    assert (readings.at >= NOW - 31 * DAY).all()
    for reject in judged.rejects:
        assert reject.reason in REASONS
        assert len(reject.value.encode()) <= 1000
        assert reject.at is None or iso(reject.at)
    by_value = [r for r in judged.rejects if r.reason.startswith(("value.", "unit."))]
    assert len(by_value) == int(np.isnan(readings.value).sum())


@given(DOCUMENTS, st.sampled_from(["s", "ms", "us", "ns"]))
@settings(max_examples=300)
def test_times_and_values_of_anything_are_total(document: object, unit: str) -> None:
    at, state = time_of(document, unit)
    assert state in (0, 1, 2)
    assert iso(at)
    value, form = number_of(document)
    assert form != NUMBER or isinstance(value, float)
    assert len(shown(document)) <= 200


@given(st.lists(st.floats(allow_nan=False).map(repr) | st.text(max_size=6) | st.decimals().map(str), max_size=8))
@settings(max_examples=300)
def test_a_column_of_texts_reads_like_its_cells(texts: list[str]) -> None:
    value, form = text_numbers(texts)
    expected = [text_number(text) for text in texts]
    assert form.tolist() == [pair[1] for pair in expected]
    assert value.tobytes() == np.array([pair[0] for pair in expected], dtype=float).tobytes()
    for text, (number, kind) in zip(texts, expected, strict=True):
        assert kind == NOT_A_NUMBER or number == float(text) or math.isnan(float(text))


CELLS = st.one_of(
    st.floats(0, 1e7).map(repr),
    st.sampled_from(["", "65535", "-3", "abc", "NaN", "1e6", "1000000", "12.5", "1e400", "0"]),
)
TIMES = st.one_of(
    st.integers(NOW - 40 * DAY, NOW + 10 * MINUTE).map(iso),
    st.integers(NOW - DAY, NOW).map(lambda at: f"{at / 1e6:.6f}"),
    st.sampled_from(["", "2026-03-29T00:00:00", "x", "1999-12-31T23:59:59Z"]),
)


@given(st.lists(st.tuples(TIMES, CELLS, CELLS), min_size=1, max_size=12), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_gives_what_messages_with_the_same_text_give(
    tmp_path: Path, table: list[tuple[str, str, str]], compressed: bool
) -> None:
    meters = [meter("a", rollover_at=1e6), meter("b", "power", "instantaneous", max_rate=1e6)]
    path = tmp_path / ("d.csv.gz" if compressed else "d.csv")
    text = "time,a,b\n" + "".join(",".join(row) + "\n" for row in table)
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    stored: list[Readings] = []
    refused: list[str] = []

    def sink(readings: Readings, rejects: object) -> None:
        stored.append(readings)
        refused.extend(f"{r.meter} {r.at} {r.reason} {r.value}" for r in rejects)  # type: ignore[attr-defined]

    summary = backfill([path], "s", config(site(meters)), sink, NOW)
    messages = [
        message(json.dumps({"time": time, "value": cell}), f"wattwell/s/{name}")
        for time, *cells in table
        for name, cell in zip("ab", cells, strict=True)
        if cell
    ]
    judged = live(messages, meters, late=None)
    assert sorted(row for part in stored for row in map(str, rows(part))) == sorted(map(str, rows(judged.readings)))
    assert sorted(refused) == sorted(f"{r.meter} {r.at} {r.reason} {r.value}" for r in judged.rejects)
    assert summary.readings == judged.accepted
