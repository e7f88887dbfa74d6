"""The gate before the HTTP face: rates, sizes, methods, names, several tokens; and connections that do not get on."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import STEP
from tests.servers import free_port, wait_until
from tests.unit.test_web_fake import FakeQueries
from wattwell.app.service import running
from wattwell.config import parse
from wattwell.engine.queries import Document
from wattwell.errors import ConfigError
from wattwell.web import security, server, turns
from wattwell.web.api import create_app
from wattwell.web.rates import BURST, Rates
from wattwell.web.server import Server

ELSEWHERE = ("192.0.2.7", 40000)
PUBLIC = "https://watch.example/dc"
METERS = [{"id": "grid", "role": "utility_import", **STEP}, {"id": "it", "role": "it_ups", **STEP}]
SITE = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": METERS}


class World:
    """The application without a server: requests come from whatever address a test says."""

    def __init__(self, **named: Any) -> None:
        self.now = 1000.0
        self.fake = FakeQueries()
        rates = Rates(named.pop("rate", 50.0), lambda: self.now)
        token = named.pop("token", None)
        self.app = create_app(self.fake, token=token, ready=lambda: (True, ""), rates=rates, **named)

    def ask(
        self, path: str, *, method: str = "GET", client: tuple[str, int] = ELSEWHERE, host: str = "[::1]", **named: Any
    ) -> httpx.Response:
        """One request."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, client=client)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as asking:
                return await asking.request(method, path, **named)

        return asyncio.run(asked())


@pytest.fixture(scope="module")
def open_world() -> World:
    """Asks for no token, and knows by which name it is called."""
    return World(public_url=PUBLIC, rate=1e6)


@pytest.fixture(scope="module")
def locked() -> World:
    return World(public_url=PUBLIC, rate=1e6, token="right")  # noqa: S106 - of this test


def test_a_client_that_asks_too_often_is_told_when_to_come_back() -> None:
    world = World(rate=0.5)
    path = "/static/icon.svg"
    assert [world.ask(path).status_code for _ in range(BURST // 2)] == [200] * (BURST // 2)
    refused = world.ask(path)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert refused.json() == {"error": "too many requests; ask less often"}
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert world.ask(path, client=("192.0.2.8", 1)).status_code == 200, "others are not concerned"
    assert world.ask("/healthz").status_code == 200, "a load balancer may always look"
    assert {world.ask(path, client=("127.0.0.1", 1)).status_code for _ in range(20)} == {200}, "nor is this machine"
    world.now += 2
    assert world.ask(path).status_code == 200


def test_wrong_tokens_are_counted_too() -> None:
    world = World(rate=1, token="right")  # noqa: S106 - of this test
    wrong = {"Authorization": "Bearer wrong"}
    found = [world.ask("/api/v1/sites", headers=wrong).status_code for _ in range(BURST + 1)]
    assert found == [401] * BURST + [429]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"path": "/api/v1/kpi?site=" + "x" * 8192}, 414, "longer than 8,192 bytes"),
        ({"path": "/" + "x" * 8192}, 414, "longer than 8,192 bytes"),
        ({"path": "/", "headers": {f"X-{n}": "1" for n in range(100)}}, 431, "more than 100 headers"),
        ({"path": "/", "headers": {"Cookie": "x" * 16_384}}, 431, "16,384 bytes"),
        ({"path": "/healthz", "headers": {"Cookie": "x" * 16_384}}, 431, "16,384 bytes"),
        ({"path": "/", "content": b"x"}, 413, "a question has no body"),
        ({"path": "/", "headers": {"Transfer-Encoding": "chunked"}}, 413, "a question has no body"),
        *(
            ({"path": path, "method": method}, 405, "read-only")
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
            for path in ("/api/v1/kpi", "/healthz", "/static/app.css", "/nothing")
        ),
    ],
)
def test_what_is_too_large_or_no_question_is_refused_before_anything_else(
    open_world: World, locked: World, asked: dict[str, Any], status: int, said: str
) -> None:
    for world in (open_world, locked):
        answer = world.ask(**asked)
        assert answer.status_code == status
        assert said in answer.json()["error"]
        assert "content-security-policy" in answer.headers


