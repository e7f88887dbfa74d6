"""What the fuzzer and the decoders' benchmark send: for each dialect its meters, and payloads as devices send them.

A dialect that Wattwell learns gets an entry in ``CORPORA``; the tests see that none is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.dialects.sparkplug_schema import new_payload
from wattwell.config import parse
from wattwell.intervals import SECOND, iso, parse_iso
from wattwell.model import Site

NOW = parse_iso("2026-03-29T01:00:00Z")
"""When every message arrives."""
S = NOW // SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One dialect's meters, payloads and the pieces that payloads are made of."""

    sources: Sequence[Mapping[str, Any]]
    """Sources of the meters, each with ``quantity`` beside it where it is no register of energy."""
    seeds: Sequence[tuple[str, bytes]]
    """Topic and payload of messages that are right."""
    protobuf: bool = False
    """Whether the payloads are protobuf messages."""
    pieces: Sequence[bytes] = ()
    """What to put where it may hurt, beyond what hurts every dialect."""

    def site(self, decoder: str) -> Site:
        """A site of these meters, as the configuration makes it."""
        entries = [_meter(f"m{number}", source, decoder) for number, source in enumerate(self.sources)]
        where = {"id": "s", "timezone": "Europe/Berlin", "pue_category": 1, "meters": entries}
        return parse({"sites": [where]}, Path()).sites["s"]


REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 6000, "unit": "kWh"}


def _meter(name: str, source: Mapping[str, Any], decoder: str) -> dict[str, Any]:
    keys = {key: value for key, value in source.items() if key != "quantity"}
    kind = source.get("quantity")
    counts = REGISTER if kind is None else {"quantity": kind, "accumulation": "instantaneous"}
    named = {} if decoder == "site" else {"source": {"decoder": decoder, **keys}}
    return {"id": name, **counts, **named}


def _bytes(*documents: object) -> list[bytes]:
    return [one.encode() if isinstance(one, str) else json.dumps(one).encode() for one in documents]


def _on(topic: str, *documents: object) -> list[tuple[str, bytes]]:
    return [(topic, payload) for payload in _bytes(*documents)]


