"""``wattwell explain``: one KPI value in words that a person can follow down to the dials."""

from __future__ import annotations

import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wattwell.app.access import reach
from wattwell.cli.show import emit
from wattwell.config import load
from wattwell.intervals import format_duration, from_us, parse_iso, zone_of

_MOST = 10
"""Gaps, events and the like that are written out for each meter; --json has them all."""
Document = Mapping[str, Any]


def explain(args: Namespace) -> int:
    """Runs ``explain``."""
    config = load(args.config)
    with reach(config) as access:
        access.refresh()
        names = ("site", "kpi", "window", "at", "start", "end")
        found = access.ask("explain", **{name: getattr(args, name) for name in names})
    if args.json:
        emit(found)
    else:
        for line in wrapped(words(found), shutil.get_terminal_size().columns if sys.stdout.isatty() else None):
            print(line)
    return 0


def wrapped(lines: Sequence[str], width: int | None) -> Iterator[str]:
    """Lines folded to a width, each further one indented a little more than its first."""
    if width is None:
        yield from lines
        return
    for line in lines:
        folder = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        folder.subsequent_indent = " " * (len(line) - len(line.lstrip()) + 4)
        yield from folder.wrap(line) or [""]


def words(found: Document) -> list[str]:
    """The whole explanation, a line for each thing said."""
    zone = found["local"]["timezone"]
    lines = [*_figure(found), ""]
    if found["formula"]:
        lines += [found["formula"]["symbols"], *filter(None, [found["formula"]["numbers"]]), ""]
        lines += [*_side("Numerator", found["numerator"]), *_side("Denominator", found["denominator"])]
        if found["peak"]:
            lines.append(
                f"The highest interval is {_at(found['peak']['start'], zone)} to {_at(found['peak']['end'], zone)}."
            )
        lines += ["", *_unusable(found, zone)]
        if found["pruned_before"]:
            lines.append(
                f"Raw readings before {_at(found['pruned_before'], zone)} have been dropped (raw_retention): "
                "interval values stand for them, and the dials that are left around month starts."
            )
        for meter in found["meters"]:
            lines += ["", *_meter(meter, found["pruned_before"] is not None, zone)]
    return [*lines, "", *_ledger(found["ledger"], zone)]


def _at(text: str, zone: str) -> str:
    return from_us(parse_iso(text)).astimezone(zone_of(zone)).isoformat()


def _number(value: float) -> str:
    return f"{value:.10g}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- the figure -----------------------------------------------------------------------------------------------------


def _figure(found: Document) -> Iterator[str]:
    figure, local = found["figure"], found["local"]
    value = "no value" if figure["value"] is None else _number(figure["value"])
    unit = "" if figure["unit"] == "1" or figure["value"] is None else f" {figure['unit']}"
    window = f"{figure['window']}, " if figure["window"] else ""
    yield (
        f"{figure['label']} of {figure['site']}: {value}{unit}{' (provisional)' if figure['provisional'] else ''}, "
        f"{window}{local['start']} to {local['end']} ({local['timezone']})"
    )
    of = f"{found['intervals']['usable']} of {found['intervals']['all']} intervals usable"
    about = [
        f"{of} ({figure['usable']:.1%})",
        f"{figure['coverage']:.1%} measured",
        f"{figure['estimated']:.1%} estimated",
    ]
    if figure["category"] is not None:
        about.append(f"PUE category {figure['category']}")
    if figure["basis"] is not None:
        about.append(f"basis {figure['basis']}")
    yield ", ".join(about)
    for issue in figure["issues"]:
        yield f"{issue['severity']} {issue['code']}: {issue['message']}"


def _side(name: str, side: Document) -> Iterator[str]:
    total = "nothing usable" if side["value"] is None else f"{_number(side['value'])} {side['unit']}"
    yield f"{name}: {total}"
    if side["value"] is None:
        return
    for term in side["terms"]:
        yield f"  {'+' if term['sign'] > 0 else '-'} {term['symbol']} {_number(term['amount'])} {side['unit']}, made of"
        for part in term["parts"]:
            yield f"      {_number(part['amount'])} {side['unit']} {_part(part)}"
    if side["limit"]:
        yield f"  {_number(side['limit'])} {side['unit']} by the limits of the formula"


