"""Reports over HTTP: files in every format, what a client may keep, and the pages of months and years."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from analytics.report.model import Report
from tests import reporting
from tests.unit.test_web_fake import EDGE, FakeQueries
from wattwell.documents import render
from wattwell.documents.advice import advice
from wattwell.engine.queries import Document
from wattwell.intervals import SECOND
from wattwell.web.api import create_app
from wattwell.web.server import Server

HTML = {"Accept": "text/html"}


class World:
    """A running server over the fake, and a client for it."""

    def __init__(self, fake: FakeQueries) -> None:
        self.fake = fake
        self.server = Server(create_app(fake, token=None, ready=lambda: (True, ""), clock=lambda: EDGE / SECOND))
        self.server.start()
        self.client = httpx.Client(base_url=self.server.url, timeout=60)

    def close(self) -> None:
        self.client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World(FakeQueries())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("format", "media", "disposition"),
    [
        ("html", "text/html; charset=utf-8", 'inline; filename="berlin-2026-10-r2.html"'),
        ("pdf", "application/pdf", 'attachment; filename="berlin-2026-10-r2.pdf"'),
        ("csv", "text/csv; charset=utf-8", 'attachment; filename="berlin-2026-10-r2.csv"'),
        ("json", "application/json", 'inline; filename="berlin-2026-10-r2.json"'),
    ],
)
def test_a_report_in_every_format(world: World, format: str, media: str, disposition: str) -> None:
    answer = world.client.get(f"/api/v1/reports/berlin/2026-10.{format}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media
    assert answer.headers["content-disposition"] == disposition
    assert answer.content == render(FakeQueries().report("berlin", "2026-10"), format)
    assert ("style-src 'unsafe-inline'" in answer.headers["content-security-policy"]) == (format == "html")


def test_a_report_as_json_has_the_fields_that_openapi_tells(world: World) -> None:
    answer = world.client.get("/api/v1/reports/berlin/2026-10.json")
    TypeAdapter(Report).validate_python(answer.json())
    schema = world.client.get("/openapi.json").json()
    operation = schema["paths"]["/api/v1/reports/{site}/{name}"]["get"]
    content = operation["responses"]["200"]["content"]
    assert set(content) == {"text/html", "application/pdf", "text/csv", "application/json"}
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert set(schema["components"]["schemas"][name]["properties"]) == set(answer.json())
    assert {each["name"] for each in operation["parameters"]} == {"site", "name", "revision"}


def test_the_policy_of_a_report_lets_styles_in_and_nothing_else(world: World) -> None:
    answer = world.client.get("/api/v1/reports/berlin/2026-07.html")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "<script" not in answer.text
    assert not re.search(r"\ssrc=|@font-face|url\(\s*[\"']?(?!#)|<link\b|<img\b", answer.text), "needs no other source"


def test_years_fiscal_years_and_revisions_reach_the_engine(world: World) -> None:
    asked = world.fake.reported
    for path, expected in (
        ("2026.csv", ("berlin", "2026", None)),
        ("FY2026.csv", ("berlin", "FY2026", None)),
        ("2026-10.csv?revision=1", ("berlin", "2026-10", 1)),
    ):
        answer = world.client.get(f"/api/v1/reports/berlin/{path}")
        assert (answer.status_code, asked[-1]) == (200, expected)
    assert 'filename="berlin-2026-10-r1.csv"' in answer.headers["content-disposition"]
    draft = world.client.get("/api/v1/reports/berlin/2026-11.csv")
    assert 'filename="berlin-2026-11-draft.csv"' in draft.headers["content-disposition"]


def test_what_a_client_has_is_not_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/api/v1/reports/berlin/2026-10.csv"
    first = world.client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert tag == world.client.get(path).headers["etag"]
    others = [
        world.client.get(f"/api/v1/reports/berlin/{name}").headers["etag"] for name in ("2026-10.json", "2026.csv")
    ]
    others.append(world.client.get(f"{path}?revision=1").headers["etag"])
    assert len({tag, *others}) == 4
    monkeypatch.setattr("wattwell.documents.render", lambda *_: pytest.fail("it is rendered again"))
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        answer = world.client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    monkeypatch.undo()
    assert world.client.get(path, headers={"If-None-Match": others[0]}).status_code == 200


def test_a_finding_told_later_changes_the_tag_of_a_draft() -> None:
    class Growing(FakeQueries):
        def report(self, site: str, key: str, revision: int | None = None) -> Document:
            found = super().report(site, key, revision)
            return found | {"findings": found["findings"][: len(self.reported)]}

    made = World(Growing())
    tags = [made.client.get("/api/v1/reports/berlin/2026-11.csv").headers["etag"] for _ in range(2)]
    made.close()
    assert tags[0] != tags[1]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/v1/reports/berlin/2026-13.html", 400, "write a month (2026-10) or a year (2026)"),
        ("/api/v1/reports/berlin/.html", 400, "write a month (2026-10) or a year (2026)"),
        ("/api/v1/reports/berlin/2026-10.xml", 404, "one of html, pdf, csv, json"),
        ("/api/v1/reports/berlin/2026-10", 404, "one of html, pdf, csv, json"),
        ("/api/v1/reports/paris/2026-10.csv", 404, "unknown site 'paris'"),
        ("/api/v1/reports/berlin/2026-10.csv?revision=3", 404, "has no revision 3; issued: 1, 2"),
        ("/api/v1/reports/berlin/2026-10.csv?revision=0", 400, "'revision' = '0' is wrong"),
        ("/api/v1/reports/berlin/2026-10.csv?rev=1", 400, "unknown query parameter 'rev'"),
        ("/api/v1/reports/berlin/2026-10.csv?revision=1&revision=2", 400, "more than once"),
        ("/api/v1/reports?site=paris", 404, "unknown site 'paris'"),
    ],
)
def test_faults_of_the_api(world: World, path: str, status: int, sentence: str) -> None:
    answer = world.client.get(path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("month/2026", 400, "is no month; write one such as 2026-10"),
        ("year/2026-10", 400, "is no year; write 2026 or FY2026"),
        ("month/2026-13", 400, "write a month (2026-10)"),
        ("month/2026-10?revision=9", 404, "has no revision 9"),
        ("month/2026-10?x=1", 400, "unknown query parameter"),
    ],
)
def test_faults_of_the_pages(world: World, path: str, status: int, sentence: str) -> None:
    answer = world.client.get(f"/sites/berlin/{path}", headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert sentence in answer.text
    assert world.client.get("/sites/paris/month/2026-10", headers=HTML).status_code == 404


def test_few_reports_are_made_at_once_and_others_are_told_to_wait() -> None:
    class Slow(FakeQueries):
        def report(self, *args: Any, **named: Any) -> Document:
            entered.release()
            assert leave.wait(30)
            return super().report(*args, **named)

    entered, leave = threading.Semaphore(0), threading.Event()
    made = World(Slow())
    with ThreadPoolExecutor(2) as pool:
        try:
            path = f"{made.server.url}/api/v1/reports/berlin/2026-10.json"
            begun = [pool.submit(httpx.get, path, timeout=60) for _ in range(2)]
            assert all(entered.acquire(timeout=30) for _ in begun)
            for other in ("/sites/berlin/month/2026-10", "/api/v1/reports/berlin/2026.csv"):
                refused = made.client.get(other)
                assert (refused.status_code, "2 reports are being made already" in refused.text) == (503, True)
            assert made.client.get("/sites/berlin").status_code == 200, "others are answered"
        finally:
            leave.set()
        assert [each.result().status_code for each in begun] == [200, 200]
    made.close()


def test_the_site_s_page_lists_issued_reports_and_leads_to_months(world: World) -> None:
    page = world.client.get("/sites/berlin").text
    for text in (
        'href="/sites/berlin/month/2026-10?revision=2">October 2026<',
        'href="/sites/berlin/year/FY2026?revision=2">1 April 2026 to 31 March 2027<',
        "by &lt;b&gt;m.weber&lt;/b&gt;",
        "2 figures changed",
        "2026-11-12 10:30+01:00",
        'href="/sites/berlin/month/2026-07" aria-label="July 2026"',
        'href="/sites/berlin/month/2025-07" aria-label="July 2025"',
        'href="/sites/berlin/year/2025"',
    ):
        assert text in page
    card = page[page.index('id="h-reports"') : page.index('aria-label="Months and years"')]
    assert card.count(">provisional</span>") == 1
    files = re.findall(r'href="(/api/v1/reports/[^"]*)"', page)
    assert len(files) == 12
    assert all(world.client.get(each).status_code == 200 for each in files if each.endswith(".json?revision=2"))


def test_the_page_of_a_month_can_be_read_without_scripts(world: World) -> None:
    page = world.client.get("/sites/berlin/month/2026-10").text
    body, _, _ = page.partition('<script type="application/json"')
    flat = " ".join(re.sub(r"<[^>]+>", " ", body).split())
    report = reporting.full()
    for line in report["headlines"]:
        assert line["label"] in flat
        for span in ("current", "previous", "ytd", "fiscal"):
            assert line[span]["shown"] in flat
    for side in (*report["energy"].values(), report["water"]["sources"], report["water"]["uses"]):
        if isinstance(side, dict):
            assert all(f"{part['label']} {part['shown']}" in flat for part in side["parts"])
            assert f"Total {side['total_shown']}" in flat
    assert "2026-10-13 \u2013 0.408" in flat, "a day without PUE"
    assert "2026-10-21 1.219 *" in flat, "a provisional one"
    assert "The site reports since 1 March 2026." in flat
    assert "50.0 % missed" in flat
    assert flat.index("pump-7 pump \u2013 100.0 %") < flat.index("ups-a it ups 1.81 GWh 0.2 %")
    assert "ups-a reset booked 2026-10-14 10:31+02:00 812,441.2 0 311.8 kWh" in flat
    assert "PueHigh above 1.3 1.377 2026-10-03 11:45+02:00 2026-10-05 12:15+02:00" in flat
    assert "Ended 12 October 2026. If it comes back: Raise the chilled-water set-point" in flat
    for each in report["findings"]:
        assert f"{each['title']} {advice(each, report)}" in flat, "as the report's files have it"
    assert "issued, revision 2" in flat
    assert 'href="/sites/berlin/month/2026-10?revision=1">1</a> by schedule' in page
    assert 'href="/api/v1/reports/berlin/2026-10.pdf?revision=2"' in page


def test_a_period_leads_to_its_neighbours(world: World) -> None:
    def leads(path: str) -> list[str]:
        page = world.client.get(f"/sites/berlin/{path}").text
        return re.findall(
            r'href="/sites/berlin/([^"?]*)"', page[page.index("Other periods") : page.index("</nav>\n</header>")]
        )

    assert leads("month/2026-10") == ["month/2026-09", "month/2026-11", "year/2026", "year/FY2026", "month/2026-07"]
    assert leads("month/2026-11") == ["month/2026-10", "year/2026", "year/FY2026", "month/2026-07"], "it is not over"
    assert leads("year/FY2026") == ["year/FY2025", "year/FY2027", "month/2026-07"]
    assert leads("month/2026-07")[-1] == "year/FY2026", "it is the latest"
    year = world.client.get("/sites/berlin/year/2026").text
    assert '<a href="/sites/berlin/month/2026-02">2026-02</a>' in year


def test_drafts_provisional_figures_and_empty_months_say_so(world: World) -> None:
    page = world.client.get("/sites/berlin/month/2026-11").text
    assert page.count(">provisional</span>") == 7
    assert ">draft</span>" in page
    assert "up to 2026-10-16 00:00+02:00, not over yet" in page
    assert "of 71.0\u202f% of the time" in page
    empty = world.client.get("/sites/berlin/month/2026-09").text
    for text in (
        "Not available: E_DC and E_IT are not known together in this period.",
        "Not available: no water is metered",
        "Findings are not available: the site has no data.",
        "No alert fired.",
        "No meter event is known.",
        ">E_DC</th>",
    ):
        assert text in empty
    cooling = world.client.get("/sites/berlin/month/2026-06").text
    kinds = reporting.full()["energy"]["cooling"]
    assert "Not available: E_DC and E_IT are not known together in this period." in cooling
    assert f"<caption>{kinds['label']} " in cooling
    assert all(f"<td>{part['shown']}</td>" in cooling for part in kinds["parts"])


def test_hostile_names_are_text(world: World) -> None:
    page = world.client.get("/sites/berlin/month/2026-07").text
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert" not in page
    boot = re.search(r'<script type="application/json" id="boot">(.*?)</script>', page, re.DOTALL)
    assert boot is not None
    assert json.loads(boot[1])["flows"]["uses"]["parts"][0]["label"] == reporting.HOSTILE
