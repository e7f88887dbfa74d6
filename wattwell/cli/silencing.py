"""Silences, maintenance windows, acknowledgements, and what a threshold would have done, on the command line."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from wattwell.app.access import reach
from wattwell.cli.entering import check_line
from wattwell.cli.part import part_of
from wattwell.cli.show import emit, table
from wattwell.errors import UsageError


def alerts(args: Namespace) -> int:
    """``wattwell alerts``: states and history, or with ``--suggest`` what thresholds would have done."""
    with reach(part_of(args)) as access:
        access.refresh()
        rows = access.ask("suggest" if args.suggest else "alerts", site=args.site)
    if args.json:
        emit(rows)
    elif args.suggest:
        table("suggest", [row | tried for row in rows for tried in row["thresholds"]])
    else:
        table("alerts", [row | {"meter": _part(row["labels"]), "told": told(row)} for row in rows])
    return 0


def _part(labels: dict[str, str]) -> str | None:
    """The meter, or the family of findings, that an alert is about."""
    return labels.get("meter") or labels.get("family")


def told(row: dict[str, Any]) -> str | None:
    """Why an open alert is not told, and who has it in hand."""
    notes = []
    if row["silenced_by"] is not None:
        notes.append(f"{row['silenced_by']['kind']} {row['silenced_by']['id']}")
    if row["inhibited_by"] is not None:
        notes.append(f"inhibited by {row['inhibited_by']}")
    if row["acknowledged_by"] is not None:
        notes.append(f"acknowledged by {row['acknowledged_by']['author']}")
    return "; ".join(notes) or None


def silence(args: Namespace) -> int:
    """``wattwell silence``: alerts that are not told for a while."""
    given = who(args)
    matchers = dict(_matcher(text) for text in args.match)
    if args.name is not None:
        matchers["alertname"] = args.name
    asked = {"site": args.site, "matchers": matchers, "start": args.start, "end": args.until, "lasts": args.lasts}
    with reach(part_of(args)) as access:
        found = access.ask("silence", **asked, **given)
    if args.json:
        emit(found)
    else:
        print(f"{found['kind']} {found['id']}: from {found['from']} until {found['until']}")
    return 0


def silences(args: Namespace) -> int:
    """``wattwell silences``: those that are known; with ``--expire`` one of them ends now."""
    given = who(args) if args.expire is not None else {}
    with reach(part_of(args)) as access:
        rows = [access.ask("expire", number=args.expire, **given)] if given else access.ask("silences")
    if args.json:
        emit(rows)
    else:
        table("silences", [row | {"alerts": labels_shown(row["matchers"])} for row in rows])
    return 0


def ack(args: Namespace) -> int:
    """``wattwell ack``: somebody has an alert in hand."""
    given = who(args)
    with reach(part_of(args)) as access:
        access.refresh()
        found = access.ask("acknowledge", site=args.site, name=args.name, meter=args.meter or "", **given)
    if args.json:
        emit(found)
    else:
        print(f"{found['name']} of {found['fired_at']} is acknowledged by {found['author']}")
    return 0


def who(args: Namespace) -> dict[str, str]:
    """Author and reason of a command line, without which nothing is entered."""
    given = {}
    for name in ("author", "reason"):
        text = getattr(args, name)
        if text is None:
            raise UsageError(f"the audit ledger keeps who and why: write --{name}")
        check_line(text, f"--{name}")
        given[name] = text
    return given


def _matcher(text: str) -> tuple[str, str]:
    label, equals, value = text.partition("=")
    if not (label and equals and value):
        raise UsageError(f"--match {text!r} is not understood: write LABEL=VALUE, such as meter=ups-a")
    return label, value


def labels_shown(matchers: dict[str, str]) -> str:
    """Labels as people write them."""
    return " ".join(f"{label}={value}" for label, value in matchers.items())
