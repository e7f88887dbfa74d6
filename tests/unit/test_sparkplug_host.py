"""Sparkplug edge nodes through the ingestor: births, aliases, deaths, sequence numbers, restarts, rebirth requests."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from typing import Any

import pytest

from collector.dialects.base import Message
from collector.dialects.sparkplug_host import FIRST_PAUSE, LONGEST_PAUSE, REORDER, STATE_PREFIX
from collector.ingest import UNMAPPED_STATE, Ingestor
from tests.collecting import NOW, MemoryStore, config, message, meter, site, take
from tests.sparkplugging import bd_seq, edge, metric, payload, sparkplug
from wattwell.errors import StoreError
from wattwell.intervals import HOUR, MINUTE, SECOND
from wattwell.model import Meter, Source

NCMD = "spBv1.0/plant/NCMD/edge1"
TOTAL = "Energy/Import total.1"


class Rig:
    """A collector in memory that can be restarted, and a clock for its pauses."""

    def __init__(self, meters: Sequence[Meter] = ()) -> None:
        self.store = MemoryStore()
        self.passed = 0
        self.start(meters or [meter("pdu", source=sparkplug(TOTAL)), meter("fan", source=sparkplug("Fan"))])

    def start(self, meters: Sequence[Meter]) -> None:
        self.meters = meters
        self.ingestor = Ingestor(config(site(meters)), self.store, lambda: NOW, lambda: self.passed)  # type: ignore[arg-type]

    def restart(self, *, clean: bool = True) -> None:
        if clean:
            self.ingestor.housekeeping(final=True)
        self.start(self.meters)

    def take(self, *messages: Message) -> None:
        take(self.ingestor, messages)

    def asks(self, after: int = 0) -> int:
        """Rebirth commands that are due now, and once so much time has passed."""
        self.ingestor.housekeeping()
        commands = self.ingestor.commands()
        self.passed += after
        commands += self.ingestor.commands()
        assert all(topic == NCMD for topic, _ in commands)
        return len(commands)

    @property
    def rejects(self) -> list[tuple[str | None, str, str]]:
        return [(reject.meter, reject.reason, reject.value) for reject in self.store.rejects]


def node_birth(number: int = 0, **changes: Any) -> Message:
    metrics = [bd_seq(number), metric("Node Control/Rebirth", 0, "Boolean"), metric("Uptime", 5, alias=1, at=NOW)]
    return edge("NBIRTH", payload(metrics, at=NOW + number, seq=0), **changes)


def device_birth(total: float = 100.0, *, seq: int = 1, alias: int = 7, at: int = NOW - HOUR) -> Message:
    metrics = [
        metric(TOTAL, total, "Double", alias=alias, at=at, properties={"engUnit": "kWh"}),
        metric("Temperature", 20.5, "Float", alias=alias + 1, at=at),
        metric("Fan", 3, "Int64", alias=alias + 2, at=at),
    ]
    return edge("DBIRTH", payload(metrics, at=at, seq=seq), "pdu7")


def data(*metrics: bytes, seq: int, device: str = "pdu7", at: int = NOW) -> Message:
    return edge("DDATA", payload(metrics, at=at, seq=seq), device)


def reading(total: float, minute: int, alias: int = 7, **changes: Any) -> bytes:
    return metric(None, total, "Double", alias=alias, at=NOW - HOUR + minute * MINUTE, typed=False, **changes)


def test_births_and_aliases_give_the_exact_dial() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(100.1))
    rig.take(data(reading(100.2, 1), seq=2), data(reading(100.3, 2), metric(None, 21.0, "Float", alias=8), seq=3))
    assert rig.store.values("pdu") == [100.1, 100.2, 100.3]
    assert rig.store.values("fan") == [3.0]
    assert rig.rejects == []
    assert rig.asks(HOUR) == 0


def test_metrics_of_the_node_itself_and_plain_names_are_read() -> None:
    rig = Rig([meter("node", source=sparkplug("Energy", device=""))])
    rig.take(edge("NBIRTH", payload([bd_seq(0), metric("Energy", 5, "UInt64", at=NOW - SECOND)], seq=0)))
    rig.take(edge("NDATA", payload([metric("Energy", 6, "UInt64", at=NOW, typed=False)], seq=1)))
    assert rig.store.values("node") == [5.0, 6.0]


def test_a_unit_of_the_birth_stands_beside_later_values() -> None:
    rig = Rig([meter("pdu", source=sparkplug("E"))])
    birth = metric("E", 5, alias=3, at=NOW - MINUTE, properties={"engUnit": "MWh"})
    rig.take(node_birth(), edge("DBIRTH", payload([birth], seq=1), "pdu7"))
    rig.restart()
    rig.take(data(metric(None, 6, alias=3, at=NOW, typed=False), seq=2))
    assert rig.store.values("pdu") == [5000.0, 6000.0]


def test_a_unit_that_changes_in_the_data_counts_from_then_on() -> None:
    rig = Rig([meter("pdu", source=sparkplug("E"))])
    birth = metric("E", 5, alias=3, at=NOW - MINUTE, properties={"engUnit": "MWh"})
    rig.take(node_birth(), edge("DBIRTH", payload([birth], seq=1), "pdu7"))
    rig.take(data(metric(None, 6000, alias=3, at=NOW - SECOND, properties={"engUnit": "kWh"}), seq=2))
    rig.restart(clean=False)
    rig.take(data(metric(None, 6001, alias=3, at=NOW), seq=3))
    assert rig.store.values("pdu") == [5000.0, 6000.0, 6001.0]


def test_without_unit_or_time_as_configured() -> None:
    rig = Rig([meter("pdu", source=sparkplug("E", unit=None, time=None))])
    birth = metric("E", 5, alias=3, at=NOW - HOUR, properties={"engUnit": "MWh"})
    rig.take(node_birth(), edge("DBIRTH", payload([birth], seq=1), "pdu7"))
    rig.take(data(metric(None, 6, alias=3, at=NOW - HOUR, historical=True), seq=2))
    assert rig.store.readings == {(("s", "pdu"), NOW): 5.0}
    assert rig.rejects == [("pdu", "time.invalid", "6")]


def test_null_bad_and_wordy_values_are_rejected_at_their_time() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth())
    rig.take(
        data(reading(101, 1, properties={"Quality": 500}), seq=2),
        data(metric(None, None, alias=7, at=NOW, null=True), seq=3),
        data(metric(None, "off", "String", alias=7, at=NOW + SECOND, typed=False), seq=4),
        data(reading(102, 3), seq=5),
    )
    assert rig.rejects == [("pdu", "quality.bad", "101.0"), ("pdu", "value.type", "null"), ("pdu", "value.type", "off")]
    known = [value for value in rig.store.values("pdu") if not math.isnan(value)]
    assert known == [100.0, 102.0]
    assert len(rig.store.values("pdu")) == 5


def test_a_backlog_in_any_order_stands_at_its_own_times() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(106, at=NOW))
    rig.take(data(*[reading(100 + m, m, historical=True) for m in (3, 1, 5, 2, 4)], seq=2))
    assert rig.store.values("pdu") == [101, 102, 103, 104, 105, 106]


@pytest.mark.parametrize("clean", [True, False])
def test_aliases_survive_a_restart(clean: bool) -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth())
    rig.take(data(reading(101, 1), seq=2))
    rig.restart(clean=clean)
    rig.take(data(reading(102, 2), seq=3))
    assert rig.store.values("pdu") == [100, 101, 102]
    assert rig.rejects == []
    # After a crash the stored sequence number is that of the birth: something may have been missed, so we ask.
    assert rig.asks(MINUTE) == (0 if clean else 1)


def test_births_are_stored_before_they_are_acknowledged() -> None:
    rig = Rig()

    def refuse(documents: object) -> None:
        raise StoreError("disk full")

    rig.store.save_states = refuse  # type: ignore[method-assign, assignment]
    assert not rig.ingestor.ingest([node_birth(), device_birth()], lambda _: True)
    assert rig.ingestor.stats().store_error == "disk full"
    del rig.store.save_states
    rig.take(node_birth(), device_birth())
    assert json.loads(rig.store.states[f"{STATE_PREFIX}plant/edge1"])["devices"]["pdu7"]["born"] is True
    assert rig.store.values("pdu") == [100.0]


def test_a_batch_that_must_be_read_again_reads_the_same() -> None:
    """The list of unmapped topics cannot be loaded at first; the batch also holds the device's death."""
    rig = Rig()
    whole, loads = rig.store.load_state, [StoreError("locked")]

    def load(name: str) -> str | None:
        if name == UNMAPPED_STATE and loads:
            raise loads.pop()
        return whole(name)

    rig.store.load_state = load  # type: ignore[method-assign]
    batch = [node_birth(), device_birth(), data(reading(101, 1), seq=2), edge("DDEATH", payload(seq=3), "pdu7")]
    assert rig.ingestor.ingest([*batch, message("5", "nowhere")], lambda _: False)
    assert loads == []
    assert rig.store.values("pdu") == [100, 101]
    assert [reason for _, reason, _ in rig.rejects] == ["point.unknown"]


