"""What ``wattwell doctor`` says of the broker: whether it lets us in, and keeps what arrives while we are away.

The second is tried, since no broker tells its limits: under a name of its own the doctor subscribes to a topic that
no ``#`` matches, leaves, publishes to it from another connection, comes back and counts. mosquitto keeps 1000 messages
unless ``max_queued_messages`` says otherwise, and drops the rest without a word; most brokers have such a limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from collector.connection import connect, explain_error, explain_refusal, is_v5, make_client
from collector.normalise import MeterTable
from collector.topics import Router
from wattwell.config.filters import unshared
from wattwell.config.settings import Config, MqttSettings
from wattwell.engine.queries import Document
from wattwell.errors import WattwellError
from wattwell.intervals import SECOND, format_duration

TRIAL = 3000
"""Messages of the trial: above the limits that brokers are delivered with."""
_ANSWER_SECONDS = 10.0
_QUIET_SECONDS = 2.0
"""After so long without a message no more will come."""


def examine_broker(config: Config, settings: MqttSettings) -> Iterator[Document]:
    """Every check of the broker as {check, status, message, remedy}."""
    where = f"the broker at {settings.host}:{settings.port}"
    try:
        yield from _visited(config, settings, where)
    except (OSError, ValueError) as error:
        yield _finding("failed", explain_error(settings, error), "start the broker, or correct mqtt.url")
    except WattwellError as error:
        yield _finding("failed", str(error), "check username, password_file and the broker's rules")
    yield from _uncovered(config, settings)
    yield from _sharing(config, settings)


def _finding(status: str, message: str, remedy: str | None) -> Document:
    return {"check": "broker", "status": status, "message": message, "remedy": remedy}


def _uncovered(config: Config, settings: MqttSettings) -> Iterator[Document]:
    router = Router(config.sites.values(), MeterTable.of(config.sites.values()))
    for topic in router.uncovered(settings.subscribe) if settings.subscribe else ():
        remedy = "add it to mqtt.subscribe, or leave that key out"
        yield _finding("warning", f"no subscription covers the topic {topic}", remedy)


def _shared(settings: MqttSettings) -> bool:
    return any(pattern != unshared(pattern) for pattern in settings.subscribe)


def _sharing(config: Config, settings: MqttSettings) -> Iterator[Document]:
    """What a shared subscription asks of the rest of the configuration."""
    if not _shared(settings):
        return
    if config.store.remote is None:
        message = "the subscription is shared, so this store gets a part of the readings, and figures are of that part"
        yield _finding("warning", message, "name a remote store in store.url, or write filters without $share/GROUP/")
    expiry = format_duration(settings.session_expiry * SECOND)
    message = f"the subscription is shared: what is {settings.client_id}'s waits for it for {expiry} while it is away"
    yield _finding("ok", f"{message}, and no other collector gets it", None)


@dataclass
class _Visit:
    """One connection and what came by it."""

    client: Client
    answered: threading.Event = field(default_factory=threading.Event)
    present: bool = False
    """The broker knew us from before."""
    refusal: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    """Of the broker's answer (MQTT 5, 3.2.2.3)."""
    granted: ReasonCode | None = None
    refused: int = 0
    """Messages of ours that the broker would not take."""
    taken: int = 0
    received: int = 0
    last: float = 0.0


@contextmanager
def _visit(settings: MqttSettings, *, lasting: bool = True) -> Iterator[_Visit]:
    """A connection of its own; WattwellError when the broker refuses it or does not answer."""
    visit = _Visit(make_client(settings, lasting=lasting))

    def on_connect(_c: object, _d: object, flags: ConnectFlags, reason: ReasonCode, properties: Any) -> None:
        visit.present = flags.session_present
        visit.refusal = explain_refusal(settings, reason) if reason.is_failure else None
        visit.properties = {} if properties is None else properties.json()
        visit.answered.set()

    def on_subscribe(_c: object, _d: object, _m: int, reasons: list[ReasonCode], _p: object) -> None:
        visit.granted = reasons[0]

    def on_publish(_c: object, _d: object, _m: int, reason: ReasonCode, _p: object) -> None:
        visit.taken += 1
        visit.refused += reason.is_failure

    def on_message(client: Client, _d: object, message: MQTTMessage) -> None:
        client.ack(message.mid, message.qos)
        visit.received += 1
        visit.last = time.monotonic()

    client = visit.client
    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    client.on_publish, client.on_message = on_publish, on_message
    connect(client, settings)
    client.loop_start()
    try:
        if not visit.answered.wait(_ANSWER_SECONDS):
            raise WattwellError(f"the broker at {settings.host}:{settings.port} does not answer; does it speak MQTT?")
        if visit.refusal is not None:
            raise WattwellError(visit.refusal)
        yield visit
    finally:
        client.disconnect()
        client.loop_stop()


