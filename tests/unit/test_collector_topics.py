"""Topics, paths and the plain decoder."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from collector.dialects.base import Message
from collector.dialects.plain import find
from collector.normalise import MeterTable
from collector.scalars import MISSING, time_of
from collector.topics import Binding, Router
from tests.collecting import NOW, live, message, meter, rows, site
from wattwell.model import Meter, Source


def router(*meters: Meter) -> Router:
    sites = [site(meters)]
    return Router(sites, MeterTable.of(sites))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": 1}),
        ("a.b", 1),
        ("c.d", 2),
        ("c.d.e", 3),
        ("list.1.x", 4),
        ("list.2", MISSING),
        ("list.-1", MISSING),
        ("list.x", MISSING),
        ("a.b.c", MISSING),
        ("", ...),
        ("p.q.r", 6),
    ],
)
def test_paths(path: str, found: object) -> None:
    document = {
        "a": {"b": 1},
        "c.d": 2,
        "c": {"d.e": 3, "d": 9},
        "list": [0, {"x": 4}],
        "p.q": {"x": 5},
        "p": {"q.r": 6},
    }
    assert find(document, path.split(".") if path else ()) == (document if found is ... else found)


@pytest.mark.parametrize(
    ("raw", "unit", "at"),
    [
        (1_774_746_000, "s", 1_774_746_000_000_000),
        (1_774_746_000.123456, "s", 1_774_746_000_123_456),
        ("1774746000.5", "s", 1_774_746_000_500_000),
        (1_774_746_000_123, "ms", 1_774_746_000_123_000),
        (1_774_746_000_123_456, "us", 1_774_746_000_123_456),
        (1_774_746_000_123_456_789, "ns", 1_774_746_000_123_457),
        ("1774746000123456789", "ns", 1_774_746_000_123_457),
        ("2026-03-29T01:00:00.123456Z", "ms", 1_774_746_000_123_456),
        ("2026-03-29T06:30:00+05:30", "s", 1_774_746_000_000_000),
    ],
)
def test_times_are_exact_to_the_microsecond(raw: object, unit: str, at: int) -> None:
    assert time_of(raw, unit) == (at, 0)


def test_many_meters_share_a_topic_and_absent_ones_are_left_out() -> None:
    shared = Source(topic="dc/meter", value="e.total", time="ts", time_unit="ms")
    meters = [
        meter("a", source=shared),
        meter("b", source=Source(topic="dc/meter", value="e.other", time="ts", time_unit="ms")),
    ]
    judged = live([message(json.dumps({"ts": NOW // 1000, "e": {"total": 5}}), "dc/meter")], meters)
    assert rows(judged.readings) == [("a", NOW, 5.0)]
    assert judged.rejects == []
    judged = live([message(json.dumps({"ts": NOW // 1000, "e": {}}), "dc/meter")], meters)
    assert [(reject.meter, reject.reason) for reject in judged.rejects] == [("a", "value.type"), ("b", "value.type")]


def test_wildcards_and_exact_topics_of_one_message_all_count() -> None:
    meters = [
        meter("plus", source=Source(topic="dc/+/power")),
        meter("hash", source=Source(topic="dc/#")),
        meter("exact", source=Source(topic="dc/a/power")),
        meter("other", source=Source(topic="dc/b/power")),
    ]
    judged = live([message('{"value": 1}', "dc/a/power")], meters)
    assert sorted(row[0] for row in rows(judged.readings)) == ["exact", "hash", "plus"]


@pytest.mark.parametrize(
    ("payload", "unit", "value"),
    [("812.4", "kWh", 812.4), (" 812.4\n", "kWh", 812.4), ("812400 Wh", "kWh", 812.4), ("1e3", "kWh", 1000.0)],
)
def test_plain_text(payload: str, unit: str, value: float) -> None:
    one = meter("a", unit=unit, source=Source(topic="t", decoder="plain"))
    judged = live([message(payload, "t")], [one])
    assert rows(judged.readings) == [("a", NOW, value)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"on", "value.type"),
        (b"1 2 3", "value.type"),
        (b"5 L", "unit.wrong"),
        (b"", "payload.invalid"),
        (b"\xff", "payload.invalid"),
    ],
)
def test_plain_text_that_is_no_reading(payload: bytes, reason: str) -> None:
    one = meter("a", source=Source(topic="t", decoder="plain"))
    assert [reject.reason for reject in live([message(payload, "t")], [one]).rejects] == [reason]


def test_a_message_larger_than_allowed_is_a_reject_that_says_so() -> None:
    large = Message("wattwell/s/grid-a", b'{"value": 1', retained=False, received_at=NOW, size=2_000_000)
    judged = live([large], [meter()])
    assert [(reject.reason, reject.value) for reject in judged.rejects] == [
        ("payload.invalid", "2000000 bytes, larger than mqtt.max_payload")
    ]


def test_subscriptions_are_derived_without_overlap() -> None:
    meters = [
        meter("default"),
        meter("a", source=Source(topic="dc/a/x")),
        meter("b", source=Source(topic="dc/+/x")),
        meter("c", source=Source(topic="other/#")),
        meter("d", source=Source(topic="other/d")),
        meter("e", source=Source(topic="wattwell/s/deep/er")),
    ]
    assert router(*meters).filters() == ("dc/+/x", "other/#", "wattwell/s/#")
    assert router(meters[1]).filters() == ("dc/a/x",)


def test_a_configured_subscription_that_misses_a_meter_is_told() -> None:
    found = router(meter("a", source=Source(topic="dc/a")), meter("b")).uncovered(["$share/group/dc/#", "x"])
    assert found == ("wattwell/s/#",)


def test_unmapped_default_topics_name_what_they_mean() -> None:
    one = router(meter("a"))
    assert one.route("wattwell/s/ghost") is None
    assert one.named("wattwell/s/ghost") == ("s", "ghost")
    assert one.named("wattwell/nowhere/a") == (None, None)
    assert one.route("wattwell/s/a") is not None
    assert one.route("wattwell/s") is not None


def test_topics_of_the_same_filters_share_one_route() -> None:
    """A flood of topics under a wildcard costs a name each, not the meters behind it again and again."""
    one = router(
        meter("a", source=Source(topic="dc/+/energy")),
        meter("b", source=Source(topic="dc/#")),
        meter("c", source=Source(topic="dc/1/energy")),
    )
    routes = {topic: one.route(topic) for topic in ("dc/1/energy", "dc/2/energy", "dc/3/energy", "dc/2/power")}
    assert routes["dc/2/energy"] is routes["dc/3/energy"]
    assert [[bound.name for bound in route.bindings["json"]] for route in routes.values() if route] == [
        ["c", "a", "b"],
        ["a", "b"],
        ["a", "b"],
        ["b"],
    ]


def test_what_a_decoder_prepares_is_made_once() -> None:
    route = router(meter("a", source=Source(topic="t")), meter("b", source=Source(topic="t"))).route("t")
    assert route is not None
    made: list[int] = []

    def prepare(bindings: Sequence[Binding]) -> int:
        made.append(len(bindings))
        return len(bindings)

    assert [route.bindings["json"].prepared(prepare) for _ in range(3)] == [2, 2, 2]
    assert made == [2]


def test_a_flood_of_topics_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.topics._REMEMBERED", 5)
    one = router(meter("a", source=Source(topic="dc/+")))
    first = one.route("dc/0")
    assert all(one.route(f"dc/{number}") == first for number in range(40))
    assert one.route("dc/" + "x" * 60_000) == first
    assert one.route("y" * 60_000) is None
    assert len(one._seen) <= 5
    assert max(map(len, one._seen)) < 1000


@pytest.mark.parametrize("topics", [("dc/x", "dc/+"), ("dc/+", "dc/x")])
def test_a_topic_that_two_dialects_read_gives_what_one_of_them_can_read(topics: tuple[str, str]) -> None:
    """Whichever comes first cannot keep the other from its readings."""
    lines, document = topics
    meters = [
        meter("a", source=Source(topic=lines, decoder="influx", value="kwh")),
        meter("b", source=Source(topic=document)),
    ]
    judged = live([message('{"value": 5}', "dc/x")], meters)
    assert rows(judged.readings) == [("b", NOW, 5.0)]
    assert [reject.reason for reject in judged.rejects] == ["payload.invalid"]


def test_a_site_message_reaches_the_meter_that_listens_on_its_topic_too() -> None:
    meters = [meter("a"), meter("b", source=Source(topic="wattwell/+", decoder="plain"))]
    assert rows(live([message('{"values": {"a": 5}}', "wattwell/s")], meters).readings)[-1] == ("a", NOW, 5.0)


def test_a_message_is_told_of_by_the_one_meter_it_belongs_to() -> None:
    one = router(meter("a", source=Source(topic="dc/a")), meter("b", source=Source(topic="dc/+")), meter("c"))
    owners = {topic: one.route(topic) for topic in ("dc/a", "dc/b", "wattwell/s", "wattwell/s/c")}
    assert {topic: route.owner() for topic, route in owners.items() if route} == {
        "dc/a": ("s", None),
        "dc/b": ("s", "b"),
        "wattwell/s": ("s", None),
        "wattwell/s/c": ("s", "c"),
    }


def test_an_edge_node_is_followed_beside_another_meter_on_its_messages() -> None:
    one = router(
        meter("a", source=Source(topic="spBv1.0/plant/+/edge1/#", decoder="plain")),
        meter("b", source=Source(topic="spBv1.0/plant/+/edge1/pdu7", decoder="sparkplug", value="E")),
    )
    birth = one.route("spBv1.0/plant/NBIRTH/edge1")
    assert birth is not None
    assert set(birth.bindings) == {"plain", "sparkplug"}