@pytest.mark.parametrize("death", [edge("DDEATH", payload(seq=3), "pdu7"), edge("NDEATH", payload([bd_seq(0)]))])
def test_what_comes_again_after_a_death_is_read_as_it_was_before(death: Message) -> None:
    rig = Rig()
    batch = [node_birth(), device_birth(), data(reading(101, 1), seq=2), death]
    rig.take(*batch)
    rig.take(*batch)
    assert rig.store.values("pdu") == [100, 101]
    assert rig.rejects == []
    rig.take(data(reading(102, 2), seq=4))
    assert [reason for _, reason, _ in rig.rejects] == ["payload.invalid"]


def test_what_a_node_sent_before_its_death_is_read_again_as_it_was() -> None:
    rig = Rig([meter("node", source=sparkplug("Energy", device=""))])
    named = metric("Energy", 5, "UInt64", alias=1, at=NOW - SECOND)
    aliased = metric(None, 6, "UInt64", alias=1, at=NOW, typed=False)
    batch = [edge("NBIRTH", payload([bd_seq(0), named], seq=0)), edge("NDATA", payload([aliased], seq=1))]
    for _ in range(2):
        rig.take(*batch, edge("NDEATH", payload([bd_seq(0)])))
    assert rig.store.values("node") == [5.0, 6.0]
    assert rig.rejects == []


