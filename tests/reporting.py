"""Documents of reports by hand: a full month and its variants, a year, and a fleet of thirty sites."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from analytics.report.carbon import Avoided, Carbon, Entered, FactorUse, Gap, Metered, Purchased
from analytics.report.fleet import fleet as fleet_of
from analytics.report.gate import Check, Figure
from analytics.report.limits import AppliedLimit, Judgement, Later
from analytics.report.model import (
    Breakdown,
    Cell,
    Change,
    Curve,
    Demand,
    Energy,
    Headline,
    Heat,
    Hourly,
    Inputs,
    Judged,
    Metric,
    Part,
    Period,
    Report,
    Revision,
    Row,
    SiteHead,
    Stage,
    Water,
    Weather,
)
from analytics.report.period import MeterTotal
from analytics.report.renewables import LedgerRow, Renewables, RenewableSource

Document = dict[str, Any]
ZONE = "Europe/Berlin"
HOSTILE = '=<script>alert("x")</script> #set page(fill: red) $x$ @ref `raw` "quoted" \\u{0}'
LONG = "Rechenzentrum " + "Nordrhein-Westfalen-Süd-" * 4 + "Halle 7 (Erweiterung)"
NONE = "\u2013"


def plain(report: object) -> Document:
    """The document as it is stored: through JSON and back."""
    found: Document = json.loads(json.dumps(dataclasses.asdict(report)))  # type: ignore[call-overload]
    return found


def local(day: date, hour: int = 0) -> str:
    """A local time of the site as ISO 8601 in UTC."""
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def cell(value: float | None, digits: int = 3, *, usable: float | None = 0.998, **more: Any) -> Cell:
    """One figure of October 2026."""
    defaults = {"provisional": False, "start": local(date(2026, 10, 1)), "end": local(date(2026, 11, 1)), "note": None}
    shown = NONE if value is None else f"{value:,.{digits}f}"
    return Cell(value=value, shown=shown, usable=usable, **(defaults | more))


def missing(note: str) -> Cell:
    """No figure, and why."""
    return cell(None, usable=0.0, note=note)


def headline(name: str, label: str, unit: str, values: list[float], digits: int, **more: Any) -> Headline:
    """A line of the first page from its five values."""
    size = {"%": 0.01, "MWh": 1e3, "m3": 1e3, "t": 1e3}.get(unit, 1.0)
    current, previous, ago, ytd, fiscal = (
        dataclasses.replace(cell(value, digits), value=value * size) for value in values
    )
    target = more.pop("target", None)
    better = more.pop("better", "lower")
    met = None
    if target is not None:
        met = values[0] <= target if better == "lower" else values[0] >= target
    given = {
        "current": current,
        "previous": previous,
        "year_ago": ago,
        "ytd": ytd,
        "fiscal": fiscal,
        "target_shown": None if target is None else f"{target:.{digits}f}",
    }
    goal = None if target is None else target * size
    return Headline(name=name, label=label, unit=unit, better=better, target=goal, met=met, **(given | more))


def headlines() -> tuple[Headline, ...]:
    """The first page's table."""
    before = missing("The site reports since 1 March 2026.")
    return (
        headline("pue", "iPUE", "", [1.2874, 1.3127, 1.301, 1.321, 1.3174], 3, target=1.3),
        headline("wue", "WUE", "L/kWh", [0.412, 0.538, 0.44, 0.476, 0.461], 3, target=0.45),
        headline("ref", "Renewable share", "%", [42.7, 48.9, 41.2, 51.3, 50.8], 1, target=50.0, better="higher"),
        headline("energy", "Energy (E_DC)", "MWh", [4511.3, 4602.9, 4398.0, 44120.7, 31877.4], 1, year_ago=before),
        headline("water", "Water", "m3", [1443.8, 1886.2, 1502.0, 16480.1, 11590.6], 1, year_ago=before),
        headline("carbon", "Carbon (location)", "t", [1287.4, 1330.2, 1301.5, 12904.8, 9120.3], 1),
        headline("cost", "Cost", "EUR", [407749, 416524, 399100, 3990612, 2882870], 0),
    )