def test_what_is_just_small_enough_is_answered(open_world: World) -> None:
    path = "/api/v1/sites?x="
    longest = path + "x" * (security.LONGEST_TARGET - len(path) + 1)  # the question mark counts for nothing
    assert [open_world.ask(longest + more).status_code for more in ("", "x")] == [400, 414]
    assert open_world.ask("/healthz", headers={"Cookie": "x" * 15_000, "Content-Length": "0"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("192.0.2.1", 200),
        ("localhost:1234", 200),
        ("WATCH.example", 200),
        ("evil.example", 421),
        ("watch.example.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_a_page_elsewhere_cannot_read_us_under_a_name_of_its_own(
    open_world: World, locked: World, host: str, status: int
) -> None:
    """DNS rebinding: a foreign name that was made to lead to this machine, where no token is asked for."""
    answer = open_world.ask("/api/v1/sites", host=host)
    assert answer.status_code == status
    if status == 421:
        assert "set http.public_url" in answer.json()["error"]
    assert open_world.ask("/healthz", host=host).status_code == 200
    bearer = {"Authorization": "Bearer right"}
    assert locked.ask("/api/v1/sites", host=host, headers=bearer).status_code == 200, "the token says enough"


@pytest.mark.parametrize(
    ("public_url", "strict", "secure"),
    [(PUBLIC, "max-age=31536000", True), ("http://watch.example", None, False), ("", None, False)],
)
def test_behind_https_browsers_are_told_to_stay_there(public_url: str, strict: str | None, secure: bool) -> None:
    world = World(public_url=public_url, token="right")  # noqa: S106 - of this test
    for path in ("/healthz", "/", "/static/app.css"):
        assert world.ask(path).headers.get("strict-transport-security") == strict
    cookie = world.ask("/?token=right").headers["set-cookie"]
    assert ("Secure" in cookie) is secure


def test_tokens_are_changed_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    both = World(token="# since March\nold: s3cret-1\nnew: s3cret-2\n")  # noqa: S106 - of this test
    for secret in ("s3cret-1", "s3cret-2"):
        answer = both.ask("/api/v1/sites", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 200
        assert "s3cret" not in answer.text + str(answer.headers)
    for wrong in ("old", "old: s3cret-1", "# since March", "s3cret-1\nnew: s3cret-2"):
        given = httpx.BasicAuth("anyone", wrong)
        assert both.ask("/api/v1/sites", auth=given).status_code == 401
    cookie = both.ask("/?token=s3cret-1").headers["set-cookie"].partition(";")[0]
    assert both.ask("/", headers={"Cookie": cookie}).status_code == 200
    later = World(token="new: s3cret-2")  # noqa: S106 - of this test
    assert later.ask("/", headers={"Cookie": cookie}).status_code == 401, "the cookie ends with its token"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("wattwell")]
    assert ours == [f"HTTP token '{name}' is used, first by {ELSEWHERE[0]}" for name in ("old", "new")]


def test_neither_the_openapi_document_nor_a_page_holds_a_token() -> None:
    world = World(token="s3cret-1", public_url=PUBLIC)  # noqa: S106 - of this test
    bearer = {"Authorization": "Bearer s3cret-1", "Accept": "text/html"}
    for path in ("/openapi.json", "/docs", "/", "/metrics", "/nothing", "/api/v1/kpi?site=s", "/sites/x"):
        for answer in (world.ask(path, headers=bearer), world.ask(path)):
            assert "s3cret" not in answer.text + str(answer.headers), path


def test_large_questions_are_bounded_and_small_ones_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.05)

    class Slow(FakeQueries):
        def power(self, *args: Any, **named: Any) -> list[Document]:
            entered.release()
            assert leave.wait(30)
            return super().power(*args, **named)

    entered, leave = threading.Semaphore(0), threading.Event()
    made = Server(create_app(Slow(), token=None, ready=lambda: (True, "")))
    made.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            begun = [pool.submit(httpx.get, f"{made.url}/api/v1/power", timeout=60) for _ in range(4)]
            try:
                assert all(entered.acquire(timeout=30) for _ in begun)
                for path in ("series", "findings?site=berlin", "events", "balance", "kpi?from=2026-07-14"):
                    refused = httpx.get(f"{made.url}/api/v1/{path}", timeout=30)
                    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5"), path
                    assert "4 large questions are being answered already" in refused.json()["error"]
                for path in ("/", "/metrics", "/readyz", "/api/v1/kpi", "/api/v1/alerts"):
                    assert httpx.get(f"{made.url}{path}", timeout=30).status_code == 200, path
            finally:
                leave.set()
            assert [each.result().status_code for each in begun] == [200] * 4
        assert httpx.get(f"{made.url}/api/v1/power").status_code == 200
    finally:
        made.stop()


def test_the_service_asks_with_what_is_configured(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("page: s3cret\n")
    http = {"listen": f"127.0.0.1:{free_port()}", "rate": 0.5, "public_url": PUBLIC}
    for more, wrong in (({}, 421), ({"token_file": "token"}, 401)):
        config = parse({"http": http | more, "sites": [SITE]}, tmp_path)
        with running(config, ("web",)) as service:
            url = f"{service.server.url}/api/v1/sites"
            assert httpx.get(url, headers={"Host": "evil.example"}).status_code == wrong
            given = {"Host": "watch.example", "Authorization": "Bearer s3cret"}
            assert httpx.get(url, headers=given).status_code == 200
            world = World.__new__(World)
            world.app = service.server._app  # type: ignore[assignment]  # asked as from elsewhere
            found = [world.ask("/api/v1/sites", headers=given).status_code for _ in range(3)]
            assert found == [200, 200, 429]


@pytest.mark.parametrize(("rate", "taken"), [(None, 50.0), (2, 2.0), (0.1, 0.1), (0, None), (-1, None), ("fast", None)])
def test_the_rate_is_a_number_above_0(tmp_path: Path, rate: object, taken: float | None) -> None:
    document = {"http": {} if rate is None else {"rate": rate}, "sites": [SITE]}
    if taken is not None:
        assert parse(document, tmp_path).http.rate == taken
    else:
        with pytest.raises(ConfigError, match=r"http\.rate = .*: write a number above 0"):
            parse(document, tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.1)
    made = Server(create_app(FakeQueries(), token=None, ready=lambda: (True, "")))
    made.start()
    yield made
    made.stop()


def ended(connection: socket.socket) -> bool:
    """Whether the other side has ended a connection."""
    try:
        connection.settimeout(0.01)
        return connection.recv(65536) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_connections_that_ask_nothing_or_never_come_to_an_end_are_closed(impatient: Server) -> None:
    """As many of them as may be open would else keep everybody out."""
    heads = (b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nContent-Length: 99\r\n\r\n")
    opened = [socket.create_connection(("127.0.0.1", impatient.port)) for _ in range(64) for head in heads]
    for number, connection in enumerate(opened):
        connection.sendall(heads[number % len(heads)])
    trickling = opened[2]

    def all_closed() -> bool:
        with suppress(OSError):
            trickling.sendall(b"X: 1\r\n")
        return all(ended(connection) for connection in opened[:8])

    try:
        wait_until(all_closed, "the idle connections are closed", 10)
        wait_until(lambda: httpx.get(f"{impatient.url}/healthz").status_code == 200, "others are answered", 10)
    finally:
        for connection in opened:
            connection.close()


def test_a_connection_that_gets_on_is_kept(impatient: Server) -> None:
    with httpx.Client(base_url=impatient.url) as client:
        client.get("/healthz")
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            assert client.get("/healthz").status_code == 200
            (connection,) = client._transport._pool.connections  # type: ignore[attr-defined]
            assert "Request Count: 1," not in repr(connection), "it is one and the same"


def test_an_answer_that_takes_long_is_waited_for(impatient: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = FakeQueries.alerts

    def slow(self: FakeQueries, *args: Any) -> list[Document]:
        threading.Event().wait(0.6)
        return seen(self, *args)

    monkeypatch.setattr(FakeQueries, "alerts", slow)
    assert httpx.get(f"{impatient.url}/api/v1/alerts").status_code == 200
    monkeypatch.setattr(server, "_ANSWER_SECONDS", 0.1)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{impatient.url}/api/v1/alerts")
