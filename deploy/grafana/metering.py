"""The board on meters and on the way that readings take."""

from __future__ import annotations

from panels import NONE_IS_GOOD, PERCENT, SOME, SOME_OR_NONE, TO_SITE, WINDOW, coverage_cells, meters_silent
from parts import (
    Json,
    annotations,
    board,
    field,
    graph,
    now,
    over_time,
    override,
    page_link,
    page_variable,
    row_of,
    site_variable,
    stat,
    table,
    window_variable,
)

REJECTED = f"wattwell_readings_rejected_total{{{SOME_OR_NONE}}}"
_RATE = field("suffix:readings/s", min=0)


def ingest() -> Json:
    """Health of the meters, and what becomes of readings."""
    accepted = now(f"sum(rate(wattwell_readings_total{{{SOME}}}[$__rate_interval]))")
    rejected = now(f"sum(increase({REJECTED}[$__range])) or vector(0)")
    pending = now(f'sum(wattwell_meter_events{{{SOME}, state="pending"}}) or vector(0)')
    red = field("none", decimals=0, steps=NONE_IS_GOOD)
    heads = [
        (
            4,
            stat(
                "Readings", "Accepted in a second, all chosen sites.", accepted, field("suffix:readings/s", decimals=2)
            ),
        ),
        (4, stat("Rejected in this span", "With those of which no site is known.", rejected, red)),
        (4, meters_silent()),
        (4, stat("Jumps to judge", "Nothing is booked until an operator accepts them.", pending, red)),
        (
            4,
            stat(
                "Spool",
                "Waiting to be committed, or for the remote store.",
                now("wattwell_spool_readings"),
                field("none"),
            ),
        ),
        (
            4,
            stat(
                "Ingest lag",
                "From the arrival of a batch to its commit.",
                now("wattwell_ingest_lag_seconds"),
                field("s"),
            ),
        ),
    ]
    return board(
        "wattwell-ingest",
        "Wattwell: metering and ingest",
        "Which meters report, what is rejected and why, what waits, and whether the meter tree adds up.",
        [site_variable(several=True), window_variable(), page_variable()],
        [
            (4, heads),
            (8, [(12, _accepted()), (12, _rejected())]),
            (10, [(14, _meters()), (10, _coverages())]),
            (9, [(12, _balance()), (12, _events())]),
            (7, [(8, _spool()), (8, _lag()), (8, _notifications())]),
        ],
        marks=annotations(SOME),
        links=[page_link("Wattwell's page", "${page}/")],
    )


def _accepted() -> Json:
    asked = over_time(f"sum by (site) (rate(wattwell_readings_total{{{SOME}}}[$__rate_interval]))", "{{site}}")
    return graph("Readings by site", "Accepted in a second.", [asked], _RATE)


def _rejected() -> Json:
    asked = over_time(f"sum by (site, reason) (rate({REJECTED}[$__rate_interval]))", "{{reason}} {{site}}")
    return graph("Rejected by reason", "In a second; without a site where none is known.", [asked], _RATE)


def _spool() -> Json:
    asked = over_time("wattwell_spool_readings", "waiting")
    what = "A spool that grows: the store does not take what arrives."
    return graph("Spool", what, [asked], field("none", min=0))


def _lag() -> Json:
    asked = over_time("wattwell_ingest_lag_seconds", "lag")
    return graph("Ingest lag", "From the arrival of a batch to its commit.", [asked], field("s", min=0))


def _notifications() -> Json:
    told = "rate(wattwell_notifications_delivered_total[$__rate_interval])"
    lost = "rate(wattwell_notifications_lost_total[$__rate_interval])"
    asked = [
        over_time("wattwell_notifications_waiting", "{{receiver}} waiting"),
        over_time(f"sum by (receiver) ({told}) * 3600", "{{receiver}} delivered in an hour"),
        over_time(f"sum by (receiver) ({lost}) * 3600", "{{receiver}} lost in an hour"),
    ]
    what = "By receiver: while a queue grows nobody is told. Lost are those refused, and the oldest of a full queue."
    return graph("Notifications", what, asked, field("none", min=0))


def _events() -> Json:
    asked = over_time(f"sum by (event, state) (wattwell_meter_events{{{SOME}}}) > 0", "{{event}}, {{state}}")
    what = "By kind and state; a pending jump waits for an operator."
    return graph("Meter events in the ledger", what, [asked], field("none", min=0, decimals=0))


def _meters() -> Json:
    last = f"max by (site, meter) (wattwell_meter_last_reading_timestamp_seconds{{{SOME}}})"
    limit = f"max by (site, meter) (wattwell_meter_reporting_limit_seconds{{{SOME}}})"
    asked = [row_of(f"{last} * 1000"), row_of(f"time() - {last}"), row_of(limit)]
    names = {"site": "Site", "meter": "Meter", "Value #A": "Last reading", "Value #B": "Age", "Value #C": "Stale after"}
    overrides = [
        override("Site", TO_SITE),
        override("Last reading", {"unit": "dateTimeFromNow"}),
        *(override(name, {"unit": "s"}) for name in ("Age", "Stale after")),
    ]
    what = "Oldest first. A meter without a last reading has never reported; one without a limit is out of service."
    return table("Meters", what, asked, names, overrides, sort=("Age", True))


def _coverages() -> Json:
    asked = [row_of(f"min by (site, kpi) (wattwell_kpi_coverage_ratio{{{SOME}, {WINDOW}}})")]
    names = {"site": "Site", "kpi": "Figure", "Value": "Coverage"}
    overrides = [override("Site", TO_SITE), override("Coverage", coverage_cells())]
    what = "Share of the window that every meter needed measured; 0 where the site lacks the meters."
    return table("Coverage, rolling $window", what, asked, names, overrides, sort=("Coverage", False))


def _balance() -> Json:
    residual = f"max by (site, parent) (wattwell_balance_residual_ratio{{{SOME}}})"
    tolerance = f"max by (site, parent) (wattwell_balance_tolerance_ratio{{{SOME}}})"
    asked = [row_of(residual), row_of(tolerance)]
    names = {"site": "Site", "parent": "Parent", "Value #A": "Residual", "Value #B": "Explained"}
    overrides = [override("Site", TO_SITE), *(override(name, PERCENT) for name in ("Residual", "Explained"))]
    what = (
        "Parent less its children over the last 24 hours, by what the parent counted, and what the meters' accuracy "
        "explains. Below zero: the children count more than there is."
    )
    return table("Balance of the meter tree", what, asked, names, overrides, sort=("Residual", False))