def breakdown(label: str, unit: str, scale: float, parts: list[tuple[str, str, float]]) -> Breakdown:
    """A total of parts, shown to one digit."""
    total = sum(value for *_, value in parts)
    return Breakdown(
        label=label,
        unit=unit,
        total=total,
        total_shown=f"{total / scale:,.1f}",
        parts=tuple(
            Part(
                name=name,
                label=text,
                value=value,
                shown=f"{value / scale:,.1f}",
                share=value / total if total else None,
                share_shown=f"{100 * value / total:.1f}" if total else None,
            )
            for name, text, value in parts
        ),
        usable=0.996,
    )


def energy() -> Energy:
    """4,511.3 MWh from three sources to four uses."""
    return Energy(
        sources=breakdown(
            "Sources",
            "MWh",
            1000.0,
            [
                ("utility_import", "Grid import", 4_190_200.0),
                ("onsite_renewable", "On-site solar", 345_600.0),
                ("generator", "Generators", 1_900.0),
                ("grid_export", "Export", -26_400.0),
            ],
        ),
        uses=breakdown(
            "Uses",
            "MWh",
            1000.0,
            [
                ("it", "IT equipment", 3_504_200.0),
                ("cooling", "Cooling", 731_100.0),
                ("power_chain", "Power chain losses", 214_700.0),
                ("lighting", "Lighting", 12_200.0),
                ("other", "Other", 49_100.0),
            ],
        ),
        cooling=breakdown(
            "Cooling",
            "MWh",
            1000.0,
            [
                ("chiller", "Chillers", 402_500.0),
                ("crac", "Computer room air conditioners", 171_300.0),
                ("pump", "Pumps", 88_100.0),
                ("cooling_tower", "Cooling towers", 62_400.0),
                ("humidifier", "Humidifiers", 6_800.0),
            ],
        ),
        stages=(
            Stage(
                role="transformer", label="Transformers", kwh=3_801_000.0, efficiency=None, loss_kwh=None, usable=0.99
            ),
            Stage(
                role="ups_input", label="UPS input", kwh=3_718_900.0, efficiency=0.9784, loss_kwh=82_100.0, usable=0.998
            ),
            Stage(
                role="it_ups", label="UPS output", kwh=3_504_200.0, efficiency=0.9423, loss_kwh=214_700.0, usable=0.998
            ),
        ),
    )


def water() -> Water:
    """1,522.8 m3."""
    return Water(
        numerator="total_input",
        sources=breakdown(
            "Sources",
            "m3",
            1000.0,
            [
                ("water_potable", "Potable", 1_012_000.0),
                ("water_reclaimed", "Reclaimed", 431_800.0),
                ("water_recovered", "Recovered", 79_000.0),
            ],
        ),
        uses=breakdown(
            "Uses",
            "m3",
            1000.0,
            [
                ("tower_evaporation", "Tower evaporation and drift", 1_101_400.0),
                ("water_blowdown", "Blow-down", 298_000.0),
                ("water_evaporative", "Adiabatic coolers", 18_200.0),
                ("other", "Other", 105_200.0),
            ],
        ),
        blowdown=298_000.0,
        returned=None,
        cycles=4.7,
        reclaimed_share=0.335,
    )


def heat() -> Heat:
    """Heat to a district network."""
    return Heat(reused_kwh=512_000.0, erf=0.1135, removed_kwh=3_612_000.0, cer=4.94)


def renewables() -> Renewables:
    """On-site solar, a contract and certificates."""
    sources = (("onsite", 319_200.0), ("ppa", 1_204_000.0), ("certificate", 403_100.0))
    rows = (
        ("pv-sold-26", "onsite", "sold", 120.0, 26_400.0, 0.0, 26_400.0, "Sold: it is taken off the on-site part."),
        ("PPA-7781", "ppa", "retired", 14_448.0, 1_204_000.0, 1_204_000.0, 0.0, ""),
        ("GO-2026-000817", "certificate", "retired", 4_800.0, 403_100.0, 403_100.0, 0.0, ""),
        ("GO-2026-000931", "certificate", "held", 900.0, 75_600.0, 0.0, 0.0, "Not retired."),
    )
    return Renewables(
        e_dc_kwh=4_511_300.0,
        sources=tuple(
            RenewableSource(
                source=name, kwh=kwh, share=kwh / 4_511_300.0, counted_kwh=kwh, counted_share=kwh / 4_511_300.0
            )
            for name, kwh in sources
        ),
        uncapped_kwh=1_926_300.0,
        capped_kwh=0.0,
        renewable_kwh=1_926_300.0,
        ref=0.427,
        sold_kwh=26_400.0,
        usable=0.996,
        basis="On-site generation as used, retired contracts and certificates; never the grid's own share.",
        reason="",
        ledger=tuple(
            LedgerRow(
                id=name,
                kind=kind,
                status=status,
                start="2026-01-01",
                end="2027-01-01",
                retired_on="2026-11-03" if status == "retired" else None,
                mwh=mwh,
                period_kwh=kwh,
                counted_kwh=counted,
                taken_off_kwh=off,
                why=why,
            )
            for name, kind, status, mwh, kwh, counted, off, why in rows
        ),
    )