def test_what_has_not_changed_is_not_stored_again() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(101, 1), seq=2))
    rig.store.states.clear()
    rig.ingestor.housekeeping(final=True)
    assert rig.store.states == {}
    rig.take(data(reading(102, 2), seq=3))
    assert rig.store.states == {}
    rig.ingestor.housekeeping(final=True)
    assert json.loads(rig.store.states[f"{STATE_PREFIX}plant/edge1"])["seq"] == 3


def test_what_is_stored_is_bounded_by_the_meters() -> None:
    rig = Rig()
    even = [metric(f"Other {n}", n, alias=2 * n, at=NOW) for n in range(2000)]
    rig.take(node_birth(), edge("DBIRTH", payload([metric(TOTAL, 5.0, "Double", alias=4001), *even], seq=1), "pdu7"))
    assert len(rig.store.states[f"{STATE_PREFIX}plant/edge1"]) < 1000
    rig.take(data(metric(None, 1, alias=1998), reading(6, 1, alias=4001), seq=2))
    assert rig.rejects == []
    assert 6.0 in rig.store.values("pdu")


def test_a_metric_that_no_meter_read_before_asks_for_a_birth() -> None:
    rig = Rig([meter("pdu", source=sparkplug(TOTAL))])
    rig.take(node_birth(), device_birth())
    rig.ingestor.housekeeping(final=True)
    rig.start([*rig.meters, meter("fan", source=sparkplug("Fan"))])
    assert rig.asks() == 1
    rig.take(node_birth(), device_birth())
    rig.take(data(metric(None, 4, alias=9, at=NOW, typed=False), seq=2))
    assert 4.0 in rig.store.values("fan")


