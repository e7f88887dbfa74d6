"""Real servers for tests: started on a free port, waited for with a deadline, stopped by process id."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/bin", "/opt/homebrew/sbin")
"""Where packages put servers that a user's PATH does not show."""


def program(name: str) -> Path:
    """The path of a server; without it the test fails in CI (CI=true) and is skipped elsewhere."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(SYSTEM_FOLDERS))
    if found is None:
        reason = f"{name} is not installed; install it (Debian: apt-get install {name}) to run this test"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(found)


def free_port() -> int:
    """A TCP port on the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Polls until something holds; the test fails with ``what`` after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.01)


def answers(port: int) -> bool:
    """Whether something accepts connections on a local port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


@dataclass
class Server(ABC):
    """A server of one test: its files in ``folder``, what it says in ``folder/NAME.log``."""

    name: ClassVar[str]
    """Of the program."""
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, for one that speaks HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def arguments(self) -> Sequence[str | Path]:
        """What it is started with; writes its configuration, where it has one."""

    def start(self) -> None:
        """Starts the server and waits until it accepts connections."""
        where = self.folder / f"{self.name}.log"
        with where.open("ab") as log:
            self.process = subprocess.Popen([program(self.name), *self.arguments()], stdout=log, stderr=log)
        wait_until(lambda: answers(self.port), f"{self.name} answers on port {self.port}: {where}")

    def stop(self) -> None:
        """Ends the server as a service manager would."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """Ends the server as a power cut would: what it had not written to disk is gone."""
        self._end(subprocess.Popen.kill)

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self.process is not None:
            how(self.process)
            self.process.wait(timeout=30)
            self.process = None

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Started, and stopped at the end of the block."""
        program(self.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        try:
            yield self
        finally:
            self.stop()


@dataclass
class Mosquitto(Server):
    """A mosquitto broker of one test."""

    name = "mosquitto"
    lines: Sequence[str] = ("allow_anonymous true",)
    """Configuration below the listener."""

    def arguments(self) -> Sequence[str | Path]:
        """The broker's, with a configuration that keeps everything."""
        settings = self.folder / "mosquitto.conf"
        general = ["max_queued_messages 0", "set_tcp_nodelay true", f"listener {self.port} 127.0.0.1"]
        settings.write_text("\n".join([*general, *self.lines, ""]))
        return "-c", settings


def mosquitto(folder: Path, *lines: str) -> AbstractContextManager[Mosquitto]:
    """A running broker with these configuration lines; by default anybody may connect."""
    return (Mosquitto(folder, lines=lines) if lines else Mosquitto(folder)).running()


def certificates(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own making for 127.0.0.1, and its key."""
    openssl = program("openssl")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o644)
    return certificate, key


@dataclass
class VictoriaMetrics(Server):
    """A victoria-metrics server of one test, whose data outlive it."""

    name = "victoria-metrics"
    options: Sequence[str] = ("-dedup.minScrapeInterval=1ms", "-retentionPeriod=100y")

    def arguments(self) -> Sequence[str | Path]:
        """The server's, with little memory."""
        return (
            f"-storageDataPath={self.folder / 'victoria-metrics'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-memory.allowedBytes=64MB",
            *self.options,
        )


def victoria_metrics(folder: Path, *options: str) -> AbstractContextManager[VictoriaMetrics]:
    """A running victoria-metrics; by default it removes repeated samples."""
    return (VictoriaMetrics(folder, options=options) if options else VictoriaMetrics(folder)).running()


@dataclass
class Alertmanager(Server):
    """A Prometheus Alertmanager of one test. What it was told is gone when it stops, as with any Alertmanager."""

    name = "prometheus-alertmanager"
    webhook: str = ""
    """Where it tells, grouped by site; empty: nowhere."""
    interval: str = "1s"
    """How long it waits until it tells what is new of a group that it has told of."""

    def arguments(self) -> Sequence[str | Path]:
        """The server's, alone and with its configuration."""
        told = f'webhook_configs: [{{url: "{self.webhook}", send_resolved: true}}]' if self.webhook else ""
        settings = self.folder / "alertmanager.yml"
        settings.write_text(
            "route: {receiver: here, group_by: [site], group_wait: 500ms, "
            f"group_interval: {self.interval}, repeat_interval: 1h}}\n"
            f"receivers:\n  - name: here\n    {told}\n"
        )
        return (
            f"--config.file={settings}",
            f"--storage.path={self.folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        )

    def shown(self) -> list[dict[str, Any]]:
        """What ``amtool alert query`` shows: the alerts that are active."""
        command = [program("amtool"), "alert", "query", f"--alertmanager.url={self.url}", "--output=json"]
        asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        found: list[dict[str, Any]] = json.loads(asked.stdout)
        return found

    def names(self) -> list[tuple[str, str]]:
        """(site, alert) of what is active."""
        return sorted((each["labels"]["site"], each["labels"]["alertname"]) for each in self.shown())


def alertmanager(folder: Path, webhook: str = "", interval: str = "1s") -> AbstractContextManager[Alertmanager]:
    """A running Alertmanager that tells ``webhook`` half a second after the first alert of a site."""
    return Alertmanager(folder, webhook=webhook, interval=interval).running()
