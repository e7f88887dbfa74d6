"""What our session at the broker is subscribed to.

The session outlives us, and so does each of its subscriptions: what another configuration asked for, the broker would
go on sending for ever. So the store keeps what was ever asked for and not given up since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from collector import connection
from wattwell.config.settings import MqttSettings
from wattwell.errors import WattwellError
from wattwell.store.protocol import ReadingStore

FILTERS_STATE = "collector.filters"
"""Name of the stored document that lists what the session may be subscribed to."""
_ANSWER_SECONDS = 10.0
_TURN_SECONDS = 0.2


class Subscriptions:
    """The filters of one collector, beside those that its session has from before. Raises StoreError."""

    def __init__(self, store: ReadingStore, filters: Sequence[str]) -> None:
        self._store = store
        self._filters = frozenset(filters)

    def outdated(self) -> list[str]:
        """What is to be given up; that the session has our filters too is remembered before it does."""
        kept = self._kept()
        self._keep(kept | self._filters)
        return sorted(kept - self._filters)

    def given_up(self) -> None:
        """The broker has said so: the session has our filters alone."""
        self._keep(self._filters)

    def _kept(self) -> frozenset[str]:
        return frozenset(json.loads(self._store.load_state(FILTERS_STATE) or "[]"))

    def _keep(self, filters: frozenset[str]) -> None:
        if filters != self._kept():
            self._store.save_states({FILTERS_STATE: json.dumps(sorted(filters))})


def reserve(settings: MqttSettings, filters: Sequence[str], store: ReadingStore) -> None:
    """Subscribes our session and leaves, taking nothing: from now on the broker keeps for it what is published.

    Nobody else may use the session. WattwellError where the broker is away or refuses; StoreError.
    """
    Subscriptions(store, filters).outdated()
    answers: list[str | None] = []
    """Why we are refused; None: we are not."""

    def on_connect(client: Client, _data: object, _flags: object, reason: ReasonCode, _properties: object) -> None:
        if reason.is_failure:
            answers.append(connection.explain_refusal(settings, reason))
        else:
            connection.subscribe(client, settings, tuple(filters))

    def on_subscribe(client: Client, _d: object, _mid: int, reasons: list[ReasonCode], _properties: object) -> None:
        answers.append(connection.explain_unheard(filters, reasons))
        client.disconnect()

    try:
        client = connection.make_client(settings)
        client.on_connect, client.on_subscribe = on_connect, on_subscribe
        connection.connect(client, settings)
        answer_by = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < answer_by and client.loop(_TURN_SECONDS) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
    except (OSError, UnicodeError) as error:
        raise WattwellError(connection.explain_error(settings, error)) from error
    refusal = answers[0] if answers else f"The MQTT broker {settings.host}:{settings.port} does not answer; start it."
    if refusal is not None:
        raise WattwellError(refusal)
