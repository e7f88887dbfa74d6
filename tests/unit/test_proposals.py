"""What is proposed for a topic that no meter listens on, and that it is bounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collector.dialects.base import Message
from collector.guesses import of_name, of_unit
from collector.ingest import PROPOSALS, UNMAPPED_STATE, UNMAPPED_TOPICS, Ingestor, read_unmapped
from collector.proposals import LARGEST, LONGEST, MOST, Proposer, Recogniser
from tests.collecting import NOW, MemoryStore, config, meter, site, take
from tests.fielding import read, sent
from tests.sparkplugging import bd_seq, metric, payload
from wattwell.cli.devices import entry_lines
from wattwell.config import parse
from wattwell.config.devices import shipped_devices
from wattwell.config.document import compose
from wattwell.config.places import Faults
from wattwell.errors import ConfigError
from wattwell.intervals import SECOND

AT = "2026-03-01T11:00:00Z"
KNOWN = Recogniser(shipped_devices().values())


def proposed(topic: str, payload: object) -> tuple[dict[str, Any], ...]:
    return KNOWN.propose(sent(topic, payload, AT))


def as_pasted(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry through the YAML that the command line prints."""
    faults = Faults()
    (read_back,) = compose("\n".join(entry_lines(entry)), "pasted", faults)
    assert not faults
    return dict(read_back)


def configuration(*meters: dict[str, Any]) -> dict[str, Any]:
    return {"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": list(meters)}]}


FROM_TOPIC = {
    name: device
    for name, device in shipped_devices().items()
    if all("{id}" in device.topic_of(p) for p in device.points.values())
}


@pytest.mark.parametrize("name", FROM_TOPIC)
def test_the_messages_of_a_known_device_propose_it(name: str) -> None:
    """From a message to a proposal to a configuration to the reading that the device's file promises."""
    device = FROM_TOPIC[name]
    for sample in device.samples:
        found = proposed(sample.topic, sample.data)
        named = [(one["source"].get("device"), one["source"].get("point")) for one in found]
        assert set(named) >= {(name, expected.point) for expected in sample.readings[:MOST]}, found
        for expected in sample.readings[:MOST]:
            one = as_pasted(found[named.index((name, expected.point))])
            made = parse(configuration({"role": "it_ups", **one} if one["quantity"] == "energy" else one), Path())
            (meter_made,) = made.sites["s"].meters.values()
            message = sent(sample.topic, sample.data, AT)
            assert [row[2] for row in read([message], [meter_made])] == [expected.value]


def test_a_known_kind_is_proposed_alone_where_its_id_tells_it() -> None:
    status = '{"src":"%s","method":"NotifyStatus","params":{"ts":1.0,"switch:0":{"apower":25.7,"aenergy":{"total":9}}}}'
    told = proposed("shellyplus1pm-44/events/rpc", status % "shellyplus1pm-44")
    assert {one["source"]["device"] for one in told} == {"shelly-plus-1pm"}
    renamed = proposed("rack7/events/rpc", status % "shellyplusplugs-77")
    assert {one["source"]["device"] for one in renamed} == {"shelly-plus-plug-s"}
    unsure = proposed("rack7/events/rpc", status % "rack7")
    assert {one["source"]["device"] for one in unsure} == {"shelly-plus-1pm", "shelly-plus-plug-s"}


