"""Every query of every Grafana board answers with data, from a real Prometheus and a real VictoriaMetrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import httpx
import pytest

from tests.boards import Json, boards, filled_in
from tests.scraping import SITES, WINDOWS, Scraped, prometheus, simulated
from tests.servers import victoria_metrics

EMPTY = {
    ("wattwell-fleet", "Alerts", "south"): "all rules are at rest there",
    ("wattwell-site", "Alerts", "south"): "all rules are at rest there",
    **dict.fromkeys(
        (
            ("wattwell-findings", title, "south")
            for title in ("Findings", "Excess power by family", "Excess power by site", "Open findings by family")
        ),
        "nothing was ever found there",
    ),
}
"""Panels that have nothing to show, by board, title and site, and why; every other panel must have data."""
UNMARKED = {("Alerts firing", "south"), ("Meter events", "south"), ("Findings", "south")}
"""Annotations without a mark: no alert fired there, no meter did anything odd, and nothing was found."""
IDLE = ("0.01", "0.02", "0.05", "0.1")


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Scraped:
    return simulated(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module", params=["prometheus", "victoria-metrics"])
def server(
    request: pytest.FixtureRequest, scraped: Scraped, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("server")
    if request.param == "prometheus":
        with prometheus(folder, scraped) as url, httpx.Client(base_url=url, timeout=30) as client:
            yield client
    else:
        with victoria_metrics(folder) as running, httpx.Client(base_url=running.url, timeout=30) as client:
            scraped.into(running)
            yield client


def ask(client: httpx.Client, scraped: Scraped, target: Mapping[str, object], expr: str) -> list[tuple[Json, float]]:
    """Labels and last value of each series that a query gives, over the span or at its end; NaN is no value."""
    first, last = scraped.span
    if target.get("instant"):
        answer = client.get("/api/v1/query", params={"query": expr, "time": last}).json()
    else:
        span = {"start": first, "end": last, "step": 120}
        answer = client.get("/api/v1/query_range", params={"query": expr, **span}).json()
    assert answer["status"] == "success", (expr, answer)
    found = []
    for series in answer["data"]["result"]:
        values = [float(value) for _, value in (series["values"] if "values" in series else [series["value"]])]
        known = [value for value in values if not math.isnan(value)]
        if known:
            found.append((series["metric"], known[-1]))
    return found


def choices(board: Json, scraped: Scraped) -> Iterator[tuple[str, dict[str, str]]]:
    """Each site (and all of them, where one may choose several), and the variables for each window."""
    names = {each["name"]: each for each in board["templating"]["list"]}
    sites = [*SITES, "all"] if names["site"]["multi"] else [*SITES]
    first, last = scraped.span
    for site, window, idle in product(sites, WINDOWS, IDLE if "idle" in names else ["-"]):
        yield (
            site,
            {
                "site": f"({'|'.join(SITES)})" if site == "all" else site,
                "window": window,
                "idle": idle,
                "__range": f"{last - first:.0f}s",
                "__rate_interval": "4m",
            },
        )


@pytest.mark.parametrize("uid", sorted(boards("prometheus")))
def test_every_panel_has_data(server: httpx.Client, scraped: Scraped, uid: str) -> None:
    board = boards("prometheus")[uid]
    asked: set[tuple[str, str]] = set()
    empty: set[tuple[str, str, str]] = set()
    for site, values in choices(board, scraped):
        for panel in board["panels"]:
            for target in panel["targets"]:
                expr = filled_in(target["expr"], values)
                if (expr, panel["title"]) not in asked:
                    asked.add((expr, panel["title"]))
                    if not ask(server, scraped, target, expr):
                        empty.add((uid, panel["title"], site))
    assert len(asked) > len(board["panels"])
    assert empty == {key for key in EMPTY if key[0] == uid}


@pytest.mark.parametrize("uid", sorted(boards("prometheus")))
def test_every_annotation_has_data(server: httpx.Client, scraped: Scraped, uid: str) -> None:
    board = boards("prometheus")[uid]
    marks = {mark["name"]: mark for mark in board["annotations"]["list"]}
    assert marks.keys() == {"Alerts firing", "Meter events", "Findings"}
    empty = set()
    for site, values in choices(board, scraped):
        for name, mark in marks.items():
            found = ask(server, scraped, {}, filled_in(mark["expr"], values))
            shown = re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"] + mark["textFormat"])
            assert all(set(shown) <= labels.keys() for labels, _ in found)
            if not found:
                empty.add((name, site))
    assert empty == UNMARKED


def test_the_site_variable_lists_every_site(server: httpx.Client, scraped: Scraped) -> None:
    first, last = scraped.span
    for board in boards("prometheus").values():
        variable = next(each for each in board["templating"]["list"] if each["name"] == "site")
        asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
        assert asked is not None
        span = {"match[]": asked[1], "start": first, "end": last}
        assert server.get(f"/api/v1/label/{asked[2]}/values", params=span).json()["data"] == list(SITES)


def test_boards_show_what_the_commands_say(server: httpx.Client, scraped: Scraped) -> None:
    """The figures at the head of the boards, for each site and window."""
    heads = {
        "pue": ("wattwell-site", "PUE", 1),
        "ups_efficiency": ("wattwell-site", "UPS efficiency", 1),
        "peak_demand_kw": ("wattwell-site", "Peak demand", 1000),
        "wue": ("wattwell-water", "WUE", 1),
        "ref": ("wattwell-renewables", "Renewable energy factor", 1),
        "cue_location": ("wattwell-renewables", "CUE", 1000),
    }
    said = {(k["site"], k["kpi"], k["window"]): k for k in scraped.kpis}
    for kpi, (uid, title, factor) in heads.items():
        (panel,) = (each for each in boards()[uid]["panels"] if each["title"] == title)
        for site, window in product(SITES, WINDOWS):
            expr = filled_in(panel["targets"][0]["expr"], {"site": site, "window": window})
            ((_, shown),) = ask(server, scraped, {"instant": True}, expr)
            assert shown == pytest.approx(said[site, kpi, window]["value"] * factor, rel=1e-12)


def test_the_fleet_names_what_is_wrong(server: httpx.Client, scraped: Scraped) -> None:
    panels = {each["title"]: each["targets"] for each in boards()["wattwell-fleet"]["panels"]}
    values = {"site": f"({'|'.join(SITES)})", "window": "24h"}

    def shown(title: str) -> list[tuple[Json, float]]:
        return ask(server, scraped, {"instant": True}, filled_in(panels[title][0]["expr"], values))

    assert [value for _, value in shown("Alerts firing")] == [1]
    assert [value for _, value in shown("Meters silent")] == [2]
    assert [(each["site"], each["name"], each["state"]) for each, _ in shown("Alerts")] == [
        ("north", "PueHigh", "firing")
    ]
