"""``wattwell report``: the efficiency report of a month or a year, issued, drafted or taken out again."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from analytics.report.fleet import fleet
from wattwell.app.access import Access, reach
from wattwell.cli.entering import check_line
from wattwell.cli.part import part_of
from wattwell.cli.show import emit, table
from wattwell.config import Config
from wattwell.documents import FORMATS, renders
from wattwell.engine.reports import plain
from wattwell.errors import UsageError


def report(args: Namespace) -> int:
    """Writes report.html, report.pdf, report.csv and report.json; returns 1 where one was to be issued and was not."""
    config = part_of(args)
    _check(args)
    if args.list:
        return _list(args, config)
    key, formats, sites = _key(args), _formats(args.format), _sites(args, config)
    out = _folder(args.out)
    several = args.site is None and len(config.sites) > 1
    outcomes, told = list[dict[str, Any]](), list[dict[str, Any]]()
    try:
        with reach(config, detect=True) as access:
            access.refresh()
            for site in sites:
                outcomes.append(_made(args, access, site, key))
    finally:  # what was issued is written, whatever became of the next site
        for each in outcomes:
            place = out / each["document"]["site"]["id"] if several else out
            told.append(_write(each, place, formats, config.reports.fonts))
    if several:
        together = plain(fleet([each["document"] for each in outcomes]))
        told.append(_write(_unissued(together), out, formats, config.reports.fonts))
    if args.json:
        emit(told if len(told) > 1 else told[0])
    else:
        for each in told:
            print("\n".join(each["files"]))
    return 1 if any(each["refused"] and each["over"] for each in told) else 0


def _check(args: Namespace) -> None:
    """UsageError for options that say nothing about what is asked for."""
    given = [
        name
        for name in ("month", "year", "fiscal_year", "out", "format", "revision", "author", "reason")
        if getattr(args, name) is not None
    ]
    if args.list and (given or args.draft):
        raise UsageError("--list lists what was issued; leave all but --site out")
    if args.draft and args.revision is not None:
        raise UsageError("--draft and --revision are two reports; leave one of them out")
    for name in ("author", "reason"):
        if name in given:
            check_line(getattr(args, name), f"--{name}")
            if args.draft or args.revision is not None:
                raise UsageError(
                    f"--{name} is said of a report that is issued; leave it out, or --draft and --revision"
                )


def _key(args: Namespace) -> str:
    """The month, year or fiscal year asked for."""
    asked = [args.month, args.year, None if args.fiscal_year is None else f"FY{args.fiscal_year}"]
    given = [each for each in asked if each is not None]
    if len(given) != 1:
        raise UsageError("a report is of one period: write --month 2026-10, --year 2026 or --fiscal-year 2026")
    return str(given[0])


def _formats(text: str | None) -> tuple[str, ...]:
    chosen = FORMATS if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [each for each in chosen if each not in FORMATS]
    if unknown or not chosen:
        raise UsageError(f"--format {text!r} is not known; use some of {','.join(FORMATS)}")
    return chosen


def _folder(name: str | None) -> Path:
    """The folder, in which a file can be written: nothing is issued that could not be handed out."""
    if name is None:
        raise UsageError("--out is needed: the folder that the report is written to")
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {name} is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"--out {folder} cannot be written: {error.strerror}; choose another folder")


def _sites(args: Namespace, config: Config) -> list[str]:
    if args.site is not None and args.site not in config.sites:
        raise UsageError(f"site {args.site!r} is not configured; known: {', '.join(config.sites)}")
    return list(config.sites) if args.site is None else [args.site]


def _made(args: Namespace, access: Access, site: str, key: str) -> dict[str, Any]:
    """The document, whether it is a new revision, and why it was not issued."""
    if args.revision is not None:
        document = access.ask("report", site=site, key=key, revision=args.revision)
    elif args.draft:
        document = access.ask("draft", site=site, key=key)
    else:
        made: dict[str, Any] = access.ask("issue_report", site=site, key=key, author=args.author, reason=args.reason)
        return made
    return _unissued(document)


def _unissued(document: dict[str, Any]) -> dict[str, Any]:
    return {"document": document, "new": False, "refused": []}


def _write(outcome: dict[str, Any], folder: Path, formats: tuple[str, ...], fonts: Path | None) -> dict[str, Any]:
    document, files = outcome["document"], list[str]()
    made = renders(document, formats, fonts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            target = folder / f"report.{name}"
            target.write_bytes(content)
            files.append(str(target))
    except OSError as error:
        raise _unwritable(folder, error) from error
    told = {
        "site": document["site"]["id"] if "site" in document else "all",
        "period": document["period"]["key"],
        "status": document["status"],
        "revision": document.get("revision"),
        "new": outcome["new"],
        "over": document["period"]["over"],
        "refused": list(outcome["refused"]),
        "files": files,
    }
    for line in _said(told):
        print(line, file=sys.stderr)
    return told


def _said(told: dict[str, Any]) -> list[str]:
    what = f"{told['site']} {told['period']}"
    if told["refused"]:
        return [f"{what}: a draft, not issued:", *(f"  {reason}" for reason in told["refused"])]
    if told["revision"] is None:
        return [f"{what}: {told['status']}"]
    return [f"{what}: revision {told['revision']}{', issued now' if told['new'] else ''}"]


def _list(args: Namespace, config: Config) -> int:
    with reach(config) as access:
        rows = access.ask("reports", site=args.site)
    if args.json:
        emit(rows)
    else:
        table("reports", rows)
    return 0