def _purchased(basis: str, name: str, mean: float, gaps: int) -> Purchased:
    gap = Gap(start="2026-10-11T02:00:00Z", end="2026-10-11T05:00:00Z", hours=3.0)
    return Purchased(
        basis=basis,
        kwh=4_173_800.0,
        kg=4_173_800.0 * mean,
        usable=0.992,
        factor=FactorUse(
            name=name,
            source="ENTSO-E, hourly, downloaded 2026-11-02" if gaps else "not stated",
            hourly=bool(gaps),
            mean=mean,
            covered=1.0 - gaps * 3 / 745,
            gaps=(gap,) * gaps,
            gap_count=gaps,
            gap_hours=3.0 * gaps,
            gap_import_kwh=16_400.0 * gaps,
        ),
        reason="",
    )


def carbon() -> Carbon:
    """Two bases, a fuel, a refrigerant."""
    location, market = (
        _purchased("location", "grid_kg_per_kwh", 0.305, 1),
        _purchased("market", "market_kg_per_kwh", 0.21, 0),
    )
    entered = Entered(
        id="leak-3",
        kind="refrigerant",
        start="2026-10-01",
        end="2026-11-01",
        amount=4.2,
        unit="kg",
        kg_per_unit=1430.0,
        factor="R-134a, GWP 1430",
        source="IPCC AR4",
        kg=6006.0,
        note="Chiller 3, shaft seal.",
    )
    return Carbon(
        location=location,
        market=market,
        metered=(
            Metered(
                meter="genset-fuel",
                role="fuel",
                scope=1,
                kwh=5_400.0,
                kg_per_kwh=0.267,
                source="DEFRA 2026, diesel",
                kg=1441.8,
                usable=1.0,
            ),
        ),
        entries=(entered,),
        scope1_kg=7447.8,
        scope1_reason="",
        scope2_location_kg=location.kg,
        scope2_market_kg=market.kg,
        total_location_kg=(location.kg or 0.0) + 7447.8,
        total_market_kg=(market.kg or 0.0) + 7447.8,
        usable=0.992,
        imported_kwh=4_190_200.0,
        exported_kwh=26_400.0,
        avoided=(
            Avoided(
                name="pue",
                title="Avoided by efficiency",
                baseline="The same IT load at a PUE of 1.6 (design of 2019)",
                kwh=1_095_000.0,
                usable=0.996,
                kg=333_975.0,
                factor_usable=0.992,
                factor="grid_kg_per_kwh, ENTSO-E",
                note="",
            ),
        ),
        method="Each import takes the factor of its hour; export is not credited.",
    )


def rows(days: int = 31) -> tuple[Row, ...]:
    """Days of October."""
    found = []
    for place in range(days):
        day = date(2026, 10, 1) + timedelta(days=place)
        pue = 1.2874 + 0.05 * math.sin(place / 4.0) - 0.001 * place
        it = 113_000.0 + 900.0 * math.cos(place)
        found.append(
            Row(
                key=day.isoformat(),
                start=local(day),
                end=local(day + timedelta(days=1)),
                e_dc=it * pue,
                e_it=it,
                water=it * 0.41,
                pue=None if place == 12 else pue,
                wue=0.41 + 0.004 * math.sin(place),
                ref=0.427 + 0.05 * math.cos(place / 3),
                carbon_location=it * pue * 0.305,
                carbon_market=it * pue * 0.21,
                cost=it * pue * 0.09,
                temperature=14.0 + 5.0 * math.sin(place / 4.0) - 0.12 * place,
                usable=0.31 if place == 12 else 0.999 - 0.01 * (place == 20),
                provisional=place == 20,
            )
        )
    return tuple(found)


