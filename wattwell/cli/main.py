"""``wattwell``: every command, thin."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from collector.simulate.run import Edge, simulate
from wattwell.app.access import reach, rules_of
from wattwell.app.doctor import examine
from wattwell.cli.arguments import parser
from wattwell.cli.audit import audit
from wattwell.cli.devices import devices, proposals
from wattwell.cli.entering import check_line, enter_files, without_jump
from wattwell.cli.explain import explain
from wattwell.cli.exporting import export
from wattwell.cli.factors import factors
from wattwell.cli.findings import findings, judge, maintenance
from wattwell.cli.part import part_of
from wattwell.cli.reporting import report
from wattwell.cli.rules import rules
from wattwell.cli.show import emit, table
from wattwell.cli.silencing import ack, alerts, silence, silences
from wattwell.config import Config, load
from wattwell.engine.corrections import read_corrections
from wattwell.engine.spans import parse_time
from wattwell.errors import ConfigError, UsageError, WattwellError

_log = logging.getLogger("wattwell")
_SIMULATED_DAYS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 done, 1 failed, 2 wrong usage or configuration."""
    args = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for noisy in ("httpx", "amqtt", "transitions", "uvicorn", "distributed"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        code = _COMMANDS[args.command](args)
        sys.stdout.flush()
    except (ConfigError, UsageError) as error:
        print(error, file=sys.stderr)
        return 2
    except WattwellError as error:
        print(f"wattwell: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has had enough: nothing more to say
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _print(args: Namespace, kind: str, rows: Any) -> None:
    if args.json:
        emit(rows)
    else:
        table(kind, rows)


# -- running --------------------------------------------------------------------------------------------------


def _demo(args: Namespace) -> int:
    from wattwell.app.demo import demo  # noqa: PLC0415 - a broker and a web server: no other command waits for them

    return demo(args.seconds, args.port)


def _run(args: Namespace) -> int:
    from wattwell.app.service import ROLES, roles_of, running  # noqa: PLC0415 - as for the demo

    config = part_of(args)
    roles = roles_of(args.role)
    if "collector" in roles and config.mqtt is None:
        if roles != ROLES:
            raise UsageError(f"{args.config} has no mqtt section; add one, or run with --role analytics,alerts,web")
        if config.store.remote is None or config.store.remote.follow is None:
            _log.warning("%s has no mqtt section: readings come by back-fill only", args.config)
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    with running(config, roles) as service:
        if "web" in roles:
            _log.info("page, API and metrics at %s", service.server.url)
        asked.wait()
        _log.info("stopping")
    return 0


def _check(args: Namespace) -> int:
    try:
        config = load(args.config)
    except ConfigError as error:
        if not args.json:
            raise
        faults = [{"path": f.path, "value": f.value, "remedy": f.remedy} for f in error.faults]
        emit({"faults": faults, "notes": []})
        return 2
    if args.json:
        emit({"faults": [], "notes": list(config.notes)})
        return 0
    meters = sum(len(site.meters) for site in config.sites.values())
    for note in config.notes:
        print(f"note: {note}", file=sys.stderr)
    counts = (("site", len(config.sites)), ("meter", meters), ("alert rule", len(rules_of(config))))
    print(f"{args.config}: no fault; " + ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts))
    return 0


def _doctor(args: Namespace) -> int:
    findings = examine(Path(args.config), args.shard, fix=args.fix)
    _print(args, "doctor", findings)
    failed = {finding["check"] for finding in findings if finding["status"] == "failed"}
    return 2 if "configuration" in failed else min(1, len(failed))


def _simulate(args: Namespace) -> int:
    live = "://" in args.out
    edge = Edge()
    if live:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: edge.stop.set())
    summary = simulate(
        args.out,
        days=args.days if args.days is not None or live else _SIMULATED_DAYS,
        start=args.start,
        seed=args.seed,
        step=args.step,
        faults=args.fault,
        speed=args.speed,
        edge=edge,
    )
    if args.json:
        emit(summary)
    else:
        print(json.dumps(summary, indent=2))
    return 0


# -- entering -------------------------------------------------------------------------------------------------


def _site(config: Config, site: str) -> str:
    if site not in config.sites:
        raise UsageError(f"site {site!r} is not configured; known: {', '.join(config.sites)}")
    return site


def _backfill(args: Namespace) -> int:
    config = part_of(args)
    _site(config, args.site)
    if config.store.remote is not None and config.store.remote.follow is not None:
        raise UsageError(f"{args.config} follows collectors (store.follow); back-fill at one of them, it comes here")
    with reach(config, detect=True) as access:
        document = enter_files(args, config, access)
        waiting = access.forward()
    if waiting:
        print(f"{waiting} readings wait in {config.store.path} until `wattwell run` sends them on", file=sys.stderr)
    if args.json:
        emit(document)
        return 0
    print(f"{document['readings']} readings from {document['rows']} rows, {document['first']} to {document['last']}")
    for reason, count in document["rejected"].items():
        print(f"rejected {count} as {reason}; see wattwell rejects {args.config}", file=sys.stderr)
    return 0


