"""Poison among good readings, sent to the real service: bounded memory, everything counted, no good reading lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.commands import CONFIG, ask, service
from tests.servers import Mosquitto, wait_until

GOOD = 400
STRANGE_TOPICS = 12_000
"""More than the list of unmapped topics holds, and than counts are kept of by topic."""
_MB = 1_000_000
HOSTILE: dict[bytes, str] = {
    b"{" * 200_000: "payload.invalid",
    b"[" * 500_000 + b"]" * 500_000: "payload.invalid",
    b'{"time": "2026-03-01T00:00:00Z", "value": ' + b"9" * 400_000 + b"}": "value.range",
    b"\xff\xfe\x00\x80" * 100: "payload.invalid",
    b'{"time": "2026-03-01T00:00:00Z", "value": NaN}': "value.sentinel",
    b'{"time": "2026-03-01T00:00:00Z", "value": 1e999}': "value.range",
    b'{"time": "2026-03-01T00:00:00Z", "value": "' + b"x" * 300_000 + b'"}': "value.type",
    b'{"time": "' + b"2" * 300_000 + b'", "value": 1}': "time.invalid",
    b"x" * (3 * _MB): "payload.invalid",
    b"": "payload.invalid",
}
"""Payloads on a good meter's topic, and what each must be called."""


@pytest.fixture
def folder(tmp_path: Path, broker: Mosquitto) -> Path:
    """An installation that listens to everything."""
    mqtt = f"mqtt: {{url: 'mqtt://127.0.0.1:{broker.port}', subscribe: ['#'], max_payload: 1000000}}\n"
    (tmp_path / "w.yaml").write_text(f"{CONFIG}late: 10000d\n{mqtt}")
    return tmp_path


def messages() -> Iterator[tuple[str, bytes]]:
    """Good readings with poison between them."""
    hostile = list(HOSTILE)
    for number in range(GOOD):
        reading = {"time": 1772323200 + 300 * number, "value": 1000 + number}
        yield "wattwell/north/grid-a", json.dumps(reading).encode()
        if number < len(hostile):
            yield "wattwell/north/ups-a", hostile[number]
        for each in range(number, STRANGE_TOPICS, GOOD):
            yield f"flood/{each}/" + "t" * 200, b"z" * 2000


def test_poison_costs_bounded_memory_and_no_reading(folder: Path, broker: Mosquitto) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(200)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    with service(folder) as running:
        wait_until(running.ready, "the service is ready")
        process = psutil.Process(running.process.pid)
        before = process.memory_info().rss
        sent = [client.publish(topic, payload, qos=1) for topic, payload in messages()]
        for info in sent:
            info.wait_for_publish(60)
        good = f'wattwell_readings_total{{site="north"}} {GOOD:.1f}'
        wait_until(lambda: good in running.get("/metrics")[1], "every good reading is stored", 90)
        wait_until(lambda: counted(folder)["point.unknown"] >= STRANGE_TOPICS, "every strange message is counted", 60)
        grown = process.memory_info().rss - before
        counts = counted(folder)
        unmapped = ask(folder, "unmapped", "w.yaml").json
        assert running.ready()
        assert running.end() == 0
    client.disconnect()
    client.loop_stop()
    assert counts == Counter(HOSTILE.values()) + Counter({"point.unknown": STRANGE_TOPICS})
    assert grown < 150 * _MB
    assert len(unmapped) <= 1000
    assert all(len(each["example"]) <= 200 for each in unmapped)
    assert len(ask(folder, "series", "w.yaml", "--site", "north", "--meter", "grid-a").json) >= GOOD // 3


def counted(folder: Path) -> Counter[str]:
    """Rejects by reason."""
    counts: Counter[str] = Counter()
    for row in ask(folder, "rejects", "w.yaml").json:
        counts[row["reason"]] += row["count"]
    return counts