def demand() -> Demand:
    """The load of the utility import, and of the IT."""
    share = tuple(place / 100 for place in range(101))
    return Demand(
        label="Utility import",
        peak_kw=7120.0,
        peak_at="2026-10-03T12:15:00Z",
        mean_kw=5632.0,
        load_factor=0.791,
        curves=(
            Curve(
                label="Utility import",
                share=share,
                kw=tuple(7120.0 - 2300.0 * each**0.6 - 300 * each**9 for each in share),
                usable=0.998,
            ),
            Curve(label="IT load", share=share, kw=tuple(4950.0 - 420.0 * each**0.8 for each in share), usable=0.999),
        ),
    )


def weather() -> Weather:
    """744 hours."""
    hours = range(744)
    temperature = tuple(13.0 + 6.0 * math.sin(each / 24 * 2 * math.pi) + 5.0 * math.sin(each / 190) for each in hours)
    pue = tuple(
        1.22 + 0.004 * max(each - 9.0, 0.0) + 0.012 * math.sin(17.0 * place) for place, each in enumerate(temperature)
    )
    return Weather(step="hour", temperature=temperature, pue=pue, mean=13.1, lowest=2.4, highest=23.7)


def carbon_free() -> Hourly:
    """More by day."""
    return Hourly(
        hour=tuple(range(24)),
        share=tuple(
            None if hour == 3 else 0.35 + 0.3 * max(math.sin((hour - 6) / 12 * math.pi), 0) for hour in range(24)
        ),
    )


def kpi(name: str, label: str, value: float | None, unit: str, **more: Any) -> Document:
    """A KPI in the shape of the command line."""
    return {
        "site": "rz1",
        "kpi": name,
        "label": label,
        "window": "month",
        "start": local(date(2026, 10, 1)),
        "end": local(date(2026, 11, 1)),
        "value": value,
        "unit": unit,
        "numerator": 4_511_300.0,
        "denominator": 3_504_200.0,
        "usable": 0.998,
        "coverage": 0.996,
        "estimated": 0.002,
        "category": 1,
        "basis": None,
        "provisional": False,
        "issues": [],
        "parts": {},
    } | more


def kpis() -> tuple[Document, ...]:
    """Every KPI that the site has the inputs for."""
    gap = {"code": "factor.missing", "severity": "warning", "message": "3 hours have no grid factor."}
    return (
        kpi("pue", "iPUE", 1.2874, "1"),
        kpi("wue", "WUE", 0.412, "L/kWh", basis="total_input", category=None),
        kpi("ref", "REF", 0.427, "1", category=None, basis="onsite+ppa+certificates"),
        kpi("cue_location", "CUE", 0.367, "kg/kWh", basis="location", issues=[gap], usable=0.992),
        kpi("cer", "CER", None, "1", issues=[gap | {"message": "The heat meter has no value in this month."}]),
    )


def metrics() -> tuple[Metric, ...]:
    """The table that sustainability reports print."""
    return (
        Metric(name="energy", label="Energy", unit="MWh", value=4511.3, shown="4,511.3", basis="E_DC, category 1"),
        Metric(name="carbon", label="Carbon, scope 2", unit="t CO2e", value=1273.0, shown="1,273.0", basis="location"),
        Metric(name="pue", label="PUE", unit="1", value=1.2874, shown="1.287", basis="category 1"),
        Metric(name="erf", label="ERF", unit="1", value=None, shown=NONE, basis="Heat reuse is not metered."),
    )


