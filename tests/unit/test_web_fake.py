"""A realistic engine for the web tests: PUE rises above 1.3; PV, cooling, water, an alert, a stale meter."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tests.explaining import explanation
from tests.finding import a_finding, a_model, a_priced_site
from tests.paging import FakeReports
from wattwell.engine.finding_shapes import course_document, finding_document
from wattwell.engine.queries import Document, Queries, Snapshot
from wattwell.errors import UnknownError, UsageError
from wattwell.finding import FINDING_STATES, Course, Estimate, Finding
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, Interval, calendar_windows, iso, parse_iso
from wattwell.model import Issue, KpiValue
from wattwell.web import shapes

GRID = 15 * MINUTE
EDGE = parse_iso("2026-07-14T12:45:00Z")
ROLLING = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "365d": 365 * DAY}
PARTS = ("cooling", "power_chain", "lighting", "other")
KPIS = (
    "pue",
    "wue",
    "ref",
    "dcie",
    "ups_efficiency",
    "peak_demand_kw",
    *(f"overhead_{part}" for part in PARTS),
    *(f"ppue_{part}" for part in PARTS),
)
FAULT_AT = EDGE - 6 * HOUR


def kilowatts(at: int) -> dict[str, float]:
    """What the site draws at an instant."""
    hour = (at % DAY) / HOUR
    it = 820.0 + 140.0 * math.sin((hour - 9) / 24 * 2 * math.pi) + 12.0 * math.sin(at / HOUR * 2.7)
    cooling = it * (0.165 + 0.03 * math.sin((hour - 11) / 24 * 2 * math.pi))
    if at >= FAULT_AT:
        cooling += it * 0.11 * min(1.0, (at - FAULT_AT) / (2 * HOUR))
    return {
        "it": it,
        "cooling": cooling,
        "power_chain": 14.0 + it * 0.045,
        "lighting": 6.0 + (9.0 if 7 <= hour < 19 else 0.0),
        "other": 11.0,
        "pv": max(0.0, 260.0 * math.sin((hour - 4) / 14 * math.pi)) if 4 <= hour <= 18 else 0.0,
        "water": cooling * 4.1,
    }


def sums(start: int, end: int) -> dict[str, float]:
    """kWh and litres over a span, from at most 400 samples of it."""
    step = max(GRID, (end - start) // 400 // GRID * GRID)
    hours = step / HOUR
    total: dict[str, float] = {}
    for at in range(start, end, step):
        for name, value in kilowatts(at).items():
            total[name] = total.get(name, 0.0) + value * hours
    total["dc"] = sum(total[name] for name in ("it", "cooling", "power_chain", "lighting", "other"))
    return total


BERLIN = a_priced_site("berlin", "Europe/Berlin")


def found_at(edge: int) -> list[Finding]:
    """An open finding with a plot in which something is missing, one that wastes water alone, and a closed one."""
    at = [edge - 4 * DAY + step * HOUR for step in range(96)]
    expected = [18.0 + 4.0 * math.sin(step / 24 * 2 * math.pi) for step in range(96)]
    actual = [value + (9.0 if step >= 40 else 0.4 * math.sin(step)) for step, value in enumerate(expected)]
    course = Course(
        label="fan-1 + fan-2",
        unit="kW",
        step=HOUR,
        start=tuple(at),
        actual=tuple(None if 60 <= step < 66 else value for step, value in enumerate(actual)),
        expected=tuple(None if step < 6 else value for step, value in enumerate(expected)),
        low=tuple(None if step < 6 else value - 1.5 for step, value in enumerate(expected)),
        high=tuple(None if step < 6 else value + 1.5 for step, value in enumerate(expected)),
    )
    fans = a_finding(
        id="berlin-fans",
        site="berlin",
        start=at[40],
        detected_at=at[44],
        watts=9000.0,
        cost=100.8,
        excess_kwh=Estimate(value=504.0, low=460.0, high=548.0),
        title="The fans of <b>AHU 1</b> draw half as much again",
        course=(course,),
    )
    water = a_finding(
        id="leak",
        site="berlin",
        family="water_use",
        equipment=None,
        start=at[10],
        detected_at=at[30],
        excess_kwh=None,
        excess_l=Estimate(value=8600.0, low=8000.0, high=9000.0),
        watts=None,
        cost=17.2,
        carbon_kg=None,
        title="Water flows at night when nothing evaporates",
        advice="Look for a float valve that does not close.",
        course=(),
        evidence={},
    )
    saved = Estimate(value=78_000.0, low=60_000.0, high=96_000.0)
    past = a_finding(
        id="old", site="berlin", family="economizer", start=at[0] - 30 * DAY, end=at[0], detected_at=at[0] - 29 * DAY,
        status="closed", watts=None, saving=saved, title="The economizer stays shut on cold days", course=(),
    )  # fmt: skip
    return [fans, water, past]


def _issue(code: str, message: str, severity: str = "warning") -> Document:
    return {"code": code, "severity": severity, "message": message}


def _of(site: str | None, rows: list[Document]) -> list[Document]:
    return [row for row in rows if site in (None, row["site"])]


class FakeQueries(FakeReports):
    """Implements ``Queries`` over the formulas above."""

    def __init__(self, *, many: bool = False, edge: int = EDGE) -> None:
        self.many = many
        self.edge = edge
        self.fault: Exception | None = None
        self.value: float | None = None
        self.explained: list[tuple[str | None, ...]] = []
        self.reported = []

    def ids(self) -> list[str]:
        return ["berlin", "zhangbei"] if self.many else ["berlin"]

    def _meter(self, name: str, role: str, quantity: str, unit: str, *, old: int = 0) -> Document:
        amount = {"energy": "kWh", "water": "L"}.get(quantity, unit)
        return {
            "id": name,
            "role": role,
            "quantity": quantity,
            "accumulation": "register",
            "unit": unit,
            "value_unit": amount,
            "equipment": None,
            "parent": None,
            "virtual": False,
            "period_seconds": 60.0,
            "last_reading": iso(self.edge + 3 * MINUTE - old),
        }

    def sites(self) -> list[Document]:
        meters = [
            self._meter("grid-a", "utility_import", "energy", "MWh"),
            self._meter("pv-roof", "onsite_renewable", "energy", "kWh"),
            self._meter("ups-a", "it_ups", "energy", "kWh"),
            self._meter("chiller-1", "chiller", "energy", "kWh"),
            self._meter("tower-makeup", "water_input", "water", "m3", old=3 * HOUR),
        ]
        names = {"berlin": ("Berlin Nord <1>", "Europe/Berlin"), "zhangbei": ("Zhangbei", "Asia/Shanghai")}
        return [
            {
                "id": site,
                "name": names[site][0],
                "timezone": names[site][1],
                "pue_category": 1,
                "it_power_kw": 1200.0,
                "wue_numerator": "total_input",
                "targets": {"pue": 1.3, "wue": 0.75, "renewable_share": 0.5},
                "prices": None,
                "grid_seconds": 900,
                "meters": meters,
            }
            for site in self.ids()
        ]

    def _value(self, site: str, kpi: str, window: str | None, start: int, end: int) -> Document:
        total = sums(start, end)
        part = kpi.partition("_")[2]
        top, below, unit, basis = {
            "pue": (total["dc"], total["it"], "1", None),
            "wue": (total["water"], total["it"], "L/kWh", "total_input"),
            "ref": (total["pv"], total["dc"], "1", "onsite"),
            "dcie": (total["it"], total["dc"], "1", None),
            "ups_efficiency": (total["it"], total["it"] + total["power_chain"], "1", None),
            "peak_demand_kw": (1303.4, 1.0, "kW", None),
        }.get(kpi) or (total[part] + (total["it"] if kpi.startswith("ppue") else 0.0), total["it"], "1", None)
        value: float | None = top / below if self.value is None else self.value
        usable = 1.0 if window in ("1h", "24h", "7d", None, "day") else 0.72 if window == "30d" else 0.31
        issues = []
        if kpi in ("ups_efficiency", "ppue_lighting"):
            value = None
            issues.append(_issue("input.missing", "No meter has the role ups_input."))
        elif usable < 0.5:
            value = None
            sentence = "Only 31.0 % of the window is usable; 50 % is needed."
            issues.append(_issue("coverage.insufficient", sentence))
        missing = value is None and kpi == "ups_efficiency"
        return {
            "site": site,
            "kpi": kpi,
            "label": ("PUE" if window in ("365d", "year", "fiscal_year") else "iPUE") if kpi == "pue" else kpi.upper(),
            "window": window,
            "start": iso(start),
            "end": iso(end),
            "value": value,
            "unit": unit,
            "numerator": None if missing or kpi == "peak_demand_kw" else top,
            "denominator": None if missing or kpi == "peak_demand_kw" else below,
            "usable": 0.0 if missing else usable,
            "coverage": 0.0 if missing else usable - 0.012,
            "estimated": 0.0 if missing else 0.012,
            "category": None if kpi in ("ref", "peak_demand_kw") else 1,
            "basis": basis,
            "provisional": 0.5 <= usable < 0.9,
            "issues": issues,
        }

    def _spans(self, window: str | None, start: str | None, end: str | None) -> list[tuple[int, int]]:
        high = parse_iso(end) if end else self.edge
        if window in ROLLING:
            ends = range(parse_iso(start) + GRID, high + 1, GRID) if start else [high]
            return [(at - ROLLING[window], at) for at in ends]
        if window is None:
            return [(parse_iso(start) if start else high - DAY, high)]
        if window not in ("day", "month", "year", "fiscal_year"):
            raise UsageError(f"window {window!r} is not known; write 1h, 24h, 7d, 30d, 365d, day, month or year")
        low = parse_iso(start) if start else high - {"day": 1, "month": 31}.get(window, 366) * DAY
        found = [(w.start, min(w.end, high)) for w in calendar_windows(window, low, high, "Europe/Berlin")]
        return found if start else found[-1:]

    def kpi(
        self,
        site: str | None = None,
        kpis: Sequence[str] | None = None,
        window: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> list[Document]:
        if self.fault:
            raise self.fault
        for name in kpis or ():
            if name not in KPIS:
                raise UsageError(f"KPI {name!r} is not known; one of {', '.join(KPIS)}")
        spans = self._spans(window, start, end)
        found = [
            self._value(name, kpi, window, low, high)
            for name in (self.ids() if site is None else [site])
            for kpi in kpis or KPIS
            for low, high in spans
        ]
        return found + [{**row, "site": "all"} for row in found if site is None and row["site"] == "berlin"]

    def balance(
        self, site: str | None = None, window: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        low, high = self._spans(window or "24h", start, end)[-1]
        span = {"site": "berlin", "window": window or "24h", "start": iso(low), "end": iso(high)}
        row = {**span, "meter": "grid-a", "children": [{"meter": "ups-a", "amount": 20_400.0}], "unit": "kWh"}
        sums = {"parent_amount": 20_000.0, "children_amount": 20_400.0, "residual": -400.0, "tolerance": 404.0}
        shares = {"share": -0.02, "usable": 1.0, "coverage": 0.97, "provisional": False, "issue": None}
        open_ = {"residual": -2_400.0, "children_amount": 22_400.0, "share": -0.12, "tolerance": 424.0}
        issue = _issue("balance.open", "the meters below grid-a count 2,400 kWh (12.0% of it) more than grid-a itself")
        none = dict.fromkeys(("parent_amount", "children_amount", "residual", "tolerance", "share"))
        few = _issue("coverage.insufficient", "31.0% of the window is usable for the balance of spare")
        rows = [
            {**row, **sums, **shares},
            {**row, **sums, **shares, **open_, "meter": "grid-b", "issue": issue},
            {**row, **shares, **none, "meter": "spare", "usable": 0.31, "issue": few},
        ]
        return _of(site, rows)

    def series(
        self, site: str, meter: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        low = parse_iso(start) if start else self.edge - DAY
        return [
            {
                "site": site,
                "meter": meter or "ups-a",
                "start": iso(at),
                "end": iso(at + GRID),
                "value": kilowatts(at)["it"] / 4 if at % HOUR else math.nan,
                "unit": "kWh",
                "measured": 1.0 if at % HOUR else 0.0,
                "estimated": 0.0,
                "missing": 0.0 if at % HOUR else 1.0,
                "recovered": False,
            }
            for at in range(low, parse_iso(end) if end else self.edge, GRID)
        ]

    def power(self, site: str, start: str | None = None, end: str | None = None) -> list[Document]:
        rows: list[Document] = []
        if site not in self.ids():
            return rows
        for at in range(parse_iso(start) if start else self.edge - DAY, parse_iso(end) if end else self.edge, GRID):
            drawn: dict[str, float] = kilowatts(at)
            gone = EDGE - 15 * HOUR <= at < EDGE - 14 * HOUR
            names = ("it", "cooling", "power_chain", "lighting", "other")
            row: Document = {name: None if gone else drawn[name] for name in names}
            total = None if gone else sum(drawn[name] for name in names)
            water = None if gone else drawn["water"] / 4
            rows.append({"start": iso(at), "end": iso(at + GRID), "total": total, **row, "water_litres": water})
        return rows

    def explain(
        self,
        site: str,
        kpi: str,
        window: str | None = None,
        at: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> Document:
        """That of another site and span, but for the names asked for."""
        self.explained.append((site, kpi, window, at, start, end))
        if kpi not in KPIS:
            raise UsageError(f"KPI {kpi!r} is not known; one of {', '.join(KPIS)}")
        found: Document = json.loads(explanation())
        found["figure"] |= {"site": site, "kpi": kpi, "window": window}
        return found

    def alerts(self, site: str | None = None) -> list[Document]:
        rule = {
            "name": "PueHigh",
            "site": "berlin",
            "labels": {"severity": "warning", "kpi": "pue", "window": "1h"},
            "annotations": {"summary": "PUE over 1h is 1.378, above 1.3."},
            "window": "1h",
            "peak": 1.41,
            "provisional": False,
            "category": 1,
            "coverage": 0.97,
            "unit": "1",
            "above": 1.3,
            "below": None,
            "clear": 1.27,
            "signal": "kpi",
            "between": None,
            "inhibited_by": None,
            "silenced_by": None,
            "acknowledged_by": None,
        }
        dates: dict[str, Any] = {"since": iso(EDGE - 4 * HOUR), "fired_at": iso(EDGE - 4 * HOUR), "resolved_at": None}
        old = {"since": iso(EDGE - 9 * DAY), "fired_at": iso(EDGE - 9 * DAY), "resolved_at": iso(EDGE - 8 * DAY)}
        quiet = {"since": iso(EDGE - 9 * DAY), "fired_at": None, "resolved_at": None}
        low = {**rule, "name": "RefLow", "labels": {"kpi": "ref", "window": "1h"}, "above": None, "below": 0.2}
        rows = [
            {**rule, "state": "firing", "value": 1.378, **dates},
            {
                **rule,
                "name": "WueHigh",
                "labels": {"kpi": "wue", "window": "1h"},
                "above": 1.4,
                "state": "inactive",
                "value": 0.8,
                **quiet,
            },
            {**low, "state": "no_data", "value": None, **quiet},
            {**rule, "state": "inactive", "value": 1.31, **old},
        ]
        return _of(site, rows)

    def silences(self) -> list[Document]:
        return [
            {
                "id": 12,
                "kind": "maintenance",
                "state": "active",
                "matchers": {"site": "berlin"},
                "from": iso(EDGE - HOUR),
                "until": iso(EDGE + HOUR),
                "author": "ida",
                "reason": "the chillers are cleaned",
                "expired": None,
            }
        ]

    def findings(
        self,
        site: str | None = None,
        start: str | None = None,
        end: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Document]:
        if status not in (None, *FINDING_STATES):
            raise UsageError(f"status {status!r} is not known")
        rows = [finding_document(each, BERLIN, self.edge) for each in found_at(self.edge)]
        rows = [row for row in rows if (start or "") <= (row["end"] or "9") and (end is None or row["start"] < end)]
        return [row for row in _of(site, rows) if status in (None, row["status"])][:limit]

    def models(self, site: str | None = None) -> list[Document]:
        nothing = {"cv_rmse": None, "nmbe": None, "accepted": None, "weekly": None, "unjudged": "no <b>values</b>"}
        known = [a_model(), a_model(name="hall", kind="hall", unit="degC", rmse=0.14, **nothing)]
        return _of(site, [{"site": "berlin"} | asdict(each) for each in known])

    def finding(self, id: str) -> Document:
        finding = next((each for each in found_at(self.edge) if each.id == id), None)
        if finding is None:
            raise UnknownError(f"no finding {id!r} is known")
        said = {"at": iso(self.edge), "verdict": "known", "until": None, "author": "<b>ida</b>", "note": "in May"}
        first = {**said, "at": iso(finding.detected_at), "verdict": "detected", "author": None, "note": None}
        course = [course_document(each) for each in finding.course]
        return finding_document(finding, BERLIN, self.edge) | {"course": course, "history": [first, said]}

    def events(
        self, site: str | None = None, meter: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        row = {"site": "berlin", "meter": "grid-a", "event": "rollover", "at": iso(EDGE - DAY), "before": 999999.9}
        rows = _of(site, [{**row, "after": 0.2, "booked": 300.0, "unit": "kWh", "state": "booked"}])
        return [
            row
            for row in rows
            if meter in (None, row["meter"]) and (start or "") <= row["at"] and (end is None or row["at"] < end)
        ]

    def rejects(self, site: str | None = None) -> list[Document]:
        row = {"site": "berlin", "meter": "ups-a", "topic": "wattwell/berlin/ups-a", "at": iso(EDGE)}
        sent = {"received_at": iso(EDGE + SECOND), "reason": "value.sentinel", "value": "4294967295", "count": 3}
        ahead = {"at": "9999-12-31T23:59:59Z", "reason": "clock.future", "value": "<i>1</i>", "count": 1}
        return _of(site, [{**row, **sent}, {**row, **sent, **ahead}])

    def audit(self, kind: str | None = None, last: int | None = None) -> list[Document]:
        event = {**self.events()[0], "event": "<b>rollover</b>"}
        first: Document = {"seq": 6, "at": iso(EDGE), "kind": "event", "hash": "ab" * 32, "document": event}
        rows = [first, {**first, "seq": 7, "hash": "cd" * 32}]
        return [row for row in rows if kind in (None, row["kind"])][-(last or 2) :]

    def unmapped(self) -> list[Document]:
        seen = {"first_seen": iso(EDGE - DAY), "last_seen": iso(EDGE)}
        return [{"topic": "dc/berlin/new", **seen, "count": 12, "example": '{"value": 1}', "proposals": []}]

    def problems(self, site: str) -> list[Document]:
        stale = "tower-makeup has sent nothing for 3 h; it should send every 60 s. Look at its gateway."
        bare: Document = {"evidence": {}, "remedy": None}
        rejected = "3 readings were rejected; see /api/v1/rejects."
        return [
            {**_issue("meter.stale", stale), "meter": "tower-makeup", "since": iso(EDGE - 3 * HOUR), **bare},
            {**_issue("value.sentinel", rejected, "info"), "meter": "ups-a", "since": None, **bare},
            {
                **_issue("meter.reversed", "counted -31.5 kWh in the last 24 h, though its role is chiller"),
                "meter": "chiller-1",
                "since": None,
                "evidence": {"amount": -31.5},
                "remedy": "turn the current transformer round",
            },
        ][: 3 if site == "berlin" else 0]

    def snapshot(self) -> Snapshot:
        if self.fault:
            raise self.fault
        return SNAPSHOT


def kpi_value(kpi: str, window: str | None, value: float | None, *, category: int | None = 1) -> KpiValue:
    """A KPI value of Berlin for a snapshot."""
    return KpiValue(
        site="berlin",
        kpi=kpi,
        label=kpi,
        window=window,
        interval=Interval(EDGE - DAY, EDGE),
        value=value,
        unit="1",
        numerator=150.0,
        denominator=100.0,
        usable=0.95,
        coverage=0.94 if value is not None else 0.25,
        estimated=0.01,
        category=category,
        basis=None,
        provisional=False,
        issues=() if value is not None else (Issue(code="coverage.insufficient", severity="warning", message="no"),),
    )


STATES = ("firing", "inactive", "no_data", "pending")
SNAPSHOT = Snapshot(
    kpis=(
        kpi_value("pue", "24h", 1.3125),
        kpi_value("pue", "1h", 1.378),
        kpi_value("pue", "365d", None),
        kpi_value("wue", "24h", 0.8125),
        kpi_value("wue", "1h", math.nan),
        kpi_value("ref", "24h", 0.125, category=None),
        kpi_value("dcie", "24h", 0.762),
        kpi_value("overhead_cooling", "24h", 0.25),
        kpi_value("overhead_other", "24h", 0.0625),
        kpi_value("ups_efficiency", "24h", 0.955, category=None),
        kpi_value("peak_demand_kw", "24h", 1303.4, category=None),
        kpi_value("load_factor", "24h", 0.875, category=None),
        kpi_value("cfe", "24h", 0.6125, category=None),
        replace(kpi_value("cue_location", "24h", 0.45), numerator=45.0, basis="location"),
        replace(kpi_value("cue_location", "1h", None), basis="location"),
        replace(kpi_value("cue_market", "24h", 0.0), numerator=0.0, basis="market"),
        kpi_value("pue", None, 9.0),
    ),
    power_watts={("berlin", "total"): 1_303_400.0, ("berlin", "it"): 950_000.0, ("berlin", "cooling"): 290_000.5},
    last_readings={("berlin", "ups-a"): 1_784_033_280.25, ("berlin", "grid-a"): 1_784_033_280.0},
    readings={"berlin": 123_456},
    rejected={("berlin", "value.sentinel"): 3, ("", "point.unknown"): 12},
    alerts={("berlin", "PueHigh", state): int(state == "firing") for state in STATES},
    targets={("berlin", "pue"): 1.3, ("berlin", "ref"): 0.5},
    role_power_watts={("berlin", "chiller"): 210_000.0, ("berlin", "onsite_renewable"): 80_000.25},
    outdoor_celsius={("berlin", "oat", "outdoor_dry_bulb"): 24.5},
    balance_residuals={("berlin", "main"): -0.004},
    balance_tolerances={("berlin", "main"): 0.02},
    meter_events={("berlin", "rollover", "booked"): 2, ("berlin", "jump", "pending"): 1},
    reporting_limits={("berlin", "ups-a"): 300.0, ("berlin", "grid-a"): 300.0},
    findings={("berlin", "fan_power"): 1, ("berlin", "water_use"): 2, ("berlin", "economizer"): 0},
    finding_watts={("berlin", "fan_power"): 9000.5, ("berlin", "water_use"): 0.0, ("berlin", "economizer"): 0.0},
    reports_issued={("berlin", "month"): 1_783_900_800.0, ("berlin", "fiscal_year"): 1_776_211_200.0},
    reports_refused={("berlin",): 1},
    notifications_waiting={("alertmanager-1",): 0, ("mailto-2",): 3},
    notifications_delivered={("alertmanager-1",): 12, ("mailto-2",): 9},
    notifications_lost={("alertmanager-1",): 0, ("mailto-2",): 1},
    spool_readings=7,
    ingest_lag_seconds=0.125,
    followed_until=1_784_033_295.5,
)


def test_the_fake_answers_in_the_documented_shapes() -> None:
    fake: Queries = FakeQueries()
    answers: list[tuple[Any, list[Document]]] = [
        (shapes.SiteShape, fake.sites()),
        (shapes.KpiShape, fake.kpi()),
        (shapes.PowerShape, fake.power("berlin")),
        (shapes.AlertShape, fake.alerts()),
        (shapes.SilenceShape, fake.silences()),
        (shapes.EventShape, fake.events()),
        (shapes.RejectShape, fake.rejects()),
        (shapes.UnmappedShape, fake.unmapped()),
        (shapes.ProblemShape, fake.problems("berlin")),
        (shapes.ExplanationShape, [fake.explain("berlin", "pue")]),
        (shapes.FindingShape, fake.findings()),
        (shapes.ModelShape, fake.models()),
        (shapes.FindingDetailShape, [fake.finding("berlin-fans")]),
        (shapes.IssuedReportShape, fake.reports()),
    ]
    for shape, documents in answers:
        assert documents
        for document in documents:
            shape.model_validate(document)


def test_the_fake_rises_above_the_target_and_the_overheads_sum() -> None:
    found = {row["kpi"]: row for row in FakeQueries().kpi("berlin", window="1h")}
    parts = sum(found[f"overhead_{part}"]["value"] for part in PARTS)
    assert found["pue"]["value"] > 1.3
    assert abs(found["pue"]["value"] - 1 - parts) < 1e-12
    assert asdict(SNAPSHOT.kpis[0])["value"] == 1.3125