def _part(part: Document) -> str:
    if part["kind"] == "certificate":
        return f"certificate {part['name']}, as an even power over its period"
    if part["kind"] == "exported":
        return f"left the site in the interval in which it was made ({part['name']})"
    if part["kind"] == "length":
        return "length of an interval"
    factor = "" if abs(part["factor"]) == 1 else f", counts {_number(part['factor'])} times"
    return f"{part['name']} ({part['role'] or 'no role'}){factor}"


def _unusable(found: Document, zone: str) -> Iterator[str]:
    if not found["unusable"]:
        yield "Every interval is usable."
        return
    yield "Not usable:"
    for span in found["unusable"][:_MOST]:
        why = [f"no value of {', '.join(span['meters'])}"] if span["meters"] else []
        why += [f"no meter of {name} is in service" for name in span["unserved"]]
        count = _count(span["intervals"], "interval")
        yield f"  {_at(span['from'], zone)} to {_at(span['to'], zone)} ({count}): {'; '.join(why) or 'no value'}"
    yield from _more(len(found["unusable"]), "span")


def _more(count: int, what: str) -> Iterator[str]:
    if count > _MOST:
        yield f"  and {_count(count - _MOST, f'more {what}')}; --json lists all"


# -- meters ---------------------------------------------------------------------------------------------------------


def _meter(meter: Document, pruned: bool, zone: str) -> Iterator[str]:
    unit = meter["value_unit"]
    kind = "virtual" if meter["virtual"] else f"{meter['accumulation']} in {meter['unit']}"
    yield f"Meter {meter['meter']} ({meter['role'] or 'no role'}, {meter['quantity']}, {kind})"
    if meter["in_service"] is None:
        yield "  It is not in service in this window."
        return
    amount = "unknown" if meter["amount"] is None else f"{_number(meter['amount'])} {unit}"
    with_value = f"{meter['intervals']['with_value']} of {_count(meter['intervals']['all'], 'interval')}"
    yield (
        f"  Over the whole window: {amount} in {with_value} with a value; {meter['measured']:.1%} measured, "
        f"{meter['estimated']:.1%} estimated, {meter['missing']:.1%} missing."
    )
    if meter["virtual"]:
        signed = (f"{'+' if each['sign'] > 0 else '-'} {each['meter']}" for each in meter["formula"])
        yield f"  It is {' '.join(signed).removeprefix('+ ')}, interval by interval."
        return
    yield from _dial(meter, zone)
    yield from _readings(meter, pruned, zone)
    yield from _booked(meter)
    yield from _factors(meter, zone)
    yield from _happened(meter, zone)


def _dial(meter: Document, zone: str) -> Iterator[str]:
    dial, unit = meter["dial"], meter["unit"]
    if dial is not None:
        for place, verb in (("start", "reads"), ("end", "and")):
            yield f"  {'It ' if place == 'start' else '  '}{verb} {_reads(dial[place], unit, zone)}"
        beyond = dial["by_events"]
        told = f"; {beyond:+.10g} {unit} was counted beyond it, by the events below" if beyond else ""
        yield f"    a difference of {_number(dial['difference'])} {unit} on the dial{told}."


def _reads(dial: Document, unit: str, zone: str) -> str:
    shown = f"{_number(dial['value'])} {unit} at {_at(dial['at'], zone)}"
    if len(dial["between"]) == 1:
        return f"{shown}, a reading,"
    between = " and ".join(f"{_number(each['value'])} at {_at(each['at'], zone)}" for each in dial["between"])
    return f"{shown} (between {between})"


