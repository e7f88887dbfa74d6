"""Whatever a field device sends: its decoder answers, and so does what proposes a meter for it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.dialects.base import Message
from collector.proposals import LONGEST, MOST, Recogniser
from tests.collecting import live
from tests.fielding import bound
from wattwell.config.devices import shipped_devices
from wattwell.intervals import parse_iso

AT = parse_iso("2026-10-25T01:30:00Z")
KNOWN = Recogniser(shipped_devices().values())
SHELLY = ["shellies/x/emeter/0/energy", "p/events/rpc", "p/status/emdata:0"]
TASMOTA = ["tele/p/SENSOR", "stat/p/STATUS10"]
KEYS = [
    "method",
    "params",
    "ts",
    "emdata:0",
    "total_act",
    "Time",
    "ENERGY",
    "Total",
    "StatusSNS",
    "TempUnit",
    "value",
    "n",
    "bn",
    "v",
    "u",
]
TEXTS = [
    "NotifyStatus",
    "NotifyFullStatus",
    "NotifyEvent",
    "2026-10-25T02:30:00",
    "2026-03-29T02:30:00Z",
    "0001-01-01T00:00:00",
    "7.5",
]
SCALARS: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(TEXTS), st.text(max_size=5), st.just(10**400)
)
DOCUMENTS: Any = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=3)), inner, max_size=5),
    ),
    max_leaves=20,
)
NESTED: Any = st.one_of(
    DOCUMENTS,
    st.builds(
        lambda method, ts, part: {"method": method, "params": {"ts": ts, "emdata:0": part}},
        st.sampled_from(TEXTS),
        SCALARS,
        DOCUMENTS,
    ),
    st.builds(lambda time, part: {"Time": time, "ENERGY": part}, SCALARS, DOCUMENTS),
)
PAYLOADS: Any = st.one_of(
    st.binary(max_size=60),
    NESTED.map(lambda document: json.dumps(document).encode()),
    st.lists(st.sampled_from(["m", ",a=b", " ", "f=1", "i", "\n", '"', "\\", "x=2.5 "]), max_size=12).map(
        lambda p: "".join(p).encode()
    ),
)


@settings(max_examples=400, deadline=None)
@given(PAYLOADS, st.sampled_from([*SHELLY, *TASMOTA]), st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
def test_every_message_is_read_or_rejected(payload: bytes, topic: str, zone: str) -> None:
    value = "" if "emeter" in topic else "emdata:0.total_act" if topic in SHELLY else "ENERGY.Total"
    one = bound("shelly" if topic in SHELLY else "tasmota", topic, value)
    found = live([Message(topic, payload, retained=False, received_at=AT)], [one], zone=zone)
    assert len(found.readings) + len(found.rejects) <= 2
    assert all(len(reject.value or "") <= 200 for reject in found.rejects)


@settings(max_examples=400, deadline=None)
@given(
    PAYLOADS,
    st.one_of(st.sampled_from([*SHELLY, *TASMOTA, "wattwell/s/m", "spBv1.0/g/DBIRTH/e/d"]), st.text(min_size=1)),
)
def test_every_message_is_proposed_for_or_not(payload: bytes, topic: str) -> None:
    found = KNOWN.propose(Message(topic, payload, retained=False, received_at=AT))
    assert len(found) <= MOST
    assert all(len(json.dumps(one)) <= LONGEST for one in found)
