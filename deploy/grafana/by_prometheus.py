"""The boards over Prometheus or VictoriaMetrics, made of what Wattwell exports on /metrics.

Efficiency figures are the KPI series that Wattwell computed and stored, never a division made here: a board shows
what the page and the commands show, and a gap where the figure was withheld.
"""

from __future__ import annotations

from collections.abc import Sequence

from metering import ingest
from panels import (
    AT_PAGE,
    GOOD,
    LAST,
    NONE_IS_GOOD,
    ONE,
    PERCENT,
    RATIO,
    SHARE,
    SOME,
    SOME_OR_NONE,
    TO_SITE,
    WINDOW,
    against_target,
    alert_table,
    alerts_firing,
    coverage,
    coverage_of,
    coverage_stat,
    meters_silent,
    power,
    role,
    target_of,
)
from parts import (
    GRAMS_BY_KWH,
    LITRES_BY_KWH,
    Json,
    annotations,
    board,
    choice,
    dashed,
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
    thresholds,
    window_variable,
)
from wasting import findings


def boards() -> list[Json]:
    """Every board."""
    return [fleet(), site(), water(), renewables(), findings(), ingest()]


# -- fleet --------------------------------------------------------------------------------------------------------


def fleet() -> Json:
    """Every site at a glance."""
    sites = now(f"count(count by (site) (wattwell_kpi_coverage_ratio{{{SOME}}}))")
    heads = [
        (4, stat("Sites", "Sites that Wattwell computes figures for.", sites, field("none", decimals=0))),
        (5, stat("Power", f"All sites. {LAST}", now(f"sum({power('total', SOME)})"), field("watt"))),
        (5, stat("IT power", f"All sites. {LAST}", now(f"sum({power('it', SOME)})"), field("watt"))),
        (5, alerts_firing(SOME_OR_NONE)),
        (5, meters_silent()),
    ]
    return board(
        "wattwell-fleet",
        "Wattwell: fleet",
        "Efficiency of every site, what alerts, and where to look.",
        [site_variable(several=True), window_variable(), page_variable()],
        [
            (4, heads),
            (9, [(24, _site_table())]),
            (9, [(12, _pue_by_site()), (12, _power_by_site())]),
            (8, [(24, alert_table(SOME_OR_NONE))]),
        ],
        marks=annotations(SOME),
        links=[page_link("Wattwell's page", "${page}/")],
    )


def _site_table() -> Json:
    asked = [
        row_of(f"max by (site) (wattwell_site_pue_ratio{{{SOME}, {WINDOW}}})"),
        row_of(f"max by (site) ({target_of('pue', SOME)})"),
        row_of(f"max by (site) ({coverage_of('pue', SOME)})"),
        row_of(f"max by (site) (wattwell_site_wue_litres_per_kilowatt_hour{{{SOME}, {WINDOW}}})"),
        row_of(f"max by (site) (wattwell_site_renewable_energy_factor_ratio{{{SOME}, {WINDOW}}})"),
        row_of(f"max by (site) ({power('total', SOME)})"),
        row_of(f"max by (site) ({power('it', SOME)})"),
        row_of(f'sum by (site) (wattwell_alerts{{{SOME}, state="firing"}})'),
    ]
    titles = ("PUE", "PUE target", "Coverage", "WUE", "Renewable share", "Power", "IT power", "Alerts firing")
    names = {"site": "Site"} | {f"Value #{chr(ord('A') + at)}": title for at, title in enumerate(titles)}
    coloured = {"color": {"mode": "thresholds"}, "custom.cellOptions": {"type": "color-text"}}
    overrides = [
        override("Site", TO_SITE),
        *(override(name, {"unit": "none", "decimals": 3}) for name in ("PUE", "PUE target")),
        override("Coverage", PERCENT | coloured | {"thresholds": thresholds(GOOD)}),
        override("WUE", {"unit": LITRES_BY_KWH, "decimals": 3}),
        override("Renewable share", PERCENT),
        *(override(name, {"unit": "watt"}) for name in ("Power", "IT power")),
        override("Alerts firing", coloured | {"thresholds": thresholds(NONE_IS_GOOD)}),
    ]
    what = "A figure that is missing was withheld: too little of the window was measured, or the site lacks the meters."
    return table("Sites", what, asked, names, overrides, sort=("PUE", True))


def _pue_by_site() -> Json:
    asked = over_time(f"max by (site) (wattwell_site_pue_ratio{{{SOME}, {WINDOW}}})", "{{site}}")
    return graph("PUE, rolling $window", "By site.", [asked], RATIO)


