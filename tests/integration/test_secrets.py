"""No password, token or secret address leaves the files it stands in: with everything failing, and all logs on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from alerts.notify import notifier_id
from alerts.outbox import DOCUMENT, Outbox, enqueue, retarget, write
from tests.commands import CONFIG, _env, called
from tests.servers import Mosquitto, answers, free_port, mosquitto, program, wait_until
from tests.telling import Receiver, note, receiver
from wattwell.app.access import clock
from wattwell.store.duckdb import DuckdbStore

LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s", stream=sys.stderr)
from wattwell.cli import main
raise SystemExit(main())
"""
SECRETS = {
    "mqtt.password": "Kq7-mqtt-pass",
    "http.token": "# of the page\nboards: Kq7-http-one\nKq7-http-two",
    "store.token": "Kq7-store-token",
    "hook.token": "Kq7-hook-token",
    "manager.token": "Kq7-manager-token",
}
"""By file, each beginning like no other text does."""
MARK = "Kq7"
HTML = {"Accept": "text/html"}


@dataclass
class Installation:
    """A folder with a configuration whose every secret is marked, and what was said about it."""

    folder: Path
    broker: Mosquitto
    hook: Receiver
    port: int = field(default_factory=free_port)
    said: dict[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Configuration and secrets; every notifier fails, the remote store is away."""
        away = free_port()
        addresses = {
            "json": f"json://Kq7-user:Kq7-url-pass@127.0.0.1:{self.hook.port}/Kq7-path?key=Kq7-query",
            "apprise": f"gotify://127.0.0.1:{self.hook.port}/Kq7-apprise",
            "mail": f"mailto://Kq7-mail:Kq7-mail-pass@127.0.0.1:{away}?to=a@example.org&from=b@example.org&mode=insecure",
        }
        for name, text in SECRETS.items() | {(f"{name}.url", url) for name, url in addresses.items()}:
            (self.folder / name).write_text(f"{text}\n")
        notify = [f"{{url_file: {name}.url}}" for name in addresses] + [
            f'{{url: "webhook+http://127.0.0.1:{self.hook.port}/hook", token_file: hook.token}}',
            f'{{url: "alertmanager://127.0.0.1:{away}", token_file: manager.token}}',
        ]
        text = re.sub(r"^store: .*$", "", CONFIG, flags=re.MULTILINE)
        text = text.replace('"127.0.0.1:8080"', f'"127.0.0.1:{self.port}", token_file: http.token')
        text += (
            f'store: {{url: "victoriametrics://127.0.0.1:{away}", token_file: store.token}}\n'
            f'mqtt: {{url: "mqtt://127.0.0.1:{self.broker.port}", username: wattwell, password_file: mqtt.password}}\n'
            f"notify: [{', '.join(notify)}]\n"
        )
        (self.folder / "w.yaml").write_text(text)
        urls = [
            *addresses.values(),
            f"webhook+http://127.0.0.1:{self.hook.port}/hook",
            f"alertmanager://127.0.0.1:{away}",
        ]
        waiting = enqueue(retarget(Outbox(), [notifier_id(url) for url in urls])[0], [note("One", clock())])
        with closing(DuckdbStore.open(self.folder / "wattwell.spool.duckdb", clock)) as store:
            store.save_states({DOCUMENT: write(waiting)})

    @contextmanager
    def running(self) -> Iterator[None]:
        """`wattwell run` with every logger on; what it says is kept."""
        log = self.folder / "service.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", LOUD, "run", "w.yaml"], cwd=self.folder, env=_env(), stderr=file, stdout=file
            )
        try:
            wait_until(lambda: answers(self.port) or process.poll() is not None, "the service answers")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)
            self.said["log"] = self.said.get("log", "") + log.read_text()

    def get(self, path: str, **named: object) -> httpx.Response:
        """A page; what it and its headers say is kept."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30, **named)  # type: ignore[arg-type]
        self.said[f"GET {path} {named}".replace(MARK, "")] = f"{answer.headers} {answer.text}"
        return answer

    def call(self, *arguments: str) -> None:
        """A command; what it says is kept."""
        result = called(*arguments, folder=self.folder)
        self.said[" ".join(arguments)] = result.out + result.err
        assert result.out + result.err


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("secrets")
    passwords = folder / "passwords"
    tool, right = program("mosquitto_passwd"), SECRETS["mqtt.password"]
    subprocess.run([tool, "-b", "-c", passwords, "wattwell", right], check=True, capture_output=True)
    passwords.chmod(0o644)
    lines = ("allow_anonymous false", f"password_file {passwords}", "user root")
    with mosquitto(folder / "broker", *lines) as broker, receiver() as hook:
        (folder / "home").mkdir()
        hook.answers.extend([(500, {}), (401, {})] * 500)
        made = Installation(folder / "home", broker, hook)
        made.write()
        visit(made)
        yield made


def visit(made: Installation) -> None:
    """Everything that says something, while all goes wrong that can."""
    bearer = {"Authorization": "Bearer Kq7-http-one"}
    with made.running():
        wait_until(lambda: len(made.hook.seen) >= 3, "those that are told are asked", 60)
        wait_until(lambda: made.get("/readyz", headers=bearer).status_code == 200, "ready", 60)
        for path in (
            "/",
            "/metrics",
            "/openapi.json",
            "/docs",
            "/api/v1/sites",
            "/api/v1/alerts",
            "/sites/north/ledger",
        ):
            assert made.get(path, headers=bearer | HTML).status_code == 200
        for path in ("/nothing", "/api/v1/kpi?site=nowhere", "/api/v1/kpi?window=x", "/sites/nowhere"):
            assert made.get(path, headers=bearer | HTML).status_code in (400, 404)
        for wrong in ({}, {"Authorization": "Bearer Kq7-http-on"}, {"Authorization": "Basic S3E3"}):
            assert made.get("/", headers=wrong).status_code == 401
        assert made.get("/?token=Kq7-http-two").status_code == 303
        for command in ("doctor", "alerts", "findings", "unmapped"):
            made.call(command, "w.yaml", "--json")
        made.call("audit", "show", "w.yaml", "--json")
        made.call("resend", "w.yaml")
    (made.folder / "mqtt.password").write_text("Kq7-wrong\n")
    with made.running():
        wait_until(
            lambda: "refused the connection" in made.get("/readyz", headers=bearer).text, "the broker refuses", 30
        )
    for command in (("doctor", "w.yaml", "--json"), ("check", "w.yaml", "--json"), ("check", "w.yaml")):
        made.call(*command)
    text = (made.folder / "w.yaml").read_text()
    (made.folder / "bad.yaml").write_text(
        text.replace("mqtt://", "mqtt://Kq7-u:Kq7-p@").replace("victoriametrics://", "victoriametrics://Kq7-u:Kq7-p@")
        + "reports: {password: Kq7-x, token: Kq7-y}\n"
    )
    made.call("check", "bad.yaml", "--json")
    (made.folder / "bad.yaml").unlink()


def test_the_secrets_were_used(installation: Installation) -> None:
    """What is not used cannot leak: they went where they belong."""
    told = json.dumps([(path, dict(headers)) for path, headers, _ in installation.hook.seen])
    for sent in ("Kq7-path", "Kq7-query", "Kq7-apprise", "Kq7-hook-token", "Basic "):
        assert sent in told
    log = installation.said["log"]
    for part in ("alertmanager", "127.0.0.1", "asyncio", "HTTP token 'boards' is used", "HTTP token 'token 2' is used"):
        assert part in log
    assert "refused the connection" in log


def test_nothing_that_is_said_holds_one(installation: Installation) -> None:
    assert len(installation.said) >= 20
    leaks = {
        where: [line[max(line.index(MARK) - 80, 0) :][:160] for line in text.splitlines() if MARK in line]
        for where, text in installation.said.items()
        if MARK in text and not where.startswith("GET /?token")
    }
    # The user name of a URL is shown as it was written; its password is not.
    leaks = {
        where: [line for line in lines if MARK in line.replace("//Kq7-u:***@", "")] for where, lines in leaks.items()
    }
    assert {where: lines for where, lines in leaks.items() if lines} == {}


def test_the_answer_to_a_token_in_the_address_holds_none(installation: Installation) -> None:
    (answer,) = [text for where, text in installation.said.items() if where.startswith("GET /?token")]
    assert MARK not in answer
    assert "wattwell_session=" in answer


def test_no_file_that_was_made_holds_one(installation: Installation) -> None:
    """Not the store, nor its log, nor the socket's folder."""
    written = set(SECRETS) | {"json.url", "apprise.url", "mail.url"}
    made = [path for path in installation.folder.rglob("*") if path.is_file() and path.name not in written]
    assert {"service.log", "wattwell.spool.duckdb"} <= {path.name for path in made}
    assert [path.name for path in made if MARK.encode() in path.read_bytes()] == []
