"""What Wattwell's boards are made of: queries, panels, variables, annotations, and their place on the grid.

Every function gives the JSON that Grafana reads (dashboard schema version 39: Grafana 11 and later). Boards are laid
out in rows, so no panel can lie upon another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

PROMETHEUS: Json = {"type": "prometheus", "uid": "wattwell-prometheus"}
INFLUXDB: Json = {"type": "influxdb", "uid": "wattwell-influxdb"}
WINDOWS = ("1h", "24h", "7d", "30d", "365d")
LITRES_BY_KWH = "suffix:L/kWh"
GRAMS_BY_KWH = "suffix:g/kWh"
WIDTH = 24
"""Columns of Grafana's grid."""


# -- queries ------------------------------------------------------------------------------------------------------


def over_time(expr: str, legend: str = "") -> Json:
    """A query for a graph."""
    return {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expr,
        "legendFormat": legend or "__auto",
        "range": True,
    }


def now(expr: str, legend: str = "") -> Json:
    """A query for the value at the end of the span shown."""
    return {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expr,
        "instant": True,
        "legendFormat": legend or "__auto",
        "range": False,
    }


def row_of(expr: str) -> Json:
    """A query for a table: one row for each series, its labels as columns."""
    return now(expr) | {"format": "table"}


def flux(query: str) -> Json:
    """A query of InfluxDB."""
    return {"datasource": INFLUXDB, "query": query}


# -- fields -------------------------------------------------------------------------------------------------------


def thresholds(steps: Sequence[tuple[float | None, str]]) -> Json:
    """Colours by value: (from, colour)."""
    return {"mode": "absolute", "steps": [{"value": at, "color": colour} for at, colour in steps]}


def field(
    unit: str, *, decimals: int | None = None, steps: Sequence[tuple[float | None, str]] = (), **more: Any
) -> Json:
    """How a value is shown; ``steps`` are (from, colour)."""
    shown: Json = {"unit": unit, "color": {"mode": "thresholds" if steps else "palette-classic"}}
    if steps:
        shown["thresholds"] = thresholds(steps)
    if decimals is not None:
        shown["decimals"] = decimals
    return shown | more


def override(name: str, properties: Mapping[str, Any]) -> Json:
    """What is different about the field of this name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def dashed(name: str) -> Json:
    """A target: a dashed line without filling."""
    line = {"fill": "dash", "dash": [10, 10]}
    fixed = {"mode": "fixed", "fixedColor": "text"}
    return override(
        name,
        {
            "custom.lineStyle": line,
            "custom.fillOpacity": 0,
            "custom.lineWidth": 2,
            "custom.stacking": {"mode": "none", "group": "A"},
            "color": fixed,
        },
    )


def link(title: str, url: str, *, blank: bool = False) -> Json:
    """A link of a value or a cell."""
    return {"title": title, "url": url, "targetBlank": blank}


# -- panels -------------------------------------------------------------------------------------------------------


def _panel(kind: str, title: str, description: str, targets: Sequence[Json], **more: Any) -> Json:
    named = [target | {"refId": chr(ord("A") + place)} for place, target in enumerate(targets)]
    where = {"datasource": targets[0]["datasource"]} if targets else {}
    return {"type": kind, "title": title, "description": description, "targets": named} | where | more


def stat(title: str, description: str, target: Json, shown: Json, *, text: str = "auto") -> Json:
    """One number."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value" if "thresholds" in shown else "none",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": text,
    }
    return _panel(
        "stat", title, description, [target], fieldConfig={"defaults": shown, "overrides": []}, options=options
    )


def graph(
    title: str,
    description: str,
    targets: Sequence[Json],
    shown: Json,
    overrides: Sequence[Json] = (),
    *,
    stacked: bool = False,
    bars: bool = False,
) -> Json:
    """Lines over time; stacked areas; bars. A gap stays a gap."""
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "lineInterpolation": "stepAfter" if stacked else "linear",
        "lineWidth": 1,
        "fillOpacity": 60 if stacked or bars else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = shown | {"custom": custom}
    return _panel(
        "timeseries",
        title,
        description,
        targets,
        fieldConfig={"defaults": defaults, "overrides": list(overrides)},
        options=options,
    )


