"""Each rule of the configuration with a case that breaks it and a case that keeps it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from wattwell.config import load, parse
from wattwell.errors import ConfigError, Fault

BASE: dict[str, Any] = {
    "sites": [
        {
            "id": "hall",
            "timezone": "Europe/Berlin",
            "pue_category": 1,
            "meters": [
                {
                    "id": "grid",
                    "role": "utility_import",
                    "quantity": "energy",
                    "accumulation": "register",
                    "max_rate": 500,
                },
                {"id": "load", "role": "it_ups", "quantity": "power", "accumulation": "instantaneous"},
                {"id": "air", "quantity": "temperature", "accumulation": "instantaneous"},
                {"id": "sum", "quantity": "energy", "formula": "grid - load"},
            ],
        }
    ],
    "alerts": [{"name": "High", "kpi": "pue", "window": "24h", "above": 1.3}],
    "mqtt": {"url": "mqtt://127.0.0.1"},
    "notify": [{"url": "json://127.0.0.1/hook"}],
}
GRID, LOAD, AIR, SUM = (f"sites.0.meters.{index}" for index in range(4))
RULE, SITE = "alerts.0", "sites.0"


def patched(**changes: Any) -> dict[str, Any]:
    """The base document with values at dotted paths replaced; ``...`` removes a key."""
    document = copy.deepcopy(BASE)
    for path, value in changes.items():
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
        target: Any = document
        for step in steps:
            target = target[step] if isinstance(step, int) else target.setdefault(step, {})
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return document


def faults_of(document: Any, base: Path = Path()) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(document, base)
    return caught.value.faults


def test_the_base_document_is_right() -> None:
    assert list(parse(BASE, Path()).sites) == ["hall"]


WATCHED = {"name": "X", "above": 1.3}
WINDOW = {"from": "2026-02-01", "until": "2026-02-02", "reason": "filters"}
BAD: list[tuple[str, Any, str, str]] = [
    # path, value written there, path of the fault, part of the remedy
    ("grid", "20m", "grid", "1m 5m 15m 30m 60m"),
    ("grid", "1h1s", "grid", "15m"),
    ("grid", 15, "grid", "with its unit"),
    ("grid", "999999999999999999d", "grid", "at most"),
    ("late", "0s", "late", "above 0"),
    ("late", "-1d", "late", "31d"),
    ("late", True, "late", "31d"),
    ("coverage", {"full": 1.1}, "coverage.full", "0 to 1"),
    ("coverage", {"provisional": 0}, "coverage.provisional", "above 0"),
    ("coverage", {"full": 0.4}, "coverage.full", "not be above full"),
    ("coverage", 0.9, "coverage", "full provisional"),
    ("coverage", {"full": True}, "coverage.full", "0 to 1"),
    ("sites", [], "sites", "at least one"),
    ("sites", {}, "sites", "list"),
    ("sites", ..., "sites", "required"),
    (f"{SITE}.id", "all", "sites[0].id", "roll-up"),
    (f"{SITE}.id", "a/b", "sites[0].id", "letters"),
    (f"{SITE}.id", "-a", "sites[0].id", "first"),
    (f"{SITE}.id", 7, "sites[0].id", "quotes"),
    (f"{SITE}.timezone", "Berlin", "sites[0].timezone", "IANA"),
    (f"{SITE}.timezone", "../etc/passwd", "sites[0].timezone", "IANA"),
    (f"{SITE}.timezone", "Europe", "sites[0].timezone", "IANA"),
    (f"{SITE}.timezone", ..., "sites[0].timezone", "required"),
    (f"{SITE}.pue_category", 0, "sites[0].pue_category", "1 (UPS)"),
    (f"{SITE}.pue_category", 1.0, "sites[0].pue_category", "1 (UPS)"),
    (f"{SITE}.fiscal_year_start", 13, "sites[0].fiscal_year_start", "1 to 12"),
    (f"{SITE}.it_power_kw", 0, "sites[0].it_power_kw", "above 0"),
    (f"{SITE}.it_power_kw", float("nan"), "sites[0].it_power_kw", "above 0"),
    (f"{SITE}.it_power_kw", 10**400, "sites[0].it_power_kw", "above 0"),
    (f"{SITE}.wue_numerator", "all", "sites[0].wue_numerator", "total_input potable fresh consumed"),
    (f"{SITE}.targets", {"wue": 0}, "sites[0].targets.wue", "above 0"),
    (f"{SITE}.targets", {"pue": 0.99}, "sites[0].targets.pue", "1 or more"),
    (f"{SITE}.limits", ["enefg-existing", "enefg-existing"], "sites[0].limits[1]", "twice"),
    (f"{SITE}.limits", "enefg-existing", "sites[0].limits", "list"),
    (f"{SITE}.prices", {"currency": "EUR"}, "sites[0].prices.electricity_per_kwh", "required"),
    (f"{SITE}.factors", {"grid_kg_per_kwh": True}, "sites[0].factors.grid_kg_per_kwh", "number"),
    (f"{SITE}.meters", [], "sites[0].meters", "at least one meter"),
    (f"{SITE}.meters", ["grid"], "sites[0].meters[0]", "keys and values"),
    (f"{SITE}.name", 5, "sites[0].name", "quotes"),
    (f"{GRID}.id", "load", "sites[0].meters[1].id", "already used"),
    (f"{GRID}.role", "it_upz", "sites[0].meters[0].role", "did you mean it_ups"),
    (f"{GRID}.role", "water_input", "sites[0].meters[0].role", "water or flow"),
    (f"{AIR}.role", "fan", "sites[0].meters[2].role", "energy or power"),
    (f"{AIR}.role", "fan_speed", "sites[0].meters[2].role", "ratio"),
    (f"{GRID}.quantity", "Energy", "sites[0].meters[0].quantity", "did you mean energy"),
    (f"{GRID}.accumulation", ..., "sites[0].meters[0].accumulation", "never guessed"),
    (f"{GRID}.accumulation", "instantaneous", "sites[0].meters[0].accumulation", "quantity: power"),
    (f"{LOAD}.accumulation", "register", "sites[0].meters[1].accumulation", "instantaneous"),
    (f"{AIR}.accumulation", "delta", "sites[0].meters[2].accumulation", "instantaneous"),
    (f"{GRID}.unit", "kwh", "sites[0].meters[0].unit", "Wh kWh MWh GWh J kJ MJ GJ"),
    (f"{AIR}.unit", "%", "sites[0].meters[2].unit", "degC degF"),
    (f"{GRID}.max_rate", ..., "sites[0].meters[0].max_rate", "kW (energy)"),
    (f"{GRID}.max_rate", 0, "sites[0].meters[0].max_rate", "above 0"),
    (f"{GRID}.max_rate", "500", "sites[0].meters[0].max_rate", "without quotes"),
    (f"{AIR}.max_rate", 5, "sites[0].meters[2].max_rate", "range"),
    (f"{GRID}.rollover_at", 0, "sites[0].meters[0].rollover_at", "above 0"),
    (f"{LOAD}.rollover_at", 100, "sites[0].meters[1].rollover_at", "only a register"),
    (f"{GRID}.resolution", -0.1, "sites[0].meters[0].resolution", "0 or more"),
    (f"{GRID}.accuracy", 1.5, "sites[0].meters[0].accuracy", "0 to 1"),
    (f"{GRID}.period", 60, "sites[0].meters[0].period", "unit"),
    (f"{GRID}.interpolation", "step", "sites[0].meters[0].interpolation", "instantaneous"),
    (f"{LOAD}.interpolation", "cubic", "sites[0].meters[1].interpolation", "linear step"),
    (f"{GRID}.range", [5, 5], "sites[0].meters[0].range", "lower one first"),
    (f"{GRID}.range", [1, True], "sites[0].meters[0].range", "two numbers"),
    (f"{GRID}.sentinels", [1, "x"], "sites[0].meters[0].sentinels[1]", "number"),
    (f"{GRID}.sentinels", 5, "sites[0].meters[0].sentinels", "list"),
    (f"{GRID}.role", "fuel", "sites[0].meters[0].weight", "requires a weight"),
    (f"{GRID}.weight", 2, "sites[0].meters[0].weight", "fuel"),
    (f"{AIR}.kg_per_kwh", 0.2, "sites[0].meters[2].kg_per_kwh", "energy or power"),
    (f"{GRID}.multiplier", 0, "sites[0].meters[0].multiplier", "above 0"),
    (f"{GRID}.multiplier", True, "sites[0].meters[0].multiplier", "number"),
    (f"{GRID}.multiplier", [], "sites[0].meters[0].multiplier", "empty"),
    (f"{GRID}.multiplier", [{"value": 2}], "sites[0].meters[0].multiplier[0].from", "required"),
    (f"{GRID}.multiplier", [{"from": "2026-01-01", "value": -2}], "sites[0].meters[0].multiplier[0].value", "above 0"),
    (f"{GRID}.multiplier", [{"from": "2026-1-1", "value": 2}], "sites[0].meters[0].multiplier[0].from", "YYYY-MM-DD"),
    (
        f"{GRID}.multiplier",
        [{"from": "2026-01-01", "value": 2}, {"from": "2026-01-01", "value": 3}],
        "sites[0].meters[0].multiplier[1].from",
        "twice",
    ),
    (f"{GRID}.sign", 0, "sites[0].meters[0].sign", "1 or -1"),
    (f"{GRID}.sign", True, "sites[0].meters[0].sign", "1 or -1"),
    (f"{GRID}.sign", [{"from": "2026-01-01", "value": 2}], "sites[0].meters[0].sign[0].value", "1 or -1"),
    (f"{GRID}.from", "2026-01-01T00:00:00Z", "sites[0].meters[0].from", "without a time"),
    (f"{GRID}.from", "1800-01-01", "sites[0].meters[0].from", "1900"),
    (f"{GRID}.parent", "nobody", "sites[0].meters[0].parent", "no meter"),
    (f"{GRID}.parent", "grid", "sites[0].meters[0].parent", "circle"),
    (f"{GRID}.parent", "air", "sites[0].meters[0].parent", "temperature"),
    (f"{SUM}.formula", "grid + nobody", "sites[0].meters[3].formula", "called nobody"),
    (f"{SUM}.formula", "grid-load", "sites[0].meters[3].formula", "spaces"),
    (f"{SUM}.formula", "grid load", "sites[0].meters[3].formula", "a + b - c"),
    (f"{SUM}.formula", "grid +", "sites[0].meters[3].formula", "a + b - c"),
    (f"{SUM}.formula", "grid + + load", "sites[0].meters[3].formula", "a + b - c"),
    (f"{SUM}.formula", "- sum", "sites[0].meters[3].formula", "circle"),
    (f"{SUM}.formula", "grid + air", "sites[0].meters[3].formula", "cannot be part"),
    (f"{SUM}.formula", "", "sites[0].meters[3].formula", "not empty"),
    (f"{SUM}.accumulation", "register", "sites[0].meters[3].accumulation", "leave this key out"),
    (f"{SUM}.sentinels", [], "sites[0].meters[3].sentinels", "leave this key out"),
    (f"{SUM}.source", {"topic": "a"}, "sites[0].meters[3].source", "leave this key out"),
    (f"{GRID}.source", {}, "sites[0].meters[0].source.topic", "required"),
    (f"{GRID}.source", {"topic": "a", "tpoic": 1}, "sites[0].meters[0].source.tpoic", "did you mean topic"),
    (f"{GRID}.source", {"topic": "$share/g/a"}, "sites[0].meters[0].source.topic", "mqtt.subscribe"),
    (f"{GRID}.source", {"topic": "a/b+"}, "sites[0].meters[0].source.topic", "whole level"),
    (f"{GRID}.source", {"topic": "a", "decoder": "bacnet"}, "sites[0].meters[0].source.decoder", "write one of"),
    (f"{GRID}.source", {"topic": "a", "time_unit": "m"}, "sites[0].meters[0].source.time_unit", "s ms us ns"),
    (f"{GRID}.source", {"topic": "a", "value": "a..b"}, "sites[0].meters[0].source.value", "single dots"),
    (f"{GRID}.source", {"topic": "a", "decoder": "plain", "value": "v"}, "sites[0].meters[0].source.value", "plain"),
    (f"{GRID}.source", {"topic": "wattwell/hall/load"}, "sites[0].meters[1]", "hall/grid"),
    (f"{GRID}.source", {"topic": "wattwell/+/load"}, "sites[0].meters[1]", "hall/grid"),
    (f"{GRID}.source", {"topic": "wattwell/hall", "value": "values.air"}, "sites[0].meters[2]", "hall/grid"),
    ("store", {"url": "influxdbs://u:secret@host"}, "store.url", "a password does not belong in a URL"),
    ("store", {"url": "influxdb://host:8086/org"}, "store.url", "names no organisation and bucket"),
    ("store", {"url": "influxdb://host/org/bucket"}, "store.token_file", "lets nobody in without a token"),
    ("store", {"url": "influxdb://host/org/bucket", "nodes": ["http://x"]}, "store.nodes", "only a cluster"),
    ("store", {"url": "victoriametrics://host", "bucket_retention": "30d"}, "store.bucket_retention", "InfluxDB"),
    ("store", {"url": "victoriametrics://host", "nodes": ["http://x"]}, "store.nodes", "read_url"),
    ("store", {"url": "victoriametrics://host/insert/0/influx"}, "store.read_url", "read at its vmselect"),
    ("store", {"url": "victoriametrics://host", "read_url": "http://host"}, "store.read_url", "/select/TENANT"),
    (
        "store",
        {"url": "victoriametrics://host", "read_url": "victoriametrics://b", "nodes": ["b:1"]},
        "store.nodes",
        "/metrics",
    ),
    ("store", {"url": "victoriametrics://host", "ca_file": "no-such"}, "store.ca_file", "no such file"),
    ("store", {"url": "duckdb:x.duckdb", "kpi_series": True}, "store.kpi_series", "needs none"),
    ("store", {"url": "duckdb:x.duckdb", "follow": "10s"}, "store.follow", "needs none"),
    ("store", {"url": "victoriametrics://host", "follow": "10s"}, "store.follow", "a collector sends"),
    ("store", {"url": "victoriametricss://u:secret@host"}, "store.url", "a password does not belong in a URL"),
    ("store", {"url": "victoriametrics://user@host"}, "store.url", "a user does not belong here"),
    ("store", {"url": "victoriametrics://"}, "store.url", "names no host"),
    ("store", {"url": "victoriametrics://host:8428?x=1"}, "store.url", "nothing may follow"),
    ("store", {"url": "victoriametrics://host", "spool": "folder/"}, "store.spool", "this is a directory"),
    ("store", {"url": "victoriametrics://host", "token_file": "no-such"}, "store.token_file", "no such file"),
    ("store", {"url": "duckdb:x.duckdb", "spool": "y.duckdb"}, "store.spool", "needs none"),
    ("store", {"url": "sqlite:x"}, "store.url", "duckdb:FILE"),
    ("store", {"url": "duckdb:"}, "store.url", "file"),
    ("store", {"url": "duckdb::memory:"}, "store.url", "file that lasts"),
    ("store", {"url": "duckdb://x/y"}, "store.url", "third slash"),
    ("store", {"url": "duckdb:."}, "store.url", "directory"),
    ("store", {"raw_retention": "30d"}, "store.raw_retention", "31d"),
    ("store", {"token_file": "x"}, "store.token_file", "embedded"),
    ("mqtt", {}, "mqtt.url", "required"),
    ("mqtt.url", "tcp://127.0.0.1", "mqtt.url", "mqtt://HOST"),
    ("mqtt.url", "127.0.0.1:1883", "mqtt.url", "mqtt://HOST"),
    ("mqtt.url", "mqtt://127.0.0.1:99999", "mqtt.url", "valid URL"),
    ("mqtt.url", "mqtt://:1883", "mqtt.url", "host"),
    ("mqtt.url", "mqtt://user@host", "mqtt.url", "username"),
    ("mqtt.url", "mqtt://user:pass@host", "mqtt.url", "file"),
    ("mqtt.url", "mqtt://host/dc", "mqtt.url", "subscribe"),
    ("mqtt.subscribe", [], "mqtt.subscribe", "empty"),
    ("mqtt.subscribe", ["$share/g"], "mqtt.subscribe[0]", "$share/GROUP/FILTER"),
    ("mqtt.subscribe", ["a", None], "mqtt.subscribe[1]", "topic filter"),
    ("mqtt.subscribe", "a", "mqtt.subscribe", "list"),
    ("mqtt.version", "3.1", "mqtt.version", "3.1.1"),
    ("mqtt.max_payload", 0, "mqtt.max_payload", "1 to"),
    ("mqtt.session_expiry", 5, "mqtt.session_expiry", "duration"),
    ("mqtt.password_file", "absent", "mqtt.password_file", "no such file"),
    ("mqtt.tls", {"ca_file": "absent"}, "mqtt.tls.ca_file", "no such file"),
    ("mqtt.tls", {"cart_file": "x"}, "mqtt.tls.cart_file", "did you mean cert_file"),
    ("http", {"listen": "0.0.0.0:80"}, "http.token_file", "beyond loopback"),
    ("http", {"listen": "[::]:80"}, "http.token_file", "beyond loopback"),
    ("http", {"listen": "example.org:80"}, "http.token_file", "beyond loopback"),
    ("http", {"listen": ":80"}, "http.listen", "HOST:PORT"),
    ("http", {"listen": "127.0.0.1"}, "http.listen", "HOST:PORT"),
    ("http", {"listen": "127.0.0.1:70000"}, "http.listen", "HOST:PORT"),
    ("http", {"listen": "[::g]:80"}, "http.listen", "HOST:PORT"),
    ("http", {"token_file": "absent"}, "http.token_file", "no such file"),
    (f"{RULE}.name", "a b", "alerts[0].name", "letters"),
    ("alerts.0", WATCHED | {"kpi": "cfe", "window": "1h"}, "alerts[0].window", "24h or longer"),
    (f"{RULE}.kpi", "overhead_cool", "alerts[0].kpi", "did you mean overhead_cooling"),
    (f"{RULE}.window", "month", "alerts[0].window", "1h 24h 7d 30d 365d"),
    (f"{RULE}.window", ..., "alerts[0].window", "required"),
    (f"{RULE}.kpi", ..., "alerts[0]", "kpi: coverage: power: stale: balance: spool: course: finding: expected:"),
    (f"{RULE}.power", "it", "alerts[0].power", "make it two rules"),
    (f"{RULE}.above", "15m", "alerts[0].above", "a number, without quotes"),
    (f"{RULE}.above", "high", "alerts[0].above", "duration such as 15m"),
    (f"{RULE}.runbook", "wiki/pue", "alerts[0].runbook", "address of a page"),
    (f"{RULE}.labels", {"meter": "x"}, "alerts[0].labels.meter", "another name"),
    ("alerts.0", WATCHED | {"finding": "fans"}, "alerts[0].finding", "write one of: ups_loss fan_power"),
    ("alerts.0", {"name": "X", "finding": "any", "below": 1}, "alerts[0].below", "`above:`"),
    ("alerts.0", {"name": "X", "finding": "any", "clear": 1}, "alerts[0]", "threshold"),
    ("alerts.0", {"name": "X", "finding": "any", "window": "1h"}, "alerts[0].window", "on `finding:` has no window"),
    (f"{RULE}.labels", {"family": "x"}, "alerts[0].labels.family", "another name"),
    ("http", {"grafana_url": "grafana"}, "http.grafana_url", "people find Grafana"),
    ("http", {"grafana_url": "https://g/?orgId=1"}, "http.grafana_url", "path only"),
    ("sites.0.maintenance", ["Friday"], "sites[0].maintenance[0]", "from until equipment reason"),
    ("sites.0.maintenance", [WINDOW | {"from": "noon"}], "sites[0].maintenance[0].from", "a local date"),
    ("sites.0.maintenance", [WINDOW | {"until": "2026-02-01"}], "sites[0].maintenance[0].until", "after `from`"),
    ("sites.0.maintenance", [WINDOW | {"equipment": "x"}], "sites[0].maintenance[0].equipment", "no meter has this"),
    ("sites.0.maintenance", [{"from": "2026-02-01", "until": "2026-02-02"}], "sites[0].maintenance[0].reason", "abs"),
    ("alerts.0", WATCHED | {"coverage": "pue"}, "alerts[0].window", "required"),
    ("alerts.0", WATCHED | {"expected": "pue"}, "alerts[0].window", "required"),
    ("alerts.0", WATCHED | {"expected": "wue", "window": "24h"}, "alerts[0].expected", "write one of: pue"),
    ("alerts.0", WATCHED | {"coverage": "pue", "window": "1h"}, "alerts[0].above", "share from 0 to 1"),
    ("alerts.0", WATCHED | {"power": "chiller"}, "alerts[0].power", "total it cooling power_chain lighting other"),
    ("alerts.0", WATCHED | {"stale": "lod", "above": "15m"}, "alerts[0].stale", "did you mean load"),
    ("alerts.0", WATCHED | {"stale": "any"}, "alerts[0].above", "a duration such as 15m"),
    ("alerts.0", {"name": "X", "stale": "any", "below": "15m"}, "alerts[0].below", "`above:`"),
    ("alerts.0", WATCHED | {"stale": "any", "above": "1h", "window": "1h"}, "alerts[0].window", "leave it out"),
    ("alerts.0", WATCHED | {"balance": "any"}, "alerts[0].window", "required"),
    ("alerts.0", WATCHED | {"spool": "files"}, "alerts[0].spool", "readings"),
    ("alerts.0", WATCHED | {"spool": "readings", "sites": ["hall"]}, "alerts[0].sites", "no site"),
    ("alerts.0", WATCHED | {"course": "peak_demand_kw"}, "alerts[0].course", "a peak"),
    ("alerts.0", WATCHED | {"course": "load_factor"}, "alerts[0].course", "a peak"),
    ("alerts.0", WATCHED | {"course": "pue", "window": "365d"}, "alerts[0].window", "leave it out"),
    (f"{RULE}.above", ..., "alerts[0]", "threshold"),
    (f"{RULE}.below", 1, "alerts[0].below", "one threshold"),
    (f"{RULE}.clear", 1.31, "alerts[0].clear", "not lie above"),
    (f"{RULE}.for", "soon", "alerts[0].for", "30m"),
    (f"{RULE}.keep_firing", 0, "alerts[0].keep_firing", "0s"),
    (f"{RULE}.sites", ["hal"], "alerts[0].sites[0]", "did you mean hall"),
    (f"{RULE}.labels", {"a-b": "x"}, "alerts[0].labels.a-b", "digits"),
    (f"{RULE}.labels", {"site": "x"}, "alerts[0].labels.site", "another name"),
    (f"{RULE}.labels", {"tier": 1}, "alerts[0].labels.tier", "quotes"),
    ("notify.0.url", "slack://x", "notify[0].url", "Apprise cannot use this URL"),
    ("notify.0.url", "pager://x", "notify[0].url", "not known here, nor to Apprise"),
    ("notify.0.url", "mailto://me:secret@example.org", "notify[0].url", "put the whole URL into a file"),
    ("notify.0.url", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "notify[0].url", "a password or a token"),
    ("notify.0.url", "https://x", "notify[0].url", "webhook+https://x"),
    ("notify.0.url", "alertmanager:///x", "notify[0].url", "no host"),
    ("notify.0.url", "alertmanager://u:p@x", "notify[0].url", "password"),
    ("notify.0.url", "alertmanager://x?a=b", "notify[0].url", "nothing may follow the path"),
    ("notify.0", {}, "notify[0].url", "required and absent"),
    ("notify.0.url_file", "x", "notify[0].url_file", "keep one of them"),
    ("notify.0", {"url_file": "x"}, "notify[0].url_file", "no such file"),
    ("notify", [{"url": "json://h"}, {"url": "json://h"}], "notify[1].url", "stands twice"),
    ("http.public_url", "watch.example", "http.public_url", "write the address where people find the page"),
    ("http.public_url", "https://u@watch.example", "http.public_url", "scheme, host, port and path only"),
    ("notify.0.url", "hook", "notify[0].url", "no URL"),
    ("notify.0.url", "json:///x", "notify[0].url", "no host"),
    ("notify.0.url", "json://u:p@x", "notify[0].url", "password"),
    ("notify.0.url", "jsons://[x", "notify[0].url", "valid URL"),
    ("notify.0", {"token_file": "x", "url": "json://h"}, "notify[0].token_file", "no such file"),
    ("alert", [], "alert", "did you mean alerts"),
]


@pytest.mark.parametrize(("path", "value", "where", "remedy"), BAD)
def test_each_bad_value_is_one_fault(path: str, value: Any, where: str, remedy: str) -> None:
    faults = faults_of(patched(**{path: value}))
    found = [fault for fault in faults if fault.path == where]
    assert len(found) == 1, [str(fault) for fault in faults]
    assert remedy in found[0].remedy
    assert "pass@" not in str(found[0]), "a password is shown"
    assert "secret" not in str(found[0]), "a password is shown"


def test_the_table_of_bad_values_is_whole() -> None:
    assert len(BAD) > 150


GOOD: list[tuple[str, Any]] = [
    ("grid", "1m"),
    ("grid", "1h"),
    ("late", "36h"),
    ("coverage", {"full": 1, "provisional": 1}),
    ("coverage", None),
    (f"{SITE}.name", "Hall ä"),
    (f"{SITE}.timezone", "Australia/Lord_Howe"),
    (f"{SITE}.pue_category", 3),
    (f"{SITE}.targets", {"pue": 1, "ref": 1}),
    (f"{SITE}.limits", ["enefg-existing", "enefg-new", "enefg-draft-2026-04", "gb40879-2021"]),
    (f"{SITE}.factors", {"grid_kg_per_kwh": 0, "grid_carbon_free_share": 1}),
    (f"{GRID}.parent", None),
    (f"{GRID}.weight", 1),
    (f"{GRID}.kg_per_kwh", 0),
    (f"{GRID}.accuracy", 0),
    (f"{GRID}.rollover_at", 1e6),
    (f"{GRID}.unit", "GJ"),
    (f"{GRID}.accumulation", "delta"),
    (f"{LOAD}.max_rate", 5),
    (f"{LOAD}.interpolation", "step"),
    (f"{LOAD}.parent", "grid"),
    (f"{AIR}.role", "setpoint"),
    (f"{AIR}.unit", "degF"),
    (f"{GRID}.from", "2026-03-29"),
    (f"{SUM}.formula", "-load + grid"),
    (f"{SUM}.formula", "+ grid"),
    (f"{SUM}.parent", "grid"),
    (f"{SUM}.quantity", "power"),
    (f"{SUM}.from", "2026-01-01"),
    (f"{GRID}.source", {"topic": "a/+/#", "decoder": "json", "value": "0.x", "time": None}),
    (f"{GRID}.source", {"topic": "wattwell/hall", "value": "values.grid"}),
    ("store", {"raw_retention": "31d"}),
    ("store", {"url": "duckdb:data/x.duckdb"}),
    ("mqtt", None),
    ("mqtt.url", "mqtts://[::1]:8884/"),
    ("mqtt.version", 5),
    ("mqtt.version", "3.1.1"),
    ("http", {"listen": "127.8.8.8:0"}),
    ("http", {"listen": "localhost:80"}),
    ("http", {"listen": "[::1]:80"}),
    ("alerts", []),
    (f"{RULE}.clear", 1.3),
    (f"{RULE}.kpi", "ppue_power_chain"),
    (f"{RULE}.runbook", "https://wiki.example/pue"),
    ("alerts.0", {"name": "X", "coverage": "wue", "window": "24h", "below": 0.9, "clear": 0.95}),
    ("alerts.0", WATCHED | {"power": "it"}),
    ("alerts.0", WATCHED | {"power": "cooling", "window": "1h", "clear": 1}),
    ("alerts.0", WATCHED | {"stale": "any", "above": "15m", "clear": "5m"}),
    ("alerts.0", WATCHED | {"stale": "air", "above": "15m", "sites": ["hall"]}),
    ("alerts.0", WATCHED | {"balance": "any", "window": "24h"}),
    ("alerts.0", WATCHED | {"spool": "readings"}),
    ("alerts.0", WATCHED | {"course": "pue"}),
    (f"{RULE}.sites", ["hall"]),
    (f"{RULE}.labels", {"team": "plant"}),
    ("notify", None),
    ("notify.0.url", "webhook+https://user@host:8443/x?y"),
    ("notify.0.url", "alertmanager://127.0.0.1"),
    ("notify.0.url", "alertmanagers://ops@am.example:443/path/"),
    ("notify.0.url", "mqtt://127.0.0.1/wattwell/alerts?qos=1"),
    ("http.public_url", "https://watch.example:8443/dc/"),
]


@pytest.mark.parametrize(("path", "value"), GOOD)
def test_each_good_value_is_taken(path: str, value: Any) -> None:
    assert parse(patched(**{path: value}), Path()).sites


@pytest.mark.parametrize(
    ("zone", "grid", "most"),
    [("Asia/Kolkata", "60m", "30m"), ("Asia/Kathmandu", "30m", "15m"), ("Australia/Lord_Howe", "60m", "30m")],
)
def test_the_grid_divides_every_offset_of_a_zone(zone: str, grid: str, most: str) -> None:
    (fault,) = faults_of(patched(**{f"{SITE}.timezone": zone, "grid": grid}))
    assert fault.path == "sites[0].timezone"
    assert f"grid: {most}" in fault.remedy
    assert parse(patched(**{f"{SITE}.timezone": zone, "grid": most}), Path()).grid


def test_two_sites_with_one_id() -> None:
    document = patched()
    document["sites"].append(copy.deepcopy(document["sites"][0]))
    assert [fault.path for fault in faults_of(document)] == ["sites[1].id"]


def test_certificates_may_not_stand_in_two_files(tmp_path: Path) -> None:
    rows = "id,kind,start,end,mwh,status\nx,ppa,2026-01-01,2026-02-01,1,held\n"
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(rows, encoding="utf-8")
    document = patched(**{f"{SITE}.certificates": "a.csv"})
    document["sites"].append(patched(**{f"{SITE}.certificates": "b.csv", f"{SITE}.id": "two"})["sites"][0])
    (fault,) = faults_of(document, tmp_path)
    assert fault.path == "sites[1].certificates: b.csv line 2, id"
    assert "a.csv line 2" in fault.remedy


def test_a_misspelt_key_is_one_fault_not_two() -> None:
    document = patched(**{f"{GRID}.accumulation": ..., f"{GRID}.acumulation": "register"})
    assert [fault.path for fault in faults_of(document)] == ["sites[0].meters[0].acumulation"]


@pytest.mark.parametrize("path", ["it_power_kw", "name", "timezone", "pue_category", "wue_numerator", "meters"])
@pytest.mark.parametrize("wrap", [False, True])
def test_numbers_that_python_will_not_print_are_faults(path: str, wrap: bool) -> None:
    huge = 10**5000
    assert faults_of(patched(**{f"{SITE}.{path}": [huge] if wrap else huge}))


def test_an_unreadable_file_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe4")
    for name, words in (("absent.yaml", "no such file"), (".", "directory"), ("latin.yaml", "UTF-8")):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / name)
        (fault,) = caught.value.faults
        assert words in fault.remedy


def test_faults_come_in_the_order_of_the_file() -> None:
    document = patched(**{"late": "x", f"{GRID}.unit": "x", f"{AIR}.unit": "x", "mqtt.url": "x", f"{SITE}.name": 5})
    assert [fault.path for fault in faults_of(document)] == [
        "sites[0].meters[0].unit",
        "sites[0].meters[2].unit",
        "sites[0].name",
        "mqtt.url",
        "late",
    ]
