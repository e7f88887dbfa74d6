"""The board of findings: what wastes energy, by family and site."""

from __future__ import annotations

from panels import SHARE, SOME, TO_SITE, alerts_firing, power
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

OPEN = f"wattwell_findings{{{SOME}}}"
EXCESS = f"wattwell_finding_excess_watts{{{SOME}}}"
_WHAT = "Drawn beyond what is expected, as of the last day of each open finding; what only wastes water is not in it."
_NONE = field("none", decimals=0, steps=((None, "green"), (1, "orange")))


def findings() -> Json:
    """What is open at one or several sites, and what it draws."""
    excess = f"sum({EXCESS}) or vector(0)"
    share = f"({excess}) / sum({power('total', SOME)})"
    heads = [
        (5, stat("Open findings", "Without those called known or no fault.", now(f"sum({OPEN}) or vector(0)"), _NONE)),
        (5, stat("Excess power", _WHAT, now(excess), field("watt"))),
        (5, stat("Share of the power", "Excess by all that the sites draw.", now(share), SHARE)),
        (4, stat("Sites", "With an open finding.", now(f"count(sum by (site) ({OPEN}) > 0) or vector(0)"), _NONE)),
        (5, alerts_firing(SOME)),
    ]
    drawn, counted = (over_time(f"sum by (family) ({each})", "{{family}}") for each in (EXCESS, OPEN))
    by_site = over_time(f"sum by (site) ({EXCESS})", "{{site}}")
    return board(
        "wattwell-findings",
        "Wattwell: findings",
        "What wastes energy and water: open findings, and the power that they draw.",
        [site_variable(several=True), window_variable(), page_variable()],
        [
            (4, heads),
            (9, [(24, _table())]),
            (9, [(12, _power("family", drawn)), (12, _power("site", by_site))]),
            (8, [(24, graph("Open findings by family", "How many.", [counted], field("none"), stacked=True))]),
        ],
        marks=annotations(SOME),
        links=[page_link("Findings", "${page}/sites/${site:percentencode}/findings")],
        since="now-30d",
    )


def _table() -> Json:
    """By family and site, the most power first."""
    asked = [row_of(f"max by (site, family) ({OPEN} > 0)"), row_of(f"max by (site, family) ({EXCESS})")]
    names = {"site": "Site", "family": "Family", "Value #A": "Open", "Value #B": "Excess power"}
    what = "Why we think so, what it costs and what to do stand on Wattwell's own page of the site."
    overrides = [override("Site", TO_SITE), override("Excess power", {"unit": "watt"})]
    return table("Findings", what, asked, names, overrides, sort=("Excess power", True))


def _power(by: str, asked: Json) -> Json:
    return graph(f"Excess power by {by}", _WHAT, [asked], field("watt"), stacked=True)