def _power_by_site() -> Json:
    asked = over_time(f"max by (site) ({power('total', SOME)})", "{{site}}")
    return graph("Power", "Total of each site, interval means.", [asked], field("watt"), stacked=True)


# -- one site -----------------------------------------------------------------------------------------------------


def site() -> Json:
    """The efficiency of one site."""
    pue = f"max(wattwell_site_pue_ratio{{{ONE}, {WINDOW}}})"
    ups = now(f"wattwell_site_ups_efficiency_ratio{{{ONE}, {WINDOW}}}")
    peak = now(f"wattwell_site_peak_demand_watts{{{ONE}, {WINDOW}}}")
    heads = [
        (3, stat("PUE", "Over the window that ends at the last complete interval.", now(pue), RATIO)),
        (3, stat("Target", "The configured target of PUE.", now(target_of("pue")), RATIO)),
        (3, coverage_stat("pue")),
        (3, stat("IT power", LAST, now(power("it")), field("watt"))),
        (3, stat("Power", LAST, now(power("total")), field("watt"))),
        (3, stat("UPS efficiency", "UPS output by UPS input over the window.", ups, SHARE)),
        (3, stat("Peak demand", "Highest interval mean taken from the utility in the window.", peak, field("watt"))),
        (3, alerts_firing(ONE)),
    ]
    return board(
        "wattwell-site",
        "Wattwell: site efficiency",
        "PUE against its target, where the energy goes, free cooling and weather of one site.",
        [site_variable(several=False), window_variable(), _idle_variable(), page_variable()],
        [
            (4, heads),
            (9, [(16, against_target("PUE", pue, "pue", RATIO)), (8, coverage("pue"))]),
            (10, [(12, _subsystems()), (12, _overheads())]),
            (9, [(4, _free_cooling_hours()), (10, _chillers()), (10, _weather())]),
            (8, [(9, _cooling_roles()), (6, _load_factor()), (9, alert_table(ONE))]),
        ],
        marks=annotations(ONE),
        links=[AT_PAGE],
    )


def _idle_variable() -> Json:
    return choice(
        "idle", "Free cooling: chillers below this share of IT power", ("0.01", "0.02", "0.05", "0.1"), "0.02"
    )


def _subsystems() -> Json:
    parts = over_time(f'wattwell_site_power_watts{{{ONE}, subsystem!="total"}}', "{{subsystem}}")
    return graph(
        "Power by subsystem",
        "Interval means. The dashed line is the total of the site.",
        [parts, over_time(power("total"), "total")],
        field("watt"),
        [dashed("total")],
        stacked=True,
    )


def _overheads() -> Json:
    asked = over_time(f"wattwell_site_overhead_ratio{{{ONE}, {WINDOW}}}", "{{subsystem}}")
    return graph(
        "Where the overhead goes, rolling $window",
        "Energy of each subsystem by IT energy: together they are PUE less 1.",
        [asked],
        RATIO,
        stacked=True,
    )


def _chiller_share() -> str:
    return f"sum({role('chiller')}) / sum({power('it')})"


def _free_cooling_hours() -> Json:
    # A sample every five minutes is a twelfth of an hour; time without a figure counts as neither.
    counted = f"sum_over_time((({_chiller_share()}) < bool $idle)[$__range:5m]) / 12"
    return stat(
        "Free-cooling hours",
        "Hours of the span shown in which the chillers drew less than the chosen share of the IT power.",
        now(counted),
        field("suffix:h", decimals=1),
    )


def _chillers() -> Json:
    return graph(
        "Chillers by IT power",
        "Below the dashed line the site cools free.",
        [over_time(_chiller_share(), "chillers"), over_time("vector($idle)", "free below")],
        field("percentunit", min=0),
        [dashed("free below")],
    )


def _weather() -> Json:
    asked = over_time(f"wattwell_outdoor_temperature_celsius{{{ONE}}}", "{{role}}: {{meter}}")
    return graph("Weather", "Outdoor sensors, interval means.", [asked], field("celsius", decimals=1))


def _cooling_roles() -> Json:
    kinds = "chiller|crah|crac|ahu|fan|pump|cooling_tower|dry_cooler|evaporative_cooler|humidifier|cooling_other"
    asked = over_time(f'wattwell_site_role_power_watts{{{ONE}, role=~"{kinds}"}}', "{{role}}")
    return graph("Cooling by kind of equipment", "Interval means.", [asked], field("watt"), stacked=True)


def _load_factor() -> Json:
    asked = over_time(f"wattwell_site_load_factor_ratio{{{ONE}, {WINDOW}}}", "load factor")
    return graph("Load factor, rolling $window", "Mean power from the utility by its peak.", [asked], SHARE)


