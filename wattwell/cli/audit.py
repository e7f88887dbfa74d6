"""``wattwell audit``: the ledger's chain verified, its entries listed, and the remote store compared with the spool."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from wattwell.app.access import reach, rules_of
from wattwell.cli.part import part_of
from wattwell.cli.show import emit, table
from wattwell.engine.audit import configuration
from wattwell.errors import UsageError
from wattwell.web.wording import summary

_HASH = re.compile(r"[0-9a-f]{64}")


def audit(args: Namespace) -> int:
    """Runs ``audit verify``, ``audit show`` or ``audit compare``."""
    if args.action == "compare":
        from wattwell.cli.comparing import comparing  # noqa: PLC0415 - no other action reads a remote store

        return comparing(args)
    return _verify(args) if args.action == "verify" else _show(args)


def _verify(args: Namespace) -> int:
    config = part_of(args)
    if args.head is not None and not _HASH.fullmatch(args.head):
        raise UsageError(f"--head {args.head!r} is no hash: give the 64 digits that an earlier `audit verify` printed")
    with reach(config) as access:
        current = configuration(config, rules_of(config))
        found = access.ask("verify", head=args.head, configuration=current)
    if args.json:
        emit(found)
    else:
        print(verdict(found))
    return 0 if found["ok"] else 1


def verdict(found: Mapping[str, Any]) -> str:
    """What a verification found, in words."""
    count = f"{found['entries']} {'entry' if found['entries'] == 1 else 'entries'}"
    span = f", {found['first']} to {found['last']}" if found["entries"] else ""
    broken = found["broken"]
    if broken is None:
        return f"the audit ledger holds: {count}{span}\nhead {found['head']}"
    where = "" if broken["seq"] is None else f" at entry {broken['seq']} ({broken['kind']}, {broken['at']})"
    return f"the audit ledger is broken{where}: {broken['problem']}\n{count}{span}\nhead {found['head']}"


def _show(args: Namespace) -> int:
    config = part_of(args)
    with reach(config) as access:
        entries = access.ask("audit", kind=args.kind)
    if args.json:
        emit(entries)
    else:
        table("audit", [entry | {"what": summary(entry["kind"], entry["document"])} for entry in entries])
    return 0
