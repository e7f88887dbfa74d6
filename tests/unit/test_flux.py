"""Flux as it is sent: exact, and with nothing in it that a name could change."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import T0
from wattwell.intervals import HOUR, SECOND
from wattwell.store import flux


def test_samples_are_chosen_by_range_measurement_and_tags_first() -> None:
    assert flux.samples("wattwell", "north", "grid-a", T0 - 1, T0 + HOUR) == (
        'from(bucket: "wattwell")'
        " |> range(start: 2025-12-31T23:59:59.999999Z, stop: 2026-01-01T01:00:00.000000Z)"
        ' |> filter(fn: (r) => r._measurement == "wattwell_reading" and r._field == "value"'
        ' and r.site == "north" and r.meter == "grid-a")'
        ' |> keep(columns: ["_time", "_value", "revision"])'
    )


def test_counts_and_latest_are_of_whole_series_which_storage_answers_itself() -> None:
    series = (
        'from(bucket: "b") |> range(start: 2026-01-01T00:00:00.000000Z, stop: 2026-01-01T00:00:01.000000Z)'
        ' |> filter(fn: (r) => r._measurement == "wattwell_reading" and r._field == "value")'
    )
    assert flux.counts("b", T0, T0 + SECOND) == (
        f'{series} |> count() |> keep(columns: ["site", "meter", "revision", "_value"])'
    )
    assert flux.latest("b", T0, T0 + SECOND) == f'{series} |> last() |> keep(columns: ["site", "meter", "_time"])'


def test_marks_and_samples_of_many_sites_are_chosen_likewise() -> None:
    span = "range(start: 2026-01-01T00:00:00.000000Z, stop: 2026-01-01T00:00:01.000000Z)"
    assert flux.samples_of_sites("b", ["north", "s-1"], T0, T0 + SECOND) == (
        f'from(bucket: "b") |> {span}'
        ' |> filter(fn: (r) => r._measurement == "wattwell_reading" and r._field == "value"'
        ' and (r.site == "north" or r.site == "s-1"))'
        ' |> keep(columns: ["site", "meter", "_time", "_value", "revision"])'
    )
    marks = f'from(bucket: "b") |> {span} |> filter(fn: (r) => r._measurement == "wattwell_forwarded"'
    assert flux.forwarded("b", T0, T0 + SECOND) == (
        f'{marks}) |> keep(columns: ["site", "by", "_field", "_time", "_value"])'
    )
    assert flux.first_forwarded("b", T0, T0 + SECOND) == (
        f'{marks} and r._field == "earliest") |> first() |> keep(columns: ["_time"])'
    )


def test_nothing_in_a_text_ends_it_or_is_evaluated() -> None:
    assert flux.text('a") |> drop() //') == r'"a\x22) |> drop() //"'
    assert flux.text("${1+1}\\\n") == r'"\x24\x7b1+1\x7d\x5c\x0a"'
    assert flux.text("Köln") == r'"K\xc3\xb6ln"'


@given(st.text())
def test_every_text_comes_back_from_its_literal(value: str) -> None:
    value = value.encode("utf-8", "ignore").decode()
    literal = flux.text(value)
    inside = literal[1:-1]
    assert literal[0] == literal[-1] == '"'
    assert not set(inside) & set('"${}\n')
    assert re.fullmatch(r"(?:[ -\[\]-~]|\\x[0-9a-f]{2})*", inside)
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), inside.encode())
    assert plain.decode() == value


def test_influxdatas_own_parser_takes_the_queries_and_reads_the_texts_back() -> None:
    """Where node finds npm's @influxdata/flux-lsp-node."""
    node, package = shutil.which("node"), "@influxdata/flux-lsp-node"
    if (
        node is None
        or subprocess.run([node, "-e", f"require.resolve('{package}')"], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"npm install {package}, and put its folder into NODE_PATH, to check Flux")
    texts = ["north", '") |> drop() //', "${1 + 1}", "a\\b\n\tc", "Köln \U0001f321", "{}$"]
    queries = [flux.samples(text, text, text, T0, T0 + HOUR) for text in texts]
    asked_at_once = (flux.counts, flux.latest, flux.forwarded, flux.first_forwarded)
    queries += [ask("wattwell", T0, T0 + HOUR) for ask in asked_at_once]
    queries.append(flux.samples_of_sites("wattwell", texts, T0, T0 + HOUR))
    script = (
        f"const flux = require('{package}');"
        "const [texts, queries] = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify([texts.map((t) => flux.parse('x = ' + t).body[0].init.value),"
        " queries.map((q) => flux.is_valid_flux(q))]))"
    )
    asked = json.dumps([[flux.text(text) for text in texts], [*queries, queries[0].replace("range(", "rang(")]])
    done = subprocess.run([node, "-e", script], input=asked, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [texts, [True] * len(queries) + [False]]
