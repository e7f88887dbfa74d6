"""What Prometheus would have scraped: two simulated sites through the real service, minute by minute in data time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from alerts.notify import notifier_id
from collector.backfill import backfill
from collector.dialects.base import Message
from collector.simulate import Simulator, SiteSpec, demo_fault, site_document
from collector.simulate.files import TELEMETRY, write_folder
from tests.finding import Scripted, a_finding
from tests.running import Listener
from tests.servers import VictoriaMetrics, answers, free_port, program, wait_until
from tests.support import T0
from wattwell.app.access import open_engine
from wattwell.app.service import Service
from wattwell.config import Config, parse
from wattwell.engine.queries import Document
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, iso, parse_iso
from wattwell.web.metrics import Exporter

START = parse_iso("2025-01-01T00:00:00Z")
HISTORY = 190 * DAY
"""More than half a year, so that the window of 365 days has a value."""
LIVE = 6 * HOUR
STEP = HOUR
SCRAPE = 2 * MINUTE
SITES = ("north", "south")
URL = "alertmanager://127.0.0.1:9"
"""Who is told, by name only: nobody is asked there."""
WINDOWS = ("1h", "24h", "7d", "30d", "365d")
SILENT = "taps"
"""A meter that falls silent at the southern site."""
GLITCH = "tower"
"""A register that shows zero once at the northern site: a transient."""


@dataclass
class Scraped:
    """Texts of /metrics by the time of the scrape, microseconds UTC."""

    texts: list[tuple[int, str]] = field(default_factory=list)
    kpis: list[Document] = field(default_factory=list)
    """What the page and the commands answer at the last scrape, by rolling window."""

    @property
    def span(self) -> tuple[float, float]:
        """First and last scrape, seconds."""
        return self.texts[0][0] / SECOND, self.texts[-1][0] / SECOND

    def into(self, server: VictoriaMetrics) -> None:
        """Imports every scrape as it is, at its time."""
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for at, text in self.texts:
                where = f"/api/v1/import/prometheus?timestamp={at // 1000}"
                client.post(where, content=text).raise_for_status()
            client.get("/internal/force_flush").raise_for_status()

    def openmetrics(self) -> Iterator[str]:
        """Lines of one OpenMetrics file: family by family, with times."""
        series: dict[str, tuple[str, dict[str, list[str]]]] = {}
        for at, text in self.texts:
            for family in text_string_to_metric_families(text):
                _, lines = series.setdefault(family.name, (family.type, {}))
                for sample in family.samples:
                    labels = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(sample.labels.items()))
                    name = f"{sample.name}{{{labels}}}"
                    lines.setdefault(name, []).append(f"{name} {sample.value!r} {at / SECOND}")
        for name, (kind, lines) in series.items():
            yield f"# TYPE {name} {kind}"
            for each in lines.values():
                yield from each
        yield "# EOF"


def simulated(folder: Path) -> Scraped:
    """Half a year of history from files, then some hours of messages.

    A fault begins at the northern site, something is found there, and a dial of it shows a wrong zero once; at the
    southern one a meter falls silent and another never speaks; some messages are no readings.
    """
    specs = [SiteSpec(id=site, timezone=zone) for site, zone in zip(SITES, ("UTC", "Asia/Shanghai"), strict=True)]
    simulators = [Simulator(spec, seed=at + 1, start_us=START, step_us=STEP) for at, spec in enumerate(specs)]
    config = _config(specs, folder)
    begin = START + HISTORY
    now = begin
    opens, closes = ((begin + hours * HOUR - T0) / HOUR for hours in (2, 99))
    detector = Scripted(site=SITES[0], opens=opens, closes=closes, finding=a_finding(start=begin))
    with open_engine(config, lambda: now, {notifier_id(URL): Listener()}, detector) as engine:
        for simulator in simulators:
            write_folder(folder / simulator.spec.id, simulator, HISTORY // STEP)
            backfill([folder / simulator.spec.id / TELEMETRY], simulator.spec.id, config, engine.store.commit, now)
        service = Service(config, engine, (), lambda: now)
        service._show()
        simulators[0].inject(*demo_fault(specs[0], begin))
        exporter, scraped = Exporter(service.snapshot), Scraped()
        for now in range(begin, begin + LIVE + 1, SCRAPE):
            if (now - begin) % STEP == 0:
                messages = [m for simulator in simulators for m in _messages(simulator, now)]
                assert service._ingestor.ingest(messages, lambda _: True)
                service._show()
            scraped.texts.append((now, exporter.render().decode()))
        scraped.kpis = [value for site in SITES for window in WINDOWS for value in engine.kpi(site, window=window)]
    return scraped


def _config(specs: Sequence[SiteSpec], folder: Path) -> Config:
    sites = [site_document(spec, "60m") for spec in specs]
    sites[1]["meters"].append({"id": "spare", "quantity": "energy", "accumulation": "delta", "max_rate": 10})
    rule = {"name": "PueHigh", "kpi": "pue", "window": "1h", "above": 1.3, "clear": 1.27, "for": "1h"}
    return parse({"grid": "60m", "sites": sites, "alerts": [rule], "notify": [{"url": URL}]}, folder)


def _messages(simulator: Simulator, now: int) -> Iterator[Message]:
    site = simulator.spec.id
    telemetry, _ = simulator.advance(1)
    values = {name: float(column[0]) for name, column in telemetry.values.items()}
    if site == "south":
        del values[SILENT]
    elif now == START + HISTORY + 2 * STEP:
        values[GLITCH] = 0.0
    document = {"time": iso(int(telemetry.at[0])), "values": values}
    payloads = {site: json.dumps(document), f"{site}/ups-out": '"broken"', f"{site}/nobody": "1"}
    for topic, payload in payloads.items():
        yield Message(f"wattwell/{topic}", payload.encode(), retained=False, received_at=now)


@contextmanager
def prometheus(folder: Path, scraped: Scraped) -> Iterator[str]:
    """A real Prometheus that holds what was scraped; its address."""
    (folder / "scraped.om").write_text("\n".join(scraped.openmetrics()) + "\n", encoding="utf-8")
    make = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "scraped.om", folder / "data"]
    subprocess.run(make, check=True, capture_output=True, timeout=120)
    (folder / "prometheus.yml").write_text("global: {}\n", encoding="utf-8")
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(port) and httpx.get(f"{url}/-/ready").status_code == 200, "prometheus is ready")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
