"""The MQTT shell: messages in, commits, acknowledgements out. All decisions about readings are made elsewhere.

A network thread keeps the connection, re-subscribes on every connect and puts messages into a bounded buffer. An
ingest thread takes whatever is there, commits it durably as one batch and only then acknowledges, in order of
arrival; after a few messages it rests a moment, so that the next ones share a commit. A crash at any point leaves
messages unacknowledged, and the broker sends them again: at least once, into a store whose writes are idempotent.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import attrgetter

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from collector import connection
from collector.buffer import Buffer
from collector.dialects.base import Message
from collector.ingest import Ingestor
from collector.packets import Publication
from collector.scalars import SHOWN
from collector.subscriptions import Subscriptions
from collector.wire import WiredClient
from wattwell.config.settings import MqttSettings
from wattwell.errors import StoreError

log = logging.getLogger(__name__)

BATCH_MESSAGES = 2000
"""Most messages of one commit."""
_BATCH_BYTES = 4_194_304
_BUFFER_MESSAGES = 2 * connection.RECEIVE_MAXIMUM
_BUFFER_BYTES = 67_108_864
_ANSWER_SECONDS = 10.0
_TURN_SECONDS = 0.2
_LEAVE_SECONDS = 6.0
_AT_ONCE_SECONDS = 2.0
_MOST_LOSSES = 2
_LEAST_WINDOW = 16
"""Messages that a broker may be taken to have on their way at once, before it has shown more."""
_REST = 4.0
_LONGEST_REST = 0.025
_STEADY_SECONDS = 30.0
"""A connection that lasted so long was good, and back-off starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttStatus:
    """Where the connection stands."""

    connected: bool
    """The broker accepted us and every subscription."""
    since: int
    """When that last changed, microseconds UTC."""
    last_error: str | None
    """Why we are not connected, or what is wrong although we are; None when all is well."""
    failed: bool = False
    """The collector ended by a fault of its own, which the log shows; it must be started again."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message and where to acknowledge it."""

    message: Message
    client: WiredClient
    mid: int
    qos: int


class Permission:
    """Whether the broker bears our commands: some end the connection of a client that publishes where it may not."""

    def __init__(self) -> None:
        self._sent: float | None = None
        self._losses = 0

    @property
    def withdrawn(self) -> bool:
        """Whether commands have ended connections so often that no more are to be sent."""
        return self._losses >= _MOST_LOSSES

    def sent(self, now: float) -> None:
        """Notes a command; that the connection still stands speaks for those before it."""
        self._losses = 0 if self._sent is not None else self._losses
        self._sent = now

    def lost(self, now: float) -> bool:
        """Notes the end of the connection; True when it is the one too many that followed at once upon a command."""
        at_once = self._sent is not None and now - self._sent < _AT_ONCE_SECONDS
        self._losses = self._losses + 1 if at_once else self._losses if self.withdrawn else 0
        self._sent = None
        return at_once and self.withdrawn


