"""Grafana's boards are what their definitions make, what Grafana's own types allow, and lead where they say."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.architecture.test_documents import METRICS
from tests.boards import GRAFANA, Json, boards, builder, expressions, filled_in, panels, provisioned, strings
from tests.unit.test_web_fake import FakeQueries
from wattwell.engine.spans import ROLLING
from wattwell.web.api import create_app

UNITS = {"none", "percentunit", "watt", "celsius", "litre", "massg", "s", "dateTimeFromNow"}
"""Of Grafana's list (getValueFormats of @grafana/data); ``suffix:`` goes before a unit of one's own."""
BUILT_IN = {"__range", "__rate_interval", "__url_time_range", "__data", "__field"}
UIDS = {f"wattwell-{name}" for name in ("fleet", "site", "water", "renewables", "findings", "ingest", "flux")}
UNSHOWN = {
    "wattwell_followed_timestamp_seconds": "only who follows has it; the board shows that readings grow old",
    "wattwell_kpi_withheld": "for the rule on PUE below 1; a site's page says why a figure is withheld",
    "wattwell_report_issued_timestamp_seconds": "for a rule on overdue reports; a site's page lists them",
    "wattwell_reports_refused": "for a rule on reports that could not be issued; doctor says why",
    **dict.fromkeys(
        (
            "wattwell_site_energy_reuse_factor_ratio",
            "wattwell_site_energy_reuse_effectiveness_ratio",
            "wattwell_site_cooling_efficiency_ratio",
            "wattwell_site_reclaimed_water_ratio",
        ),
        "few sites have the meters for it; the page of one that has shows it",
    ),
}
"""Metrics that no board shows, and why not."""
FLUX_PRELUDE = (
    'option v = {defaultBucket: "b", timeRangeStart: -1h, timeRangeStop: now(), windowPeriod: 1m}\n'  # Grafana's own
)


def flux_queries() -> list[str]:
    """Every query of the board over InfluxDB, its site variable's among them."""
    board = boards("influxdb")["wattwell-flux"]
    found = [target["query"] for panel in board["panels"] for target in panel["targets"]]
    found += [variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    assert len(found) >= 12
    return found


def test_the_files_are_what_the_definitions_make() -> None:
    made = dict(builder().files())
    there = {path.relative_to(GRAFANA).as_posix(): path.read_text("utf-8") for path in GRAFANA.glob("boards/*/*.json")}
    assert there == made, "run python deploy/grafana/build.py"
    assert boards().keys() == UIDS


def lost(node: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Where ``kept`` is not what ``node`` is; what it holds beside it does not count."""
    if isinstance(node, dict) and isinstance(kept, dict):
        for key, value in node.items():
            yield from lost(value, kept.get(key), f"{path}/{key}")
    elif isinstance(node, list) and isinstance(kept, list) and len(node) == len(kept):
        for one, other in zip(node, kept, strict=True):
            yield from lost(one, other, f"{path}/*")
    elif node != kept:
        yield path


def unknown(board: Json) -> set[str]:
    """What Grafana's own types of a dashboard, its panels and queries do not know of a board."""
    register_default_plugins()
    return set(lost(board, json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))))


@pytest.mark.parametrize("uid", sorted(UIDS))
def test_grafanas_types_know_every_field(uid: str) -> None:
    assert unknown(boards()[uid]) <= {f"/annotations/list/*/{name}" for name in ("step", "textFormat", "titleFormat")}


def test_grafanas_types_find_what_is_misspelt() -> None:
    board = boards()["wattwell-site"]
    board["panels"][0]["options"]["colourMode"] = "value"
    board["panels"][-1]["targets"][0]["expression"] = "up"
    board["refreshes"] = "1m"
    assert {"/panels/*/options/colourMode", "/panels/*/targets/*/expression", "/refreshes"} <= unknown(board)


def test_panels_have_ids_of_their_own_and_lie_beside_one_another() -> None:
    for uid, board in boards().items():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids) >= 6, uid
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] >= 0, (uid, panel["title"])
            assert place["x"] + place["w"] <= 24, (uid, panel["title"])
        for one, other in combinations(board["panels"], 2):
            a, b = one["gridPos"], other["gridPos"]
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (uid, one["title"], other["title"])


def test_every_data_source_is_provisioned_and_is_of_its_type() -> None:
    known = {source["uid"]: source["type"] for source in provisioned("datasources")}
    assert known == {
        "wattwell-prometheus": "prometheus",
        "wattwell-alertmanager": "alertmanager",
        "wattwell-influxdb": "influxdb",
    }
    used: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if "datasource" in node:
                assert known[node["datasource"]["uid"]] == node["datasource"]["type"]
                used.add(node["datasource"]["uid"])
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(boards())
    assert used == {"wattwell-prometheus", "wattwell-influxdb"}


