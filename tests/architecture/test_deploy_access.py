"""The broker's shipped access rules and its listener with TLS, at a real mosquitto: what is allowed and what is not."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import trustme
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from tests.architecture.test_deploy import DEPLOY, USERS, Shipped
from tests.collecting import NOW, MemoryStore, config, meter, mqtt_settings, site
from tests.servers import answers, free_port, program, wait_until
from wattwell.app.broker_check import examine_broker
from wattwell.config.settings import MqttSettings, Tls

DENIED = 0x87
"""MQTT 5, PUBACK: Not authorized."""
TOPICS = (
    "wattwell/north",
    "wattwell/north/grid",
    "wattwell/northern/grid",
    "wattwell/south/grid",
    "$wattwell/doctor/x",
    "spBv1.0/plant/NCMD/edge1",
    "spBv1.0/plant/DCMD/edge1/pdu",
    "plant/other",
)
PATTERNS = ("#", "wattwell/#", "wattwell/north/grid", "$share/g/wattwell/#")
_NUMBERS = count()
GATEWAYS = {"gateway-north": TOPICS[:2], "gateway-south": TOPICS[3:4]}
MAY_PUBLISH = {user: GATEWAYS.get(user, ("$wattwell/doctor/x",)) for user in USERS}
MAY_HEAR = {"wattwell": ("north", "south"), "wattwell-2": ("north", "south"), "wattwell-south": ("south",)}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    folder = tmp_path_factory.mktemp("shipped")
    passwords(folder / "passwd")
    with Shipped(folder).running() as broker:
        yield broker


def passwords(path: Path) -> None:
    path.touch(mode=0o600)
    for user in USERS:
        subprocess.run([program("mosquitto_passwd"), "-b", path, user, "right"], check=True, capture_output=True)


@dataclass
class Visitor:
    """A client with what it heard and how its publications were answered."""

    client: Client
    connected: list[ReasonCode] = field(default_factory=list)
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    granted: list[ReasonCode] = field(default_factory=list)
    answered: dict[int, ReasonCode] = field(default_factory=dict)

    def publish(self, *topics: str, payload: str = "1") -> list[int]:
        """The reason code of the broker's PUBACK for each."""
        mids = [self.client.publish(topic, payload, qos=1).mid for topic in topics]
        wait_until(lambda: self.answered.keys() >= set(mids), f"an answer to {topics}")
        return [self.answered[mid].value for mid in mids]

    def subscribe(self, pattern: str) -> None:
        """Asks, and waits for the answer."""
        before = len(self.granted)
        self.client.subscribe(pattern, qos=1)
        wait_until(lambda: len(self.granted) > before, f"an answer to {pattern}")


def heard_at_least(visitor: Visitor, many: int) -> bool:
    return len(visitor.heard) >= many


@contextmanager
def visiting(
    port: int,
    user: str,
    *,
    version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    password: str = "right",  # noqa: S107 - of this test
    tls: ssl.SSLContext | None = None,
    accepted: bool = True,
) -> Iterator[Visitor]:
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"{user}-{next(_NUMBERS)}", protocol=version)
    client.username_pw_set(user, password)
    client.reconnect_delay_set(min_delay=0)  # mosquitto 2.0.11 hangs up on what it refuses, once for each publication
    if tls is not None:
        client.tls_set_context(tls)
    visitor = Visitor(client)

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        visitor.heard.append((message.topic, message.payload))

    def on_publish(_client: Client, _data: object, mid: int, reason: ReasonCode, _more: object) -> None:
        visitor.answered[mid] = reason

    client.on_connect = lambda *event: visitor.connected.append(event[3])
    client.on_subscribe = lambda *event: visitor.granted.extend(event[3])
    client.on_message, client.on_publish = on_message, on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        wait_until(lambda: visitor.connected, f"an answer to {user}")
        assert visitor.connected[0].is_failure is not accepted
        yield visitor
    finally:
        client.disconnect()
        client.loop_stop()


def test_each_user_publishes_its_own_topics_and_no_other(shipped: Shipped) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(len(USERS)) as pool:  # mosquitto takes its time to refuse
        visitors = [stack.enter_context(visiting(shipped.port, user)) for user in USERS]
        codes = list(pool.map(lambda visitor: visitor.publish(*TOPICS), visitors))
    for user, each in zip(USERS, codes, strict=True):
        allowed = tuple(topic for topic, code in zip(TOPICS, each, strict=True) if code != DENIED)
        assert allowed == MAY_PUBLISH[user], user


@pytest.mark.parametrize("user", USERS)
def test_collectors_hear_their_sites_and_gateways_hear_nothing(shipped: Shipped, user: str) -> None:
    with ExitStack() as stack:
        visitors = {pattern: stack.enter_context(visiting(shipped.port, user)) for pattern in PATTERNS}
        for pattern, visitor in visitors.items():
            visitor.subscribe(pattern)
        north = stack.enter_context(visiting(shipped.port, "gateway-north"))
        south = stack.enter_context(visiting(shipped.port, "gateway-south", version=MQTTProtocolVersion.MQTTv311))
        assert north.publish("wattwell/north/grid") != [DENIED]
        south.publish("wattwell/north/grid")  # dropped: 3.1.1 has no word for it
        south.publish("wattwell/south/grid")
        for pattern, visitor in visitors.items():
            heard = [f"wattwell/{name}/grid" for name in MAY_HEAR.get(user, ())]
            expected = [topic for topic in heard if topic == pattern or "#" in pattern]
            wait_until(partial(heard_at_least, visitor, len(expected)), f"{user}, {pattern}")
            visitor.subscribe("wattwell/settled")  # what had been sent before its answer is here now
            assert [topic for topic, _ in visitor.heard] == expected