def _visited(config: Config, settings: MqttSettings, where: str) -> Iterator[Document]:
    """Lets itself in as the collector does, under names of its own: the collector's session is left alone."""
    name = f"{settings.client_id}-doctor"
    visitor = replace(settings, client_id=name)
    topic = f"$wattwell/doctor/{name}"
    with _visit(visitor) as visit:
        yield _finding("ok", f"{where} accepts us", None)
        yield from _limits(settings, where, visit.properties)
        visit.client.subscribe(topic, qos=1)
        _until(lambda: visit.granted is not None)
        allowed = visit.granted is not None and not visit.granted.is_failure
    try:
        tried = allowed and _sent(replace(settings, client_id=f"{name}-sender", session_expiry=0), topic)
        kept = _collected(visitor) if tried else None
    finally:
        with _visit(replace(visitor, session_expiry=0), lasting=False):
            pass  # the session of the trial ends with this connection
    yield _judged(config, where, kept, topic)


def _limits(settings: MqttSettings, where: str, properties: dict[str, Any]) -> Iterator[Document]:
    """What an MQTT 5 broker says of itself when it accepts us."""
    expiry = properties.get("SessionExpiryInterval", settings.session_expiry)
    if is_v5(settings) and expiry < settings.session_expiry:
        ours = format_duration(settings.session_expiry * SECOND)
        message = f"{where} keeps our session for {format_duration(expiry * SECOND)} only, not for {ours}"
        yield _finding("warning", message, "raise the broker's limit of the session expiry")
    if _shared(settings) and not properties.get("SharedSubscriptionAvailable", 1):
        remedy = "allow them in the broker, or write mqtt.subscribe without $share/GROUP/"
        yield _finding("failed", f"{where} has no shared subscriptions", remedy)
    if properties.get("MaximumQoS", 2) < 1:
        remedy = "let the broker take QoS 1: messages of QoS 0 are lost whenever something is away"
        yield _finding("warning", f"{where} takes QoS 0 only", remedy)


def _sent(settings: MqttSettings, topic: str) -> bool:
    """Publishes the trial while nobody listens; whether the broker let us."""
    with _visit(settings, lasting=False) as visit:
        for number in range(TRIAL):
            visit.client.publish(topic, str(number), qos=1)
        _until(lambda: visit.taken >= TRIAL)
        return visit.taken >= TRIAL and not visit.refused


def _collected(settings: MqttSettings) -> int:
    """How many messages of the trial the broker has kept."""
    with _visit(settings) as visit:
        visit.last = time.monotonic()
        while visit.received < TRIAL and time.monotonic() - visit.last < _QUIET_SECONDS:
            time.sleep(0.01)
        return visit.received


def _judged(config: Config, where: str, kept: int | None, topic: str) -> Document:
    if kept is None:
        message = f"whether {where} keeps messages while we are away could not be tried: it refuses the topic {topic}"
        remedy = "allow this user to publish and subscribe to it, or check the broker's queue limits yourself"
        return _finding("warning", message, remedy)
    rate = _rate(config)
    if kept < TRIAL:
        lasts = format_duration(round(kept / rate) * SECOND) if rate else "no time"
        message = f"{where} kept only {kept} of {TRIAL} messages while we were away; these meters fill that in {lasts}"
        return _finding("warning", message, "lift its queue limit: in mosquitto, max_queued_messages 0")
    message = f"{where} kept all {TRIAL} messages of a trial while we were away; these meters send {rate:.3g} a second"
    return _finding("ok", message, None)


def _rate(config: Config) -> float:
    """Messages a second that the meters send: one for each topic and period."""
    periods: dict[str, int] = {}
    for site in config.sites.values():
        for meter in site.meters.values():
            if not meter.virtual:
                topic = f"wattwell/{site.id}/{meter.id}" if meter.source is None else meter.source.topic
                periods[topic] = min(meter.period, periods.get(topic, meter.period))
    return sum(SECOND / period for period in periods.values())


def _until(condition: Any) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
