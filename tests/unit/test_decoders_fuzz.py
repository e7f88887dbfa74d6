"""Thousands of wrong payloads through every decoder; and the harness sees what it is there to see."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest

from benchmarks.corpora import CORPORA
from benchmarks.fuzz import Fuzzer, Payloads, fuzz
from benchmarks.reshape import fields_of, written
from collector.decoders import DECODERS
from collector.dialects.base import NO_TIME, Message
from collector.points import PointsBuilder
from collector.topics import Binding
from wattwell.config import schema

COUNT = 4000
"""Payloads of each dialect; benchmarks/fuzz.py sends a million."""


def test_every_decoder_has_a_corpus() -> None:
    assert CORPORA.keys() - {"site"} == set(schema.DECODERS) >= set(DECODERS)
    assert len(CORPORA) >= 8


@pytest.mark.parametrize("name", CORPORA)
def test_seeds_are_right(name: str) -> None:
    """What is mutated is worth it: each meter of a corpus gets readings from its seeds."""
    fuzzer = Fuzzer(name)
    result = fuzzer.run(iter(CORPORA[name].seeds * 7), 7 * len(CORPORA[name].seeds))
    assert result.readings >= len(fuzzer.table.meters)


@pytest.mark.parametrize("name", CORPORA)
def test_no_payload_raises_or_breaks_a_rule(name: str) -> None:
    result = fuzz(name, COUNT, 7)
    assert (result.exceptions, result.faults) == (0, [])
    assert result.payloads == COUNT
    assert result.readings > COUNT / 40  # some of it is read
    assert len(result.rejects) >= 6  # and some refused, for many reasons
    assert result.slowest_seconds < 1.0


@pytest.mark.parametrize("name", CORPORA)
def test_the_same_seed_gives_the_same_payloads(name: str) -> None:
    def first(seed: str) -> list[tuple[str, bytes]]:
        return list(islice(Payloads(CORPORA[name], seed), 300))

    assert first("1") == first("1") != first("2")


def _raises(message: Message, _bindings: Sequence[Binding], _out: PointsBuilder) -> None:
    if b"9" in message.payload:
        raise KeyError("nine")


def _invents(_message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    for _ in range(10_000):
        out.add(bindings[0].meter, NO_TIME, 1.0)


def _misplaces(_message: Message, _bindings: Sequence[Binding], out: PointsBuilder) -> None:
    out.add(10_000, NO_TIME, 1.0)


def _mistimes(_message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    out.add(bindings[0].meter, (0, 9), 1.0)


@pytest.mark.parametrize(
    ("broken", "says"), [(_raises, "nine"), (_invents, "points"), (_misplaces, "IndexError"), (_mistimes, "state")]
)
def test_what_is_wrong_with_a_decoder_is_found(broken: object, says: str) -> None:
    fuzzer = Fuzzer("plain", {"plain": broken})  # type: ignore[dict-item]
    result = fuzzer.run(iter(Payloads(CORPORA["plain"], "1")), 300)
    assert result.faults
    assert says in result.faults[0]


def test_protobuf_is_written_as_it_was_read() -> None:
    seeds = [payload for _, payload in CORPORA["sparkplug"].seeds]
    assert [written(fields_of(seed) or []) for seed in seeds] == seeds
    assert fields_of(b"\x0a\xff") is None
    assert fields_of(b"\x0b") is None