@pytest.mark.parametrize(
    ("topic", "payload", "entries"),
    [
        (
            "dc/hall/meter-7",
            {"ts": 1772359200123, "energy_kwh": 812.5, "power": 4.2, "Tariff": 2},
            [
                {
                    "id": "dc-hall-meter-7-energy_kwh",
                    "quantity": "energy",
                    "accumulation": None,
                    "unit": "kWh",
                    "max_rate": None,
                    "source": {
                        "topic": "dc/hall/meter-7",
                        "decoder": "json",
                        "value": "energy_kwh",
                        "time": "ts",
                        "time_unit": "ms",
                    },
                },
                {
                    "id": "dc-hall-meter-7-power",
                    "quantity": "power",
                    "accumulation": "instantaneous",
                    "unit": None,
                    "source": {
                        "topic": "dc/hall/meter-7",
                        "decoder": "json",
                        "value": "power",
                        "time": "ts",
                        "time_unit": "ms",
                    },
                },
            ],
        ),
        (
            "wattwell/north/ups-b",
            {"time": AT, "value": 4, "unit": "MWh"},
            [{"id": "ups-b", "quantity": "energy", "accumulation": None, "unit": "MWh", "max_rate": None}],
        ),
        (
            "hall/temperature",
            "23.5",
            [
                {
                    "id": "hall-temperature",
                    "quantity": "temperature",
                    "accumulation": "instantaneous",
                    "unit": None,
                    "source": {"topic": "hall/temperature", "decoder": "plain"},
                }
            ],
        ),
        (
            "telegraf/gw/modbus",
            "modbus,host=gw,name=ups\\ a,slave_id=1 energy_wh=8124i,ok=true 1772359200000000000\n",
            [
                {
                    "id": "telegraf-gw-modbus-modbus-name-ups-a-slave_id-1-energy_wh",
                    "quantity": "energy",
                    "accumulation": None,
                    "unit": "Wh",
                    "max_rate": None,
                    "source": {
                        "topic": "telegraf/gw/modbus",
                        "decoder": "influx",
                        "value": "modbus,name=ups\\ a,slave_id=1 energy_wh",
                    },
                }
            ],
        ),
        (
            "cool/1",
            [{"bn": "crah:", "n": "supply", "u": "Cel", "v": 18.5}, {"n": "state", "vs": "on"}],
            [
                {
                    "id": "cool-1-crah-supply",
                    "quantity": "temperature",
                    "accumulation": "instantaneous",
                    "unit": "degC",
                    "source": {"topic": "cool/1", "decoder": "senml", "value": "crah:supply"},
                }
            ],
        ),
    ],
)
def test_what_is_not_known_is_proposed_by_its_names(topic: str, payload: object, entries: list[Any]) -> None:
    assert list(proposed(topic, payload)) == entries


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("dc/hall/meter-7", {"ts": 1772359200123, "energy_kwh": 812.5}),
        ("dc/hall/pulses", "17"),
        ("telegraf/gw/modbus", "modbus,name=a energy=8124i"),
    ],
)
def test_what_must_be_decided_does_not_pass_the_checks_undecided(topic: str, payload: object) -> None:
    (one,) = proposed(topic, payload)
    assert one["accumulation"] is None
    pasted = as_pasted(one)
    with pytest.raises(ConfigError, match=r"accumulation = \"?\?"):
        parse(configuration(pasted), Path())
    decided = {"quantity": "energy", "accumulation": "register", "unit": "kWh", "max_rate": 50.0}
    made = parse(configuration(pasted | decided), Path()).sites["s"].meters[pasted["id"]]
    assert len(read([sent(topic, payload, AT)], [made])) == 1


def test_the_births_of_an_edge_node_name_its_metrics() -> None:
    energy = metric("Energy/Import kWh", 812, alias=1)
    control = metric("Node Control/Rebirth", value=False, kind="Boolean")
    data = payload([bd_seq(0), control, energy, metric("State", "on", "String")], seq=0)
    (one,) = proposed("spBv1.0/plant/NBIRTH/edge1", data)
    assert one == {
        "id": "spBv1.0-plant-edge1-Energy-Import-kWh",
        "quantity": "energy",
        "accumulation": None,
        "unit": "kWh",
        "max_rate": None,
        "source": {"topic": "spBv1.0/plant/+/edge1", "decoder": "sparkplug", "value": "Energy/Import kWh"},
    }
    decided = as_pasted(one) | {"accumulation": "register", "max_rate": 50.0}
    assert parse(configuration(decided), Path()).sites["s"].meters
    assert proposed("spBv1.0/plant/NDATA/edge1", payload([energy], seq=1)) == ()


def test_a_time_of_any_size_is_a_time_or_none() -> None:
    for time in (10**300, 10**305, -1, 0, 1e308):
        (one,) = proposed("a/b", json.dumps({"ts": time, "power": 1}))
        assert "time" not in one["source"]


@pytest.mark.parametrize(
    "payload", ["", "on", "NaN x y", "{", "[[", '{"a":{"b":"c"}}', b"\xff\xfe", "[1,2]", '{"state":true}', "a b c d"]
)
def test_what_tells_nothing_proposes_nothing(payload: object) -> None:
    assert proposed("some/topic", payload) == ()


