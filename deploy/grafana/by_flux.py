"""The board for users of InfluxDB: Wattwell's metrics as Telegraf's prometheus input writes them into a bucket.

With ``metric_version = 2`` each metric is a field of the measurement ``prometheus``, and its labels are tags.
"""

from __future__ import annotations

from typing import Any

from parts import (
    INFLUXDB,
    LITRES_BY_KWH,
    Json,
    board,
    dashed,
    field,
    flux,
    graph,
    page_link,
    page_variable,
    stat,
    window_variable,
)

_SITES = """import "influxdata/influxdb/schema"

schema.tagValues(bucket: v.defaultBucket, tag: "site")"""


def boards() -> list[Json]:
    """Every board."""
    return [overview()]


def asked(metric: str, *tags: str, every: bool = True, label: str = "", title: str = "") -> Json:
    """A metric of the chosen site, where these conditions on tags hold; ``label`` tells its series apart."""
    conditions = "".join(f" and {tag}" for tag in ('r.site == "${site}"', *tags))
    columns = ['"_time"', '"_value"', *([f'"{label}"'] if label else [])]
    steps = [
        "from(bucket: v.defaultBucket)",
        "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
        f'filter(fn: (r) => r._measurement == "prometheus" and r._field == "{metric}"{conditions})',
        "aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)" if every else "last()",
        f"keep(columns: [{', '.join(columns)}])",
        *([f'rename(columns: {{_value: "{title}"}})'] if title else []),
    ]
    return flux("\n  |> ".join(steps))


def _rate(metric: str, label: str = "") -> Json:
    counted = asked(metric, label=label)
    rate = "derivative(unit: 1s, nonNegative: true)\n  |> keep"
    return counted | {"query": counted["query"].replace("keep", rate)}


_WINDOW = 'r.window == "${window}"'


def _target(kpi: str) -> Json:
    return asked("wattwell_site_target", f'r.kpi == "{kpi}"', title="target")


def overview() -> Json:
    """One site from a bucket."""
    pue, wue, ref = (
        "wattwell_site_pue_ratio",
        "wattwell_site_wue_litres_per_kilowatt_hour",
        "wattwell_site_renewable_energy_factor_ratio",
    )
    figure, percent, litres = (
        field("none", decimals=3),
        field("percentunit", decimals=1),
        field(LITRES_BY_KWH, decimals=3),
    )
    covered = asked("wattwell_kpi_coverage_ratio", 'r.kpi == "pue"', _WINDOW, every=False)
    heads = [
        (6, stat("PUE", "Over the rolling window.", asked(pue, _WINDOW, every=False), figure)),
        (6, stat("Coverage of PUE", "Share of the window that was measured.", covered, percent)),
        (6, stat("WUE", "Over the rolling window.", asked(wue, _WINDOW, every=False), litres)),
        (6, stat("Renewable energy factor", "Over the rolling window.", asked(ref, _WINDOW, every=False), percent)),
    ]
    return board(
        "wattwell-flux",
        "Wattwell: site (InfluxDB)",
        "One site from the metrics that Telegraf writes into an InfluxDB bucket.",
        [_site_variable(), window_variable(), page_variable()],
        [
            (4, heads),
            (9, [(12, _against_target("PUE", pue, "pue", figure)), (12, _subsystems())]),
            (
                9,
                [
                    (12, _against_target("WUE", wue, "wue", litres)),
                    (12, _against_target("Renewable energy factor", ref, "ref", percent)),
                ],
            ),
            (9, [(8, _weather()), (8, _alerts()), (8, _accepted())]),
            (8, [(24, _rejected())]),
        ],
        links=[page_link("Site page", "${page}/sites/${site:percentencode}?window=${window}")],
    )


def _against_target(name: str, metric: str, kpi: str, shown: Json) -> Json:
    target = asked("wattwell_site_target", f'r.kpi == "{kpi}"', title="target")
    what = "A gap: the figure was withheld. The dashed line is the configured target."
    figure = asked(metric, _WINDOW, title=name)
    return graph(f"{name}, rolling $window", what, [figure, target], shown, [dashed("target")])


def _subsystems() -> Json:
    parts = asked("wattwell_site_power_watts", 'r.subsystem != "total"', label="subsystem")
    return graph("Power by subsystem", "Interval means.", [parts], _by("subsystem", "watt"), stacked=True)


def _weather() -> Json:
    outdoor = asked("wattwell_outdoor_temperature_celsius", label="meter")
    return graph("Weather", "Outdoor sensors, interval means.", [outdoor], _by("meter", "celsius", decimals=1))


def _alerts() -> Json:
    firing = asked("wattwell_alerts", 'r.state == "firing"', label="name")
    return graph("Alerts firing", "1 while the rule fires.", [firing], _by("name", "none", min=0, max=1))


def _accepted() -> Json:
    shown = field("suffix:readings/s", min=0, displayName="accepted")
    return graph("Readings", "Accepted in a second.", [_rate("wattwell_readings_total")], shown)


def _rejected() -> Json:
    rates = _rate("wattwell_readings_rejected_total", "reason")
    return graph("Rejected by reason", "In a second.", [rates], _by("reason", "suffix:readings/s", min=0))


def _by(label: str, unit: str, **more: Any) -> Json:
    """A field named after a tag of its series."""
    return field(unit, displayName=f"${{__field.labels.{label}}}", **more)


def _site_variable() -> Json:
    return {
        "name": "site",
        "label": "Site",
        "type": "query",
        "datasource": INFLUXDB,
        "query": {"query": _SITES, "refId": "sites"},
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "current": {},
    }
