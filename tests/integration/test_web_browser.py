"""The page in a real browser: what it shows after its scripts ran, without network, console errors or drift."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests import reporting
from tests.unit.test_web_fake import FakeQueries
from wattwell.errors import StoreError
from wattwell.web.api import create_app
from wattwell.web.server import Server

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # a container's /dev/shm may be small or absent
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
    "--dump-dom",
)
PROBE = """
setTimeout(() => { document.body.style.width = "380px"; document.body.style.margin = "0"; }, 1500);
setTimeout(() => {
  const shown = [...document.querySelectorAll("body *:not(.skip, .plot *)")];
  const edges = shown.map((found) => found.getBoundingClientRect().right);
  document.body.dataset.edge = Math.max(...edges);
}, 3000);
"""
"""Squeezes the page to a phone's width (the browser's own window is never as narrow) and notes the rightmost edge."""
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Document(HTMLParser):
    """Texts and counts of elements, by id and by class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.cells: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in VOID:
            self.stack.append((tag, found))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("td", "th") for tag, _ in self.stack):
            self.cells.append(" ".join(data.split()))
        for _, attrs in self.stack:
            for key in (attrs.get("id"), attrs.get("data-kpi"), attrs.get("data-site")):
                if key:
                    self.texts[key] = self.texts.get(key, "") + data

    def text(self, key: str) -> str:
        """The text inside the element with this id, KPI or site, spaces folded."""
        return " ".join(self.texts.get(key, "").split())

    def count(self, tag: str, *classes: str) -> int:
        """How many elements have all these classes."""
        return sum(name == tag and set(classes) <= set(attrs.get("class", "").split()) for name, attrs in self.tags)


@dataclass
class Seen:
    """What the browser had when it stopped."""

    document: Document
    console: list[str]