JSON = Corpus(
    sources=[
        {"topic": "plant/a", "value": "energy.import", "time": "ts", "time_unit": "ms", "unit": "u"},
        {"topic": "plant/a", "value": "list.1.x", "quantity": "power"},
        {"topic": "plant/+", "value": "t.value", "quantity": "temperature"},
    ],
    seeds=_on(
        "plant/a",
        {"ts": S * 1000, "energy": {"import": 812.4}, "u": "MWh", "list": [0, {"x": 4}], "t": {"value": 21}},
        {"time": iso(NOW), "energy": {"import": "812.4"}, "list": [], "t.value": 21.5},
        [{"energy": 1}],
        "812.4",
    ),
)
PLAIN = Corpus(
    sources=[{"topic": "plain/a"}, {"topic": "flow/+", "quantity": "flow"}],
    seeds=_on("plain/a", "812.4", "812.4 kWh", "NaN") + _on("flow/1", "-1e3 L/s", "5"),
    pieces=[b" kWh", b" L/s", b"\xc2\xa0", b"\t"],
)
SITE = Corpus(
    sources=[{}, {}, {"quantity": "power"}],
    seeds=_on(
        "wattwell/s",
        {"time": iso(NOW), "values": {"m0": 812.4, "m1": {"value": 5, "unit": "MWh"}, "m2": 7, "other": 1}},
        {"values": {"m0": "1"}},
    )
    + _on("wattwell/s/m0", {"time": iso(NOW), "value": 812.4, "unit": "kWh"}, "812.4"),
    pieces=[b'"values"', b'"time"', b'"m0"', b'"unit"'],
)
INFLUX = Corpus(
    sources=[
        {"topic": "telegraf/gw", "value": "modbus,name=main energy"},
        {"topic": "telegraf/gw", "value": "modbus,slave_id=1,name=main energy"},
        {"topic": "telegraf/gw", "value": "power", "quantity": "power"},
        {"topic": "telegraf/gw", "value": "modbus power", "quantity": "power", "time": None},
        {"topic": "telegraf/gw", "value": r"my\ m,a\=b=c\,d e\ f", "time_unit": "s"},
    ],
    seeds=_on(
        "telegraf/gw",
        f"modbus,host=gw,name=main,slave_id=1 energy=812345i,power=12.5,ok=t {NOW * 1000}\n",
        f'snmp,name=a power=41200u,text="a \\"b\\", c\nd = e",x=1e3 {NOW * 1000}',
        f"# comment\n\nmy\\ m,a\\=b=c\\,d e\\ f=0.1 {S}\r\nmodbus,name=main energy=1\n",
        "\n".join(f"modbus,name=n{n},slave_id={n} energy={n}.5,power={n}i {NOW * 1000 - n}" for n in range(20)),
    ),
    pieces=[b"\\", b'"', b",", b"=", b" ", b"\n", b"i", b"u", b"#", b'="', b'\\"', b"\\\\", b"\\\n", b"energy=", b"\r"],
)
SENML = Corpus(
    sources=[
        {"topic": "senml/a", "value": "urn:dev:a:import"},
        {"topic": "senml/a", "value": "urn:dev:a:power s"},
        {"topic": "senml/a", "value": "urn:dev:a:power", "quantity": "power"},
        {"topic": "senml/a", "value": "urn:dev:a:temp", "quantity": "temperature", "unit": None, "time": None},
    ],
    seeds=_on(
        "senml/a",
        [{"bn": "urn:dev:a:", "bt": S, "bu": "Wh", "bv": 812000, "n": "import", "v": 0.4}, {"n": "import", "t": -60}],
        [{"bn": "urn:dev:a:", "bver": 10, "bs": 5, "n": "power", "u": "W", "v": 5, "s": 3600, "t": -5, "ut": 60}],
        [{"n": "urn:dev:a:temp", "u": "Cel", "v": 23.1}, {"bn": "urn:dev:a:", "n": "label", "vs": "x"}, {"vd": "aGk"}],
    ),
    pieces=[b'"bn":', b'"bt":', b'"bv":', b'"bver":', b'"x_":', b'"vd":', b'"s":', b'"t":', b"-", b"268435456"],
)
PRO = "shellypro3em-0cb815fd"
SHELLY = Corpus(
    sources=[
        {"topic": "shellies/em-1/emeter/0/energy"},
        {"topic": "shellies/em-1/emeter/0/total"},
        {"topic": "shellies/em-1/emeter/0/power", "quantity": "power"},
        {"topic": f"{PRO}/events/rpc", "value": "emdata:0.total_act"},
        {"topic": f"{PRO}/events/rpc", "value": "em:0.total_act_power", "quantity": "power"},
        {"topic": f"{PRO}/status/switch:0", "value": "switch:0.aenergy.total"},
    ],
    seeds=[
        ("shellies/em-1/emeter/0/energy", b"12345"),
        ("shellies/em-1/emeter/0/total", b"1184633.1"),
        ("shellies/em-1/emeter/0/power", b"-12.5"),
        *_on(
            f"{PRO}/events/rpc",
            {
                "src": PRO,
                "dst": f"{PRO}/events",
                "method": "NotifyStatus",
                "params": {
                    "ts": S + 0.04,
                    "emdata:0": {"id": 0, "total_act": 2852055.81, "total_act_ret": 0.0},
                    "em:0": {"id": 0, "total_act_power": 1300.252, "n_current": None},
                },
            },
            {
                "src": PRO,
                "method": "NotifyFullStatus",
                "params": {"ts": S, "em:0": {"errors": ["power_meter_failure"]}},
            },
            {
                "src": PRO,
                "method": "NotifyEvent",
                "params": {"ts": S, "events": [{"component": "emdata:0", "data": {}}]},
            },
        ),
        *_on(f"{PRO}/status/switch:0", {"id": 0, "apower": 25.7, "aenergy": {"total": 913.252, "minute_ts": S}}),
    ],
    pieces=[b'"params":', b'"ts":', b'"emdata:0":', b'"method":', b'"NotifyFullStatus"', b"null"],
)
TASMOTA = Corpus(
    sources=[
        {"topic": "tele/plug/SENSOR"},
        {"topic": "tele/plug/SENSOR", "value": "ENERGY.Total.1"},
        {"topic": "tele/plug/SENSOR", "value": "ENERGY.Power", "quantity": "power"},
        {"topic": "stat/plug/+", "value": "AM2301.Temperature", "quantity": "temperature"},
    ],
    seeds=_on(
        "tele/plug/SENSOR",
        {
            "Time": "2026-03-29T01:59:59",
            "ENERGY": {
                "TotalStartTime": "2024-01-01T00:00:00",
                "Total": 123.456,
                "Today": 1.2,
                "Power": 12,
                "Factor": 0.9,
            },
        },
        {"Time": "2026-03-29T03:00:00+02:00", "ENERGY": {"Total": [123.4, 56.7], "Power": [1, 2]}},
        {"Time": "2026-03-29T02:30:00", "ENERGY": {"Total": "1"}},
    )
    + _on(
        "stat/plug/STATUS10",
        {
            "StatusSNS": {
                "Time": "2026-03-29T00:59:59",
                "AM2301": {"Temperature": 21.5, "Humidity": 40},
                "TempUnit": "C",
            }
        },
    ),
    pieces=[b'"Time":', b'"StatusSNS":', b'"ENERGY":', b'"TempUnit":', b"2025-10-26T02:30:00", b"9999-12-31T23:59:59"],
)
EDGE = "spBv1.0/plant/{}/edge1"