@pytest.mark.parametrize(
    ("name", "quantity", "unit"),
    [
        ("energy_kwh", "energy", "kWh"),
        ("ENERGY.Power", "power", None),
        ("activePowerW", "power", "W"),
        ("power_factor", None, None),
        ("apparent_power", None, None),
        ("maxPower", None, None),
        ("hall/temp", "temperature", None),
        ("flow_litres", "flow", None),
        ("totalkWh", "energy", "kWh"),
        ("Energy/Import kWh", "energy", "kWh"),
        ("Import MWh", "energy", "MWh"),
        ("by_minute_mWh", "energy", None),  # thousandths of a Wh, or millions: a person decides
        ("energy_mwh", "energy", None),
        ("TankWater", "water", None),
        ("loadMW", "power", "MW"),
        ("load mW", None, None),
        ("reading", None, None),
        ("powder", None, None),
    ],
)
def test_names_tell_what_they_tell(name: str, quantity: str | None, unit: str | None) -> None:
    found = of_name(name)
    assert (found[0] and str(found[0]), found[1]) == (quantity, unit)


def test_a_unit_of_two_quantities_tells_none() -> None:
    assert of_unit("%") == (None, "%")
    assert of_unit("degC")[0] == "temperature"
    assert of_unit("V") == (None, None)


def test_proposals_are_bounded() -> None:
    many = {f"energy_{number}_kwh": number for number in range(1000)}
    assert len(proposed("a/b", many)) == MOST
    assert proposed("a/b", {"energy_kwh" * 400: 1}) == ()
    assert all(len(json.dumps(one)) <= LONGEST for one in proposed("a/" + "b" * 1500, {"power": 1}))
    assert proposed("a/" + "b" * 3000, {"power": 1}) == ()
    assert proposed("a/b", '{"power": 1, "x": "' + "y" * LARGEST + '"}') == ()
    assert KNOWN.propose(Message("a/b", b'{"power": 1}', retained=False, received_at=NOW, size=10**6)) == ()
    deep: Any = 1
    for _ in range(500):
        deep = {"power": deep}
    assert proposed("a/b", deep) == ()


def test_a_flood_of_topics_is_looked_into_a_few_times_a_second() -> None:
    asked: list[int] = []
    proposer = Proposer(lambda: asked.append(1) or shipped_devices().values())  # type: ignore[func-returns-value]
    assert asked == []
    made = [
        proposer.propose(Message(f"a/{n}", b"5", retained=False, received_at=NOW))
        for n in range(Proposer.PER_SECOND + 5)
    ]
    assert [len(one) for one in made] == [1] * Proposer.PER_SECOND + [0] * 5
    assert len(proposer.propose(Message("a/9", b"5", retained=False, received_at=NOW + SECOND))) == 1
    assert asked == [1]


def ingestor(store: MemoryStore) -> Ingestor:
    return Ingestor(config(site([meter("grid-a")])), store, lambda: NOW)


def test_the_register_keeps_the_first_proposals_that_a_topic_gives() -> None:
    store = MemoryStore()
    one = ingestor(store)
    status = '{"method":"NotifyStatus","params":{"ts":1.0,%s}}'
    for part in ('"cloud":{"connected":true}', '"em:0":{"total_act_power":7.5}', '"em:0":{"a_act_power":7.5}'):
        take(one, [Message("shellypro3em-1/events/rpc", (status % part).encode(), retained=False, received_at=NOW)])
    one.housekeeping(final=True)
    for entry in (one.unmapped()[0], read_unmapped(store.states[UNMAPPED_STATE])[0], ingestor(store).unmapped()[0]):
        (proposal,) = entry.proposals
        assert proposal["source"] == {"device": "shelly-pro-3em", "id": "shellypro3em-1", "point": "power"}


def test_a_name_that_no_configuration_can_hold_is_not_proposed() -> None:
    document = b'{"kwh": 5, "\\ud800 kwh": 6}'
    found = Proposer(shipped_devices().values).propose(Message("a/b", document, retained=False, received_at=NOW))
    assert [one["source"]["value"] for one in found] == ["kwh"]
    json.dumps(found, ensure_ascii=False).encode()


def test_a_register_of_an_earlier_release_is_read() -> None:
    old = {"topic": "a/b", "first_seen": NOW, "last_seen": NOW, "count": 1, "example": "5"}
    assert read_unmapped(json.dumps([old]))[0].proposals == ()


def test_the_register_keeps_so_many_proposals_over_all_topics() -> None:
    one = ingestor(MemoryStore())
    document = json.dumps({f"energy_{n}_kwh": n for n in range(MOST)}).encode()
    topics = range(UNMAPPED_TOPICS + 50)
    take(one, [Message(f"a/{n}", document, retained=False, received_at=NOW + n * SECOND // 10) for n in topics])
    kept = sum(len(entry.proposals) for entry in one.unmapped())
    assert PROPOSALS / 2 < kept <= PROPOSALS + MOST