def test_two_collectors_share_what_comes_and_each_reading_comes_once(shipped: Shipped) -> None:
    users = ("wattwell", "wattwell-2")
    with visiting(shipped.port, users[0]) as one, visiting(shipped.port, users[1]) as two:
        for each in (one, two):
            each.subscribe("$share/wattwell/wattwell/#")
        with visiting(shipped.port, "gateway-south") as south:
            assert south.publish(*(f"wattwell/south/{number}" for number in range(40))) == [0] * 40
        wait_until(lambda: len(one.heard) + len(two.heard) >= 40, "all of them")
        assert len({topic for topic, _ in one.heard + two.heard}) == 40
        assert one.heard
        assert two.heard


@pytest.mark.parametrize("user", ["wattwell", "wattwell-south"])
def test_doctor_s_trial_passes_for_collectors(shipped: Shipped, tmp_path: Path, user: str) -> None:
    (tmp_path / "password").write_text("right\n")
    settings = mqtt_settings(shipped.port, username=user, client_id=user, password_file=tmp_path / "password")
    told = [(each["status"], each["message"]) for each in examine_broker(config(site([meter()])), settings)]
    (trial,) = [status for status, message in told if "while we" in message]
    assert trial == "ok", told


class Secured(Shipped):
    """The same with the listener for meters on the network, whose lines the shipped file holds as comments."""

    secured: int = 0

    def arguments(self) -> Sequence[str | Path]:
        command, settings = super().arguments()
        text = Path(settings).read_text(encoding="utf-8")
        offered = [line for line in text.splitlines() if line.startswith("#") and line[1:2].isalpha()]
        assert len(offered) == 6
        for line in offered:
            text = text.replace(line, line[1:])
        for was, here in {
            "8883 192.0.2.10": f"{self.secured} 127.0.0.1",
            "/etc/mosquitto/tls": str(self.folder),
        }.items():
            assert was in text
            text = text.replace(was, here)
        Path(settings).write_text(text, encoding="utf-8")
        return command, settings


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    passwords(folder / "passwd")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, certificate in {
        "broker": authority.issue_cert("127.0.0.1"),
        "client": authority.issue_cert("wattwell.example"),
        "foreign": trustme.CA().issue_cert("wattwell.example"),
    }.items():
        certificate.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
    broker = Secured(folder)
    broker.secured = free_port()
    with broker.running():
        wait_until(lambda: answers(broker.secured), "the listener with TLS")
        yield broker


def over_tls(broker: Secured, name: str | None = "client", **changes: object) -> MqttSettings:
    folder = broker.folder
    files = {} if name is None else {"cert_file": folder / f"{name}.pem", "key_file": folder / f"{name}.key"}
    password = folder / "password"
    password.write_text("right\n")
    tls = Tls(ca_file=folder / "ca.pem", **files)
    return replace(
        mqtt_settings(broker.secured, tls=tls, username="wattwell", password_file=password),
        **changes,  # type: ignore[arg-type]
    )


def told_of(settings: MqttSettings, store: MemoryStore) -> str:
    """What the collector says when it is refused; empty when it is let in."""
    collector = MqttCollector(settings, Ingestor(config(site([meter()])), store, lambda: NOW), lambda: NOW)
    collector.start()
    try:
        wait_until(lambda: collector.status.connected or collector.status.last_error, "connected or refused")
        return collector.status.last_error or ""
    finally:
        collector.stop()


def test_the_network_s_listener_asks_for_certificate_and_password(secured: Secured, tmp_path: Path) -> None:
    store = MemoryStore()
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    assert told_of(over_tls(secured), store) == ""
    assert "check mqtt.username and mqtt.password_file" in told_of(over_tls(secured, password_file=wrong), store)
    assert told_of(over_tls(secured, name=None), store) != ""
    assert told_of(over_tls(secured, name="foreign"), store) != ""
    assert "is not trusted" in told_of(over_tls(secured, tls=Tls()), store)


def test_the_rules_hold_on_the_network_s_listener_too(secured: Secured) -> None:
    context = ssl.create_default_context(cafile=secured.folder / "ca.pem")
    context.load_cert_chain(secured.folder / "client.pem", secured.folder / "client.key")
    with visiting(secured.secured, "gateway-south", tls=context) as visitor:
        codes = visitor.publish("wattwell/north/grid", "wattwell/south/grid")
        assert [answer == DENIED for answer in codes] == [True, False]
    with visiting(secured.secured, "gateway-south", tls=context, password="", accepted=False):
        pass


def test_the_rules_name_users_topics_and_nothing_for_all() -> None:
    text = (DEPLOY / "mosquitto" / "wattwell.acl").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    assert {line[0] for line in lines} == {"user", "topic"}
    assert lines[0][0] == "user", "a topic before the first user would hold for everybody"
    assert tuple(line[1] for line in lines if line[0] == "user") == USERS
