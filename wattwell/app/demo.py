"""``wattwell demo``: a simulated site with history, then live, at sixty times real time until it has caught up.

Everything is the real thing but the site: an MQTT broker, messages on the default topics, the collector, the store,
the analysis, the alert, the findings and the page. Only the clock is the demo's own: it starts some hours ago and runs
fast, so that one can watch an inefficiency begin, an alert fire within a minute or two and findings say what is wrong
some minutes later.
"""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collector.backfill import backfill
from collector.simulate import Simulator, SiteSpec, demo_fault
from collector.simulate.files import TELEMETRY, configuration_document, write_folder
from collector.simulate.publish import Broker, Connection, Pace, publish
from wattwell.app.access import clock, open_engine
from wattwell.app.broker import EmbeddedBroker
from wattwell.app.service import Service, running
from wattwell.config import Config, parse
from wattwell.documents.words import money
from wattwell.errors import UsageError, WattwellError
from wattwell.intervals import DAY, HOUR, MINUTE, floor_to, iso
from wattwell.web.server import bind_tcp

SPEED = 60
_PATIENCE = 2.0
"""Seconds that the simulated site may take to leave its broker."""
_HISTORY = 60 * DAY
"""Findings need four weeks at least to learn from."""
_PAST = 5 * MINUTE
"""Step of the history."""
_LEAD = 8 * HOUR
"""How long ago the live part begins: time for findings, which take some hours of data."""
_HEALTHY = 25 * MINUTE
"""Simulated time until the fault begins: 25 seconds."""
RULE = {
    "name": "PueHigh",
    "kpi": "pue",
    "window": "1h",
    "above": 1.30,
    "clear": 1.27,
    "for": "10m",
    "keep_firing": "30m",
    "severity": "warning",
}


class DemoClock:
    """Microseconds UTC: from ``begin`` on, ``speed`` times as fast as real time, until it meets real time."""

    def __init__(self, begin: int, speed: int) -> None:
        self._begin = begin
        self.speed = speed
        self._started: float | None = None

    def start(self) -> None:
        """Lets time pass."""
        self._started = time.monotonic()

    def __call__(self) -> int:
        """Now."""
        if self._started is None:
            return self._begin
        passed = time.monotonic() - self._started
        return min(self._begin + round(passed * self.speed * 1e6), max(clock(), self._begin))


def demo(seconds: float | None, port: int, speed: int = SPEED) -> int:
    """Runs until Ctrl-C, SIGTERM or so many seconds after the site went live; returns the exit code.

    ``port`` is the page's, on loopback; where it is taken, or 0, a free one serves. ``speed`` is simulated seconds by
    second, above 1, until the site has caught up with real time.
    """
    stop = threading.Event()
    logging.getLogger("collector").setLevel(logging.WARNING)  # that it has found its broker is no news here
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="wattwell-demo-") as folder, _broker() as broker:
        _say("Simulating two months of history for a data centre of 500 kW IT ...")
        begin = floor_to(clock() - _LEAD, HOUR)
        history = Simulator(SiteSpec(), seed=1, start_us=begin - _HISTORY, step_us=_PAST)
        config = _config(history.spec, Path(folder), broker.port, _free_port(port))
        _fill(config, history, Path(folder), begin, stop)
        simulator = history.onwards(MINUTE)
        simulator.advance(1)  # the history's last row stands there already
        simulator.inject(*demo_fault(simulator.spec, begin + _HEALTHY))
        if not stop.is_set():
            _live(config, simulator, broker.port, DemoClock(begin, speed), stop, seconds)
    _say("Stopped; nothing is left behind.")
    return 0


@contextmanager
def _broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        try:
            with bind_tcp("127.0.0.1", port) as listener:
                return int(listener.getsockname()[1])
        except UsageError:
            _say(f"Port {wanted} is taken; another one is used.")
    raise WattwellError("no free port on 127.0.0.1; stop a service that uses one")