def test_providers_name_the_folders_that_the_readme_installs() -> None:
    readme = (GRAFANA / "README.md").read_text(encoding="utf-8")
    for provider in provisioned("dashboards"):
        path = Path(provider["options"]["path"])
        assert (GRAFANA / "boards" / path.name).is_dir()
        assert path.parent.as_posix() in readme
    for path in (GRAFANA / "provisioning").rglob("*.yaml"):
        for name in re.findall(r"\$(WATTWELL_\w+)", path.read_text(encoding="utf-8")):
            assert name in readme


def test_units_are_grafanas() -> None:
    found = set()
    for _, panel in panels():
        config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        found |= {config["defaults"]["unit"]} if "unit" in config["defaults"] else set()
        found |= {p["value"] for o in config["overrides"] for p in o["properties"] if p["id"] == "unit"}
    own = {unit for unit in found if unit.startswith("suffix:")}
    assert own == {"suffix:L/kWh", "suffix:g/kWh", "suffix:h", "suffix:readings/s"}
    assert found - own == UNITS


def test_variables_that_are_used_exist_and_all_that_exist_are_used() -> None:
    for uid, board in boards().items():
        names = {variable["name"] for variable in board["templating"]["list"]}
        parts = {key: value for key, value in board.items() if key != "templating"}
        used = {m[0] or m[1] for text in strings(parts) for m in re.findall(r"\$(?:(\w+)|\{(\w+))", text)}
        assert used - BUILT_IN == names, uid


def test_the_windows_are_those_that_are_exported() -> None:
    for board in boards().values():
        window = next(each for each in board["templating"]["list"] if each["name"] == "window")
        assert window["query"].split(",") == list(ROLLING)


def test_links_lead_to_boards_and_pages_that_exist() -> None:
    app = create_app(FakeQueries(), token=None, ready=lambda: (True, ""))
    pages = set()
    values = {
        "page": "http://w",
        "site": "berlin",
        "window": "24h",
        "__url_time_range": "from=1&to=2",
        "__data": "berlin",
    }
    urls = {
        text.replace("${__data.fields.Site}", "${__data}")
        for text in strings(boards())
        if text.startswith(("/d/", "${page}"))
    }
    assert len(urls) >= 4
    for url in urls:
        parts = urlsplit(filled_in(url, values))
        if parts.netloc == "w":
            pages.add(parts.path)
        else:
            uid = parts.path.removeprefix("/d/")
            names = {each["name"] for each in boards()[uid]["templating"]["list"]}
            asked = {key.removeprefix("var-") for key in parse_qs(parts.query) if key.startswith("var-")}
            assert asked
            assert asked <= names
    assert pages == {"/", "/sites/berlin", "/sites/berlin/findings"}
    assert asyncio.run(_statuses(app, pages)) == {200}


async def _statuses(app: FastAPI, paths: Iterable[str]) -> set[int]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return {(await client.get(path)).status_code for path in paths}


def test_only_metrics_and_labels_that_exist_are_asked_for() -> None:
    asked = set()
    for board in boards("prometheus").values():
        for expr in expressions(board):
            for metric, selector in re.findall(r"(wattwell_\w+)(?:\{([^}]*)\})?", expr):
                asked.add(metric)
                assert set(re.findall(r"(\w+)\s*(?:=~|!=|=)", selector)) <= set(METRICS[metric]), expr
    assert METRICS.keys() - asked <= UNSHOWN.keys()


def test_flux_asks_for_metrics_and_tags_that_exist() -> None:
    for query in flux_queries():
        for metric in re.findall(r'r\._field == "(\w+)"', query):
            kept = set(re.findall(r'"(\w+)"', query[query.index("keep(") :].split("]")[0])) - {"_time", "_value"}
            assert set(re.findall(r"r\.([a-z]\w*)", query)) | kept <= set(METRICS[metric]), query


def test_flux_is_well_formed() -> None:
    """By InfluxData's own parser and types, where node finds npm's @influxdata/flux-lsp-node."""
    node, package = shutil.which("node"), "@influxdata/flux-lsp-node"
    if (
        node is None
        or subprocess.run([node, "-e", f"require.resolve('{package}')"], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"npm install {package}, and put its folder into NODE_PATH, to check Flux")
    script = (
        f"const flux = require('{package}');"
        "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map((q) => flux.is_valid_flux(q))))"
    )
    texts = [_with_prelude(filled_in(query, {"site": "north", "window": "24h"})) for query in flux_queries()]
    wrong = [text.replace("range(", "rang(") for text in texts if "range(" in text]
    done = subprocess.run(
        [node, "-e", script], input=json.dumps(texts + wrong), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [True] * len(texts) + [False] * len(wrong)


def _with_prelude(query: str) -> str:
    imports = re.match(r'(import "[^"]+"\n)?', query)
    assert imports is not None
    return imports[0] + FLUX_PRELUDE + query[imports.end() :]