def finding(name: str, title: str, **more: Any) -> Document:
    """A finding in the shape of the command line."""
    return {
        "id": name,
        "site": "rz1",
        "family": "chilled_water_setpoint",
        "detector": "plant",
        "equipment": "chiller-2",
        "meters": ["chiller-2", "chw-supply"],
        "start": "2026-10-04T06:00:00Z",
        "end": None,
        "detected_at": "2026-10-06T06:00:00Z",
        "status": "open",
        "confidence": 0.93,
        "excess_kwh": {"value": 41_250.0, "low": 30_900.0, "high": 50_800.0},
        "excess_l": {"value": 38_100.0, "low": 12_000.0, "high": 61_000.0},
        "cost": {"value": 3760.0, "currency": "EUR"},
        "advice": "Raise the chilled-water set-point back to 18 degC; it was lowered to 14 degC on 4 October.",
        "evidence": {"setpoint [degC]": 14.0},
        "title": title,
        "cause": "The set-point fell by 4 K at one hour; the chillers draw 11 % more at the same load and weather.",
        "carbon_kg": 12_581.0,
        "watts": 61_200.0,
        "per_year": {"excess_kwh": 536_112.0, "excess_l": 495_000.0, "cost": {"value": 48_844.0, "currency": "EUR"}},
        "saving": None,
        "note": None,
    } | more


def findings() -> tuple[Document, ...]:
    """Worth most first."""
    return (
        finding("f1", "Chilled water is colder than it need be"),
        finding("f2", "Fans of hall B run at full speed", family="fan_power", equipment="crah-b", excess_l=None),
        finding(
            "f3",
            "One UPS module runs lightly loaded",
            family="ups_loss",
            equipment="ups-3",
            excess_l=None,
            excess_kwh={"value": 8_300.0, "low": 6_000.0, "high": 10_100.0},
            cost={"value": 747.0, "currency": "EUR"},
        ),
        finding("f4", "The meter of pump 7 stands still", family="metering", excess_kwh=None, excess_l=None, cost=None),
        finding(
            "f5", "Tower make-up rose", family="water_use", status="closed", end="2026-10-12T09:00:00Z", per_year=None
        ),
    )


def alerts() -> tuple[Document, ...]:
    """One that ended, one that goes on."""
    common = {"signal": "pue", "site": "rz1", "inhibited_by": None, "silenced_by": None, "acknowledged_by": None}
    said = {"labels": {"severity": "warning"}, "annotations": {"summary": "iPUE of 24 h is 1.341, above 1.30."}}
    said |= {"peak": 1.377, "above": 1.3, "below": None}
    return (
        {**common, **said, "name": "PueHigh", "state": "inactive", "value": 1.341, "since": "2026-10-05T10:15:00Z"}
        | {"fired_at": "2026-10-03T09:45:00Z", "resolved_at": "2026-10-05T10:15:00Z"},
        {**common, **said, "name": "WaterHigh", "state": "firing", "value": 0.61, "since": "2026-10-30T22:00:00Z"}
        | {"fired_at": "2026-10-30T22:00:00Z", "resolved_at": None},
    )


def events() -> tuple[Document, ...]:
    """A reset and a jump, one of them in the hour that comes twice."""
    common = {"site": "rz1", "unit": "kWh"}
    return (
        common
        | {"meter": "ups-a", "event": "reset", "at": "2026-10-14T08:31:00Z", "before": 812_441.2, "after": 0.0}
        | {"booked": 311.8, "state": "booked"},
        common
        | {"meter": "pump-7", "event": "jump", "at": "2026-10-25T00:30:00Z", "before": 5120.0, "after": 99_120.0}
        | {"booked": 0.0, "state": "pending"},
    )


def corrections() -> tuple[Document, ...]:
    """A meter that was replaced."""
    return (
        {
            "site": "rz1",
            "meter": "grid-a",
            "at": local(date(2026, 10, 9), 11),
            "event": "replacement",
            "final": 81233.4,
            "first": 0.0,
            "author": "ann",
            "reason": "worn bearing",
        },
    )


def meters() -> tuple[MeterTotal, ...]:
    """Some complete, one with a gap, one not in service."""

    def meter(name: str, role: str | None, value: float | None, **more: Any) -> MeterTotal:
        whole = {"unit": "kWh", "in_service": 1.0, "measured": 1.0, "estimated": 0.0, "missing": 0.0, "recovered": 0}
        return MeterTotal(meter=name, role=role, value=value, **(whole | more))

    return (
        meter("grid-a", "utility_import", 4_190_200.0),
        meter("ups-a", "it_ups", 1_811_000.0, measured=0.994, estimated=0.004, missing=0.002, recovered=3),
        meter("ups-b", "it_ups", 1_693_200.0),
        meter("pump-7", "pump", None, measured=0.0, missing=1.0),
        meter("outdoor", "outdoor_dry_bulb", 13.1, unit="degC"),
        meter("chiller-4", "chiller", 120.0, in_service=0.1),
    )