def _config(spec: SiteSpec, folder: Path, broker: int, port: int) -> Config:
    document: dict[str, Any] = configuration_document(spec, MINUTE)
    document["grid"] = "5m"
    document["mqtt"] |= {"url": f"mqtt://127.0.0.1:{broker}", "version": "3.1.1"}
    document["http"] = {"listen": f"127.0.0.1:{port}"}
    document["alerts"] = [RULE]
    return parse(document, folder)


def _fill(config: Config, simulator: Simulator, folder: Path, begin: int, stop: threading.Event) -> None:
    """Back-fills the history as a user would: from a file."""
    write_folder(folder, simulator, _HISTORY // _PAST)
    if stop.is_set():
        return
    with open_engine(config, lambda: begin, detect=True) as engine:
        backfill([folder / TELEMETRY], simulator.spec.id, config, engine.store.commit, begin)
        engine.refresh()


def _explain(url: str, broker: int, speed: int) -> None:
    _say(
        f"""
The site is live, {speed} times as fast as real time.

  Page     {url}/?window=1h&range=6h
  Metrics  {url}/metrics
  API      {url}/docs
  Broker   mqtt://127.0.0.1:{broker} (listen in: mosquitto_sub -h 127.0.0.1 -p {broker} -t 'wattwell/#')

What to look at: PUE stands near 1.24. In half a minute the outdoor-air damper sticks, the chiller fouls and a heater
is left on: the power chart steps up, the PUE of the last hour climbs, and the alert PueHigh fires above 1.30. Some
minutes later the findings say where it goes, what it costs and what to do. The page counts ages by real time: what is
shown was some hours ago, until the demo has caught up.
Ctrl-C ends the demo.
"""
    )


def _live(
    config: Config,
    simulator: Simulator,
    broker: int,
    now: DemoClock,
    stop: threading.Event,
    seconds: float | None,
) -> None:
    """The service and the site that reports to it, until it is time to stop."""
    with running(config, now=now) as service:
        now.start()
        _explain(service.server.url, broker, now.speed)
        site = (simulator, broker, now.speed, stop)
        publisher = threading.Thread(target=_publish, args=site, name="demo-site", daemon=True)
        publisher.start()
        _watch(service, stop, seconds)
        publisher.join(_PATIENCE)


def _watch(service: Service, stop: threading.Event, seconds: float | None) -> None:
    """Tells of the alert and of findings until it is time to stop."""
    deadline = None if seconds is None else time.monotonic() + seconds
    told, known = "", set[str]()
    while not stop.is_set() and (deadline is None or time.monotonic() < deadline):
        told = _tell(service, told)
        known |= _tell_findings(service, known)
        stop.wait(1.0)
    stop.set()


def _publish(simulator: Simulator, port: int, speed: int, stop: threading.Event) -> None:
    link = Connection(Broker("127.0.0.1", port, tls=False), client_id="demo-site", version="3.1.1")
    catching_up = (clock() - simulator.now) // MINUTE * speed // (speed - 1)
    try:
        with link:
            fast = Pace(speed, time.monotonic, stop.wait)
            publish(simulator, link, steps=catching_up, pace=fast, stop=stop)
            publish(simulator, link, steps=None, pace=Pace(1, time.monotonic, stop.wait), stop=stop)
    except WattwellError as error:
        if not stop.is_set():
            _say(f"The simulated site lost its broker: {error}")


def _tell(service: Service, told: str) -> str:
    """Says when the alert changes its state, and by which value."""
    alert = service.alerts()[0]
    if alert["state"] != told:
        value = "no value" if alert["value"] is None else f"{alert['value']:.3f}"
        _say(f"{iso(service.now())}  {alert['name']} is {alert['state']}: PUE of the last hour {value}")
    return str(alert["state"])


def _tell_findings(service: Service, known: set[str]) -> set[str]:
    """Says what has been found since the last time; returns the ids."""
    new = [each for each in service.findings() if each["id"] not in known]
    for each in new:
        _say(f"{each['detected_at']}  Found: {each['title']} ({money(each['cost'])} so far)")
    return {each["id"] for each in new}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