def test_a_metric_that_no_meter_reads_any_more_is_passed_over() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth())
    rig.ingestor.housekeeping(final=True)
    rig.start([meter("pdu", source=sparkplug(TOTAL))])
    rig.take(data(metric(None, 4, alias=9), reading(101, 1), seq=2))
    assert rig.rejects == []
    assert rig.store.values("pdu") == [100, 101]


def test_an_alias_before_its_birth_is_rejected_and_asked_for() -> None:
    rig = Rig()
    rig.take(data(reading(101, 1), metric(None, 1, alias=9), seq=2))
    assert rig.store.readings == {}
    assert rig.rejects == [(None, "payload.invalid", "alias 7 before its birth, and 1 more")]
    assert rig.asks() == 1
    rig.take(node_birth(), device_birth(), data(reading(102, 2), seq=2))
    assert rig.store.values("pdu") == [100, 102]
    assert rig.asks(HOUR) == 0


def test_what_can_be_read_beside_an_unknown_alias_is_read() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(101, 1), metric(None, 1, alias=99), seq=2))
    assert rig.store.values("pdu") == [100, 101]
    assert rig.rejects == [(None, "payload.invalid", "alias 99 is not in its birth")]
    assert rig.asks() == 1


def test_an_alias_whose_value_is_not_what_the_birth_says_is_not_believed() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(metric(None, 5, alias=7, at=NOW, typed=False), seq=2))
    assert rig.store.values("pdu") == [100]
    assert rig.rejects == [(None, "payload.invalid", f"{TOTAL}: an integer where its birth says Double")]
    assert rig.asks() == 1


def test_a_named_value_that_says_all_needs_no_birth() -> None:
    rig = Rig()
    rig.take(data(metric(TOTAL, 5.5, "Double", at=NOW - SECOND), metric("Fan", 3, at=NOW, typed=False), seq=2))
    assert rig.store.values("pdu") == [5.5]
    assert rig.store.values("fan") == []
    assert rig.rejects == [(None, "payload.invalid", "Fan: an integer whose datatype no birth has named")]


def test_aliases_end_with_the_node() -> None:
    rig = Rig()
    rig.take(node_birth(3), device_birth())
    rig.take(edge("NDEATH", payload([bd_seq(3)])))
    rig.restart(clean=False)
    rig.take(data(reading(101, 1), seq=2))
    assert rig.store.values("pdu") == [100]
    assert rig.rejects == [(None, "payload.invalid", "alias 7 before its birth")]


@pytest.mark.parametrize(
    ("born", "dies", "believed"), [(3, 2, False), (0, 255, False), (3, 3, True), (3, 4, True), (255, 0, True)]
)
def test_a_death_of_an_earlier_birth_is_stale(born: int, dies: int, believed: bool) -> None:
    rig = Rig()
    rig.take(node_birth(born), device_birth(), edge("NDEATH", payload([bd_seq(dies)])))
    rig.take(data(reading(101, 1), seq=2))
    assert rig.store.values("pdu") == ([100] if believed else [100, 101])


def test_aliases_end_with_their_device_alone() -> None:
    rig = Rig([meter("a", source=sparkplug(TOTAL)), meter("b", source=sparkplug(TOTAL, device="pdu8"))])
    other = edge("DBIRTH", payload([metric(TOTAL, 5.0, "Double", alias=20, at=NOW - HOUR)], seq=2), "pdu8")
    rig.take(node_birth(), device_birth(), other, edge("DDEATH", payload(at=NOW, seq=3), "pdu7"))
    rig.take(data(reading(101, 1), seq=4), data(reading(6, 1, alias=20), seq=5, device="pdu8"))
    assert rig.store.values("a") == [100]
    assert rig.store.values("b") == [5, 6]
    assert rig.rejects == [("a", "payload.invalid", "alias 7 before its birth")]


