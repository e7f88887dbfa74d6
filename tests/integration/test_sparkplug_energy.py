"""A day of one Sparkplug meter, with everything that befalls an edge node, to the exact kWh; in a real store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analytics.fold import MeterFold
from collector.dialects.base import Message
from collector.ingest import Ingestor
from tests.collecting import NOW, config, meter, site, take
from tests.sparkplugging import bd_seq, edge, metric, payload, sparkplug
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import Meter
from wattwell.store.duckdb import DuckdbStore

START = NOW - 20 * HOUR
METER = meter("pdu", source=sparkplug("Energy/Import"), max_rate=100.0, max_gap=5 * MINUTE)


def dial(minute: int) -> float:
    """0.6 kW through a dial that counts tenths of a Wh, as a Float sends them."""
    return round(812.4 + minute / 100, 2)


class Node:
    """What the edge node sends; time is in minutes since the start."""

    def __init__(self) -> None:
        self.session, self.seq, self.alias = 254, 0, 7

    def _next(self) -> int:
        self.seq = (self.seq + 1) % 256
        return self.seq

    def births(self, minute: int) -> list[Message]:
        at, self.seq = START + minute * MINUTE, 0
        value = metric("Energy/Import", dial(minute), "Float", alias=self.alias, at=at, properties={"engUnit": "kWh"})
        other = metric("Energy/Export", 0.0, "Float", alias=self.alias + 1, at=at)
        return [
            edge("NBIRTH", payload([bd_seq(self.session)], at=at, seq=0)),
            edge("DBIRTH", payload([value, other], at=at, seq=self._next()), "pdu7"),
        ]

    def data(self, *minutes: int, historical: bool = False) -> Message:
        values = [
            metric(None, dial(m), "Float", alias=self.alias, at=START + m * MINUTE, typed=False, historical=historical)
            for m in minutes
        ]
        return edge("DDATA", payload(values, at=START + max(minutes) * MINUTE, seq=self._next()), "pdu7")

    def odd(self, minute: int, **changes: int | bool | dict[str, int | str]) -> Message:
        at = START + minute * MINUTE
        value = None if "null" in changes else 0.0
        body = metric(None, value, "Float", alias=self.alias, at=at, typed=False, **changes)  # type: ignore[arg-type]
        return edge("DDATA", payload([body], at=at, seq=self._next()), "pdu7")

    def death(self) -> Message:
        return edge("NDEATH", payload([bd_seq(self.session)]))

    def again(self) -> None:
        self.session, self.alias = (self.session + 1) % 256, self.alias + 10


def phases() -> list[list[Message]]:
    """The day in the pieces between which the collector is restarted."""
    node = Node()
    first = [*node.births(0), *[node.data(m) for m in range(1, 301)]]  # the sequence numbers wrap
    second = [node.data(m) for m in range(301, 310)]
    second += [second[0], second[5], node.odd(310, null=True), node.odd(311, properties={"Quality": 500})]
    second += [node.data(m) for m in range(312, 330)]
    old = node.death()
    node.again()
    # From 330 to 389 the link is down; the node keeps what it measures, and sends it late and in disorder.
    third = [old, *node.births(390), old, node.data(*range(389, 359, -1), historical=True), node.data(391)]
    third += [node.data(*range(330, 360), historical=True), *[node.data(m) for m in range(392, 500)]]
    fourth = [node.data(m) for m in range(500, 510)]
    node.again()
    fourth += [*node.births(510), edge("NDEATH", payload([bd_seq(255)])), *[node.data(m) for m in range(511, 601)]]
    return [first, second, third, fourth]


def kwh(store: DuckdbStore, one: Meter) -> tuple[float, list[str]]:
    times, values = store.readings([(one.site, one.id)], START - HOUR, NOW)[one.site, one.id]
    fold = MeterFold(one, 15 * MINUTE)
    fold.feed(times, values)
    return float(np.sum(fold.take_rest().value)), [event.event for event in fold.take_events()]


def test_a_day_of_births_deaths_and_restarts_to_the_exact_kwh(tmp_path: Path) -> None:
    for number, messages in enumerate(phases()):
        store = DuckdbStore.open(tmp_path / "w.duckdb")
        ingestor = Ingestor(config(site([METER])), store, lambda: NOW)
        for cut in range(0, len(messages), 7):
            take(ingestor, messages[cut : cut + 7])
        if number % 2 == 0:  # the others end as by a power cut
            ingestor.housekeeping(final=True)
        if number < 3:
            store.close()
    times, values = store.readings([("s", "pdu")], START, NOW)["s", "pdu"]
    accepted = ~np.isnan(values)
    assert ((times[accepted] - START) // MINUTE).tolist() == [m for m in range(601) if m not in (310, 311)]
    assert values[accepted].tolist() == [dial(m) for m in range(601) if m not in (310, 311)]
    total, events = kwh(store, METER)
    assert abs(total - 6.0) < 1e-9
    assert events == []
    assert sorted(reject.reason for reject, _ in store.rejects("s", 100)) == ["quality.bad", "value.type"]
    store.close()
