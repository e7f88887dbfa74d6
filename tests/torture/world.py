"""What the torture test starts, kills and stops: the broker, the service, and the remote store."""

from __future__ import annotations

import getpass
import random
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.servers import Mosquitto, VictoriaMetrics, free_port, wait_until
from tests.torture.stream import SITE

PROGRAM = (sys.executable, "-c", "import sys; from wattwell.cli import main; sys.exit(main())")
"""The command line, as a process of its own."""
_PERSISTENT = ("allow_anonymous true", "persistence true", "autosave_interval 5", f"user {getpass.getuser()}")
"""A mosquitto that root starts would otherwise change to a user who may not write here."""


def configure(folder: Path, broker: int, http: int, store: str) -> Path:
    """Writes the configuration of a site with three registers."""
    register = {"quantity": "energy", "accumulation": "register", "unit": "Wh", "max_rate": 4000, "period": "1s"}
    roles = {"grid": "utility_import", "it-a": "it_ups", "it-b": "it_ups"}
    meters = [
        {"id": name, "role": role, **register, "source": {"topic": f"plant/{name}", "time_unit": "ms"}}
        for name, role in roles.items()
    ]
    document: dict[str, Any] = {
        "store": {"url": store},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker}", "client_id": "torture"},
        "http": {"listen": f"127.0.0.1:{http}"},
        "sites": [{"id": SITE, "timezone": "UTC", "pue_category": 1, "meters": meters}],
        "alerts": [],
    }
    path = folder / "wattwell.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@dataclass
class World:
    """One broker, one service, and where the readings go to."""

    folder: Path
    draw: random.Random
    remote: VictoriaMetrics | None
    """None: the embedded store alone."""
    http_port: int = field(default_factory=free_port)
    counts: dict[str, int] = field(default_factory=dict)
    away: list[float] = field(default_factory=list)
    """Seconds of each stretch in which the remote store was away."""
    _service: subprocess.Popen[bytes] | None = None
    _away_since: float | None = None

    def __post_init__(self) -> None:
        self.broker = Mosquitto(self.folder, lines=(*_PERSISTENT, f"persistence_location {self.folder}/"))
        url = "duckdb:store.duckdb" if self.remote is None else f"victoriametrics://127.0.0.1:{self.remote.port}"
        self.configuration = configure(self.folder, self.broker.port, self.http_port, url)
        self.file = self.folder / ("store.duckdb" if self.remote is None else "wattwell.spool.duckdb")

    def count(self, what: str) -> None:
        """One more of something that is reported."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # -- the service ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the service; returns at once."""
        with (self.folder / "wattwell.log").open("ab") as log:
            self._service = subprocess.Popen([*PROGRAM, "run", str(self.configuration)], stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL to the service wherever it is."""
        service = self._service
        assert service is not None
        if service.poll() is not None:
            raise AssertionError(f"the service ended by itself: {self.folder}/wattwell.log")
        self.count("kills_of_a_ready_service" if self.ready(timeout=0.2) else "kills_while_starting_or_not_ready")
        service.kill()
        service.wait(30)

    def stop(self) -> None:
        """Ends the service as a service manager would."""
        if self._service is not None:
            self._service.terminate()
            code = self._service.wait(60)
            self._service = None
            if code != 0:
                raise AssertionError(f"the service ended with {code}: {self.folder}/wattwell.log")

    def ready(self, timeout: float = 2.0) -> bool:
        """Whether the service says that it does its work."""
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.http_port}/readyz", timeout=timeout).status_code == httpx.codes.OK
        return False

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name and labels; empty while nobody answers."""
        with suppress(httpx.TransportError):
            lines = httpx.get(f"http://127.0.0.1:{self.http_port}/metrics", timeout=10).text.splitlines()
            pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
            return {name: float(value) for name, value in pairs}
        return {}

    # -- what else goes wrong ---------------------------------------------------------------------------------

    def trouble(self, share: float) -> None:
        """Now and then the broker restarts; the remote store goes away, or comes back, at a share of the test.

        For the middle half of the test it is away without a break.
        """
        if self.draw.random() < 0.2:
            self.broker.stop()
            self.broker.start()
            self.count("broker_restarts")
        if self.remote is None:
            return
        long = 0.25 <= share < 0.75
        if self._away_since is not None and not long and self.draw.random() < 0.25:
            self.back()
        elif self._away_since is None and (long or self.draw.random() < 0.35):
            self._away_since = time.monotonic()
            if self.draw.random() < 0.5:
                self.remote.kill()
                self.count("remote_store_killed")
            else:
                self.remote.stop()
                self.count("remote_store_stopped")

    def back(self) -> None:
        """The remote store is there again."""
        if self.remote is not None and self._away_since is not None:
            self.away.append(time.monotonic() - self._away_since)
            self._away_since = None
            self.remote.start()

    def drained(self, last: float) -> bool:
        """Whether every meter has its last reading (seconds since the epoch) and nothing waits to be forwarded."""
        now = self.metrics()
        seen = [value for name, value in now.items() if name.startswith("wattwell_meter_last_reading")]
        return len(seen) == 3 and min(seen) >= last and now.get("wattwell_spool_readings") == 0

    def wait_ready(self) -> None:
        """Until the service does its work."""
        wait_until(self.ready, f"the service is ready: {self.folder}/wattwell.log", 60)
