"""``wattwell export``: what a regulator asks of a site for a calendar year, as JSON and CSV."""

from __future__ import annotations

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wattwell.app.access import reach
from wattwell.cli.show import emit
from wattwell.config.fleet import load_part
from wattwell.documents.csv_ import no_formula
from wattwell.engine.exporting import REGULATIONS
from wattwell.errors import UsageError
from wattwell.web.jsonio import encode

_COLUMNS = ("code", "name", "unit", "value", "basis", "coverage", "meters", "note")


def export(args: Namespace) -> int:
    """Writes DIR/REGULATION.json and .csv, or prints the table; tells blanks and breaches, and returns 1 for these."""
    config, regulation = _told(args.config, args.regulation)
    loaded, folder = load_part(config, args.shard, args.site), _folder(args.out)
    with reach(loaded) as access:
        access.refresh()
        document = access.ask("export", site=args.site, regulation=regulation, year=args.year)
    files = [] if folder is None else _write(document, folder)
    for line in _said(document):
        print(line, file=sys.stderr)
    if args.json:
        emit(document)
    else:
        print("\n".join(files) if files else as_csv(document).rstrip())
    return 1 if document["breaches"] else 0


def _told(config: str, regulation: str) -> tuple[str, str]:
    """Configuration and regulation, written in either order."""
    if config in REGULATIONS:
        config, regulation = regulation, config
    if regulation not in REGULATIONS:
        raise UsageError(f"regulation {regulation!r} is not known; write one of: {' '.join(REGULATIONS)}")
    return config, regulation


def _folder(name: str | None) -> Path | None:
    if name is None:
        return None
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {name} is a file; name a folder")
    return folder


def _write(document: dict[str, Any], folder: Path) -> list[str]:
    texts = {"json": encode(document) + b"\n", "csv": as_csv(document).encode()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{document['regulation']}.{kind}" for kind in texts]
        for file, text in zip(files, texts.values(), strict=True):
            file.write_bytes(text)
    except OSError as error:
        raise UsageError(f"--out {folder} cannot be written: {error.strerror}; choose another folder") from error
    return [str(file) for file in files]


def as_csv(document: dict[str, Any]) -> str:
    """The fields as a table (RFC 4180); a field without a value has an empty cell, and its note says why."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(_COLUMNS)
    for field in document["fields"]:
        meters = "; ".join(_meter(each) for each in field["meters"])
        note = field["note"] if field["missing"] is None else f"missing: {field['missing']}"
        known = (field[column] for column in _COLUMNS[:6])
        table.writerow([_text(each) for each in (*known, meters, note)])
    return out.getvalue()


def _meter(each: dict[str, Any]) -> str:
    """``ups-a 40123.5 kWh``; with its factor where that is not 1."""
    factor = "" if each["factor"] == 1 else f"{each['factor']!r} x "
    amount = "no value" if each["amount"] is None else f"{each['amount']!r} {each['unit']}"
    return f"{each['meter']} {factor}{amount}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return _text("; ".join(value) or "none")
    if not isinstance(value, str):
        return repr(value)
    return no_formula(value)


def _said(document: dict[str, Any]) -> Iterator[str]:
    what = f"{document['site']} {document['year']}, {document['title']}"
    yield what + ("" if document["over"] else f": the year is not over; figures end at {document['end']}")
    asked = {True: "and so of this one", False: "and not of this one", None: "; the power of this one is not declared"}
    yield f"Asked of {document['threshold']}, {asked[document['obliged']]}; due by {document['due']}".replace(
        ", ;", ";"
    )
    yield from (f"breach: {message}" for message in document["breaches"])
    for field in document["fields"]:
        if field["missing"] is not None:
            yield f"missing: {field['code']} ({field['name']}): {field['missing']}"
    for each in document["limits"]:
        limit, judged = each["limit"], each["judgement"]
        holds = limit["state"] if limit["pue"] is None else f"PUE {limit['pue']:g}, {judged['verdict']}"
        yield f"limit: {limit['title']}, {limit['start']} to {limit['end']}: {holds}. {limit['note']}".rstrip()