# -- water and renewables -----------------------------------------------------------------------------------------


def water() -> Json:
    """Water of one site."""
    wue = f"wattwell_site_wue_litres_per_kilowatt_hour{{{ONE}, {WINDOW}}}"
    litres = f"wattwell_site_water_litres{{{ONE}, {WINDOW}}}"
    hour = over_time(f'wattwell_site_water_litres{{{ONE}, window="1h"}}', "last hour")
    unit, amount = field(LITRES_BY_KWH, decimals=3), field("litre", min=0)
    heads = [
        (6, stat("WUE", "Litres by kWh of IT energy over the window.", now(wue), unit)),
        (6, stat("Target", "The configured target of WUE.", now(target_of("wue")), unit)),
        (6, stat("Water", "Litres over the window.", now(litres), field("litre"))),
        (6, coverage_stat("wue")),
    ]
    wanted = over_time(litres, "water")
    source = over_time(f"wattwell_site_wue_source_litres_per_kilowatt_hour{{{ONE}, {WINDOW}}}", "WUE at source")
    behind = "With the water behind the electricity, by the factor ewif_l_per_kwh."
    leaks = "Litres in the hour before: a leak shows as a floor at night."
    return _of_one_site(
        "wattwell-water",
        "Wattwell: water",
        "Water usage effectiveness of one site, and what it takes in.",
        [
            (4, heads),
            (9, [(16, against_target("WUE", wue, "wue", unit)), (8, coverage("wue"))]),
            (
                9,
                [
                    (8, graph("Water, rolling hour", leaks, [hour], amount)),
                    (8, graph("Water, rolling $window", "Litres in the window before.", [wanted], amount)),
                    (8, graph("WUE at source, rolling $window", behind, [source], unit)),
                ],
            ),
        ],
    )


def renewables() -> Json:
    """Carbon and renewable energy of one site."""
    ref = f"wattwell_site_renewable_energy_factor_ratio{{{ONE}, {WINDOW}}}"
    cue = f'wattwell_site_cue_grams_per_kilowatt_hour{{{ONE}, {WINDOW}, basis="location"}}'
    intensity = field(GRAMS_BY_KWH, decimals=0)
    heads = [
        (6, stat("Renewable energy factor", "Renewable by total energy over the window, at most 1.", now(ref), SHARE)),
        (6, stat("Target", "The configured target of the renewable share.", now(target_of("ref")), SHARE)),
        (6, coverage_stat("ref")),
        (6, stat("CUE", "CO2 equivalent by kWh of IT energy, by the grid factor.", now(cue), intensity)),
    ]
    both = "By the factor of the grid (location) and of the contract (market), where the site has them."
    carbon = over_time(f'wattwell_site_carbon_grams{{{ONE}, window="1h"}}', "{{basis}}")
    usage = over_time(f"wattwell_site_cue_grams_per_kilowatt_hour{{{ONE}, {WINDOW}}}", "{{basis}}")
    kinds = "utility_import|onsite_renewable|generator|grid_export|cooling_import|fuel"
    sources = over_time(f'wattwell_site_role_power_watts{{{ONE}, role=~"{kinds}"}}', "{{role}}")
    what = f"By role of the meters; export is what the site gives away. {LAST}"
    carbon_free = over_time(f"wattwell_site_carbon_free_ratio{{{ONE}, {WINDOW}}}", "carbon-free")
    matching = "Carbon-free in the hour it was used, on site or from the grid; over the whole hours in the window."
    return _of_one_site(
        "wattwell-renewables",
        "Wattwell: carbon and renewables",
        "Carbon usage effectiveness and renewable energy factor of one site, and where its energy comes from.",
        [
            (4, heads),
            (9, [(16, against_target("Renewable energy factor", ref, "ref", SHARE)), (8, coverage("ref"))]),
            (
                9,
                [
                    (8, graph("CUE, rolling $window", both, [usage], intensity)),
                    (8, graph("Carbon, rolling hour", both, [carbon], field("massg", min=0))),
                    (8, coverage("cue_location", "Coverage of CUE (location)")),
                ],
            ),
            (
                9,
                [
                    (16, graph("Sources and export", what, [sources], field("watt"))),
                    (8, graph("24x7 carbon-free share, rolling $window", matching, [carbon_free], SHARE)),
                ],
            ),
        ],
    )


def _of_one_site(uid: str, title: str, what: str, rows: Sequence[tuple[int, Sequence[tuple[int, Json]]]]) -> Json:
    variables = [site_variable(several=False), window_variable(), page_variable()]
    return board(uid, title, what, variables, rows, marks=annotations(ONE), links=[AT_PAGE], since="now-7d")
