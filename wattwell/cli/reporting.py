"""``wattwell report``: the efficiency report of a month or a year, issued, drafted or taken out again."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from wattwell.app.access import Access, reach
from wattwell.cli.entering import check_line
from wattwell.cli.part import part_of
from wattwell.cli.show import emit, table
from wattwell.config import Config
from wattwell.errors import UsageError

FORMATS = ("html", "pdf", "csv", "json")
"""What a report is written as."""


def report(args: Namespace) -> int:
    """Writes report.html, report.pdf, report.csv and report.json; returns 1 where one was to be issued and was not."""
    config = part_of(args)
    if args.list:
        return _list(args, config)
    key, formats, out = _key(args), _formats(args.format), _folder(args.out)
    for name in ("author", "reason"):
        if getattr(args, name) is not None:
            check_line(getattr(args, name), f"--{name}")
    sites = _sites(args, config)
    with reach(config, detect=True) as access:
        access.refresh()
        outcomes = [_made(args, access, site, key) for site in sites]
        if args.site is None and len(config.sites) > 1:
            fleet = access.ask("fleet_report", key=key)
            outcomes.append({"document": fleet, "new": False, "refused": []})
    fonts = config.reports.fonts
    places = [out if len(outcomes) == 1 else _place(out, each["document"]) for each in outcomes]
    told = [_write(each, place, formats, fonts) for each, place in zip(outcomes, places, strict=True)]
    if args.json:
        emit(told if len(told) > 1 else told[0])
    else:
        for each in told:
            print("\n".join(each["files"]))
    return 1 if any(each["refused"] and each["over"] for each in told) else 0


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
    if name is None:
        raise UsageError("--out is needed: the folder that the report is written to")
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {name} is a file; name a folder")
    return folder


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
    return {"document": document, "new": False, "refused": []}


def _place(out: Path, document: dict[str, Any]) -> Path:
    """The folder of one of several: a fleet's own, below it one for each site."""
    return out / document["site"]["id"] if "site" in document else out


def _write(outcome: dict[str, Any], folder: Path, formats: tuple[str, ...], fonts: Path | None) -> dict[str, Any]:
    from wattwell.documents import renders  # noqa: PLC0415 - plots and typesetting: no other command waits for them

    document, files = outcome["document"], list[str]()
    made = renders(document, formats, fonts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            target = folder / f"report.{name}"
            target.write_bytes(content)
            files.append(str(target))
    except OSError as error:
        raise UsageError(f"--out {folder} cannot be written: {error.strerror}; choose another folder") from error
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