Browser = Callable[..., Seen]


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        assert not os.environ.get("CI"), "chromium is missing; install the package chromium"
        pytest.skip("chromium is not installed (Debian package chromium)")

    def open_page(url: str, *flags: str) -> Seen:
        home = tmp_path_factory.mktemp("browser")
        command = [chromium, *FLAGS, *flags, f"--user-data-dir={home / 'profile'}", url]
        done = subprocess.run(
            command, capture_output=True, timeout=90, check=False, text=True, env={**os.environ, "HOME": str(home)}
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return Seen(Document(done.stdout), re.findall(r".*CONSOLE.*", done.stderr))

    return open_page


def serve(fake: FakeQueries, wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app) -> Server:
    """A started server over the fake."""
    server = Server(wrap(create_app(fake, token=None, ready=lambda: (True, ""))))
    server.start()
    return server


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = serve(FakeQueries())
    yield server.url
    server.stop()


@pytest.fixture(scope="module")
def page(browse: Browser, site: str) -> Seen:
    return browse(f"{site}/", "--window-size=1400,1200")


def test_no_console_message(page: Seen) -> None:
    assert page.console == []


def test_the_page_says_that_it_is_live_and_of_when(page: Seen) -> None:
    assert page.document.text("link") == "live"
    assert "figures to Tue 14 Jul, 14:45" in page.document.text("edge")
    assert "last reading 14:48:00" in page.document.text("edge")
    assert page.document.text("firing") == "Firing: PueHigh since Tue 14 Jul, 10:45"


def test_cards_show_value_window_category_coverage_and_reason(page: Seen) -> None:
    cards = [attrs["data-kpi"] for tag, attrs in page.document.tags if tag == "article"]
    assert cards == ["pue", "wue", "ref", "ups_efficiency", "peak_demand_kw", "dcie"]
    pue = page.document.text("pue")
    assert pue.startswith("iPUE")
    assert "1.279" in pue
    assert "0.021 below target 1.3" in pue
    assert "category 1 · coverage 98.8 %" in pue
    assert "25.2 MWh ÷ 19.7 MWh" in pue
    assert "1,303" in page.document.text("peak_demand_kw")
    ups = page.document.text("ups_efficiency")
    assert "no value" in ups
    assert "No meter has the role ups_input." in ups
    chosen = [attrs["value"] for tag, attrs in page.document.tags if tag == "option" and "selected" in attrs]
    assert chosen == ["24h"] * 6


def test_the_script_writes_what_the_server_wrote(browse: Browser, site: str, page: Seen) -> None:
    for window, seen in (
        ("24h", page),
        ("30d", browse(f"{site}/?window=30d")),
        ("year", browse(f"{site}/?window=year")),
    ):
        drawn = Document(httpx.get(f"{site}/?window={window}").text)
        for kpi in ("pue", "wue", "ref", "ups_efficiency", "peak_demand_kw", "dcie"):
            assert seen.document.text(kpi) == drawn.text(kpi)
        links = [
            [attrs["href"] for _, attrs in found.tags if attrs.get("data-f") == "why"]
            for found in (seen.document, drawn)
        ]
        assert links[0] == links[1]
        assert len(links[0]) == 6
        for attribute in ("data-state", "data-value"):
            after = [attrs[attribute] for tag, attrs in seen.document.tags if tag == "article"]
            assert after == [attrs[attribute] for tag, attrs in drawn.tags if tag == "article"]
    assert "Only 31.0 %" in drawn.text("pue")


def test_charts_are_drawn_with_gaps_and_target(page: Seen) -> None:
    document = page.document
    assert document.count("div", "plot") == 3
    for subsystem in ("it", "cooling", "power_chain", "lighting", "other"):
        assert document.count("path", "area", f"s-{subsystem}") == 2, "the missing hour parts each area"
    assert document.count("path", "line", "s-pue") == 1
    assert document.count("line", "target-line") == 1
    assert document.count("rect", "bar-slot", "s-water") >= 24
    assert document.count("rect", "bar-slot", "partial") >= 1
    assert document.count("rect", "gap") == 1
    assert "Total 1,293 kW" in document.text("chart-power")
    assert "iPUE 1.372" in document.text("chart-pue")
    assert "Target 1.3" in document.text("chart-pue")
    assert "92 of 96 intervals known" in document.text("water-note")
    assert "WUE 0.782 L/kWh (24 h, category 1, coverage 98.8 %, total input)" in document.text("water-note")


def test_split_alerts_and_problems(page: Seen) -> None:
    document = page.document
    cells = [text for text in document.cells if text]
    total = cells.index("PUE \u2212 1")
    assert cells[total : total + 3] == ["PUE \u2212 1", "100.0 %", "0.279"]
    assert cells[cells.index("Cooling") :][:5] == ["Cooling", "68.3 %", "0.191", "1.191", "3.75 MWh"]
    alerts = document.text("alerts")
    assert "PUE 1h above 1.300" in alerts
    assert "1.378" in alerts
    assert "no data RefLow" in alerts
    assert "WueHigh" not in alerts
    assert "category 1 · coverage 97.0 %" in alerts
    past = cells.index("Resolved")
    assert cells[past + 1 :][:4] == ["PueHigh", "1.410", "Sun 5 Jul, 14:45", "Mon 6 Jul, 14:45"]
    assert "tower-makeup has sent nothing for 3 h" in document.text("problems")
    assert "counted -31.5 kWh in the last 24 h" in document.text("problems")
    assert "turn the current transformer round" in document.text("problems")


def test_the_balance_of_the_meter_tree(page: Seen) -> None:
    cells = [text for text in page.document.cells if text]
    closed = ["closed", "grid-a", "ups-a", "20.0 MWh", "20.4 MWh", "-400 kWh (-2.0 %)", "404 kWh", "100.0 %"]
    assert cells[cells.index("closed") :][:8] == closed
    assert cells[cells.index("open") :][:2] == ["open", "grid-b"]
    assert cells[cells.index("unknown") :][3:8] == ["no value"] * 4 + ["31.0 %"]


def test_open_findings_lead_to_their_page(browse: Browser, site: str, page: Seen) -> None:
    cells = [text for text in page.document.cells if text]
    first = cells.index("The fans of <b>AHU 1</b> draw half as much again")
    assert cells[first + 1 :][:6] == [
        "Look at the filters of ahu-1.",
        "504 kWh",
        "101 EUR",
        "15,768 EUR",
        "Sun 12 Jul, 06:45",
        "90 %",
    ]
    assert "8.60 m³" in cells
    assert "economizer" not in page.document.text("findings")
    href = "/sites/berlin/findings/berlin-fans"
    assert href in [attrs.get("href") for tag, attrs in page.document.tags if tag == "a"]
    seen = browse(f"{site}{href}")
    document = seen.document
    assert seen.console == []
    assert document.count("path", "line", "s-actual") == 2, "what is missing parts the line"
    assert document.count("path", "line", "s-expected") == 1
    assert document.count("path", "band") == 1
    assert document.count("line", "moment") == 2
    assert document.count("rect", "gap") == 1
    assert re.search(r"healthy [\d.]+ kW to [\d.]+ kW", document.text("course-0"))
    assert "Actual" in document.text("course-0")


def test_nothing_sticks_out_on_a_phone(browse: Browser) -> None:
    source = (Path(str(files("wattwell.web"))) / "static" / "tables.js").read_text() + PROBE

    def inject(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("path") == "/static/tables.js":
                await Response(source, media_type="text/javascript")(scope, receive, send)
            else:
                await app(scope, receive, send)

        return wrapped

    server = serve(FakeQueries(), inject)
    try:
        seen = browse(f"{server.url}/?window=30d", "--window-size=500,800")
    finally:
        server.stop()
    body = next(attrs for tag, attrs in seen.document.tags if tag == "body")
    assert 300 < float(body["data-edge"]) <= 380


def injecting(script: str) -> Callable[[ASGIApp], ASGIApp]:
    """Serves pages that run a script of the test as well."""

    def inject(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            async def adding(message: Message) -> None:
                if message["type"] == "http.response.start":
                    kept = [(name, value) for name, value in message["headers"] if name != b"content-length"]
                    message = {**message, "headers": kept}
                elif b"</body>" in message["body"]:
                    body = message["body"].replace(b"</body>", b'<script src="/static/probe.js"></script></body>')
                    message = {**message, "body": body}
                await send(message)

            if scope.get("path") == "/static/probe.js":
                await Response(script, media_type="text/javascript")(scope, receive, send)
            else:
                plain = [(name, value) for name, value in scope.get("headers", ()) if name != b"accept-encoding"]
                await app({**scope, "headers": plain}, receive, adding)

        return wrapped

    return inject


OTHER_PAGES = (
    "explain?kpi=pue&window=24h",
    "ledger",
    "findings",
    "findings/berlin-fans",
    "month/2026-10",
    "month/2026-09",
    "month/2026-08",
    "year/2026",
)


@pytest.mark.parametrize("path", OTHER_PAGES)
def test_other_pages_fit_a_phone_too(browse: Browser, path: str) -> None:
    server = serve(FakeQueries(), injecting(PROBE))
    try:
        seen = browse(f"{server.url}/sites/berlin/{path}", "--window-size=500,800")
    finally:
        server.stop()
    assert seen.console == []
    body = next(attrs for tag, attrs in seen.document.tags if tag == "body")
    assert 300 < float(body["data-edge"]) <= 380


def test_connection_lost_is_said_and_the_figures_stay(browse: Browser) -> None:
    def away(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("path", "").startswith("/api/"):
                await Response("<html>bad gateway</html>", status_code=502)(scope, receive, send)
            else:
                await app(scope, receive, send)

        return wrapped

    server = serve(FakeQueries(), away)
    try:
        seen = browse(server.url)
    finally:
        server.stop()
    assert seen.document.text("link") == "connection lost"
    assert re.fullmatch(
        r"Connection lost since \d\d:\d\d:\d\d\. The figures below are from then\.", seen.document.text("lost")
    )
    assert "1.279" in seen.document.text("pue")


def test_a_failing_store_is_said_in_its_own_words(browse: Browser) -> None:
    class Failing(FakeQueries):
        def problems(self, site: str) -> list[dict[str, object]]:
            self.fault = StoreError("the store is away; look at its disk")  # after the page itself was drawn
            return super().problems(site)

    server = serve(Failing())
    try:
        seen = browse(server.url)
    finally:
        server.stop()
    assert seen.document.text("lost") == "The service cannot answer: the store is away; look at its disk"


def test_the_fleet_page(browse: Browser) -> None:
    server = serve(FakeQueries(many=True))
    try:
        seen = browse(server.url)
    finally:
        server.stop()
    assert seen.console == []
    berlin = seen.document.text("berlin")
    assert berlin.startswith("Berlin Nord <1>")
    for text in ("1.279", "0.782 L/kWh", "9.2 %", "iPUE · category 1 · coverage 98.8 %", "1 firing"):
        assert text in berlin
    assert "none" in seen.document.text("zhangbei")
    assert "1.279" in seen.document.text("all")


KEYS = """
const press = (id, key) => document.querySelector(`#${id} .plot`).dispatchEvent(new KeyboardEvent("keydown", { key }));
setTimeout(() => {
  press("chart-rows", "Home"); press("chart-weather", "ArrowRight"); press("chart-energy", "End");
  press("chart-water", "ArrowRight"); press("chart-water", "ArrowRight"); press("chart-water", "Escape");
}, 2500);
"""


def heights(document: Document, *names: str) -> dict[str, float]:
    """How high each part of a flow is drawn."""
    nodes = [attrs for tag, attrs in document.tags if tag == "rect" and attrs.get("class", "").startswith("node f-")]
    found = {attrs["class"].removeprefix("node f-"): float(attrs["height"]) for attrs in nodes}
    return {name: found[name] for name in names}


@pytest.fixture(scope="module")
def month(browse: Browser, site: str) -> Seen:
    return browse(f"{site}/sites/berlin/month/2026-10", "--window-size=1400,1200")


def test_a_month_is_drawn_with_gaps_target_weather_and_units(month: Seen) -> None:
    document = month.document
    assert month.console == []
    assert document.count("rect", "bar-slot", "s-pue") == 30
    assert document.count("rect", "bar-slot", "partial") == 1
    assert document.count("rect", "gap") == 1
    assert document.count("line", "target-line") == 1
    assert document.count("path", "line", "s-temperature") == 1
    assert document.count("circle", "dot") == 31
    assert document.count("circle", "point") == 744
    rows = document.text("chart-rows")
    for text in ("Sat 31 Oct", "PUE 1.304", "Outdoor 15.1 °C", "Target 1.3"):
        assert text in rows
    for unit in ("PUE, kWh/kWh", "outdoor, °C"):
        assert unit in rows
    for unit in ("PUE, kWh/kWh", "outdoor temperature, °C", "744 hours"):
        assert unit in document.text("chart-weather")


def test_both_sides_of_a_flow_are_as_wide_as_the_total(month: Seen) -> None:
    came = heights(month.document, "utility_import", "onsite_renewable", "generator")
    went = heights(month.document, "it", "cooling", "power_chain", "lighting", "grid_export")
    energy = next(attrs for tag, attrs in month.document.tags if tag == "rect" and attrs.get("class") == "node f-other")
    whole = 4_190_200.0 + 345_600.0 + 1_900.0
    assert abs(sum(came.values()) - 190) < 1e-9
    assert abs(sum(went.values()) + float(energy["height"]) - 190) < 1e-9
    assert abs(came["onsite_renewable"] - 190 * 345_600.0 / whole) < 1e-9
    own = next(float(attrs["height"]) for _, attrs in month.document.tags if attrs.get("class") == "node s-total")
    assert abs(own - 190 * 4_511_300.0 / whole) < 1e-9
    kinds = heights(month.document, *(part["name"] for part in reporting.full()["energy"]["cooling"]["parts"]))
    assert abs(sum(kinds.values()) - went["cooling"]) < 1e-9
    for text in ("E_DC 4,511.3 MWh", "Grid import", "4,190.2 MWh · 92.9 %", "-26.4 MWh"):
        assert text in month.document.text("chart-energy")
    assert "Water 1,522.8 m³" in month.document.text("chart-water")


def test_plots_of_a_month_are_read_out_by_the_keyboard(browse: Browser) -> None:
    server = serve(FakeQueries(), injecting(KEYS))
    try:
        seen = browse(f"{server.url}/sites/berlin/month/2026-10", "--window-size=1400,1200")
    finally:
        server.stop()
    assert seen.console == []
    said = [attrs["aria-label"] for tag, attrs in seen.document.tags if "plot" in attrs.get("class", "").split()]
    first = "Thu 1 Oct, PUE 1.287, Outdoor 14.0 °C, Target 1.3"
    assert said[0] == f"PUE by day and mean outdoor temperature. {first}. Arrow keys move in time."
    assert said[1].startswith("PUE against outdoor temperature. 2 to 4 °C, ")
    assert said[2] == "Energy flow. Humidifiers 6.8\u202fMWh (0.9\u202f%). Arrow keys move through the parts."
    assert said[3].startswith("Water balance. Water 1,522.8\u202fm³, from Potable 1,012.0\u202fm³ (66.5\u202f%), ")


def test_a_year_an_empty_and_a_provisional_month(browse: Browser, site: str) -> None:
    year = browse(f"{site}/sites/berlin/year/2026")
    assert year.console == []
    assert year.document.count("rect", "bar-slot", "s-pue") == 11
    assert year.document.text("chart-rows").startswith("November 2026 (provisional)PUE")
    assert "330 days" in year.document.text("chart-weather")
    empty = browse(f"{site}/sites/berlin/month/2026-09")
    assert empty.console == []
    assert empty.document.text("chart-rows") == "No meter has a value in October 2026."
    assert empty.document.text("chart-weather") == "Not available: the site has no outdoor_dry_bulb meter."
    part = browse(f"{site}/sites/berlin/month/2026-11")
    assert part.console == []
    assert part.document.count("rect", "bar-slot", "s-pue") == 14


def test_names_in_a_month_are_text(browse: Browser, site: str) -> None:
    seen = browse(f"{site}/sites/berlin/month/2026-07")
    assert seen.console == []
    assert sum(tag == "script" for tag, _ in seen.document.tags) == 2
    assert '=<script>alert("x")' in seen.document.text("main")


def test_a_report_in_html_is_shown_as_it_was_made(browse: Browser, site: str) -> None:
    seen = browse(f"{site}/api/v1/reports/berlin/2026-10.html")
    assert seen.console == [], "its policy lets all that it needs"
