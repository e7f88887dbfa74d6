"""Files and MQTT: what leaves the simulator is what it simulated."""

import gzip
import json
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml

from collector.simulate import Simulator, SiteSpec, simulate
from collector.simulate.publish import Broker, Connection, Pace, parse_broker, publish
from collector.simulate.run import Edge
from wattwell.config.build import load
from wattwell.errors import ServiceUnavailable, UsageError, WattwellError
from wattwell.intervals import HOUR, MINUTE, SECOND, iso, parse_iso

START = parse_iso("2026-01-05T00:00Z")


def test_a_folder_holds_telemetry_truth_and_configuration(tmp_path: Path) -> None:
    summary = simulate(
        str(tmp_path / "out"),
        days=2.0,
        start="2026-01-05T00:00Z",
        seed=3,
        step="5m",
        faults=["unexpected_load:+6h:+12h:10", "water_leak:+1d:60"],
    )
    with gzip.open(tmp_path / "out" / "telemetry.csv.gz", "rt") as lines:
        rows = [line.rstrip("\n").split(",") for line in lines]
    truth = json.loads((tmp_path / "out" / "truth.json").read_text())
    meters = load(tmp_path / "out" / "wattwell.yaml").sites["sim"].meters
    assert rows[0] == ["time", *meters]
    assert len(rows) - 1 == summary["rows"] == 2 * 288 + 1
    assert (rows[1][0], rows[-1][0]) == ("2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z")
    main, ups = rows[0].index("main"), rows[0].index("ups-out")
    e_dc, e_it = (float(rows[-1][column]) - float(rows[1][column]) for column in (main, ups))
    assert e_dc / e_it == pytest.approx(truth["total"]["pue"], abs=1e-5)
    assert [fault["family"] for fault in truth["faults"]] == ["unexpected_load", "water_use"]
    assert truth["faults"][0]["excess_kwh"] == pytest.approx(60.0)
    assert truth["faults"][1]["excess_l"] == pytest.approx(24 * 60.0)
    assert truth["faults"][1]["end"] is None
    assert [day["start"] for day in truth["day"]] == ["2026-01-05T23:00:00Z"]
    assert summary["truth"] == truth["total"]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(str(tmp_path / name), days=0.25, start="2026-01-05", seed=8)
    for name in ("telemetry.csv.gz", "truth.json", "wattwell.yaml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert yaml.safe_load((tmp_path / "one" / "wattwell.yaml").read_text())["sites"][0]["id"] == "sim"


def test_by_default_a_folder_ends_at_the_last_full_hour(tmp_path: Path) -> None:
    edge = Edge(spec=SiteSpec(id="here"), now=lambda: START + 5 * HOUR + 7 * MINUTE)
    summary = simulate(str(tmp_path), days=0.5, step="1m", edge=edge)
    assert (summary["start"], summary["end"]) == (iso(START - 7 * HOUR), iso(START + 5 * HOUR))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"days": 0.0}, "0 days are 0 steps"),
        ({"days": float("nan")}, "nan days"),
        ({"days": None}, "give the number of days"),
        ({"step": "soon"}, "'soon' is not a duration"),
        ({"step": "2h"}, "choose 1 s to 1 h"),
        ({"start": "yesterday"}, "'yesterday' is not a time"),
        ({"start": "2026-01-05T00:00"}, "no UTC offset"),
        ({"speed": -1.0}, "speed -1"),
        ({"faults": ["gremlins:+1h:1"]}, "'gremlins' is not known"),
        ({"out": "http://host"}, "'http://host' is not understood; write mqtt://HOST:1883"),
        ({"out": "mqtt://host:port"}, "write mqtt://HOST:1883"),
    ],
)
def test_wrong_arguments_name_value_and_remedy(tmp_path: Path, arguments: dict[str, object], says: str) -> None:
    given = {"out": str(tmp_path / "never"), "days": 1.0, "start": "2026-01-05"} | arguments
    with pytest.raises(UsageError) as caught:
        simulate(**given)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert not (tmp_path / "never").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WattwellError, match="cannot be written"):
        simulate(str(tmp_path / "file"), days=0.01, start="2026-01-05")


@dataclass
class Fake:
    """A link, a clock and a sleeper in one: time passes only while it is slept."""

    seconds: float = 1000.0
    sent: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    stop_after: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def publish(self, topic: str, payload: bytes) -> None:
        self.sent.append((self.seconds, topic, json.loads(payload)))
        if len(self.sent) == self.stop_after:
            self.stop.set()

    def settle(self, at_most: int) -> None:
        self.settled.append(at_most)

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def send(fake: Fake, steps: int | None, speed: float, step_us: int = MINUTE) -> int:
    simulator = Simulator(SiteSpec(), seed=1, start_us=START, step_us=step_us)
    pace = Pace(speed, fake.clock, fake.sleep)
    return publish(simulator, fake, steps=steps, pace=pace, stop=fake.stop)


def test_messages_carry_one_time_for_all_meters_on_the_default_topic() -> None:
    fake = Fake()
    assert send(fake, 25, 0.0, 10 * SECOND) == 25
    telemetry, _ = Simulator(SiteSpec(), seed=1, start_us=START, step_us=10 * SECOND).advance(25)
    assert {topic for _, topic, _ in fake.sent} == {"wattwell/sim"}
    assert [document["time"] for _, _, document in fake.sent] == [iso(at) for at in telemetry.at.tolist()]
    for row, (_, _, document) in enumerate(fake.sent):
        assert document["values"] == {meter: column[row] for meter, column in telemetry.values.items()}
    assert fake.settled[-1] == 0


@pytest.mark.parametrize("speed", [1.0, 60.0, 0.5])
def test_rows_leave_when_their_time_comes(speed: float) -> None:
    fake = Fake()
    send(fake, 10, speed)
    left = np.array([seconds for seconds, _, _ in fake.sent])
    assert left - 1000.0 == pytest.approx(np.arange(10) * 60.0 / speed)


def test_stop_ends_an_endless_run_and_settles_it() -> None:
    fake = Fake(stop_after=150)
    assert send(fake, None, 1.0) == 150
    assert len(fake.sent) == 150
    assert fake.settled[-1] == 0


def test_stop_wakes_a_sleeping_run() -> None:
    fake = Fake()
    pace = Pace(1e-9, fake.clock, lambda _: fake.stop.set())
    simulator = Simulator(SiteSpec(), seed=1, start_us=START)
    assert publish(simulator, fake, steps=None, pace=pace, stop=fake.stop) == 1


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://127.0.0.1", Broker("127.0.0.1", 1883, tls=False)),
        ("mqtt://broker.example:1884/", Broker("broker.example", 1884, tls=False)),
        ("mqtts://broker.example", Broker("broker.example", 8883, tls=True)),
    ],
)
def test_broker_addresses(url: str, broker: Broker) -> None:
    assert parse_broker(url) == broker


def test_a_broker_address_may_carry_an_account_which_is_never_shown() -> None:
    broker = parse_broker("mqtts://me:p%40ss@broker.example")
    assert (broker.username, broker.password) == ("me", "p@ss")
    assert "p@ss" not in repr(broker)


def test_an_absent_broker_is_one_clear_error(unused_port: int) -> None:
    broker = Broker("127.0.0.1", unused_port, tls=False)
    with (
        pytest.raises(ServiceUnavailable, match=r"does not answer .*; start it or correct the address"),
        Connection(broker, client_id="test", timeout=2.0),
    ):
        pytest.fail("connected to nobody")


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