def limits() -> tuple[Judged, ...]:
    """One that holds, one to come, one that cannot be told."""

    def limit(table: str, title: str, state: str, **more: Any) -> AppliedLimit:
        given = {
            "source": "Energieeffizienzgesetz (EnEfG), section 11, BGBl. 2023 I Nr. 309",
            "checked": "2026-11-22",
            "draft": False,
            "applies_to": "data centres in Germany with 300 kW or more",
            "start": "2026-10-01",
            "end": "2026-11-01",
            "since": None,
            "pue": None,
            "grades": (),
            "later": (),
            "note": "",
        }
        return AppliedLimit(table=table, title=title, state=state, **(given | more))

    later = (Later(since="2027-07-01", pue=1.5), Later(since="2030-07-01", pue=1.3))
    return (
        Judged(
            limit=limit(
                "gb40879-2021", "GB 40879-2021", "in force", pue=1.5, since="2022-11-01", grades=(1.2, 1.3, 1.5)
            ),
            value=1.3211,
            span="the 365 days to 2026-10-31",
            judgement=Judgement(verdict="met", grade=3, margin=0.1789),
        ),
        Judged(
            limit=limit(
                "enefg-existing", "EnEfG, existing data centres", "none yet", later=later, note="No limit holds yet."
            ),
            value=1.3211,
            span="the 365 days to 2026-10-31",
            judgement=Judgement(verdict="no limit", grade=None, margin=None),
        ),
        Judged(
            limit=limit("enefg-draft-2026-04", "EnEfG, draft", "in force", pue=1.3, since="2026-07-01", draft=True),
            value=None,
            span="the 365 days to 2026-10-31",
            judgement=Judgement(verdict="no value", grade=None, margin=None),
        ),
    )


def gate() -> tuple[Check, ...]:
    """One that holds, a breach, one that cannot be judged."""
    it, dc = Figure(name="E_IT", value=3_504_200.0, unit="kWh"), Figure(name="E_DC", value=4_511_300.0, unit="kWh")
    return (
        Check(
            code="energy.it_above_dc",
            ok=True,
            message="E_IT 3504200 kWh holds against E_DC 4511300 kWh.",
            values=(it, dc),
        ),
        Check(code="sum.differs", ok=False, message="Uses 4511300 kWh must equal 4511200 kWh.", values=(dc,)),
        Check(code="ref.outside", ok=None, message="Not judged: REF has no value.", values=()),
    )


def inputs() -> Inputs:
    """Digests of nothing."""
    return Inputs(
        digest="9f2c41d07be35a6688d0f1c2a4b95e70" * 2,
        intervals="0a" * 32,
        configuration="1b" * 32,
        corrections="2c" * 32,
        told="4e" * 32,
        comparisons="3d" * 32,
        program="wattwell 0.5.0",
        method=1,
    )


def revisions() -> tuple[Revision, ...]:
    """Issued, and restated once."""
    changes = (
        Change(name="pue", label="iPUE", unit="1", old=1.2911, new=1.2874),
        Change(name="ref", label="Renewable share", unit="1", old=None, new=0.427),
    )
    return (
        Revision(number=1, digest="77" * 32, author="schedule", reason="First issue.", changes=()),
        Revision(number=2, digest=inputs().digest, author="m.weber", reason="Late data of ups-a.", changes=changes),
    )