def _readings(meter: Document, pruned: bool, zone: str) -> Iterator[str]:
    readings, unit = meter["readings"], meter["unit"]
    if readings is None:
        yield "  Its readings in the window have been dropped." if pruned else "  It has no readings."
        return
    if readings["first"] is None:
        yield "  No reading was accepted in the window."
    else:
        ends = " and ".join(
            f"the {place} {_number(each['value'])} {unit} at {_at(each['at'], zone)}"
            + ("" if each["received_at"] is None else f", arrived {_at(each['received_at'], zone)}")
            for place, each in (("first", readings["first"]), ("last", readings["last"]))
        )
        yield f"  {_count(readings['accepted'], 'reading')} accepted in the window, {ends}."
    if readings["refused"]:
        yield f"  {_count(readings['refused'], 'reading')} refused for the value; the time before still counts."


def _booked(meter: Document) -> Iterator[str]:
    booked, unit = meter["booked"], meter["value_unit"]
    if booked is None:
        return
    counted = "" if meter["counted"] is None else f"{_number(meter['counted'])} {meter['unit']} counted, "
    parts = [f"{counted}{_number(booked['read'])} {unit} after multiplier and sign"]
    if booked["scaled_intervals"]:
        scaled = _count(booked["scaled_intervals"], "interval")
        parts.append(f"{booked['scaled']:+.10g} {unit} by scaling up {scaled} of which at most a tenth is missing")
    if booked["left_out"]:
        parts.append(f"{-booked['left_out']:+.10g} {unit} read in intervals of which more is missing")
    total = "" if meter["amount"] is None else f" = {_number(meter['amount'])} {unit}"
    yield f"  From the readings: {', '.join(parts)}{total}."


def _factors(meter: Document, zone: str) -> Iterator[str]:
    for factor in meter["factors"]:
        if factor["value"] != 1 or len(meter["factors"]) > 1:
            since = "" if factor["from"] is None else f" from {_at(factor['from'], zone)}"
            until = "" if factor["to"] is None else f" until {_at(factor['to'], zone)}"
            yield f"  Multiplier x sign is {_number(factor['value'])}{since}{until}."


def _happened(meter: Document, zone: str) -> Iterator[str]:
    unit = meter["unit"]
    for event in meter["events"][:_MOST]:
        before, after = ("nothing" if event[n] is None else f"{_number(event[n])} {unit}" for n in ("before", "after"))
        yield (
            f"  Event {event['event']} at {_at(event['at'], zone)}: dial {before} to {after}, "
            f"{_number(event['booked'])} {event['unit']} ({event['state']})."
        )
    yield from _more(len(meter["events"]), "event")
    for each in meter["corrections"]:
        yield f"  Correction {each['event']} at {_at(each['at'], zone)} by {each['author']}: {each['reason']}."
    for gap in meter["gaps"][:_MOST]:
        span = format_duration(parse_iso(gap["to"]) - parse_iso(gap["from"]))
        treated = "recovered, for only its spread is unknown" if gap["treated"] == "recovered" else gap["treated"]
        yield f"  Gap of {span} from {_at(gap['from'], zone)} to {_at(gap['to'], zone)}: {treated} ({gap['why']})."
    yield from _more(len(meter["gaps"]), "gap")
    if meter["rejected"]:
        counts = ", ".join(f"{count} {reason}" for reason, count in meter["rejected"].items())
        yield f"  Rejected readings in the window: {counts}."
    for each in meter["conflicts"][:_MOST]:
        yield f"  Conflict at {_at(each['at'], zone)}: {each['value']} {unit} was overruled by a later arrival."
    yield from _more(len(meter["conflicts"]), "conflict")


def _ledger(ledger: Document, zone: str) -> Iterator[str]:
    if ledger["issued"] is not None:
        issued = ledger["issued"]
        value = "no value" if issued["value"] is None else _number(issued["value"])
        yield f"Issued as revision {issued['revision']} by {issued['author']} ({issued['reason']}): {value}"
    configured = ledger["configuration"]
    if configured is not None:
        yield f"Configuration {configured['version']}, entry {configured['seq']} of {_at(configured['at'], zone)}"
    yield f"Audit ledger of {_count(ledger['entries'], 'entry').replace('entrys', 'entries')}, head {ledger['head']}"
