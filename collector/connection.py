"""One connection to the broker: paho-mqtt set up as Wattwell needs it, and failures in words an operator can act on.

Every connection has a client object of its own. Paho queues acknowledgements by packet identifier; one that was meant
for an earlier connection could acknowledge another message of this one, so what belongs to a lost connection ends
with its client.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import TypeVar

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.wire import WiredClient
from wattwell.config.settings import MqttSettings, Tls
from wattwell.trust import verifying_context

KEEPALIVE = 30
"""Seconds between signs of life."""
RECEIVE_MAXIMUM = 1000
"""Messages that a broker may send before one of them is acknowledged (MQTT 5)."""
_PACKET_LIMIT = 16
"""Times max_payload: what the broker may send at all, so that one message cannot exhaust the memory."""
_NEW_SUBSCRIPTION_ONLY = 1
_NOT_YET_VALID, _EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED (OpenSSL, X509_verify_cert)."""


def is_v5(settings: MqttSettings) -> bool:
    """Whether to speak MQTT 5."""
    return settings.version == "5"


def make_client(settings: MqttSettings, *, lasting: bool = True) -> Client:
    """A client that is not connected yet; OSError where the password or a certificate file cannot be read.

    ``lasting`` says for MQTT 3.1.1 whether the broker keeps its session; for MQTT 5 ``session_expiry`` does.
    """
    client = _made(Client, settings, lasting=lasting)
    # With this callback set paho leaves all writing to the thread that runs the loop, also for acknowledgements
    # that another thread hands in; without it that thread would write to the socket itself, amid other packets.
    client.on_socket_register_write = _leave_to_the_loop
    return client


def make_wired(settings: MqttSettings) -> WiredClient:
    """The same as the collector uses it, with a lasting session; see :mod:`collector.wire`."""
    client = _made(WiredClient, settings, lasting=True)
    client.on_socket_register_write = lambda *_: client.wake()
    return client


_Kind = TypeVar("_Kind", bound=Client)


def _made(kind: type[_Kind], settings: MqttSettings, *, lasting: bool) -> _Kind:
    if is_v5(settings):
        client = kind(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
    else:
        client = kind(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=not lasting,
            reconnect_on_failure=False,
            manual_ack=True,
        )
    if settings.username is not None:
        client.username_pw_set(settings.username, _password(settings))
    if settings.tls is not None:
        client.tls_set_context(_tls_context(settings.tls))
    return client


def _leave_to_the_loop(client: Client, userdata: object, sock: object) -> None:
    """The loop is woken by paho's own socket pair."""


def _password(settings: MqttSettings) -> str | None:
    if settings.password_file is None:
        return None
    return settings.password_file.read_text(encoding="utf-8").rstrip("\r\n")


class _ClosingSocket(ssl.SSLSocket):
    """A TLS socket that is closed when the handshake fails, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # the base class's signature
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = verifying_context(tls.ca_file)
    context.sslsocket_class = _ClosingSocket
    if tls.cert_file is not None:
        context.load_cert_chain(str(tls.cert_file), None if tls.key_file is None else str(tls.key_file))
    return context


def connect(client: Client, settings: MqttSettings) -> None:
    """Opens the connection and sends CONNECT, resuming our session; OSError when that fails."""
    if not is_v5(settings):
        client.connect(settings.host, settings.port, keepalive=KEEPALIVE)
        return
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = settings.session_expiry
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    properties.MaximumPacketSize = min(_PACKET_LIMIT * settings.max_payload, 268_435_455)
    client.connect(settings.host, settings.port, keepalive=KEEPALIVE, clean_start=False, properties=properties)


def subscribe(client: Client, settings: MqttSettings, filters: tuple[str, ...]) -> None:
    """Asks for every filter at QoS 1.

    With MQTT 5 retained messages come for new subscriptions only: a session that is resumed has had them.
    """
    if is_v5(settings):
        options = SubscribeOptions(qos=1, retainHandling=_NEW_SUBSCRIPTION_ONLY)
        client.subscribe([(pattern, options) for pattern in filters])
    else:
        client.subscribe([(pattern, 1) for pattern in filters])


def explain_refusal(settings: MqttSettings, reason: ReasonCode) -> str:
    """Why the broker refused us, with the remedy."""
    broker = f"The MQTT broker {settings.host}:{settings.port} refused the connection ({reason})"
    name = str(reason)
    if name in {"Bad user name or password", "Not authorized", "Bad authentication method"}:
        who = "no user name" if settings.username is None else f"user {settings.username}"
        return f"{broker} for {who}; check mqtt.username and mqtt.password_file."
    if name == "Unsupported protocol version":
        other = '"3.1.1"' if is_v5(settings) else '"5"'
        return f"{broker} with MQTT {settings.version}; set mqtt.version to {other}."
    if name == "Client identifier not valid":
        return f"{broker} for client {settings.client_id}; set another mqtt.client_id."
    return f"{broker}; see the broker's log."


def explain_unheard(filters: Sequence[str], reasons: Sequence[ReasonCode]) -> str | None:
    """Which filters the broker refused, with the remedy; None where it granted all."""
    pairs = zip(filters, reasons, strict=False)
    refused = ", ".join(f"{pattern} ({reason})" for pattern, reason in pairs if reason.is_failure)
    return f"The broker refused to send {refused}; allow it in the broker's ACL." if refused else None


def explain_loss(settings: MqttSettings, reason: ReasonCode, *, answered: bool, soon: bool) -> str:
    """Why a connection ended, with the remedy where there is one.

    ``answered`` says whether the broker had accepted us, ``soon`` whether that was only a moment ago.
    """
    broker = f"The MQTT broker {settings.host}:{settings.port}"
    why = "" if str(reason) == "Unspecified error" else f" ({reason})"
    taken = f"another client uses the name {settings.client_id}; give each its own mqtt.client_id"
    if not answered:
        ours = settings.tls is not None and settings.tls.cert_file is not None
        also = ", and that mqtt.tls.cert_file has not expired" if ours else ""
        return f"{broker} closed the connection without an answer{why}; check mqtt.url and mqtt.version{also}."
    if str(reason) == "Session taken over":
        return f"{broker} closed the connection{why}: {taken}."
    hint = f" If this repeats, {taken}." if soon else ""
    return f"{broker} closed the connection{why}; connecting again.{hint}"


def explain_error(settings: MqttSettings, error: Exception) -> str:
    """Why no connection came about, with the remedy."""
    broker = f"MQTT broker {settings.host}:{settings.port}"
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return (
            f"The certificate of {broker} is out of date ({error.verify_message}); renew it, or set this machine's "
            "clock. What devices publish meanwhile waits at the broker."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {broker} is not trusted ({error.verify_message}); set mqtt.tls.ca_file."
    if isinstance(error, ssl.SSLError):
        return f"TLS with {broker} failed ({_reason(error)}); check mqtt.url (mqtts:// and its port) and mqtt.tls."
    if isinstance(error, ConnectionRefusedError):
        return f"Nothing listens at {broker}; start the broker or correct mqtt.url."
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"The host name of {broker} is not known; correct mqtt.url."
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"{error.filename} cannot be read ({error.strerror}); correct the mqtt section or the file's permissions."
        )
    return f"{broker} cannot be reached ({str(error) or type(error).__name__}); check mqtt.url and the network."


def _reason(error: ssl.SSLError) -> str:
    # A handshake that fails inside OpenSSL names its reason; an error raised elsewhere has no such attribute.
    return str(getattr(error, "reason", None) or error)
