"""From the demo to Prometheus and Alertmanager with the files of deploy/, but for the ports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.test_demo import Demo
from tests.servers import answers, free_port, program, wait_until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@contextmanager
def started(port: int, log: Path, name: str, *arguments: str) -> Iterator[str]:
    """A server until the end of the block; gives its address."""
    with log.open("wb") as out:
        process = subprocess.Popen([program(name), *arguments], stdout=out, stderr=out)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, f"{name} answers: {log}")
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def alertmanager(folder: Path) -> tuple[int, tuple[str, ...]]:
    """The port and the arguments of an Alertmanager with the shipped configuration."""
    port = free_port()
    return port, (
        f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )


def shown(url: str, *options: str) -> list[dict[str, Any]]:
    """What ``amtool alert query`` shows."""
    command = [program("amtool"), "alert", "query", f"--alertmanager.url={url}", "--output=json", *options]
    found: list[dict[str, Any]] = json.loads(
        subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    )
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ww-") as name:
        yield Path(name)


@pytest.mark.slow
def test_the_demo_s_alert_is_seen_in_prometheus_and_in_alertmanager(folder: Path) -> None:
    shutil.copytree(DEPLOY / "prometheus", folder / "prometheus")
    with ExitStack() as stack:
        demo = Demo(folder / "demo")
        stack.callback(demo.close)
        port, arguments = alertmanager(folder)
        keeper = stack.enter_context(started(port, folder / "alertmanager.log", "prometheus-alertmanager", *arguments))
        settings = folder / "prometheus" / "demo.yml"
        text = settings.read_text(encoding="utf-8")
        for shipped, here in {
            "127.0.0.1:8080": re.sub("^http://", "", demo.url()),
            "127.0.0.1:9093": f"127.0.0.1:{port}",
        }.items():
            assert text.count(shipped) == 1
            text = text.replace(shipped, here)
        settings.write_text(text, encoding="utf-8")
        port = free_port()
        asked = stack.enter_context(
            started(
                port,
                folder / "prometheus.log",
                "prometheus",
                f"--config.file={settings}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            )
        )

        def firing() -> list[dict[str, str]]:
            alerts = httpx.get(f"{asked}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
            return [each["labels"] for each in alerts if each["state"] == "firing"]

        labels = {"alertname": "PueHigh", "kpi": "pue", "severity": "warning", "site": "sim", "window": "1h"}
        wait_until(lambda: labels in firing(), "the alert fires in Prometheus", 60)
        wait_until(lambda: labels in [each["labels"] for each in shown(keeper)], "Alertmanager holds it", 30)


def test_a_data_alert_mutes_what_is_said_of_its_site_s_figure(folder: Path) -> None:
    """Inhibition as shipped: by site and KPI, and never the data alert itself."""

    def labels(name: str, site: str, **more: str) -> dict[str, str]:
        return {"alertname": name, "site": site, "severity": "warning", **more}

    pue = {"kpi": "pue", "window": "24h"}
    told = [
        labels("PueHigh", "north", **pue),
        labels("PueHighNoData", "north", **pue),
        labels("WueHigh", "north", kpi="wue", window="24h"),
        labels("MeterStale", "north", meter="it"),
        labels("PueHigh", "south", **pue),
        labels("CoverageLow", "west", **pue),
        labels("PueHighNoData", "west", **pue),
        labels("PueHigh", "west", **pue),
    ]
    port, arguments = alertmanager(folder)
    with started(port, folder / "alertmanager.log", "prometheus-alertmanager", *arguments) as keeper:
        wait_until(lambda: httpx.get(f"{keeper}/-/ready", timeout=5).status_code == 200, "Alertmanager is ready")
        httpx.post(f"{keeper}/api/v2/alerts", json=[{"labels": each} for each in told], timeout=10).raise_for_status()
        wait_until(
            lambda: len(shown(keeper, "--inhibited")) + len(shown(keeper, "--active")) >= len(told), "it knows all"
        )
        muted = {(each["labels"]["site"], each["labels"]["alertname"]) for each in shown(keeper, "--inhibited")}
    assert muted == {("north", "PueHigh"), ("west", "PueHighNoData"), ("west", "PueHigh")}
