"""Failures of the connection in words an operator can act on."""

from __future__ import annotations

import socket
import ssl

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from collector.connection import explain_error, explain_loss, explain_refusal
from tests.collecting import mqtt_settings

SETTINGS = mqtt_settings(1883)


@pytest.mark.parametrize(
    ("reason", "version", "words"),
    [
        ("Bad user name or password", "5", "for no user name; check mqtt.username and mqtt.password_file."),
        ("Unsupported protocol version", "5", 'with MQTT 5; set mqtt.version to "3.1.1".'),
        ("Unsupported protocol version", "3.1.1", 'with MQTT 3.1.1; set mqtt.version to "5".'),
        ("Client identifier not valid", "5", "for client wattwell-test; set another mqtt.client_id."),
        ("Server busy", "5", "(Server busy); see the broker's log."),
    ],
)
def test_a_refusal(reason: str, version: str, words: str) -> None:
    text = explain_refusal(mqtt_settings(1883, version=version), ReasonCode(PacketTypes.CONNACK, reason))
    assert text.startswith(f"The MQTT broker 127.0.0.1:1883 refused the connection ({reason})")
    assert text.endswith(words)


@pytest.mark.parametrize(
    ("reason", "answered", "soon", "words"),
    [
        ("Session taken over", True, False, "(Session taken over): another client uses the name wattwell-test;"),
        ("Unspecified error", True, False, "closed the connection; connecting again."),
        ("Unspecified error", True, True, "If this repeats, another client uses the name wattwell-test;"),
        ("Server shutting down", True, False, "(Server shutting down); connecting again."),
        ("Unspecified error", False, True, "without an answer; check mqtt.url and mqtt.version."),
    ],
)
def test_a_loss(reason: str, answered: bool, soon: bool, words: str) -> None:
    code = ReasonCode(PacketTypes.DISCONNECT, reason)
    assert words in explain_loss(SETTINGS, code, answered=answered, soon=soon)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "x"), "Nothing listens at MQTT broker 127.0.0.1:1883; start the broker"),
        (socket.gaierror(-2, "x"), "is not known; correct mqtt.url."),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "check mqtt.url (mqtts:// and its port) and mqtt.tls."),
        (
            FileNotFoundError(2, "No such file", "k.pem"),
            "k.pem cannot be read (No such file); correct the mqtt section",
        ),
        (TimeoutError("timed out"), "cannot be reached (timed out); check mqtt.url and the network."),
        (TimeoutError(), "cannot be reached (TimeoutError);"),
    ],
)
def test_an_error(error: Exception, words: str) -> None:
    assert words in explain_error(SETTINGS, error)
