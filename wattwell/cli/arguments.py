"""The command line's grammar: ``wattwell COMMAND CONFIG [options]``."""

from __future__ import annotations

import argparse

import wattwell

_TIMES = "ISO 8601 with an offset, or a bare local date (2026-10-31) or month (2026-10)"


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = argparse.ArgumentParser(
        prog="wattwell",
        description="Data centre energy and water efficiency monitor.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.",
    )
    top.add_argument("--version", action="version", version=f"wattwell {wattwell.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _running(commands)
    _entering(commands)
    _asking(commands)
    return top


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse names the type of add_subparsers() nowhere else


def _running(commands: _Commands[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="a simulated site, live, with a fault and an alert; needs no configuration")
    demo.add_argument("--seconds", type=float, help="stop after so many seconds (default: on Ctrl-C)")
    demo.add_argument("--port", type=int, default=8080, help="port of the page, on loopback (default: 8080)")
    check = _configured(commands, "check", "validate the configuration and list every fault")
    check.add_argument("--json", action="store_true", help="print one JSON document")
    run = _configured(commands, "run", "the service: collect, analyse, alert, serve the page")
    run.add_argument("--role", default="all", help="all, or some of collector,analytics,alerts,web")
    doctor = _configured(commands, "doctor", "look at broker, store, clock, disk, mapping and packaging")
    doctor.add_argument("--json", action="store_true", help="print one JSON document")
    simulate = commands.add_parser("simulate", help="telemetry of a simulated site with known truth")
    simulate.add_argument("out", help="a folder to write, or an mqtt:// URL to publish to")
    simulate.add_argument("--days", type=float, help="how long (default: 30; to a broker until stopped)")
    simulate.add_argument("--start", help=_TIMES)
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument("--step", default="60s", help="time between readings (default: 60s)")
    simulate.add_argument("--speed", type=float, default=1.0, help="simulated seconds by second; 0: at once")
    simulate.add_argument("--fault", action="append", default=[], metavar="KIND:START:END:SIZE", help="may be repeated")
    simulate.add_argument("--json", action="store_true", help="print one JSON document")


def _entering(commands: _Commands[argparse.ArgumentParser]) -> None:
    backfill = _configured(commands, "backfill", "feed CSV, CSV.gz or Parquet files through the same path as live data")
    backfill.add_argument("data", nargs="+", metavar="DATA", help="long time,meter,value[,unit] or wide time,METER,...")
    backfill.add_argument("--site", required=True)
    backfill.add_argument("--json", action="store_true", help="print one JSON document")
    correct = _configured(commands, "correct", "enter meter replacements, or accept jumps")
    correct.add_argument("file", help="CSV: meter,at,event,final,first,author,reason")
    correct.add_argument("--site", required=True)
    correct.add_argument("--json", action="store_true", help="print one JSON document")


def _asking(commands: _Commands[argparse.ArgumentParser]) -> None:
    kpi = _asked(commands, "kpi", "KPI values", span=True)
    kpi.add_argument("--kpi", help="names with commas between (default: all)")
    kpi.add_argument("--window", help="1h 24h 7d 30d 365d day month year ytd fiscal_year (default: all of the span)")
    series = _asked(commands, "series", "interval values of meters", span=True, site_required=True)
    series.add_argument("--meter")
    events = _asked(commands, "events", "the meter-event ledger", span=True)
    events.add_argument("--meter")
    _asked(commands, "rejects", "rejected readings by reason")
    _asked(commands, "alerts", "alert states and history")
    unmapped = _configured(commands, "unmapped", "topics seen but bound to no meter")
    unmapped.add_argument("--json", action="store_true", help="print one JSON document")


def _configured(commands: _Commands[argparse.ArgumentParser], name: str, what: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    command.add_argument("config", metavar="CONFIG", help="the YAML configuration")
    return command


def _asked(
    commands: _Commands[argparse.ArgumentParser],
    name: str,
    what: str,
    *,
    span: bool = False,
    site_required: bool = False,
) -> argparse.ArgumentParser:
    command = _configured(commands, name, what)
    command.add_argument("--site", required=site_required, help="one site (default: every site)")
    if span:
        command.add_argument("--from", dest="start", help=_TIMES)
        command.add_argument("--to", dest="end", help="exclusive, default now; written like --from")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    return command