def sparkplug_payload(seq: int, *metrics: Mapping[str, Any], quality: int | None = None) -> bytes:
    """A Sparkplug payload; metrics as field by field, a quality code for the last."""
    payload = new_payload()
    payload.timestamp, payload.seq = NOW // 1000, seq
    for fields in metrics:
        metric = payload.metrics.add()
        for name, value in fields.items():
            setattr(metric, name, value)
    if quality is not None:
        metric.properties.keys.append(b"Quality")
        metric.properties.values.add().int_value = quality
    return payload.SerializeToString()


_BIRTH = (
    {"name": b"bdSeq", "datatype": 8, "long_value": 1},
    {"name": b"energy", "alias": 1, "datatype": 10, "double_value": 812.4, "timestamp": NOW // 1000},
    {"name": b"power", "alias": 2, "datatype": 9, "float_value": 12.5},
    {"name": b"text", "alias": 3, "datatype": 12, "string_value": b"5"},
    {"name": b"count", "alias": 4, "datatype": 3, "int_value": 2**32 - 5},
)
_DATA = (
    {"alias": 1, "double_value": 812.5, "timestamp": NOW // 1000 - 1000, "is_historical": True},
    {"alias": 2, "float_value": 0.1, "is_null": True},
    {"alias": 3, "string_value": b"NaN"},
    {"alias": 9, "long_value": 2**64 - 1},
    {"name": b"energy", "long_value": 5, "datatype": 4},
)
SPARKPLUG = Corpus(
    protobuf=True,
    sources=[
        {"topic": EDGE.format("+") + "/pdu7", "value": "energy"},
        {"topic": EDGE.format("+") + "/pdu7", "value": "count"},
        {"topic": EDGE.format("+"), "value": "power", "quantity": "power"},
        {"topic": EDGE.format("+"), "value": "text", "quantity": "power"},
    ],
    seeds=[
        (EDGE.format("NBIRTH"), sparkplug_payload(0, *_BIRTH)),
        (EDGE.format("DBIRTH") + "/pdu7", sparkplug_payload(1, *_BIRTH, quality=192)),
        (EDGE.format("NDATA"), sparkplug_payload(2, *_DATA)),
        (EDGE.format("DDATA") + "/pdu7", sparkplug_payload(3, *_DATA)),
        (EDGE.format("DDATA") + "/pdu7", sparkplug_payload(4, *_DATA, quality=500)),
        (EDGE.format("NDEATH"), sparkplug_payload(0, _BIRTH[0])),
        (EDGE.format("DDEATH") + "/pdu7", sparkplug_payload(5)),
    ],
    pieces=[
        b"\x12\x00",
        b"\x0a\x06energy",
        b"\x10\x01",
        b"\x20\x00",
        b"\x61",
        b"\x0b\x0b\x0b",
        b"\x12\xff\xff\xff\xff\x0f",
    ],
)
CORPORA: dict[str, Corpus] = {
    "json": JSON,
    "plain": PLAIN,
    "site": SITE,
    "influx": INFLUX,
    "senml": SENML,
    "sparkplug": SPARKPLUG,
    "shelly": SHELLY,
    "tasmota": TASMOTA,
}
"""By decoder; ``site`` is the document on a site's default topic."""
