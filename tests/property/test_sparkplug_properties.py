"""Sparkplug data after a birth: any order, repetition, batching and restart gives the same readings; nothing raises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decoders import decode
from collector.dialects.base import Message
from collector.dialects.sparkplug_host import SparkplugHost
from collector.ingest import Ingestor
from collector.normalise import MeterTable
from collector.points import PointsBuilder
from collector.topics import Router
from tests.collecting import NOW, MemoryStore, config, meter, site, take
from tests.sparkplugging import bd_seq, edge, metric, payload, sparkplug
from wattwell.intervals import HOUR, SECOND

METERS = [
    meter("a", source=sparkplug("A")),
    meter("b", source=sparkplug("B")),
    meter("node", source=sparkplug("N", device="")),
]
BIRTHS = [
    edge("NBIRTH", payload([bd_seq(4), metric("N", 1.5, "Float", alias=1, at=NOW - HOUR)], seq=0)),
    edge(
        "DBIRTH",
        payload([metric("A", 10, alias=2, at=NOW - HOUR), metric("B", 0.1, "Float", alias=3, at=NOW - HOUR)], seq=1),
        "pdu7",
    ),
]
KINDS = ["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH", "NCMD", "NONSENSE"]


def stream(length: int) -> list[Message]:
    """Data by alias, each message at a time of its own; the sequence numbers wrap."""
    messages = []
    for n in range(length):
        at = NOW - HOUR + (n + 1) * SECOND
        if n % 3 == 0:
            body = [metric(None, 2.5 + n, "Float", alias=1, at=at, typed=False)]
            messages.append(edge("NDATA", payload(body, at=at, seq=(n + 2) % 256)))
        else:
            body = [metric(None, 10 + n, alias=2, at=at, typed=False), metric(None, n / 10, "Float", alias=3, at=at)]
            messages.append(edge("DDATA", payload(body, at=at, seq=(n + 2) % 256), "pdu7"))
    return messages


def stored(batches: Sequence[Sequence[Message]], restarts: Sequence[bool | None]) -> MemoryStore:
    """What is in the store after births and batches, with a restart (clean or not) before each batch that says so."""
    store = MemoryStore()
    ingestor = Ingestor(config(site(METERS)), store, lambda: NOW)  # type: ignore[arg-type]
    take(ingestor, BIRTHS)
    for batch, restart in zip(batches, restarts, strict=True):
        if restart is not None:
            if restart:
                ingestor.housekeeping(final=True)
            ingestor = Ingestor(config(site(METERS)), store, lambda: NOW)  # type: ignore[arg-type]
        take(ingestor, batch)
    return store


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_order_repetition_batches_and_restarts_do_not_matter(data: st.DataObject) -> None:
    messages = stream(data.draw(st.integers(1, 40)))
    if data.draw(st.booleans()):
        messages = stream(300)[-len(messages) - 230 :]
    expected = stored([messages], [None])
    assert len(expected.readings) > len(messages)
    assert expected.rejects == []
    again = data.draw(st.lists(st.sampled_from(messages + BIRTHS), max_size=10))
    shuffled = data.draw(st.permutations(messages + again))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
    edges = [0, *cuts, len(shuffled)]
    batches = [shuffled[low:high] for low, high in pairwise(edges)]
    restarts = [data.draw(st.sampled_from([None, True, False])) for _ in batches]
    found = stored(batches, restarts)
    assert found.readings == expected.readings
    assert found.rejects == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.sampled_from(["", "pdu7", "pdu8"]),
            st.one_of(
                st.binary(max_size=60),
                st.tuples(st.sampled_from(stream(6) + BIRTHS), st.integers(0, 80), st.binary(max_size=3)).map(
                    lambda cut: cut[0].payload[: cut[1]] + cut[2] + cut[0].payload[cut[1] + len(cut[2]) :]
                ),
            ),
            st.booleans(),
        ),
        max_size=12,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_message_raises(messages: list[tuple[str, str, bytes, bool]]) -> None:
    sites = [site(METERS)]
    router = Router(sites, MeterTable.of(sites))
    host, out = SparkplugHost(router.devices), PointsBuilder()
    host.restore({})
    for kind, device, body, retained in messages:
        message = edge(kind, body, device, retained=retained)
        route = router.route(message.topic)
        assert route is not None
        reject = decode(message, route, out, {"sparkplug": host.points})
        assert reject is None or reject.reason == "payload.invalid"
    out.build()
    restored = SparkplugHost(router.devices)
    restored.restore(host.documents(final=True))
    assert len(host.requests(0, NOW)) <= 1