def _correct(args: Namespace) -> int:
    config = part_of(args)
    site = _site(config, args.site)
    corrections = read_corrections(Path(args.file), config.sites[site])
    with reach(config) as access:
        access.correct(corrections)
        access.refresh()
        for note in without_jump(corrections, access.ask("events", site=site)):
            print(note, file=sys.stderr)
    if args.json:
        emit({"corrections": len(corrections)})
    else:
        print(f"{len(corrections)} correction{'s' if len(corrections) != 1 else ''} entered")
    return 0


def _recompute(args: Namespace) -> int:
    from wattwell.cli.recompute import recomputing  # noqa: PLC0415 - no other command needs workers

    return recomputing(args)


# -- asking ---------------------------------------------------------------------------------------------------


def _ask(kind: str, *names: str) -> Callable[[Namespace], int]:
    def command(args: Namespace) -> int:
        config = part_of(args)
        asked: Mapping[str, Any] = {name: getattr(args, name) for name in names}
        with reach(config) as access:
            access.refresh()
            rows = access.ask(kind, **asked)
        _print(args, kind, rows)
        return 0

    return command


def _issued(args: Namespace) -> dict[str, str]:
    """Author and reason of figures to issue; empty where none are."""
    given = {name: getattr(args, name) for name in ("author", "reason") if getattr(args, name) is not None}
    if args.issue != bool(given) or (args.issue and len(given) < 2):
        raise UsageError("an issued figure carries who and what for: write --issue, --author and --reason together")
    for name, text in given.items():
        check_line(text, f"--{name}")
    return given


def _kpi(args: Namespace) -> int:
    config = part_of(args)
    names = None if args.kpi is None else [name.strip() for name in args.kpi.split(",") if name.strip()]
    asked = {"site": args.site, "kpis": names, "window": args.window, "start": args.start, "end": args.end}
    issued = _issued(args)
    with reach(config) as access:
        access.refresh()
        rows = access.ask("issue", **asked, **issued) if issued else access.ask("kpi", **asked)
    if issued:
        count = sum(row["revision"] is not None for row in rows)
        print(f"{count} of {len(rows)} values stand in the audit ledger as issued", file=sys.stderr)
    _print(args, "kpi", rows)
    return 0


def _unmapped(args: Namespace) -> int:
    with reach(part_of(args)) as access:
        access.refresh()
        topics = access.ask("unmapped")
    _print(args, "unmapped", topics)
    if not args.json:
        proposals(topics)
    return 0


def _backup(args: Namespace) -> int:
    target = Path(args.file).absolute()
    with reach(part_of(args)) as access:
        size = access.back_up(target)
    print(f"{target}: {size / 1e6:.1f} MB; `wattwell audit verify` on a configuration that names it as store checks it")
    return 0


def _resend(args: Namespace) -> int:
    with reach(part_of(args)) as access:
        count = access.resend()
        waiting = access.forward()
    if args.json:
        emit({"readings": count, "waiting": waiting})
    else:
        print(f"{count} readings are sent to the remote store once more; it counts each once")
        if waiting:
            print(f"{waiting} of them wait until `wattwell run` sends them on", file=sys.stderr)
    return 0


def _restore(args: Namespace) -> int:
    from wattwell.app.restore import restore  # noqa: PLC0415 - no other command reads a remote store

    config = part_of(args)
    start, end = parse_time(args.start, "UTC"), parse_time(args.end, "UTC")
    if start >= end:
        raise UsageError(f"the span is empty: --from {args.start} must be before --to {args.end}")
    done = restore(config, start, end)
    if args.json:
        emit({"readings": done.readings, "known": done.known, "refused": done.refused})
        return 0
    print(f"{done.readings} readings came back from the remote store; {done.known} were there")
    if done.refused:
        print(f"{done.refused} are older than raw_retention: their figures are kept, they are not", file=sys.stderr)
    return 0


_COMMANDS: Mapping[str, Callable[[Namespace], int]] = {
    "demo": _demo,
    "run": _run,
    "check": _check,
    "doctor": _doctor,
    "simulate": _simulate,
    "backfill": _backfill,
    "correct": _correct,
    "recompute": _recompute,
    "kpi": _kpi,
    "balance": _ask("balance", "site", "window", "start", "end"),
    "series": _ask("series", "site", "meter", "start", "end"),
    "events": _ask("events", "site", "meter", "start", "end"),
    "rejects": _ask("rejects", "site"),
    "findings": findings,
    "judge": judge,
    "maintenance": maintenance,
    "alerts": alerts,
    "silence": silence,
    "silences": silences,
    "ack": ack,
    "report": report,
    "export": export,
    "explain": explain,
    "audit": audit,
    "unmapped": _unmapped,
    "devices": devices,
    "factors": factors,
    "rules": rules,
    "backup": _backup,
    "resend": _resend,
    "restore": _restore,
}
