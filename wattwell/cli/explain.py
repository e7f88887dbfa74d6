"""``wattwell explain``: one KPI value in words that a person can follow down to the dials."""

from __future__ import annotations

import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Iterator, Sequence

from wattwell.app.access import reach
from wattwell.cli.part import part_of
from wattwell.cli.show import emit
from wattwell.web.wording import Document, Telling, count, dial, number

_MOST = 10
"""Gaps, events and the like that are written out for each meter; --json has them all."""


def explain(args: Namespace) -> int:
    """Runs ``explain``."""
    config = part_of(args)
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
    tell, figure = Telling(found), found["figure"]
    lines = [f"{figure['label']} of {figure['site']}: {tell.value()}, {tell.window()}", tell.about()]
    lines += [f"{issue['severity']} {issue['code']}: {issue['message']}" for issue in figure["issues"]]
    lines.append("")
    if found["formula"]:
        lines += [found["formula"]["symbols"], *filter(None, [found["formula"]["numbers"]]), ""]
        lines += [*_side(tell, "Numerator"), *_side(tell, "Denominator"), ""]
        lines += [*_unusable(tell), *tell.caveats()]
        for meter in found["meters"]:
            lines += ["", f"Meter {meter['meter']} ({tell.kind(meter)})"]
            lines += [f"  {line}" for line in _meter(tell, meter)]
        lines.append("")
    return [*lines, *tell.ledger()]


def _side(tell: Telling, name: str) -> Iterator[str]:
    side = tell.found[name.lower()]
    if side["value"] is None:
        yield f"{name}: nothing usable"
        return
    yield f"{name}: {number(side['value'])} {side['unit']}"
    for term in side["terms"]:
        yield f"  {'+' if term['sign'] > 0 else '-'} {term['symbol']} {number(term['amount'])} {side['unit']}, made of"
        for part in term["parts"]:
            yield f"      {number(part['amount'])} {side['unit']} {tell.part(part)}"
    if side["limit"]:
        yield f"  {number(side['limit'])} {side['unit']} by the limits of the formula"


def _unusable(tell: Telling) -> Iterator[str]:
    spans = tell.found["unusable"]
    yield "Not usable:" if spans else "Every interval is usable."
    for span in spans[:_MOST]:
        of = count(span["intervals"], "interval")
        yield f"  {tell.at(span['from'])} to {tell.at(span['to'])} ({of}): {tell.blame(span)}"
    yield from _more(len(spans), "span")


def _more(many: int, what: str) -> Iterator[str]:
    if many > _MOST:
        yield f"and {count(many - _MOST, f'more {what}')}; --json lists all"


def _meter(tell: Telling, meter: Document) -> Iterator[str]:
    yield from tell.whole(meter)
    if meter["virtual"] or meter["in_service"] is None:
        return
    if meter["dial"] is not None:
        for place, verb in (("start", "It reads"), ("end", "  and")):
            read = meter["dial"][place]
            shown, between = f"{dial(read['value'], meter['unit'])} at {tell.at(read['at'])}", tell.reads(read)
            yield f"{verb} {shown} ({between})" if between else f"{verb} {shown}, a reading,"
        yield f"  {tell.difference(meter)}"
    yield from tell.readings(meter)
    yield from tell.factors(meter)
    for event in meter["events"][:_MOST]:
        before, after = (dial(event[name], meter["unit"]) for name in ("before", "after"))
        booked = f"{number(event['booked'])} {event['unit']} ({event['state']})"
        yield f"Event {event['event']} at {tell.at(event['at'])}: dial {before} to {after}, {booked}."
    yield from _more(len(meter["events"]), "event")
    yield from tell.notes(meter)
    for gap in meter["gaps"][:_MOST]:
        span = f"Gap of {tell.length(gap)} from {tell.at(gap['from'])} to {tell.at(gap['to'])}"
        yield f"{span}: {tell.treated(gap)}."
    yield from _more(len(meter["gaps"]), "gap")
    yield from (tell.conflict(meter, each) for each in meter["conflicts"][:_MOST])
    yield from _more(len(meter["conflicts"]), "conflict")
