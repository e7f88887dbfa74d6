"""The HTTP face over a real server: shapes, faults, bounds, token, headers."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.test_web_fake import EDGE, FakeQueries
from wattwell.engine.queries import Document
from wattwell.errors import StoreError, UsageError, WattwellError
from wattwell.intervals import SECOND, iso
from wattwell.web import shapes
from wattwell.web.api import create_app
from wattwell.web.server import Server

TOKEN = "s3cret-töken/+="  # noqa: S105 - of this test
PATHS = (
    "/",
    "/sites/berlin",
    "/sites/berlin/explain?kpi=pue&window=24h",
    "/sites/berlin/ledger",
    "/sites/berlin/findings",
    "/sites/berlin/findings/berlin-fans",
    "/sites/berlin/month/2026-10",
    "/sites/berlin/year/FY2026",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/readyz",
    "/healthz",
    "/api/v1/sites",
    "/static/app.css",
)


class World:
    """A running server over the fake, and a client for it."""

    def __init__(self, fake: FakeQueries, token: str | None = None) -> None:
        self.fake = fake
        self.ready = (True, "")
        app = create_app(fake, token=token, ready=lambda: self.ready, clock=lambda: EDGE / SECOND, max_rows=3000)
        self.server = Server(app)
        self.server.start()
        self.client = httpx.Client(base_url=self.server.url)

    def close(self) -> None:
        self.client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World(FakeQueries())
    yield made
    made.close()


@pytest.fixture(scope="module")
def fleet() -> Iterator[World]:
    made = World(FakeQueries(many=True))
    yield made
    made.close()


class Asked(FakeQueries):
    """Says that it was asked, rather than to answer."""

    def kpi(self, *_: object, **__: object) -> list[Document]:
        raise StoreError("it was asked")

    balance = kpi


@pytest.fixture(scope="module")
def asked() -> Iterator[World]:
    made = World(Asked(many=True))
    yield made
    made.close()


@pytest.fixture(scope="module")
def locked() -> Iterator[World]:
    made = World(FakeQueries(), TOKEN)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("sites", shapes.SiteShape),
        ("kpi?window=24h&kpi=pue,wue", shapes.KpiShape),
        ("series?meter=ups-a", shapes.SeriesShape),
        ("power", shapes.PowerShape),
        ("alerts?site=berlin", shapes.AlertShape),
        ("events?from=2026-07-01&meter=grid-a", shapes.EventShape),
        ("rejects", shapes.RejectShape),
        ("unmapped", shapes.UnmappedShape),
        ("problems?site=berlin", shapes.ProblemShape),
        ("balance?site=berlin", shapes.BalanceShape),
        ("findings?site=berlin&status=open&limit=1&from=2026-07-01", shapes.FindingShape),
        ("models?site=berlin", shapes.ModelShape),
        ("reports?site=berlin", shapes.IssuedReportShape),
    ],
)
def test_answers_are_lists_in_the_documented_shapes(world: World, path: str, shape: type[shapes.BaseModel]) -> None:
    answer = world.client.get(f"/api/v1/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    documents = json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert documents
    for document in documents:
        shape.model_validate(document)


def test_kpi_passes_every_parameter_on(world: World) -> None:
    rows = world.client.get("/api/v1/kpi?site=berlin&kpi=pue,%20wue&window=1h&from=2026-07-14T12:00:00Z").json()
    assert [(row["kpi"], row["end"]) for row in rows[:3]] == [
        ("pue", "2026-07-14T12:15:00Z"),
        ("pue", "2026-07-14T12:30:00Z"),
        ("pue", "2026-07-14T12:45:00Z"),
    ]
    assert {row["kpi"] for row in rows} == {"pue", "wue"}
    only = world.client.get(f"/api/v1/kpi?kpi=pue&from={iso(EDGE - 3600 * SECOND)}&to={iso(EDGE)}").json()
    assert (only[0]["window"], only[0]["start"]) == (None, iso(EDGE - 3600 * SECOND))


def test_series_without_a_value_is_null(world: World) -> None:
    rows = world.client.get("/api/v1/series?from=2026-07-14T12:00:00Z&to=2026-07-14T12:30:00Z").json()
    assert rows[0]["value"] is None
    assert rows[1]["value"] > 0


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("kpi?sight=berlin", 400, "unknown query parameter 'sight'"),
        ("sites?site=berlin", 400, "unknown query parameter 'site'"),
        ("kpi?window=9h", 400, "window '9h' is not known"),
        ("kpi?kpi=puue", 400, "KPI 'puue' is not known"),
        ("kpi?kpi=,", 400, "names no KPI"),
        ("kpi?site=", 400, "query parameter 'site' = '' is wrong"),
        ("kpi?site=berlin&site=zhangbei", 400, "'site' is given more than once"),
        ("kpi?site=paris", 404, "unknown site 'paris'; one of berlin"),
        ("series?site=paris", 404, "unknown site 'paris'"),
        ("series?meter=nope", 400, "unknown meter 'nope' at site 'berlin'"),
        ("series?from=2020-01-01", 400, "narrow it with 'from' and 'to'"),
        ("kpi?kpi=pue,wue&window=1h&from=2026-06-20", 400, "narrow it with 'from' and 'to'"),
        ("findings?status=new", 400, "status 'new' is not known"),
        ("findings?limit=0", 400, "query parameter 'limit' = '0' is wrong"),
        ("findings?site=paris", 404, "unknown site 'paris'"),
        ("findings/nope", 404, "no finding 'nope' is known"),
        ("models?site=paris", 404, "unknown site 'paris'"),
        ("findings/leak?x=1", 400, "unknown query parameter 'x'"),
    ],
)
def test_faults_are_one_sentence(world: World, path: str, status: int, sentence: str) -> None:
    answer = world.client.get(f"/api/v1/{path}")
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert sentence in answer.json()["error"]


def test_the_bound_holds_also_where_the_engine_chose_the_span() -> None:
    fake = FakeQueries()
    made = Server(create_app(fake, token=None, ready=lambda: (True, ""), max_rows=95))
    made.start()
    answer = httpx.get(f"{made.url}/api/v1/power")
    made.stop()
    assert answer.status_code == 400
    assert "96 rows, more than 95" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("kpi?window=day&from=1990-01-01", False),
        ("kpi?window=day&from=1990-01-01&kpi=pue", False),
        ("kpi?window=day&from=2026-06-15", True),
        ("kpi?window=month&from=2022-01-01&kpi=pue", True),
        ("kpi?window=month&from=1970-01-01&to=2199-12-31", False),
        ("kpi?window=24h&from=2026-07-13", False),
        ("kpi?window=24h&from=2026-07-13&kpi=pue", True),
        ("kpi?window=24h&from=2026-06-20&kpi=pue&site=berlin", True),
        ("kpi?window=24h&from=2026-06-20&kpi=pue", False),
        ("balance?window=day&from=1990-01-01", False),
        ("balance?window=24h&from=2026-06-20&site=berlin", True),
        ("balance?window=24h&from=2026-06-20", False),
    ],
)
def test_too_many_windows_are_refused_before_one_is_computed(asked: World, path: str, fits: bool) -> None:
    answer = asked.client.get(f"/api/v1/{path}")
    assert answer.status_code == (503 if fits else 400)
    assert fits or "narrow it with 'from' and 'to'" in answer.json()["error"]


def test_one_site_must_be_named_where_there_are_several(fleet: World) -> None:
    answer = fleet.client.get("/api/v1/power")
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "query parameter 'site' is required; one of berlin, zhangbei",
    )
    assert {row["site"] for row in fleet.client.get("/api/v1/kpi?kpi=pue").json()} == {"berlin", "zhangbei", "all"}
    assert {row["site"] for row in fleet.client.get("/api/v1/kpi?site=all").json()} == {"all"}


def test_the_store_s_fault_is_503_with_its_sentence(world: World) -> None:
    world.fake.fault = StoreError("the store is away; look at its disk")
    try:
        answer = world.client.get("/api/v1/kpi")
        assert (answer.status_code, answer.json()) == (503, {"error": "the store is away; look at its disk"})
        assert world.client.get("/metrics").status_code == 503
        assert world.client.get("/healthz").status_code == 200
        page = world.client.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert "the store is away" in page.text
    finally:
        world.fake.fault = None


def test_a_defect_is_500_without_its_details(world: World) -> None:
    world.fake.fault = RuntimeError("secret detail")
    try:
        answer = httpx.get(f"{world.server.url}/api/v1/kpi")
    finally:
        world.fake.fault = None
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_health_and_readiness(world: World) -> None:
    assert world.client.get("/healthz").json() == {"status": "ok"}
    assert world.client.get("/readyz").status_code == 200
    world.ready = (False, "the broker refuses the password")
    answer = world.client.get("/readyz")
    world.ready = (True, "")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "reason": "the broker refuses the password"}


def test_it_is_read_only_and_answers_head(world: World) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert world.client.request(method, "/api/v1/kpi").status_code == 405
    answer = world.client.head("/healthz")
    assert (answer.status_code, answer.content) == (200, b"")


def test_metrics_are_the_exporter_s(world: World) -> None:
    answer = world.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.content == (Path(__file__).parents[1] / "golden" / "metrics" / "site.prom").read_bytes()


@pytest.mark.parametrize("path", PATHS)
def test_security_headers_are_everywhere(world: World, path: str) -> None:
    headers = world.client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", [*PATHS[:9], "/nothing"])
def test_served_pages_name_no_foreign_address(world: World, path: str) -> None:
    page = world.client.get(path, headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"(?:https?:)?//\w+[^\s\"']*", page.text)
    for asset in re.findall(r'(?:src|href)="(/[^"]*)"', page.text):
        if not asset.startswith("/api/v1/reports/"):  # test_web_reports makes them
            assert world.client.get(asset.replace("&amp;", "&")).status_code == 200


def test_the_page_escapes_names_and_can_be_read_without_scripts(world: World) -> None:
    page = world.client.get("/").text
    assert "Berlin Nord &lt;1&gt;" in page
    assert "<1>" not in page
    assert re.search(r'data-f="title"[^>]*>iPUE<.*?data-f="value">1\.279<', page, re.DOTALL)
    assert "No meter has the role ups_input." in page
    assert ">provisional</span>" in world.client.get("/?window=30d").text
    assert world.client.get("/?window=8h").status_code == 400


def test_cards_lead_to_what_their_figure_is_made_up_of(world: World) -> None:
    asked = world.fake.explained
    for window, at in (("7d", {"at": iso(EDGE)}), ("month", {"at": "2026-06-30T22:00:00Z"})):
        links = re.findall(r'href="(/sites/berlin/explain[^"]*)"', world.client.get(f"/?window={window}").text)
        assert len(links) == 6
        page = world.client.get(links[1].replace("&amp;", "&"))
        assert page.status_code == 200
        assert asked[-1] == ("berlin", "wue", window, at["at"], None, None)
        assert f'<a href="/sites/berlin?window={window}">Berlin Nord &lt;1&gt;</a>' in page.text
    span = "from=2026-07-01&to=2026-07-02"
    page = world.client.get(f"/sites/berlin/explain?kpi=pue&{span}")
    assert asked[-1] == ("berlin", "pue", None, None, "2026-07-01", "2026-07-02")
    assert '<a href="/sites/berlin">' in page.text


def test_user_text_is_escaped_in_explanation_and_ledger(world: World) -> None:
    page = world.client.get("/sites/berlin/explain?kpi=pue&window=24h").text
    for text in (
        "&lt;script&gt;worn out&lt;/script&gt;",
        "Meter a&lt;1&gt;",
        "&lt;b&gt;ann&lt;/b&gt;",
        "contract &amp; co",
    ):
        assert text in page
    ledger = world.client.get("/sites/berlin/ledger").text
    for text in (
        "&lt;b&gt;rollover&lt;/b&gt;",
        "&lt;i&gt;1&lt;/i&gt;",
        f"7 entries, head {'cd' * 32}",
        "999,999.9 MWh",
    ):
        assert text in ledger
    assert ledger.index('data-label="Entry">7<') < ledger.index('data-label="Entry">6<')
    for text in (page, ledger):
        assert not re.search(r"<(script|b|i)\b", text)


def test_a_finding_with_its_course_and_its_page(world: World, fleet: World) -> None:
    found = world.client.get("/api/v1/findings/berlin-fans").json()
    shapes.FindingDetailShape.model_validate(found)
    assert found["course"][0]["actual"][60] is None
    page = world.client.get("/sites/berlin/findings/berlin-fans").text
    for text in (
        "The fans of &lt;b&gt;AHU 1&lt;/b&gt; draw half as much again",
        "504\u202fkWh (460\u202fkWh to 548\u202fkWh)",
        "15,768\u202fEUR",
        "expected kw",
        "called known by &lt;b&gt;ida&lt;/b&gt;: in May",
        "--id berlin-fans --as known|not_a_fault|open",
    ):
        assert text in page
    assert not re.search(r"<b\b", page)
    listed = world.client.get("/sites/berlin/findings").text
    places = [listed.index(f"/sites/berlin/findings/{name}") for name in ("berlin-fans", "leak", "old")]
    assert places == sorted(places)
    assert "8.60\u202fm\u00b3" in listed
    for text in ("2.3\u202f%", "-0.1\u202f%", "0.058\u202fkW", "0.14\u202fdegC", "no &lt;b&gt;values&lt;/b&gt;"):
        assert text in listed
    other = fleet.client.get("/sites/zhangbei/findings/berlin-fans")
    assert (other.status_code, "is not of site" in other.text) == (404, True)
    assert "Nothing was found." in fleet.client.get("/sites/zhangbei/findings").text


def test_wrong_questions_for_the_pages_of_a_site(world: World, fleet: World) -> None:
    html = {"Accept": "text/html"}
    for path, status, sentence in (
        ("sites/berlin/explain?kpi=puue", 400, "is not known; one of pue"),
        ("sites/berlin/explain", 400, "query parameter &#39;kpi&#39;"),
        ("sites/berlin/explain?kpi=pue&site=x", 400, "unknown query parameter"),
        ("sites/berlin/explain?kpi=pue&kpi=wue", 400, "more than once"),
        ("sites/berlin/explain?kpi=pue&from=2020-01-01", 400, "narrow it"),
        ("sites/paris/explain?kpi=pue", 404, "unknown site"),
        ("sites/paris/ledger", 404, "unknown site"),
        ("sites/paris/findings", 404, "unknown site"),
        ("sites/berlin/findings/nope", 404, "no finding"),
    ):
        answer = world.client.get(f"/{path}", headers=html)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert sentence in answer.text
    assert '<a href="/">All sites</a>' in fleet.client.get("/sites/zhangbei/ledger").text


def test_few_figures_are_explained_at_once_and_others_are_told_to_wait() -> None:
    class Slow(FakeQueries):
        def explain(self, *args: Any, **named: Any) -> Document:
            entered.release()
            assert leave.wait(30)
            return super().explain(*args, **named)

    entered, leave = threading.Semaphore(0), threading.Event()
    made = World(Slow())
    with ThreadPoolExecutor(2) as pool:
        try:
            path = f"{made.server.url}/api/v1/explain?kpi=pue&window=24h"
            begun = [pool.submit(httpx.get, path, timeout=60) for _ in range(2)]
            assert all(entered.acquire(timeout=30) for _ in begun)
            refused = made.client.get("/sites/berlin/explain?kpi=pue&window=24h", timeout=30)
            assert (refused.status_code, "ask again in a few seconds" in refused.text) == (503, True)
            assert made.client.get("/sites/berlin").status_code == 200, "others are answered"
        finally:
            leave.set()
        assert [each.result().status_code for each in begun] == [200, 200]
    assert made.client.get("/sites/berlin/explain?kpi=pue&window=24h").status_code == 200
    made.close()


def test_home_is_the_site_where_there_is_one_else_the_fleet(world: World, fleet: World) -> None:
    assert 'id="cards"' in world.client.get("/").text
    page = fleet.client.get("/").text
    assert '<tr data-site="zhangbei">' in page
    assert '<tr data-site="all">' in page
    assert 'id="cards"' in fleet.client.get("/sites/zhangbei").text
    assert fleet.client.get("/sites/paris").status_code == 404


def test_the_openapi_document_and_its_page_list_every_question(world: World) -> None:
    schema = world.client.get("/openapi.json").json()
    names = ["sites", "kpi", "balance", "series", "power", "alerts", "silences", "events", "rejects", "unmapped"]
    names += ["findings", "findings/{id}", "models", "reports", "reports/{site}/{name}"]
    health = {"/healthz", "/readyz", "/metrics"}
    assert set(schema["paths"]) == {f"/api/v1/{name}" for name in [*names, "problems", "explain"]} | health
    page = world.client.get("/docs").text
    for path, operations in schema["paths"].items():
        assert f"GET {path}" in page
        assert list(operations) == ["get"]
        assert "422" not in operations["get"]["responses"]
    parameters = {parameter["name"] for parameter in schema["paths"]["/api/v1/kpi"]["get"]["parameters"]}
    assert parameters == {"site", "kpi", "window", "from", "to"}
    assert "HTTPValidationError" not in json.dumps(schema)


def basic(password: str) -> dict[str, str]:
    """The header a browser sends after it asked for a password."""
    return {"Authorization": "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()}


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_only_healthz_answers(locked: World, path: str) -> None:
    expected = 200 if path == "/healthz" else 401
    wrong = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, basic("wrong"), basic("")]
    for headers in [*wrong, {"Authorization": "Basic !!!"}, {"Cookie": f"wattwell_session={TOKEN.encode().hex()}"}]:
        answer = locked.client.get(path, headers=headers)
        assert answer.status_code == expected
        assert "content-security-policy" in answer.headers
    if expected == 401:
        assert [value.split()[0] for value in answer.headers.get_list("www-authenticate")] == ["Bearer", "Basic"]


def test_the_token_as_bearer_or_as_basic_password(locked: World) -> None:
    for scheme in (b"Bearer ", b"bearer  "):
        answer = locked.client.get("/api/v1/sites", headers={b"Authorization": scheme + TOKEN.encode()})
        assert answer.status_code == 200
    assert locked.client.get("/api/v1/sites", headers=basic(TOKEN)).status_code == 200
    longer = {b"Authorization": b"Bearer " + TOKEN.encode() + b"x"}
    assert locked.client.get("/api/v1/sites", headers=longer).status_code == 401


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(locked: World) -> None:
    with httpx.Client(base_url=locked.server.url) as browser:
        assert browser.get("/", params={"token": "wrong"}).status_code == 401
        assert browser.get("/?token=a&token=b").status_code == 401
        answer = browser.get("/sites/berlin", params={"token": TOKEN, "window": "7d"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sites/berlin?window=7d")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert TOKEN not in cookie
        assert browser.get("/sites/berlin").status_code == 200
        away = browser.get(f"{locked.server.url}//evil.example/x", params={"token": TOKEN})
        assert away.headers["location"] == "/evil.example/x"


def test_no_token_reaches_a_log(
    locked: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(0):
        locked.client.get("/", params={"token": "marked-s3cret"})
        locked.client.get("/api/v1/sites", headers=basic("marked-s3cret"))
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert "marked-s3cret" not in "".join(ours) + "".join(capfd.readouterr())


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(UsageError, match="the HTTP token is empty"):
        create_app(FakeQueries(), token=" \n", ready=lambda: (True, ""))  # noqa: S106 - an empty one


def test_a_taken_address_is_one_clear_error_and_stop_frees_it() -> None:
    app = create_app(FakeQueries(), token=None, ready=lambda: (True, ""))
    first = Server(app)
    first.start()
    with pytest.raises(UsageError, match=rf"cannot listen on 127\.0\.0\.1:{first.port}: .*change http\.listen"):
        Server(app, "127.0.0.1", first.port).start()
    with pytest.raises(WattwellError, match="runs already"):
        first.start()
    first.stop()
    first.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", first.port)) != 0