def month() -> Report:
    """October 2026 of a site, with every section."""
    return Report(
        kind="month",
        site=SiteHead(
            id="rz1",
            name="Rechenzentrum Köln 1",
            timezone=ZONE,
            pue_category=1,
            it_power_kw=6000.0,
            wue_numerator="total_input",
            currency="EUR",
        ),
        period=Period(
            window="month",
            key="2026-10",
            name="October 2026",
            start=local(date(2026, 10, 1)),
            end=local(date(2026, 11, 1)),
            hours=745.0,
            grid_seconds=900.0,
            over=True,
        ),
        status="issued",
        revision=2,
        inputs=inputs(),
        headlines=headlines(),
        kpis=kpis(),
        metrics=metrics(),
        rows=rows(),
        demand=demand(),
        weather=weather(),
        energy=energy(),
        water=water(),
        heat=heat(),
        renewables=renewables(),
        carbon=carbon(),
        carbon_free=carbon_free(),
        limits=limits(),
        findings=findings(),
        findings_note=None,
        alerts=alerts(),
        events=events(),
        corrections=corrections(),
        meters=meters(),
        gate=gate(),
        caveats=(
            "PUE stands on 99.8 % of the month; 13 October is too thin for a value of its own.",
            "The balance of switchboard B is open by 2.1 %, more than its meters' accuracy explains.",
        ),
        method=(
            "Ratios are sums over the same intervals, those in which every input has a value.",
            "Nothing is put in place of an interval that is missing.",
        ),
        revisions=revisions(),
    )


def full() -> Document:
    """The document of :func:`month`."""
    return plain(month())


def empty() -> Document:
    """A month without any data: every section is there and says so."""
    nothing = missing("No meter has a value in October 2026.")
    none = Purchased(basis="location", kwh=None, kg=None, usable=0.0, factor=None, reason="The import has no value.")
    bare = dataclasses.replace(
        month(),
        status="draft",
        revision=None,
        headlines=tuple(
            dataclasses.replace(
                each, current=nothing, previous=nothing, year_ago=nothing, ytd=nothing, fiscal=nothing, met=None
            )
            for each in headlines()
        ),
        kpis=tuple(each | {"value": None, "numerator": None, "denominator": None, "usable": 0.0} for each in kpis()),
        metrics=(),
        rows=tuple(
            dataclasses.replace(
                row,
                usable=0.0,
                provisional=False,
                **dict.fromkeys(
                    ("e_dc", "e_it", "water", "pue", "wue", "ref", "carbon_location", "carbon_market", "cost"), None
                ),
                temperature=None,
            )
            for row in rows()
        ),
        demand=Demand(label="Utility import", peak_kw=None, peak_at=None, mean_kw=None, load_factor=None, curves=()),
        weather=None,
        energy=Energy(sources=None, uses=None, cooling=None, stages=()),
        water=Water(
            numerator="total_input",
            sources=None,
            uses=None,
            blowdown=None,
            returned=None,
            cycles=None,
            reclaimed_share=None,
        ),
        heat=Heat(reused_kwh=None, erf=None, removed_kwh=None, cer=None),
        renewables=dataclasses.replace(
            renewables(),
            e_dc_kwh=None,
            sources=(),
            uncapped_kwh=None,
            capped_kwh=None,
            renewable_kwh=None,
            ref=None,
            ledger=(),
            reason="E_DC has no value.",
        ),
        carbon=dataclasses.replace(
            carbon(),
            location=none,
            market=dataclasses.replace(none, basis="market"),
            metered=(),
            entries=(),
            scope1_kg=None,
            scope1_reason="Nothing is metered or entered.",
            scope2_location_kg=None,
            scope2_market_kg=None,
            total_location_kg=None,
            total_market_kg=None,
            imported_kwh=None,
            exported_kwh=None,
            avoided=(),
            usable=0.0,
        ),
        carbon_free=None,
        limits=(),
        findings=(),
        findings_note="Findings are not available: the site has no data.",
        alerts=(),
        events=(),
        meters=tuple(
            dataclasses.replace(each, value=None, measured=0.0, estimated=0.0, missing=1.0) for each in meters()
        ),
        gate=(),
        revisions=(),
    )
    return plain(bare)


def provisional() -> Document:
    """A month that is not over: half of its days, and a draft."""
    found = full()
    found |= {"status": "draft", "revision": None, "revisions": []}
    found["period"] |= {"over": False, "end": local(date(2026, 10, 16)), "hours": 360.0}
    found["rows"] = found["rows"][:15]
    for each in found["headlines"]:
        each["current"] |= {"provisional": True, "usable": 0.71}
        each["met"] = None
    return found


