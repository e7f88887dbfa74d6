"""``wattwell findings``, ``judge`` and ``maintenance``: what is wasted, and what operators say of it."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from wattwell.app.access import reach
from wattwell.cli.entering import check_line
from wattwell.cli.explain import wrapped
from wattwell.cli.part import part_of
from wattwell.cli.plot import plot
from wattwell.cli.show import emit, table
from wattwell.cli.silencing import labels_shown, who
from wattwell.config import Config
from wattwell.documents.words import money, share
from wattwell.errors import UsageError
from wattwell.web.finding_words import FAMILIES, a_year, happened, judged, pieces, seen, spells, sums, wasted
from wattwell.web.wording import clock

_WIDE = 100
"""Characters of a plot where there is no terminal."""


def findings(args: Namespace) -> int:
    """``wattwell findings``: ranked by money, or one of them in full."""
    config = part_of(args)
    if args.models:
        return _models(args, config)
    with reach(config, detect=True) as access:
        access.refresh()
        if args.id is not None:
            found = [access.ask("finding", id=args.id)]
        else:
            asked = {name: getattr(args, name) for name in ("site", "start", "end", "status", "limit")}
            found = access.ask("findings", **asked)
            if len(found) == 1 and not args.json:
                found = [access.ask("finding", id=found[0]["id"])]
        sites = () if args.json or args.id is not None else [args.site] if args.site else list(config.sites)
        limits = [(site, each) for site in sites for each in access.ask("problems", site=site)]
    if args.json:
        emit(found if args.id is None else found[0])
    elif len(found) == 1:
        _tell(found[0], config)
    else:
        _list(found, config)
    for site, each in limits:
        if each["code"].startswith("findings."):
            print(f"\n{site}: {each['message']}")
    return 0


def _models(args: Namespace, config: Config) -> int:
    """What is watched, and how well it is expected."""
    if any(getattr(args, name) is not None for name in ("start", "end", "status", "limit")):
        raise UsageError("--models lists what is watched today; leave --from, --to, --status and --limit out")
    with reach(config, detect=True) as access:
        access.refresh()
        rows = access.ask("models", site=args.site)
    if args.json:
        emit(rows)
    else:
        table("models", [row if row["accepted"] is None else row | {"accepted": judged(row)} for row in rows])
    return 0


def _columns() -> int | None:
    """The terminal's width; None for a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _list(found: list[dict[str, Any]], config: Config) -> None:
    """A few lines for each, the same at every width."""
    lines = [line for each in found for line in _brief(each, config.sites[each["site"]].zone)]
    for line in wrapped(lines[1:] or ["No finding."], _columns()):
        print(line)


def _brief(found: dict[str, Any], zone: str) -> Iterator[str]:
    yield ""
    yield f"{found['status']:10}{found['title']}"
    costs = (
        []
        if found["cost"] is None
        else [f"{money(found['cost'])} so far" if found["end"] is None else money(found["cost"])]
    )
    costs += [] if found["per_year"] is None else [f"{a_year(found)} in a year if it goes on"]
    yield f"{'':10}{'; '.join([wasted(found), *costs])}; confidence {share(found['confidence'], 0)}"
    yield f"{'':10}{spells(found, zone)}"
    yield f"{'':10}{found['id']} of {found['site']}"


def _tell(found: dict[str, Any], config: Config) -> None:
    columns = _columns()
    for line in wrapped(list(_words(found, config.sites[found["site"]].zone)), columns):
        print(line)
    for course in found["course"]:
        print()
        for line in plot(course, columns or _WIDE):
            print(line)


def _words(found: dict[str, Any], zone: str) -> Iterator[str]:
    where = "" if found["equipment"] is None else f" at {found['equipment']}"
    yield f"{found['title']} ({found['status']})"
    yield f"{found['id']}: {FAMILIES[found['family']]}{where} of {found['site']}, {spells(found, zone)} ({zone})"
    yield ""
    yield found["cause"]
    yield f"To do: {found['advice']}"
    yield ""
    yield from (f"{name}: {text}" for name, text in sums(found))
    if found["evidence"]:
        yield ""
        yield f"{seen(found)}:"
        yield from (f"  {name}: {text}" for name, text in pieces(found["evidence"]))
    yield ""
    yield from (f"{clock(each['at'], zone)} {happened(each, zone)}" for each in found["history"])


def judge(args: Namespace) -> int:
    """``wattwell judge``: what an operator says of a finding."""
    check_line(args.author, "--author")
    check_line(args.note, "--note")
    with reach(part_of(args)) as access:
        access.refresh()
        found = access.ask(
            "judge", id=args.id, verdict=args.verdict, author=args.author, note=args.note, until=args.until
        )
    if args.json:
        emit(found)
    else:
        print(f"{found['id']} is {found['status']}: {found['title']}")
    return 0


def maintenance(args: Namespace) -> int:
    """``wattwell maintenance``: enters a window, or lists those that are known."""
    entering = args.start is not None or args.end is not None
    if entering and (args.site is None or args.start is None or args.end is None):
        raise UsageError("a maintenance window has a site and both ends: write --site, --from and --to together")
    asked = {"site": args.site, "start": args.start, "end": args.end, "equipment": args.equipment}
    told = who(args) if entering else {}
    with reach(part_of(args)) as access:
        if entering:
            rows = [access.ask("maintenance", **asked, **told)]
        else:
            known = [row for row in access.ask("silences") if row["kind"] == "maintenance"]
            rows = [row for row in known if args.site in (None, row["matchers"]["site"])]
    if args.json:
        emit(rows[0] if entering else rows)
    else:
        table("silences", [row | {"alerts": labels_shown(row["matchers"])} for row in rows])
    return 0