def test_a_birth_of_the_node_ends_the_aliases_of_its_devices() -> None:
    rig = Rig()
    rig.take(node_birth(3), device_birth(), node_birth(4), data(reading(101, 1), seq=1))
    assert rig.store.values("pdu") == [100]
    assert rig.rejects == [(None, "payload.invalid", "alias 7 before its birth")]


def test_a_node_that_speaks_after_its_death_is_asked_for_its_birth() -> None:
    rig = Rig()
    rig.take(node_birth(3), device_birth(), edge("NDEATH", payload([bd_seq(3)])))
    rig.take(device_birth(101, at=NOW - MINUTE))
    assert rig.store.values("pdu") == [100, 101]
    assert rig.asks() == 1


def test_a_new_birth_gives_new_aliases() -> None:
    rig = Rig()
    rig.take(node_birth(0), device_birth(), edge("NDEATH", payload([bd_seq(0)])))
    rig.take(node_birth(1), device_birth(101, alias=50, at=NOW - 30 * MINUTE), data(reading(102, 40, 50), seq=2))
    assert rig.store.values("pdu") == [100, 101, 102]
    assert rig.rejects == []


def test_sequence_numbers_wrap_without_a_gap() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), *[data(reading(100 + n / 100, 1), seq=n % 256) for n in range(2, 600)])
    assert rig.asks(HOUR) == 0


def test_a_gap_is_asked_about_when_nothing_fills_it_and_data_count_all_the_same() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(104, 4), seq=4))
    assert rig.store.values("pdu") == [100, 104]
    assert rig.asks(REORDER - 1) == 0
    assert rig.asks(1) == 1


def test_a_gap_that_is_filled_in_time_is_none() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(104, 4), seq=4))
    assert rig.asks() == 0
    rig.take(data(reading(103, 3), seq=3), data(reading(102, 2), seq=2), data(reading(105, 5), seq=5))
    assert rig.asks(HOUR) == 0
    assert rig.store.values("pdu") == [100, 102, 103, 104, 105]


def test_a_gap_with_data_that_cannot_be_read_is_asked_about_at_once() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(104, 4), seq=4), data(metric(None, 1, alias=99), seq=5))
    assert rig.asks() == 1


def test_numbers_beyond_a_byte_are_not_followed() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(101, 1), seq=300), data(reading(102, 2), seq=2**63))
    assert rig.store.values("pdu") == [100, 101, 102]
    assert rig.asks(HOUR) == 0


def test_a_number_once_missed_is_no_gap_a_turn_later() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth(), data(reading(104, 4), seq=3))
    assert rig.asks() + rig.asks(REORDER) == 1
    rig.take(*[data(reading(100 + n / 100, 1), seq=n % 256) for n in range(4, 300)])
    node = next(iter(rig.ingestor._nodes.host._nodes.values()))
    assert (node.sequence.last, node.sequence.missing) == (299 % 256, {2})


def test_messages_that_come_again_change_nothing() -> None:
    rig = Rig()
    batch = [node_birth(), device_birth(), data(reading(101, 1), seq=2), data(reading(102, 2), seq=3)]
    rig.take(*batch)
    rig.take(*batch[2:])
    rig.take(batch[0])
    rig.take(data(reading(103, 3), seq=4))
    assert rig.asks(HOUR) == 0
    assert rig.rejects == []
    assert rig.store.values("pdu") == [100, 101, 102, 103]


def test_a_birth_that_comes_again_after_a_restart_keeps_its_devices() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth())
    rig.restart()
    rig.take(node_birth(), data(reading(101, 1), seq=2))
    assert rig.store.values("pdu") == [100, 101]
    assert rig.rejects == []


def test_a_message_that_the_broker_kept_tells_nothing_of_now() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth())
    rig.take(edge("DBIRTH", payload([metric("Fan", 2, alias=7, at=NOW)], seq=1), "pdu7", retained=True))
    rig.take(data(reading(101, 1), seq=2))
    assert rig.store.values("pdu") == [100, 101]
    assert rig.store.values("fan") == [3, 2]