class MqttCollector:
    """Collects from one broker until stopped."""

    def __init__(
        self,
        settings: MqttSettings,
        ingestor: Ingestor,
        clock: Callable[[], int],
        *,
        first_delay: float = 1.0,
        longest_delay: float = 60.0,
    ) -> None:
        """``first_delay`` and ``longest_delay`` bound the back-off between attempts to connect, in seconds."""
        self._settings = settings
        self._filters = settings.subscribe or ingestor.router.filters()
        self._subscriptions = Subscriptions(ingestor.store, self._filters)
        self._ingestor = ingestor
        self._clock = clock
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._buffer: Buffer[_Delivery] = Buffer(_BUFFER_MESSAGES, _BUFFER_BYTES)
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._lock = threading.Lock()
        self._status = MqttStatus(connected=False, since=0, last_error=None)
        self._answered = False
        self._client: WiredClient | None = None
        self._permission = Permission()
        self._began = 0.0
        self._window = _LEAST_WINDOW
        """Most messages of this connection that were unacknowledged at once."""
        self._threads: tuple[threading.Thread, ...] = ()

    @property
    def status(self) -> MqttStatus:
        """Where the connection stands now."""
        with self._lock:
            return self._status

    @property
    def waiting(self) -> int:
        """Messages received and not yet committed."""
        return len(self._buffer)

    def start(self) -> None:
        """Starts both threads; returns at once, connected or not."""
        self._note(connected=False, error=None)
        self._threads = (
            threading.Thread(target=self._guarded, args=(self._network,), name="wattwell-mqtt", daemon=True),
            threading.Thread(target=self._guarded, args=(self._ingest,), name="wattwell-ingest", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Commits and acknowledges what has arrived, then disconnects; the broker keeps the session.

        What could not be committed within ``timeout`` seconds stays unacknowledged.
        """
        self._stopping.set()
        self._buffer.close()
        if self._threads:
            network, ingest = self._threads
            ingest.join(timeout)
            self._drained.set()
            network.join(_LEAVE_SECONDS)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("The collector ended by a fault of its own; unacknowledged messages come again at a restart.")
            with self._lock:
                self._status = replace(self._status, connected=False, last_error="internal fault, see log", failed=True)
            self._stopping.set()
            self._buffer.close()
            self._drained.set()

    # The ingest thread

    def _ingest(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.is_set()  # read before the last drain, so that nothing before it is left
            batch = self._buffer.drain(BATCH_MESSAGES, _BATCH_BYTES, timeout=1.0)
            while batch:
                began = time.monotonic()
                self._window = max(self._window, len(batch) + len(self._buffer))
                if not self._ingestor.ingest([delivery.message for delivery in batch], self._stopping.wait):
                    self._drained.set()
                    return
                _acknowledge(batch)
                self._ingestor.housekeeping()
                self._command()
                self._stopping.wait(rest(len(batch), time.monotonic() - began, self._window))
                batch = self._buffer.drain(BATCH_MESSAGES, _BATCH_BYTES, timeout=0.0)
            self._ingestor.housekeeping(final=stopping)
            self._command()
        self._drained.set()

    def _command(self) -> None:
        """Publishes what the ingestor wants said; whatever does not arrive it will want again."""
        client = self._client
        allowed = self._settings.rebirth and not self._permission.withdrawn and not self._stopping.is_set()
        if client is not None and allowed and self.status.connected and (commands := self._ingestor.commands()):
            self._permission.sent(time.monotonic())
            for topic, payload in commands:
                client.publish(topic, payload, qos=0)

    # The network thread

    def _network(self) -> None:
        delay = self._first_delay
        while not self._stopping.is_set():
            self._began = time.monotonic()
            self._connection()
            if time.monotonic() - self._began >= _STEADY_SECONDS:
                delay = self._first_delay
            if self._stopping.wait(delay):
                break
            delay = min(2 * delay, self._longest_delay)

    def _connection(self) -> None:
        """One connection from its start to its end."""
        self._answered = False
        self._window = _LEAST_WINDOW
        try:
            client = connection.make_wired(self._settings)
            client.on_connect = lambda *event: self._on_connect(event[0], event[3])
            client.on_disconnect = lambda *event: self._on_disconnect(event[3])
            client.on_subscribe = lambda *event: self._on_subscribe(event[3])
            client.on_unsubscribe = lambda *event: self._on_unsubscribe(event[3])
            client.on_message = lambda *event: self._on_message(client, event[2])
            self._client = client
            connection.connect(client, self._settings)
            self._run(client)
        except (OSError, UnicodeError) as error:
            self._note(connected=False, error=connection.explain_error(self._settings, error))

    def _run(self, client: WiredClient) -> None:
        answer_by = time.monotonic() + _ANSWER_SECONDS
        leaving = False
        deliver = partial(self._deliver, client)
        while client.turn(_TURN_SECONDS, deliver):
            if not self._answered and time.monotonic() > answer_by:
                client.disconnect()
                client.turn(_TURN_SECONDS, deliver)
                raise TimeoutError(
                    f"no answer within {_ANSWER_SECONDS:.0f} s, as where mqtt.version is not the broker's"
                )
            if self._drained.is_set() and not leaving:
                leaving = True
                client.disconnect()

    def _on_connect(self, client: Client, reason: ReasonCode) -> None:
        self._answered = True
        if reason.is_failure:
            self._note(connected=False, error=connection.explain_refusal(self._settings, reason))
            return
        outdated = self._outdated()
        if self._filters:
            connection.subscribe(client, self._settings, self._filters)
        else:
            self._note(connected=True, error=None)
        if outdated:
            client.unsubscribe(outdated)

    def _outdated(self) -> list[str]:
        """What our session has from an earlier configuration."""
        try:
            return self._subscriptions.outdated()
        except StoreError as error:
            log.warning("What earlier configurations subscribed to is not given up before the next connect: %s", error)
            return []

    def _on_unsubscribe(self, reasons: Sequence[ReasonCode]) -> None:
        refused = next((reason for reason in reasons if reason.is_failure), None)
        if refused is not None:
            log.warning("The broker goes on sending what an earlier configuration subscribed to (%s).", refused)
            return
        try:
            self._subscriptions.given_up()
        except StoreError as error:
            log.warning("What the broker gave up is given up once more at the next connect: %s", error)

    def _on_subscribe(self, reasons: Sequence[ReasonCode]) -> None:
        pairs = zip(self._filters, reasons, strict=False)
        weak = [pattern for pattern, reason in pairs if not reason.is_failure and reason.value == 0]
        if (refusal := connection.explain_unheard(self._filters, reasons)) is not None:
            self._note(connected=False, error=refusal)
        elif weak:
            listed = ", ".join(weak)
            self._note(connected=True, error=f"The broker grants only QoS 0 for {listed}; messages may get lost.")
        else:
            self._note(connected=True, error=None)

    def _on_disconnect(self, reason: ReasonCode) -> None:
        if self._stopping.is_set():
            self._note(connected=False, error=None)
        elif self.status.connected or not self._answered:
            soon = time.monotonic() - self._began < _STEADY_SECONDS
            text = connection.explain_loss(self._settings, reason, answered=self._answered, soon=soon)
            self._note(connected=False, error=text)
        if not self._stopping.is_set() and self._permission.lost(time.monotonic()):
            log.warning(
                "The broker ends the connection when we ask edge nodes for their births, so we ask no more until the "
                "next start; allow us to publish to spBv1.0/+/NCMD/+ in its ACL, or set mqtt.rebirth: false."
            )

    def _deliver(self, client: WiredClient, publications: Sequence[Publication]) -> None:
        now = self._clock()
        self._buffer.extend(self._sized(client, publication, now) for publication in publications)

    def _sized(self, client: WiredClient, publication: Publication, now: int) -> tuple[_Delivery, int]:
        topic, payload, mid, qos, retain = publication
        size = len(payload)
        large = size > self._settings.max_payload
        if large:
            payload = payload[:SHOWN]
        message = Message(topic, payload, retain, now, size if large else -1)
        return _Delivery(message, client, mid, qos), len(topic) + len(payload)

    def _on_message(self, client: WiredClient, received: MQTTMessage) -> None:
        """One that paho has read itself: of QoS 2, or out of order."""
        try:
            topic = received.topic
        except UnicodeDecodeError:
            client.ack(received.mid, received.qos)  # MQTT forbids such a topic; no meter can listen on it
            return
        self._deliver(
            client, [Publication(topic, bytes(received.payload), received.mid, received.qos, received.retain)]
        )

    def _note(self, *, connected: bool, error: str | None) -> None:
        """Keeps the state of the connection, and logs it when it changes."""
        with self._lock:
            before = self._status
            changed = before.connected != connected or before.since == 0
            self._status = replace(
                before, connected=connected, last_error=error, since=self._clock() if changed else before.since
            )
        if error is not None and error != before.last_error:
            log.error("%s", error)
        elif connected and not before.connected:
            log.info("Connected to the MQTT broker %s:%d.", self._settings.host, self._settings.port)


def rest(messages: int, took: float, window: int) -> float:
    """Seconds to wait after a commit of so many messages that took so long, while the next ones gather.

    A commit costs about the same whether it holds one message or a hundred, so a stream of single messages would spend
    a processor on commits alone. There is no wait after many messages, when more are there already, nor after a single
    one: it stands alone, or the broker sends the next when this one is acknowledged. Many is half of ``window``, the
    most messages that the broker has had on their way at once: it must not run out of those that it may send.
    """
    return min(_REST * took, _LONGEST_REST) if 1 < messages < window // 2 else 0.0


def _acknowledge(batch: Sequence[_Delivery]) -> None:
    """Acknowledges each message on the connection it came by; on a lost one that goes nowhere, as it must."""
    for client, group in groupby(batch, key=attrgetter("client")):
        deliveries = list(group)
        client.acknowledge([delivery.mid for delivery in deliveries if delivery.qos == 1])
        for delivery in deliveries:
            if delivery.qos == 2:
                client.ack(delivery.mid, delivery.qos)
