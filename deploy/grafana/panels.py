"""Panels and selectors that several boards over Prometheus share."""

from __future__ import annotations

from parts import (
    Json,
    dashed,
    field,
    graph,
    link,
    now,
    over_time,
    override,
    page_link,
    row_of,
    stat,
    table,
    thresholds,
)

ONE = 'site="$site"'
"""The site of a board on one site."""
SOME = 'site=~"$site"'
"""The sites of a board on several."""
SOME_OR_NONE = 'site=~"$site|"'
"""With what belongs to no site: alerts on the spool, rejects of which no site is known."""
WINDOW = 'window="$window"'
LAST = "Mean of the last complete interval."
GOOD = ((None, "red"), (0.5, "orange"), (0.9, "green"))
"""Coverage: withheld below a half, provisional below nine tenths (as configured by default)."""
NONE_IS_GOOD = ((None, "green"), (1, "red"))
RATIO = field("none", decimals=3)
SHARE = field("percentunit", decimals=1)
PERCENT = {"unit": "percentunit", "decimals": 1}
TO_SITE = {
    "links": [
        link("Site board", "/d/wattwell-site?var-site=${__data.fields.Site}&var-window=${window}&${__url_time_range}"),
        link("Site page", "${page}/sites/${__data.fields.Site}", blank=True),
    ]
}
"""Where the cells of a column Site lead."""
AT_PAGE = page_link("Site page", "${page}/sites/${site:percentencode}?window=${window}")


# -- selectors ----------------------------------------------------------------------------------------------------


def coverage_of(kpi: str, selector: str = ONE) -> str:
    """The share of the window that was measured for a KPI."""
    return f'wattwell_kpi_coverage_ratio{{{selector}, kpi="{kpi}", {WINDOW}}}'


def target_of(kpi: str, selector: str = ONE) -> str:
    """The configured target of a KPI."""
    return f'wattwell_site_target{{{selector}, kpi="{kpi}"}}'


def role(name: str) -> str:
    """The power of the site's meters of one role."""
    return f'wattwell_site_role_power_watts{{{ONE}, role="{name}"}}'


def power(subsystem: str, selector: str = ONE) -> str:
    """The power of a subsystem."""
    return f'wattwell_site_power_watts{{{selector}, subsystem="{subsystem}"}}'


# -- panels -------------------------------------------------------------------------------------------------------


def alerts_firing(selector: str) -> Json:
    """How many alert rules fire."""
    expr = f'sum(wattwell_alerts{{{selector}, state="firing"}}) or vector(0)'
    return stat("Alerts firing", "Alert rules in the state firing.", now(expr), field("none", steps=NONE_IS_GOOD))


def alert_table(selector: str) -> Json:
    """Alert rules that are not at rest, each with links to its site."""
    asked = [row_of(f'max by (site, name, state) (wattwell_alerts{{{selector}, state!="inactive"}} > 0)')]
    names = {"site": "Site", "name": "Alert", "state": "State", "Value": "Alerts"}
    what = "Rules that are pending, firing or without data, and on how many meters. No row: all are at rest."
    return table("Alerts", what, asked, names, [override("Site", TO_SITE)])


def meters_silent() -> Json:
    """How many meters are stale, or in service and never heard of."""
    last = f"wattwell_meter_last_reading_timestamp_seconds{{{SOME}}}"
    limit = f"wattwell_meter_reporting_limit_seconds{{{SOME}}}"
    stale = f"time() - {last} > on (site, meter) {limit}"
    expr = f"count(({stale}) or ({limit} unless on (site, meter) {last})) or vector(0)"
    what = "In service, and without a reading for longer than their limit, or never heard of."
    return stat("Meters silent", what, now(expr), field("none", steps=NONE_IS_GOOD))


def coverage_stat(kpi: str) -> Json:
    """The coverage of a KPI now."""
    what = "Share of the window that all meters needed for the figure measured."
    return stat("Coverage", what, now(coverage_of(kpi)), field("percentunit", decimals=1, steps=GOOD))


def coverage(kpi: str, title: str = "Coverage of the window") -> Json:
    """The coverage of a KPI over time."""
    estimated = f'wattwell_kpi_estimated_ratio{{{ONE}, kpi="{kpi}", {WINDOW}}}'
    return graph(
        title,
        "Measured, and bridged over short gaps; what is missing of 100 % is not known.",
        [over_time(coverage_of(kpi), "measured"), over_time(estimated, "estimated")],
        field("percentunit", min=0, max=1),
        stacked=True,
    )


def against_target(name: str, expr: str, kpi: str, shown: Json) -> Json:
    """A KPI over time with its target."""
    return graph(
        f"{name}, rolling $window",
        "A gap: the figure was withheld. The dashed line is the configured target.",
        [over_time(expr, name), over_time(target_of(kpi), "target")],
        shown,
        [dashed("target")],
    )


def coverage_cells() -> dict[str, object]:
    """How a column of coverages is shown."""
    bar = {"type": "gauge", "mode": "basic"}
    coloured = {"color": {"mode": "thresholds"}, "thresholds": thresholds(GOOD)}
    return PERCENT | {"min": 0, "max": 1, "custom.cellOptions": bar} | coloured
