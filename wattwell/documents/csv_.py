"""Every figure of a report as one tidy table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wattwell.documents.fleet_rows import fleet_rows
from wattwell.documents.sections.operation import resolved
from wattwell.documents.words import Document, base_unit

HEAD = ("section", "name", "start", "end", "value", "unit", "usable", "provisional", "note")
_SPANS = ("current", "previous", "year_ago", "ytd", "fiscal")
_ROWS = {
    "e_dc": "kWh",
    "e_it": "kWh",
    "water": "L",
    "pue": "1",
    "wue": "L/kWh",
    "ref": "1",
    "carbon_location": "kg",
    "carbon_market": "kg",
    "cost": "",
    "temperature": "degC",
}
_HEAT = {"reused_kwh": "kWh", "erf": "1", "removed_kwh": "kWh", "cer": "1"}
_WATER = {"blowdown": "L", "returned": "L", "cycles": "1", "reclaimed_share": "1"}
_DEMAND = {"peak_kw": "kW", "mean_kw": "kW", "load_factor": "1"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet."""
Row = dict[str, Any]


def csv_(document: Document) -> bytes:
    """UTF-8 with CRLF; numbers as they are, in kWh, L, kg and shares; empty where unknown; texts never formulas."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, HEAD, restval=None)
    writer.writeheader()
    for row in rows(document):
        writer.writerow({name: written(row.get(name)) for name in HEAD})
    return out.getvalue().encode()


def written(value: Any) -> str:
    """A cell: repr of a number, a text that is no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return no_formula(str(value))


