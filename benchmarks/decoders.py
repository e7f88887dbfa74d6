"""How fast each decoder is: readings a second from bytes to judged readings; prints JSON.

    python benchmarks/decoders.py [--seconds 1.0]

Messages of one value and of fifty, in batches of 500 messages for one value and 50 for fifty, by one thread: route,
decode, columns, normalise. Beside it what one would write instead, on the same bytes, to (name, time, value) and no
further: no rejects, no units, no ranges, no sentinels, no late limit. That is ``json.loads`` and look-ups, or the
library named, where it is installed (line-protocol-parser, senml, pysparkplug; none is needed by Wattwell). ``ratio``
is Wattwell's readings a second over the other's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.corpora import EDGE, NOW, Corpus, S, sparkplug_payload
from collector.decoders import DECODERS, decode
from collector.dialects.base import Message
from collector.dialects.sparkplug_host import SparkplugHost
from collector.normalise import MeterTable, normalise
from collector.points import PointsBuilder
from collector.topics import Router
from wattwell.intervals import DAY, iso

FIFTY = 50
Instead = Callable[[bytes], list[tuple[str, object, float]]]
"""Names, times and values of a payload, as one would read them without Wattwell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Messages of one dialect with so many values each."""

    decoder: str
    values: int
    topic: str
    names: Sequence[str]
    """``value`` of each meter's source."""
    payload: Callable[[int], bytes]
    """The message of a number."""
    other: str
    """What one would use instead; ``module:attribute`` where it is a library."""
    instead: Callable[[Any], Instead]
    """What one would write, given the library (None where it is none)."""
    before: Sequence[tuple[str, bytes]] = ()
    """Messages that must have come first."""
    more: dict[str, Any] | None = None
    """Further keys of each source."""


def value(number: int) -> float:
    return 812000.0 + number / 10


def cases() -> list[Case]:
    """Every dialect, with one value and with fifty where its messages can hold them."""
    both = [make(count) for count in (1, FIFTY) for make in (_json, _influx, _senml, _sparkplug, _shelly, _tasmota)]
    return [_plain(), *both]


def _plain() -> Case:
    def read(payload: bytes) -> list[tuple[str, object, float]]:
        return [("m0", None, float(payload))]

    return Case(
        decoder="plain",
        values=1,
        topic="t",
        names=[""],
        payload=lambda n: b"%.1f" % value(n),
        other="float()",
        instead=lambda _: read,
    )


def _json(count: int) -> Case:
    names = [f"e{n}" for n in range(count)]

    def read(payload: bytes) -> list[tuple[str, object, float]]:
        found = json.loads(payload)
        at = datetime.fromisoformat(found["time"])
        return [(name, at, float(found["values"][name])) for name in names]

    return Case(
        decoder="json",
        values=count,
        topic="t",
        names=[f"values.{name}" for name in names],
        payload=lambda n: json.dumps(
            {"time": iso(NOW - n), "values": {name: value(n + k) for k, name in enumerate(names)}}
        ).encode(),
        other="json.loads",
        instead=lambda _: read,
    )


def _influx(count: int) -> Case:
    def line(n: int, k: int) -> str:
        tags = f"host=gw-1,name=feeder-{k},slave_id={k},type=holding_register"
        return f"modbus,{tags} current=18.9,energy={value(n + k)},power=12500i,voltage=230.1 {(NOW - n) * 1000}\n"

    def instead(module: Any) -> Instead:
        def read(payload: bytes) -> list[tuple[str, object, float]]:
            found = []
            for text in payload.splitlines():
                point = module.parse_line(text)
                found.append((point["tags"]["name"], point["time"], float(point["fields"]["energy"])))
            return found

        return read

    return Case(
        decoder="influx",
        values=count,
        topic="t",
        names=[f"modbus,name=feeder-{k} energy" for k in range(count)],
        payload=lambda n: "".join(line(n, k) for k in range(count)).encode(),
        other="line_protocol_parser",
        instead=instead,
    )


def _senml(count: int) -> Case:
    def pack(n: int) -> bytes:
        first = {"bn": "urn:dev:mac:0024befffe804ff1:", "bt": S, "bu": "kWh"}
        records = [{"n": f"e{k}", "v": value(n + k)} for k in range(count)]
        return json.dumps([first | records[0], *records[1:]]).encode()

    def instead(module: Any) -> Instead:
        def read(payload: bytes) -> list[tuple[str, object, float]]:
            document = module.SenMLDocument.from_json(json.loads(payload))
            resolved = [one.to_absolute(document.base) for one in document.measurements]
            return [(one.name, one.time, float(one.value)) for one in resolved]

        return read

    return Case(
        decoder="senml",
        values=count,
        topic="t",
        names=[f"urn:dev:mac:0024befffe804ff1:e{k}" for k in range(count)],
        payload=pack,
        other="senml",
        instead=instead,
    )