def named(name: str) -> Document:
    """The full month with one name for everything that an operator may name."""
    found = copy.deepcopy(full())
    found["site"]["name"] = name
    for each in found["findings"]:
        each |= {"title": name, "advice": name, "equipment": name, "meters": [name]}
    for each in (*found["events"], *found["meters"]):
        each["meter"] = name
    for each in found["alerts"]:
        each |= {"name": name, "annotations": {"summary": name}}
    for each in found["renewables"]["ledger"]:
        each |= {"id": name, "why": name}
    for each in found["carbon"]["entries"]:
        each |= {"id": name, "factor": name, "source": name, "note": name}
    for each in found["carbon"]["metered"]:
        each |= {"meter": name, "source": name}
    for side in (*found["energy"].values(), found["water"]["sources"], found["water"]["uses"]):
        if isinstance(side, dict):
            for part in side["parts"]:
                part["label"] = name
    found["revisions"][1]["reason"] = name
    return found


def year() -> Document:
    """The calendar year 2026, December cut off."""
    report = month()
    months = []
    for place in range(12):
        start, end = date(2026, place + 1, 1), date(2026 + place // 11, place % 11 + 1 if place < 11 else 1, 1)
        end = date(2026, place + 2, 1) if place < 11 else date(2027, 1, 1)
        pue = 1.31 + 0.05 * math.sin((place - 3) / 12 * 2 * math.pi)
        it = 3_500_000.0 + 9_000.0 * place
        known = place < 11
        months.append(
            dataclasses.replace(
                rows(1)[0],
                key=f"2026-{place + 1:02}",
                start=local(start),
                end=local(end),
                e_it=it if known else None,
                e_dc=it * pue if known else None,
                water=it * (0.4 + 0.2 * math.sin((place - 3) / 12 * 2 * math.pi)) if known else None,
                pue=pue if known else None,
                wue=0.4 + 0.2 * math.sin((place - 3) / 12 * 2 * math.pi) if known else None,
                ref=0.45 if known else None,
                carbon_location=it * pue * 0.3 if known else None,
                carbon_market=it * pue * 0.2 if known else None,
                cost=it * pue * 0.09 if known else None,
                temperature=10.0 - 9.0 * math.cos(place / 6 * math.pi) if known else None,
                usable=0.99 if known else 0.0,
                provisional=place == 10,
            )
        )
    days = range(330)
    return plain(
        dataclasses.replace(
            report,
            kind="year",
            period=dataclasses.replace(
                report.period,
                window="year",
                key="2026",
                name="2026",
                start=local(date(2026, 1, 1)),
                end=local(date(2027, 1, 1)),
                hours=8760.0,
            ),
            rows=tuple(months),
            weather=Weather(
                step="day",
                temperature=tuple(10.0 - 9.0 * math.cos(day / 183 * math.pi) + 3 * math.sin(day) for day in days),
                pue=tuple(1.3 - 0.05 * math.cos(day / 183 * math.pi) + 0.01 * math.sin(3 * day) for day in days),
                mean=10.2,
                lowest=-4.0,
                highest=24.0,
            ),
        )
    )


def fleet(many: int = 30) -> Document:
    """Sites of three sizes and two categories; one without a value, one provisional, one with a long name."""
    reports = []
    for place in range(many):
        found = full()
        found["site"] |= {
            "id": f"rz{place + 1}",
            "name": f"Rechenzentrum {place + 1}",
            "it_power_kw": 300.0 * (place + 1),
        }
        found["site"]["pue_category"] = 2 if place % 7 == 0 else 1
        for each in found["kpis"]:
            if each["value"] is not None:
                each |= {"value": each["value"] * (1 + place / 100), "numerator": each["numerator"] * (1 + place / 100)}
        if place == 3:
            found["kpis"][0] |= {"value": None, "issues": [{"code": "x", "severity": "warning", "message": "No data."}]}
        if place == 5:
            thin = {"code": "coverage.provisional", "severity": "warning", "message": "71.0% of the window is usable"}
            found["kpis"][0] |= {"provisional": True, "usable": 0.71, "issues": [thin]}
            found["site"]["name"] = LONG
        if place == 8:
            found |= {"status": "draft", "revision": None}
        reports.append(found)
    return plain(fleet_of(reports))
