"""Limits, alerts, findings and meter events."""

from __future__ import annotations

from wattwell.documents.advice import advice
from wattwell.documents.blocks import Block, Cell, Column, Line, Section, Text, absent, line, table
from wattwell.documents.words import (
    NONE,
    Document,
    bounded,
    clock,
    money,
    number,
    plural,
    share,
    significant,
    title_case,
)
from wattwell.intervals import parse_iso

MOST = 100
"""The most rows that are printed; JSON and CSV have them all."""
_VERDICTS = {"met": "good", "missed": "bad"}


def more(rows: list[Document], what: str) -> str:
    """What is said where not all rows are printed."""
    left = len(rows) - MOST
    return "" if left <= 0 else f"{plural(left, f'more {what}')} in the CSV and JSON files."


def limits(document: Document) -> Section:
    """Each table that the site chose."""
    title, found = "Legal limits on PUE", document["limits"]
    if not found:
        return Section(id="limits", title=title, blocks=(absent("The site chooses no table of limits."),))
    columns = [
        Column(label="Limit", kind="text"),
        Column(label="From", kind="word"),
        Column(label="State", kind="word"),
        Column(label="Limit"),
        Column(label="PUE"),
        Column(label="Verdict", kind="word"),
    ]
    lead = "A limit is on the annual PUE. Below each PUE stands over which days it is."
    return Section(id="limits", title=title, lead=lead, blocks=(table("Limits", columns, [_limit(e) for e in found]),))


def _limit(each: Document) -> Line:
    limit, judgement = each["limit"], each["judgement"]
    grade = "" if judgement["grade"] is None else f"grade {judgement['grade']}"
    later = "; ".join(f"{step['pue']:g} from {step['since']}" for step in limit["later"])
    about = [limit["note"], f"Later: {later}." if later else "", f"{limit['source']}, checked {limit['checked']}."]
    return line(
        Cell(limit["title"] + (" (draft)" if limit["draft"] else ""), "", " ".join(text for text in about if text)),
        limit["start"],
        limit["state"],
        NONE if limit["pue"] is None else f"{limit['pue']:g}",
        Cell(number(each["value"], 3), "", each["span"]),
        Cell(judgement["verdict"], _VERDICTS.get(judgement["verdict"], "muted"), grade),
    )


def findings(document: Document) -> Section:
    """All of the period, with cost."""
    title, found, zone = "Findings", document["findings"], document["site"]["timezone"]
    if document["findings_note"]:
        return Section(id="findings", title=title, blocks=(absent(document["findings_note"]),))
    if not found:
        return Section(id="findings", title=title, blocks=(Text(text="No finding in this period.", tone="muted"),))
    columns = [
        Column(label="Finding", kind="text"),
        Column(label="Since", kind="word"),
        Column(label="Excess energy"),
        Column(label="Excess water"),
        Column(label="Cost"),
        Column(label="Advice", kind="text"),
    ]
    lines = [
        line(
            Cell(each["title"], "", f"{each['equipment'] or NONE}, {each['status']}, {share(each['confidence'], 0)}"),
            Cell(clock(each["start"], zone)[:10], "", _until(each, zone)),
            _estimate(each["excess_kwh"], "kWh"),
            _estimate(each["excess_l"], "L"),
            money(each["cost"]),
            advice(each, document),
        )
        for each in found[:MOST]
    ]
    note = f"Amounts are of the whole finding, also of what lies beyond the period. {more(found, 'finding')}"
    return Section(
        id="findings", title=title, blocks=(table("Findings, worth most first", columns, lines, note.strip()),)
    )


def _until(each: Document, zone: str) -> str:
    return "goes on" if each["end"] is None else f"to {clock(each['end'], zone)[:10]}"


def _estimate(found: Document | None, base: str) -> Cell:
    value, _, bounds = bounded(found, base).partition(" (")
    return Cell(value, "", bounds.removesuffix(")"))


def alerts(document: Document) -> Section:
    """Those that fired."""
    title, found, zone = "Alerts", document["alerts"], document["site"]["timezone"]
    if not found:
        return Section(id="alerts", title=title, blocks=(Text(text="No alert fired in this period.", tone="muted"),))
    columns = [
        Column(label="Alert", kind="text"),
        Column(label="Severity", kind="word"),
        Column(label="Fired", kind="word"),
        Column(label="Resolved", kind="word"),
        Column(label="Worst"),
        Column(label="Threshold"),
    ]
    lines = [
        line(
            Cell(each["name"], "", _in_words(each, document)),
            each["labels"].get("severity", NONE),
            clock(each["fired_at"], zone),
            _resolved(each, document),
            significant(each.get("peak"), 4),
            threshold(each) or NONE,
        )
        for each in found[:MOST]
    ]
    return Section(id="alerts", title=title, blocks=(table("Alerts", columns, lines, more(found, "alert")),))


def _in_words(each: Document, document: Document) -> str:
    """What the alert said, where that is about a time in the period."""
    later = resolved(each, document) is None or each.get("peak") is not None
    return "" if later else str(each["annotations"].get("summary", ""))


def _resolved(each: Document, document: Document) -> Cell:
    at = resolved(each, document)
    if at is None:
        return Cell("open" if each["resolved_at"] is None else "after the period", "warn")
    return Cell(clock(at, document["site"]["timezone"]))


def resolved(alert: Document, document: Document) -> str | None:
    """When an alert ended; None where that was not in the period."""
    at: str | None = alert["resolved_at"]
    return None if at is None or parse_iso(at) > parse_iso(document["period"]["end"]) else at


def threshold(alert: Document) -> str:
    """``above 1.3``, where the rule has one."""
    found = next((side for side in ("above", "below") if alert.get(side) is not None), None)
    return "" if found is None else f"{found} {significant(alert[found], 4)}"


def events(document: Document) -> Section:
    """The meter-event ledger of the period, and what operators entered."""
    found, zone = document["events"], document["site"]["timezone"]
    first = _events(found, zone) if found else Text(text="No meter event in this period.", tone="muted")
    return Section(id="events", title="Meter events", blocks=(first, _corrections(document["corrections"], zone)))


def _corrections(found: list[Document], zone: str) -> Block:
    if not found:
        return Text(text="No correction was entered.", tone="muted")
    columns = [
        Column(label="Meter", kind="text"),
        Column(label="Entered", kind="word"),
        Column(label="At", kind="word"),
        Column(label="Last dial"),
        Column(label="First dial"),
        Column(label="By", kind="text"),
        Column(label="Reason", kind="text"),
    ]
    lines = [
        line(
            each["meter"],
            title_case(each["event"]),
            clock(each["at"], zone),
            significant(each["final"], 10),
            significant(each["first"], 10),
            each["author"],
            each["reason"],
        )
        for each in found[:MOST]
    ]
    return table("Corrections entered", columns, lines, more(found, "correction"))


def _events(found: list[Document], zone: str) -> Block:
    columns = [
        Column(label="Meter", kind="text"),
        Column(label="Event", kind="word"),
        Column(label="At", kind="word"),
        Column(label="Before"),
        Column(label="After"),
        Column(label="Booked"),
        Column(label="State", kind="word"),
    ]
    lines = [
        line(
            each["meter"],
            title_case(each["event"]),
            clock(each["at"], zone),
            significant(each["before"], 10),
            significant(each["after"], 10),
            f"{significant(each['booked'])} {each['unit']}",
            Cell(each["state"], "warn" if each["state"] == "pending" else ""),
        )
        for each in found[:MOST]
    ]
    note = f"Before and after are dial readings in the meter's unit. {more(found, 'event')}".strip()
    return table("Meter events", columns, lines, note)