def _sparkplug(count: int) -> Case:
    birth = sparkplug_payload(
        0, *({"name": b"e%d" % k, "alias": k, "datatype": 10, "double_value": 0.0} for k in range(count))
    )

    def instead(module: Any) -> Instead:
        known = module.NBirth.decode(birth)

        def read(payload: bytes) -> list[tuple[str, object, float]]:
            found = module.NData.decode(payload, birth=known)
            return [(str(one.name), one.timestamp, float(one.value)) for one in found.metrics]

        return read

    def data(n: int) -> bytes:
        at = NOW // 1000
        metrics = ({"alias": k, "timestamp": at, "datatype": 10, "double_value": value(n + k)} for k in range(count))
        return sparkplug_payload(n % 256, *metrics)

    return Case(
        decoder="sparkplug",
        values=count,
        topic=EDGE.format("NDATA"),
        names=[f"e{k}" for k in range(count)],
        payload=lambda n: data(n + 1),
        other="pysparkplug",
        instead=instead,
        before=[(EDGE.format("NBIRTH"), birth)],
        more={"topic": EDGE.format("+")},
    )


def _shelly(count: int) -> Case:
    def notify(n: int) -> bytes:
        meters = {f"switch:{k}": {"id": k, "apower": 25.7, "aenergy": {"total": value(n + k)}} for k in range(count)}
        document = {"src": "shelly", "method": "NotifyStatus", "params": {"ts": S + 0.04, **meters}}
        return json.dumps(document).encode()

    def read(payload: bytes) -> list[tuple[str, object, float]]:
        found = json.loads(payload)["params"]
        switches = [f"switch:{k}" for k in range(count)]
        return [(name, found["ts"], float(found[name]["aenergy"]["total"])) for name in switches]

    return Case(
        decoder="shelly",
        values=count,
        topic="shelly/events/rpc",
        names=[f"switch:{k}.aenergy.total" for k in range(count)],
        payload=notify,
        other="json.loads",
        instead=lambda _: read,
    )


def _tasmota(count: int) -> Case:
    def telemetry(n: int) -> bytes:
        totals = [value(n + k) for k in range(count)]
        energy = {"TotalStartTime": "2024-01-01T00:00:00", "Total": totals, "Today": 1.2, "Power": 12}
        return json.dumps({"Time": "2026-03-29T01:59:59", "ENERGY": energy}).encode()

    def read(payload: bytes) -> list[tuple[str, object, float]]:
        found = json.loads(payload)
        at = datetime.fromisoformat(found["Time"])
        return [(str(k), at, float(total)) for k, total in enumerate(found["ENERGY"]["Total"])]

    return Case(
        decoder="tasmota",
        values=count,
        topic="tele/plug/SENSOR",
        names=[f"ENERGY.Total.{k}" for k in range(count)],
        payload=telemetry,
        other="json.loads",
        instead=lambda _: read,
    )


def ours(case: Case) -> Callable[[Sequence[bytes]], int]:
    """Wattwell's way for a batch of payloads; gives how many readings came out."""
    sources = [{"topic": case.topic, "value": name, **(case.more or {})} for name in case.names]
    plain = [{key: each for key, each in source.items() if each != ""} for source in sources]
    site = Corpus(sources=plain, seeds=()).site(case.decoder)
    table = MeterTable.of([site])
    router = Router([site], table)
    decoders = {**DECODERS, "sparkplug": SparkplugHost(router.devices).points}

    def run(payloads: Sequence[bytes], topic: str = case.topic) -> int:
        out = PointsBuilder()
        for payload in payloads:
            route = router.route(topic)
            if route is not None:
                decode(Message(topic, payload, retained=False, received_at=NOW), route, out, decoders)
        return normalise(out.build(), table, 31 * DAY).accepted

    for topic, payload in case.before:
        run([payload], topic)
    return run


def rate(run: Callable[[Sequence[bytes]], int], payloads: Sequence[bytes], readings: int, seconds: float) -> float:
    """Readings a second; each batch must give all of its readings."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        found = run(payloads)
        if found != readings:
            raise SystemExit(f"{found} of {readings} readings came out.")
        done += found
    return done / took


def measure(case: Case, seconds: float) -> dict[str, Any]:
    """Both rates of a case, as the median of three runs each."""
    messages = 500 if case.values == 1 else 50
    payloads = [case.payload(n) for n in range(messages)]
    readings = messages * case.values
    run = ours(case)
    rates = sorted(rate(run, payloads, readings, seconds / 3) for _ in range(3))
    return {
        "decoder": case.decoder,
        "values_per_message": case.values,
        "bytes_per_message": round(sum(map(len, payloads)) / messages),
        "readings_per_second": round(rates[1]),
        "instead": case.other,
        **other(case, payloads, readings, rates[1], seconds),
    }


def other(case: Case, payloads: Sequence[bytes], readings: int, own: float, seconds: float) -> dict[str, Any]:
    """What one would use instead, on the same bytes; null where its library is not installed."""
    library = None
    if not case.other.endswith((")", "loads")):
        try:
            library = importlib.import_module(case.other)
        except ImportError:
            return {"instead_per_second": None, "ratio": None}
    read = case.instead(library)
    found = sorted(
        rate(lambda batch: sum(len(read(one)) for one in batch), payloads, readings, seconds / 3) for _ in "123"
    )
    return {"instead_per_second": round(found[1]), "ratio": round(own / found[1], 2)}


def main() -> None:
    """Measures every decoder."""
    parser = argparse.ArgumentParser(description="readings a second of each decoder")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each decoder, size and way")
    options = parser.parse_args()
    runs = [measure(case, options.seconds) for case in cases()]
    print(json.dumps({"benchmark": "decoders", "cpus": os.cpu_count(), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