def no_formula(text: str) -> str:
    """A text with a quote before what would be a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def rows(document: Document) -> Iterator[Row]:
    """Every figure, in the order of the document."""
    if document["kind"] == "fleet":
        yield from fleet_rows(document)
        return
    base = {"start": document["period"]["start"], "end": document["period"]["end"]}
    for row in _all(document):
        yield {**base, **row}


def _all(document: Document) -> Iterator[Row]:
    yield from _about(document)
    yield from _headlines(document["headlines"])
    yield from _kpis(document["kpis"])
    for each in document["metrics"]:
        yield _row("metrics", each["name"], each["value"], each["unit"], note=_joined(each["shown"], each["basis"]))
    yield from _spans(document)
    yield from _demand(document)
    yield from _breakdowns(document)
    yield from _named("water", document["water"], _WATER)
    yield from _named("heat", document["heat"], _HEAT)
    yield from _renewables(document["renewables"])
    yield from _carbon(document["carbon"])
    hourly = document["carbon_free"]
    if hourly is not None:
        for hour, each in zip(hourly["hour"], hourly["share"], strict=True):
            yield _row("carbon_free", f"hour_{hour:02}", each, "1")
    yield from _limits(document["limits"])
    yield from _findings(document["findings"])
    yield from _operation(document)
    yield from _quality(document)


def _row(section: str, name: str, value: Any, unit: str, **more: Any) -> Row:
    return {"section": section, "name": name, "value": value, "unit": unit, **more}


def _joined(*parts: str | None) -> str:
    return "; ".join(part for part in parts if part)


def _named(section: str, values: Document, units: Mapping[str, str]) -> Iterator[Row]:
    for name, unit in units.items():
        yield _row(section, name, values[name], unit)


def _about(document: Document) -> Iterator[Row]:
    site, inputs = document["site"], document["inputs"]
    yield _row("report", "schema", document["schema"], "")
    yield _row("report", "site", site["id"], "", note=site["name"])
    yield _row("report", "period", document["period"]["key"], "", provisional=not document["period"]["over"])
    yield _row("report", "status", document["status"], "")
    yield _row("report", "revision", document["revision"], "")
    yield _row("report", "digest", inputs["digest"], "")
    yield _row("report", "program", inputs["program"], "", note=f"method {inputs['method']}")


def _headlines(lines: Iterable[Document]) -> Iterator[Row]:
    for line in lines:
        unit = base_unit(line["unit"])
        for span in _SPANS:
            cell = line[span]
            shown = f"shown as {cell['shown']} {line['unit']}".strip() if cell["value"] is not None else None
            yield _row(
                "headlines",
                f"{line['name']}.{span}",
                cell["value"],
                unit,
                usable=cell["usable"],
                provisional=cell["provisional"],
                note=_joined(shown, cell["note"]),
            ) | {end: cell[end] for end in ("start", "end") if cell[end] is not None}
        if line["target"] is not None:
            met = None if line["met"] is None else "met" if line["met"] else "missed"
            yield _row("headlines", f"{line['name']}.target", line["target"], unit, note=met)


def _kpis(found: Iterable[Document]) -> Iterator[Row]:
    for each in found:
        category = None if each["category"] is None else f"category {each['category']}"
        issues = [issue["message"] for issue in each["issues"]]
        yield _row(
            "kpis",
            each["kpi"],
            each["value"],
            each["unit"],
            start=each["start"],
            end=each["end"],
            usable=each["usable"],
            provisional=each["provisional"],
            note=_joined(each["label"], category, each["basis"], *issues),
        )
        for side in ("numerator", "denominator"):
            yield _row("kpis", f"{each['kpi']}.{side}", each[side], "", start=each["start"], end=each["end"])


def _spans(document: Document) -> Iterator[Row]:
    section = "months" if document["kind"] == "year" else "days"
    currency = document["site"]["currency"] or ""
    for row in document["rows"]:
        ends = {"start": row["start"], "end": row["end"], "provisional": row["provisional"], "note": row["key"]}
        for name, unit in _ROWS.items():
            usable = row["usable"] if name == "pue" else None
            yield _row(section, name, row[name], unit or currency, usable=usable, **ends)


def _demand(document: Document) -> Iterator[Row]:
    found, weather = document["demand"], document["weather"]
    yield from _named("demand", found, _DEMAND)
    if found["peak_at"] is not None:
        yield _row("demand", "peak_at", found["peak_at"], "")
    for curve in found["curves"]:
        for share, kw in zip(curve["share"], curve["kw"], strict=True):
            yield _row("duration", curve["label"], kw, "kW", usable=curve["usable"], note=f"share of time {share!r}")
    if weather is not None:
        for temperature, pue in zip(weather["temperature"], weather["pue"], strict=True):
            yield _row("weather", f"pue_by_{weather['step']}", pue, "1", note=f"at {temperature!r} degC")


def _breakdowns(document: Document) -> Iterator[Row]:
    sides = {f"energy.{name}": document["energy"][name] for name in ("sources", "uses", "cooling")}
    sides |= {f"water.{name}": document["water"][name] for name in ("sources", "uses")}
    for section, found in sides.items():
        if found is None:
            continue
        unit, shown = base_unit(found["unit"]), f"shown as {{}} {found['unit']}"
        for part in found["parts"]:
            note = _joined(part["label"], shown.format(part["shown"]))
            yield _row(section, part["name"], part["value"], unit, usable=found["usable"], note=note)
        note = shown.format(found["total_shown"])
        yield _row(section, "total", found["total"], unit, usable=found["usable"], note=note)
    for stage in document["energy"]["stages"]:
        for name, unit in (("kwh", "kWh"), ("efficiency", "1"), ("loss_kwh", "kWh")):
            label = f"{stage['role']}.{name}"
            yield _row("chain", label, stage[name], unit, usable=stage["usable"], note=stage["label"])


def _renewables(found: Document) -> Iterator[Row]:
    units = {"e_dc_kwh": "kWh", "uncapped_kwh": "kWh", "capped_kwh": "kWh", "renewable_kwh": "kWh", "ref": "1"}
    for row in _named("renewables", found, units | {"sold_kwh": "kWh"}):
        yield row | {"usable": found["usable"], "note": found["reason"] or None}
    for each in found["sources"]:
        for name, unit in (("kwh", "kWh"), ("share", "1"), ("counted_kwh", "kWh"), ("counted_share", "1")):
            yield _row("renewables", f"{each['source']}.{name}", each[name], unit, usable=found["usable"])
    for each in found["ledger"]:
        note = _joined(each["kind"], each["status"], each["why"])
        for name in ("period_kwh", "counted_kwh", "taken_off_kwh"):
            yield _row("certificates", f"{each['id']}.{name}", each[name], "kWh", note=note)


def _carbon(found: Document) -> Iterator[Row]:
    totals = ("scope1_kg", "scope2_location_kg", "scope2_market_kg", "total_location_kg", "total_market_kg")
    yield from _named("carbon", found, dict.fromkeys(totals, "kg") | {"imported_kwh": "kWh", "exported_kwh": "kWh"})
    for basis in ("location", "market"):
        side, factor = found[basis], found[basis]["factor"]
        note = _joined(side["reason"], factor["source"] if factor else None)
        for name, unit in (("kwh", "kWh"), ("kg", "kg")):
            yield _row("carbon", f"{basis}.{name}", side[name], unit, usable=side["usable"], note=note)
        if factor is None:
            continue
        yield _row(
            "carbon", f"{basis}.factor", factor["mean"], "kg/kWh", usable=factor["covered"], note=factor["source"]
        )
        for gap in factor["gaps"]:
            yield _row("carbon", f"{basis}.gap", gap["hours"], "h", start=gap["start"], end=gap["end"])
    for each in found["metered"]:
        yield _row("carbon.metered", each["meter"], each["kg"], "kg", usable=each["usable"], note=each["source"])
    for each in found["entries"]:
        note = _joined(each["kind"], each["factor"], each["source"], each["note"])
        yield _row("carbon.entries", each["id"], each["kg"], "kg", note=note)
    for each in found["avoided"]:
        for name, usable, unit in (("kwh", "usable", "kWh"), ("kg", "factor_usable", "kg")):
            note = _joined(each["title"], each["baseline"])
            yield _row("carbon.avoided", f"{each['name']}.{name}", each[name], unit, usable=each[usable], note=note)


def _limits(found: Iterable[Document]) -> Iterator[Row]:
    for each in found:
        limit = each["limit"]
        note = _joined(limit["state"], each["judgement"]["verdict"], limit["source"])
        yield _row("limits", f"{limit['table']}.limit", limit["pue"], "1", note=note)
        note = _joined(each["span"], each["judgement"]["verdict"])
        yield _row("limits", f"{limit['table']}.pue", each["value"], "1", note=note)


def _findings(found: Iterable[Document]) -> Iterator[Row]:
    for each in found:
        ends = {"start": each["start"], "end": each["end"], "note": _joined(each["title"], each["status"])}
        for name, unit in (("excess_kwh", "kWh"), ("excess_l", "L")):
            if each[name] is not None:
                yield _row("findings", f"{each['id']}.{name}", each[name]["value"], unit, **ends)
        if each["cost"] is not None:
            yield _row("findings", f"{each['id']}.cost", each["cost"]["value"], each["cost"]["currency"], **ends)
        if all(each[name] is None for name in ("excess_kwh", "excess_l", "cost")):
            yield _row("findings", each["id"], None, "", **ends)


def _operation(document: Document) -> Iterator[Row]:
    for each in document["alerts"]:
        ended = resolved(each, document)
        later = ended is None and each["resolved_at"] is not None
        ends = {"start": each["fired_at"], "end": ended}
        note = "worst value; resolved after the period" if later else "worst value"
        yield _row("alerts", each["name"], each.get("peak"), each.get("unit") or "", note=note, **ends)
    for each in document["events"]:
        note = _joined(each["event"], each["state"])
        yield _row("events", each["meter"], each["booked"], each["unit"], start=each["at"], end=None, note=note)
    for each in document["corrections"]:
        for side in ("final", "first"):
            note = _joined(each["event"], each["author"], each["reason"])
            yield _row("corrections", f"{each['meter']}.{side}", each[side], "", start=each["at"], end=None, note=note)


def _quality(document: Document) -> Iterator[Row]:
    for each in document["meters"]:
        yield _row("meters", each["meter"], each["value"], each["unit"], usable=each["measured"], note=each["role"])
        for name in ("in_service", "measured", "estimated", "missing"):
            yield _row("meters", f"{each['meter']}.{name}", each[name], "1")
    for each in document["gate"]:
        state = {True: "holds", False: "does not hold", None: "not judged"}[each["ok"]]
        yield _row("gate", each["code"], state, "", note=each["message"])
    for each in document["revisions"]:
        yield _row("revisions", f"revision_{each['number']}", each["digest"], "", note=each["reason"])
        for change in each["changes"]:
            for side in ("old", "new"):
                name = f"revision_{each['number']}.{change['name']}.{side}"
                yield _row("revisions", name, change[side], change["unit"])
    for kind in ("caveats", "method"):
        for place, text in enumerate(document[kind], start=1):
            yield _row(kind, str(place), None, "", note=text)