def test_requests_pause_longer_and_longer() -> None:
    rig = Rig()
    assert rig.asks() == 1
    pauses = []
    for _ in range(7):
        wait = 0
        while rig.asks() == 0:
            wait += SECOND
            rig.passed += SECOND
        pauses.append(wait)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-2:] == [LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_birth_answers_and_a_long_quiet_time_makes_us_quick_again() -> None:
    rig = Rig()
    assert rig.asks() == 1
    rig.take(node_birth(), device_birth())
    assert rig.asks(FIRST_PAUSE) == 0
    rig.take(data(reading(104, 4), metric(None, 1, alias=99), seq=2))
    assert rig.asks() == 1
    rig.take(data(reading(105, 5), seq=3))
    assert rig.asks(FIRST_PAUSE) == 0
    assert rig.asks(FIRST_PAUSE) == 1
    rig.take(node_birth(1), device_birth())
    rig.passed += 2 * LONGEST_PAUSE
    rig.take(data(metric(None, 1, alias=99), seq=2))
    assert rig.asks() == 1
    assert rig.asks(FIRST_PAUSE) == 1


def test_a_dead_node_is_left_in_peace() -> None:
    rig = Rig()
    rig.take(node_birth(0), device_birth(), edge("NDEATH", payload([bd_seq(0)])))
    assert rig.asks(HOUR) == 0


def test_the_log_says_once_that_we_asked_and_once_that_nobody_answered(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    with caplog.at_level(logging.INFO, logger="collector.nodes"):
        for _ in range(20):
            rig.asks(LONGEST_PAUSE)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert caplog.records[0].getMessage() == "Asked the edge node plant/edge1 for its births: no birth is known."
    assert f"allow us to publish to {NCMD}" in caplog.records[1].getMessage()


def test_other_devices_of_the_node_are_listed_and_keep_the_sequence() -> None:
    rig = Rig()
    rig.take(node_birth(), device_birth())
    rig.take(data(metric("X", 1), seq=2, device="pdu8"), edge("DDEATH", payload(seq=3), "pdu8"))
    rig.take(edge("NCMD", payload([metric("Node Control/Rebirth", 1, "Boolean")])))
    rig.take(data(reading(101, 1), seq=4))
    assert [entry.topic for entry in rig.ingestor.unmapped()] == ["spBv1.0/plant/DDATA/edge1/pdu8"]
    assert rig.asks(HOUR) == 0


def test_other_nodes_are_listed_by_what_they_measure() -> None:
    rig = Rig()
    for kind in ("NBIRTH", "NDATA", "NDEATH", "NCMD"):
        rig.take(message(payload(seq=0), f"spBv1.0/plant/{kind}/edge2"))
    rig.take(message("{}", "spBv1.0/STATE/scada"))
    listed = [entry.topic for entry in rig.ingestor.unmapped()]
    assert listed == ["spBv1.0/plant/NBIRTH/edge2", "spBv1.0/plant/NDATA/edge2"]


def test_a_message_that_cannot_be_read_is_one_reject() -> None:
    rig = Rig()
    rig.take(edge("DDATA", b"\xff\xff", "pdu7"))
    assert rig.rejects == [(None, "payload.invalid", "\ufffd\ufffd")]


def test_nodes_are_subscribed_as_a_whole() -> None:
    rig = Rig([meter("pdu", source=sparkplug(TOTAL)), meter("node", source=sparkplug("E", device=""))])
    assert rig.ingestor.router.filters() == ("spBv1.0/plant/+/edge1/#",)
    assert rig.ingestor.router.uncovered(["spBv1.0/plant/+/edge1/pdu7"]) == ("spBv1.0/plant/+/edge1/#",)


def test_other_meters_on_the_same_topics_are_not_disturbed() -> None:
    wide = meter("text", source=Source(topic="spBv1.0/plant/DDATA/edge2/+", decoder="plain"))
    rig = Rig([meter("pdu", source=sparkplug(TOTAL)), wide])
    rig.take(message("12.5", "spBv1.0/plant/DDATA/edge2/pdu7"))
    assert rig.store.values("text") == [12.5]
    assert rig.ingestor.unmapped() == []