def table(
    title: str,
    description: str,
    targets: Sequence[Json],
    names: Mapping[str, str],
    overrides: Sequence[Json] = (),
    *,
    sort: tuple[str, bool] | None = None,
) -> Json:
    """Rows joined over all queries. ``names``: the columns shown, in order, and what they are called."""
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: place for place, name in enumerate(names)},
            "renameByName": {name: title for name, title in names.items() if name != title},
        },
    }
    options: Json = {"showHeader": True, "cellHeight": "sm"}
    if sort is not None:
        options["sortBy"] = [{"displayName": sort[0], "desc": sort[1]}]
    return _panel(
        "table",
        title,
        description,
        targets,
        transformations=[{"id": "merge", "options": {}}, organize],
        fieldConfig={"defaults": {"custom": {"align": "auto", "filterable": False}}, "overrides": list(overrides)},
        options=options,
    )


# -- boards -------------------------------------------------------------------------------------------------------


def site_variable(*, several: bool) -> Json:
    """The choice of a site, or of several."""
    asked = "label_values(wattwell_kpi_coverage_ratio, site)"
    chosen: Json = {"selected": False, "text": ["All"], "value": ["$__all"]} if several else {}
    return {
        "name": "site",
        "label": "Site",
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"query": asked, "refId": "sites"},
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        "current": chosen,
    }


def choice(name: str, label: str, values: Sequence[str], chosen: str) -> Json:
    """The choice of one of some values."""
    options = [{"selected": value == chosen, "text": value, "value": value} for value in values]
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "multi": False,
        "includeAll": False,
        "options": options,
        "current": {"selected": True, "text": chosen, "value": chosen},
    }


def window_variable() -> Json:
    """The choice of a rolling window."""
    return choice("window", "Window", WINDOWS, "24h")


def page_variable() -> Json:
    """Where Wattwell's own page is, as the reader's browser reaches it."""
    here = "http://127.0.0.1:8080"
    value = {"selected": True, "text": here, "value": here}
    return {
        "name": "page",
        "label": "Wattwell at",
        "type": "textbox",
        "query": here,
        "options": [value],
        "current": value,
    }


def annotation(name: str, colour: str, expr: str, title: str, text: str) -> Json:
    """Marks on every graph while an expression has values."""
    return {
        "name": name,
        "datasource": PROMETHEUS,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": "60s",
        "titleFormat": title,
        "textFormat": text,
    }


def annotations(sites: str) -> list[Json]:
    """Alerts, meter events and findings of the sites that a selector chooses.

    A difference, not ``delta``: VictoriaMetrics takes the first value of a series for a change.
    """
    found = f"sum by (site, family) (wattwell_findings{{{sites}}})"
    events = f"sum by (site, event) (wattwell_meter_events{{{sites}}})"
    return [
        annotation("Alerts firing", "red", f'wattwell_alerts{{{sites}, state="firing"}} > 0', "{{name}}", "{{site}}"),
        annotation(
            "Meter events",
            "blue",
            f"{events} - sum by (site, event) (wattwell_meter_events{{{sites}}} offset 5m) > 0",
            "{{event}}",
            "new at {{site}}; see wattwell events",
        ),
        annotation(
            "Findings",
            "orange",
            f"{found} - (sum by (site, family) (wattwell_findings{{{sites}}} offset 5m) or 0 * {found}) > 0",
            "{{family}}",
            "found at {{site}}; see wattwell findings",
        ),
    ]


def board(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Json],
    rows: Sequence[tuple[int, Sequence[tuple[int, Json]]]],
    *,
    marks: Sequence[Json] = (),
    links: Sequence[Json] = (),
    since: str = "now-24h",
) -> Json:
    """A board of ``rows``: (height, [(width, panel)]), the widths of a row adding up to 24 at most."""
    panels: list[Json] = []
    top = 0
    for height, row in rows:
        left = 0
        for width, panel in row:
            panels.append({"id": len(panels) + 1, "gridPos": {"x": left, "y": top, "w": width, "h": height}} | panel)
            left += width
        if left > WIDTH:
            raise ValueError(f"the row of {uid} at {top} is {left} columns wide; {WIDTH} is the most")
        top += height
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["wattwell"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "refresh": "1m",
        "templating": {"list": list(variables)},
        "annotations": {"list": list(marks)},
        "links": [
            {
                "type": "dashboards",
                "title": "Wattwell boards",
                "tags": ["wattwell"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "icon": "external link",
                "tooltip": "",
                "targetBlank": False,
            },
            *links,
        ],
        "panels": panels,
    }


def page_link(title: str, url: str) -> Json:
    """A link at the head of a board to Wattwell itself."""
    return {
        "type": "link",
        "title": title,
        "url": url,
        "icon": "dashboard",
        "tooltip": "the same figures on Wattwell's own page",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    }
