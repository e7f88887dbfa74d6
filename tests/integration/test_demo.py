"""The demo as a stranger sees it: one command, a page, an alert that fires, and a clean end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import wait_until

SPEED = 240
"""Simulated seconds by second: the alert fires some 12 s after the start instead of 47 s."""
PROMPT = 10
"""Seconds in which a demo ends even on a busy machine; it takes less than one on a quiet one."""
DEMO = "import sys; from wattwell.app.demo import demo; sys.exit(demo({seconds}, {port}, speed={speed}))"


class Demo:
    """A demo in a process and a temporary folder of its own."""

    def __init__(self, folder: Path, *, seconds: float | None = None, port: int = 0, speed: int = SPEED) -> None:
        folder.mkdir()
        self.folder = folder
        self.log = folder.with_suffix(".log")
        code = DEMO.format(seconds=seconds, port=port, speed=speed)
        self.out = self.log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code],
            stdout=self.out,
            stderr=self.out,
            env={**os.environ, "TMPDIR": str(folder)},
        )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def url(self) -> str:
        wait_until(
            lambda: "Ctrl-C ends the demo" in self.said or self.process.poll() is not None, "the site is live", 40
        )
        found = re.search(r"Page +(http://\S+)/\?window=1h&range=6h$", self.said, re.MULTILINE)
        assert found is not None, self.said
        return found[1]

    def leave(self, how: signal.Signals = signal.SIGINT) -> float:
        """Ends the demo; returns how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(20)
        return time.monotonic() - began

    def assert_left_clean(self) -> None:
        assert self.process.returncode == 0, self.said
        assert list(self.folder.iterdir()) == []
        assert self.said.endswith("Stopped; nothing is left behind.\n")
        assert not re.search(r"Traceback|WARNING|ERROR|Warning:|Exception", self.said), self.said

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.out.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the control socket's path is bounded."""
    with tempfile.TemporaryDirectory(prefix="ww-") as name:
        yield Path(name)


@pytest.fixture
def demo(folder: Path) -> Iterator[Demo]:
    made = Demo(folder / "demo")
    yield made
    made.close()


def metrics(url: str) -> dict[str, float]:
    lines = [line for line in httpx.get(f"{url}/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def state(url: str) -> str:
    alerts = httpx.get(f"{url}/api/v1/alerts").json()
    return str(alerts[0]["state"])


def rendered(url: str, home: Path) -> str:
    """The page's document after its scripts ran in Chromium; skipped or failed where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        assert os.environ.get("CI", "").lower() != "true", "chromium is missing; install the package chromium"
        pytest.skip("chromium is not installed (Debian package chromium); all but the page was checked")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command = [browser, *flags, "--virtual-time-budget=4000", f"--user-data-dir={home}/profile", "--dump-dom", url]
    env = {**os.environ, "HOME": str(home)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env).stdout


def test_the_alert_fires_and_everything_shows_it(demo: Demo, tmp_path: Path) -> None:
    url = demo.url()
    wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "the first figures are there")
    assert 1.1 < metrics(url)['wattwell_site_pue_ratio{category="1",site="sim",window="24h"}'] < 1.3
    seen = [state(url)]

    def fires() -> bool:
        if (now := state(url)) != seen[-1]:
            seen.append(now)
        return now == "firing"

    wait_until(fires, "the alert fires", 40)
    assert seen == ["inactive", "pending", "firing"]
    found = metrics(url)
    assert found['wattwell_site_pue_ratio{category="1",site="sim",window="1h"}'] > 1.3
    assert found['wattwell_alerts{name="PueHigh",site="sim",state="firing"}'] == 1
    assert 0 < found['wattwell_site_renewable_energy_factor_ratio{site="sim",window="24h"}'] < 1
    assert 0 < found['wattwell_site_wue_litres_per_kilowatt_hour{site="sim",window="24h"}'] < 5
    assert found['wattwell_kpi_coverage_ratio{kpi="pue",site="sim",window="24h"}'] > 0.99
    assert sum(value for name, value in found.items() if name.startswith("wattwell_readings_rejected")) == 0
    page = httpx.get(f"{url}/")
    assert page.status_code == 200
    wait_until(lambda: "PueHigh is firing" in demo.said, "the demo says so")
    document = rendered(f"{url}/", tmp_path)
    banner = re.search(r'<div id="firing"([^>]*)>([^<]*)<', document)
    assert banner is not None
    assert "hidden" not in banner[1]
    assert banner[2].startswith("Firing: PueHigh since")
    assert demo.leave() < PROMPT
    demo.assert_left_clean()


def test_it_ends_by_itself_and_moves_off_a_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = Demo(folder / "demo", seconds=1.5, port=port)
        try:
            url = demo.url()
            assert f"Port {port} is taken" in demo.said
            assert not url.endswith(f":{port}")
            demo.process.wait(20)
            demo.assert_left_clean()
        finally:
            demo.close()


def test_two_run_side_by_side_and_end_when_told_even_at_once(folder: Path) -> None:
    one, other = Demo(folder / "one"), Demo(folder / "other")
    try:
        assert one.url() != other.url()
        assert other.leave(signal.SIGTERM) < PROMPT
        other.assert_left_clean()
        answer = httpx.get(f"{one.url()}/healthz")
        assert answer.status_code == 200, answer.text
        assert one.leave() < PROMPT
        one.assert_left_clean()
    finally:
        one.close()
        other.close()


def test_it_can_be_stopped_while_it_is_still_simulating(folder: Path) -> None:
    demo = Demo(folder / "demo")
    try:
        wait_until(lambda: "Simulating" in demo.said, "it has begun")
        assert demo.leave() < PROMPT
        demo.assert_left_clean()
        assert "Page" not in demo.said
    finally:
        demo.close()
