"""Payloads that are wrong in every way that a generator can think of, through every decoder; prints JSON.

    python benchmarks/fuzz.py [--count 1000000] [--seed 1] [--decoder influx]

Each payload is a right one (``corpora.py``) that was mutated, or two of them spliced, or something made from the
pieces of a dialect. It goes the way of a message: route, decode, normalise. Exit code 1 if any

* raised anything, or took longer than ``SLOWEST`` seconds of processor time;
* gave a point that is no meter's and no unknown one's, or more points than it has bytes and meters;
* gave a reading that is infinite or at a time that the rules refuse, or a reject whose reason is not in the model's
  list, whose text is longer than 200 characters, or that no store can hold.

The same seed and count give the same payloads. A failure is printed with the payload, in hexadecimal, and its number.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.corpora import CORPORA, NOW, Corpus
from benchmarks.reshape import JsonShapes, reshaped_fields
from collector.decoders import DECODERS, decode
from collector.dialects.base import Decoder, Message
from collector.dialects.sparkplug_host import SparkplugHost
from collector.normalise import FUTURE, MeterTable, Normalised, normalise
from collector.points import UNKNOWN, Points, PointsBuilder
from collector.topics import Router
from wattwell.intervals import DAY, iso
from wattwell.model import REASONS, Reject

LATE = 31 * DAY
SLOWEST = 2.0
"""Seconds of processor time that one payload may take."""
LARGEST = 4096
"""Bytes of most payloads; one in ``_RARE`` is up to ``_HUGE``."""
_HUGE = 2**20
_RARE = 4000
_BATCH = 100
_WHOLE = 0.6
"""Share of JSON and protobuf payloads that stay such."""
_SHOWN_BYTES = 800
_KEPT = 20
HURTING = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"9" * 40,
    b"9" * 309,
    b"9" * 400,
    b"-0",
    b"0x10",
    b"1_000",
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b"65535",
    b"4294967295",
    b"18446744073709551615",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"\x00",
    b"\xef\xbb\xbf",
    b"\xd9\xa1",
    b"\xff" * 9 + b"\x01",
    b"\xff" * 12,
    b"\x80" * 10,
)
"""What hurts decoders of every kind: numbers at edges, broken UTF-8, lone surrogates, endless varints."""
_OPEN = (b"[", b"{", b'{"a":', b"[[", b'"', b"\\", b"(", b"\x0a\xff\xff\xff\x7f")


class Payloads:
    """Payloads of one dialect, from a seed."""

    def __init__(self, corpus: Corpus, seed: str) -> None:
        self._random = random.Random(seed)
        self._seeds = corpus.seeds
        self._pieces = (*HURTING, *corpus.pieces)
        self._trees = {seed: _tree(seed) for _, seed in corpus.seeds}
        self._json = JsonShapes(self._random, list(self._trees.values()), self._pieces)
        self._binary = corpus.protobuf
        self._ways: Sequence[Callable[[bytearray], None]] = (
            self._flip,
            self._flip,
            self._overwrite,
            self._cut,
            self._remove,
            self._repeat,
            self._insert,
            self._insert,
            self._insert,
            self._number,
            self._nest,
            self._lengthen,
        )

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Topic and payload, without end."""
        while True:
            yield self._next()

    def _next(self) -> tuple[str, bytes]:
        chance = self._random.random()
        topic, seed = self._random.choice(self._seeds)
        if chance < _WHOLE and (tree := self._trees[seed]) is not None:
            return topic, self._json.reshaped(tree)[:LARGEST]
        if chance < _WHOLE and self._binary:
            return topic, reshaped_fields(self._random, seed, self._pieces)[:LARGEST]
        chance = self._random.random()
        data = bytearray(seed)
        if chance < 0.1:
            _, other = self._random.choice(self._seeds)
            data = data[: self._place(data)] + other[self._place(bytearray(other)) :]
        elif chance < 0.2:
            data = bytearray(b"".join(self._random.choices(self._pieces, k=self._random.randint(0, 12))))
        elif chance < 0.25:
            data = bytearray(self._random.randbytes(self._random.randint(0, 60)))
        for _ in range(self._random.randint(1 if chance >= 0.1 else 0, 5)):
            self._random.choice(self._ways)(data)
        most = _HUGE if self._random.randrange(_RARE) == 0 else LARGEST
        if most == _HUGE:
            data *= max(1, self._random.randint(0, _HUGE) // max(1, len(data)))
        return topic, bytes(data[:most])

    def _place(self, data: bytearray) -> int:
        return self._random.randint(0, len(data))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _overwrite(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] = self._random.choice(b'\x00\xff\x7f\x80"\\,=:{}[] \n019.-eE')

    def _cut(self, data: bytearray) -> None:
        del data[self._place(data) :]

    def _remove(self, data: bytearray) -> None:
        start = self._place(data)
        del data[start : start + self._random.randint(1, 16)]

    def _repeat(self, data: bytearray) -> None:
        start = self._place(data)
        piece = data[start : start + self._random.randint(1, 40)]
        data[start:start] = piece * self._random.choice((1, 1, 2, 50))

    def _insert(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.choice(self._pieces)

    def _number(self, data: bytearray) -> None:
        """A number in place of a digit."""
        digits = [place for place, byte in enumerate(data) if 0x30 <= byte <= 0x39]
        if digits:
            place = self._random.choice(digits)
            data[place : place + 1] = self._random.choice(HURTING[:21])

    def _nest(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.choice(_OPEN) * self._random.choice((3, 100, 1200))

    def _lengthen(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.choice((b"a", b"9", b" ", b"\n", b"\xff", b"\xc3\xa4")) * 1500


def _tree(payload: bytes) -> object:
    """The JSON document of a payload; None for one that is no object and no list."""
    try:
        document: object = json.loads(payload)
    except ValueError:
        return None
    return document if isinstance(document, dict | list) else None


@dataclass(slots=True)
class Result:
    """What became of one dialect's payloads."""

    payloads: int = 0
    bytes: int = 0
    points: int = 0
    readings: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    exceptions: int = 0
    faults: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """What is printed of it."""
        return {name: getattr(self, name) for name in self.__slots__}

    def fault(self, text: str) -> None:
        """Notes what went wrong, of many the first ones."""
        if len(self.faults) < _KEPT:
            self.faults.append(text)


class Fuzzer:
    """Takes payloads of one dialect through its decoder and the rules, and looks at what comes out."""

    def __init__(self, name: str, decoders: Mapping[str, Decoder] = DECODERS) -> None:
        site = CORPORA[name].site(name)
        self.table = MeterTable.of([site])
        self.router = Router([site], self.table)
        self.host = SparkplugHost(self.router.devices)
        self.decoders = {"sparkplug": self.host.points, **decoders}
        self.result = Result()

    def run(self, payloads: Iterator[tuple[str, bytes]], count: int) -> Result:
        """Takes ``count`` payloads, in batches as the collector would."""
        began = time.perf_counter()
        while self.result.payloads < count:
            self._batch([next(payloads) for _ in range(min(_BATCH, count - self.result.payloads))])
        self.result.seconds = round(time.perf_counter() - began, 3)
        return self.result

    def _batch(self, batch: Sequence[tuple[str, bytes]]) -> None:
        out = PointsBuilder()
        rejects: list[Reject] = []
        for number, (topic, payload) in enumerate(batch, self.result.payloads):
            self.result.bytes += len(payload)
            self._decode(Message(topic, payload, number % 7 == 0, NOW), number, out, rejects)
        first = self.result.payloads
        self.result.payloads += len(batch)
        self.result.points += len(out)
        try:
            points = out.build()
            judged = normalise(points, self.table, LATE)
            self.host.saved(self.host.documents())
            self.host.requests(first, NOW)
            faults = [*_wrong_points(points, self.table), *_wrong_readings(judged)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            self.result.exceptions += 1
            return self.result.fault(f"payloads {first} to {first + len(batch) - 1}: {error!r} in normalise")
        rejects += judged.rejects
        self.result.readings += judged.accepted
        self.result.rejects.update(reject.reason for reject in rejects)
        for text in (*faults, *_wrong_rejects(rejects, self.table)):
            self.result.fault(f"payloads {first} to {first + len(batch) - 1}: {text}")
        return None

    def _decode(self, message: Message, number: int, out: PointsBuilder, rejects: list[Reject]) -> None:
        route = self.router.route(message.topic)
        if route is None:
            return self.result.fault(f"payload {number}: no meter listens on {message.topic}")
        before, began = len(out), time.thread_time()
        text = f"payload {number}, topic {message.topic}, {message.payload[:_SHOWN_BYTES].hex()}"
        try:
            reject = decode(message, route, out, self.decoders)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            self.result.exceptions += 1
            return self.result.fault(f"{text}: {error!r}")
        took = time.thread_time() - began
        self.result.slowest_seconds = max(self.result.slowest_seconds, took)
        rejects += [] if reject is None else [reject]
        if took > SLOWEST:
            self.result.fault(f"{text}: took {took:.1f} s")
        if len(out) - before > len(message.payload) + len(self.table.meters):
            self.result.fault(f"{text}: gave {len(out) - before} points")
        return None


def _wrong_points(points: Points, table: MeterTable) -> Iterator[str]:
    if not ((points.meter >= UNKNOWN) & (points.meter < len(table.meters))).all():
        yield "a point of a meter that is not there"
    unknown = set(np.flatnonzero(points.meter == UNKNOWN).tolist())
    if unknown != points.names.keys():
        yield "an unknown point without a name"
    if not np.isin(points.clock, (0, 1, 2)).all() or not np.isin(points.form, (0, 1, 2, 3)).all():
        yield "a state that does not exist"


def _wrong_readings(judged: Normalised) -> Iterator[str]:
    readings = judged.readings
    if np.isinf(readings.value).any():
        yield "an infinite reading"
    if ((readings.at > NOW + FUTURE) | (readings.at < NOW - LATE)).any():
        yield "a reading at a time that is refused"


def _wrong_rejects(rejects: Sequence[Reject], table: MeterTable) -> Iterator[str]:
    for reject in rejects:
        if reject.reason not in REASONS:
            yield f"the reason {reject.reason}"
        if len(reject.value) > 200 or "\0" in reject.value or not _storable(reject.value):
            yield f"the text {reject.value!r}"
        if reject.at is not None and not iso(reject.at):
            yield f"the time {reject.at}"
        if (
            reject.meter is not None
            and reject.reason != "point.unknown"
            and (reject.site, reject.meter) not in table.keys
        ):
            yield f"the meter {reject.meter!r}"


def _storable(text: str) -> bool:
    return text.encode("utf-8", "replace").decode("utf-8") == text


def fuzz(name: str, count: int, seed: int) -> Result:
    """What becomes of ``count`` payloads of one dialect; other counts and the same seed begin alike."""
    return Fuzzer(name).run(iter(Payloads(CORPORA[name], f"{seed} {name}")), count)


def main() -> None:
    """Fuzzes every decoder, or one."""
    parser = argparse.ArgumentParser(description="wrong payloads through every decoder")
    parser.add_argument("--count", type=int, default=1_000_000, help="payloads over all decoders")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decoder", choices=tuple(CORPORA), help="this one only")
    options = parser.parse_args()
    names = [options.decoder] if options.decoder else list(CORPORA)
    each = -(-options.count // len(names))
    results = {name: fuzz(name, each, options.seed) for name in names}
    wrong = any(result.exceptions or result.faults for result in results.values())
    document = {
        "benchmark": "fuzz",
        "seed": options.seed,
        "payloads": sum(result.payloads for result in results.values()),
        "exceptions": sum(result.exceptions for result in results.values()),
        "resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 1),
        "decoders": {name: result.as_json() for name, result in results.items()},
    }
    print(json.dumps(document, indent=2))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
