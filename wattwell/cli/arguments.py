"""The command line's grammar: ``wattwell COMMAND CONFIG [options]``."""

from __future__ import annotations

import argparse

import wattwell
from wattwell.finding import FINDING_STATES
from wattwell.ledger import KINDS

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
    check = _configured(commands, "check", "validate the configuration and list every fault", whole=True)
    check.add_argument("--json", action="store_true", help="print one JSON document")
    run = _configured(commands, "run", "the service: collect, analyse, alert, serve the page")
    run.add_argument("--role", default="all", help="all, or some of collector,analytics,alerts,web")
    doctor = _configured(commands, "doctor", "look at broker, store, clock, disk, mapping and packaging")
    doctor.add_argument("--fix", action="store_true", help="create a bucket of InfluxDB that is not there")
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
    backfill.add_argument("--author", help="who brings these readings, for the audit ledger")
    backfill.add_argument("--reason", help="and why")
    backfill.add_argument("--json", action="store_true", help="print one JSON document")
    again = _configured(commands, "recompute", "make all interval values anew from the raw readings")
    again.add_argument("--site", action="append", default=[], help="may be repeated (default: every site)")
    by = again.add_mutually_exclusive_group()
    by.add_argument("--workers", type=int, metavar="N", help="by so many processes of this machine (needs Dask)")
    by.add_argument("--scheduler", metavar="ADDRESS", help="by the workers of a Dask scheduler that see the store")
    again.add_argument("--json", action="store_true", help="print one JSON document")
    correct = _configured(commands, "correct", "enter meter replacements, or accept jumps")
    correct.add_argument("file", help="CSV: meter,at,event,final,first,author,reason")
    correct.add_argument("--site", required=True)
    correct.add_argument("--json", action="store_true", help="print one JSON document")


def _asking(commands: _Commands[argparse.ArgumentParser]) -> None:
    kpi = _asked(commands, "kpi", "KPI values", span=True)
    kpi.add_argument("--kpi", help="names with commas between (default: all)")
    kpi.add_argument("--window", help="1h 24h 7d 30d 365d day month year ytd fiscal_year (default: all of the span)")
    balance = _asked(commands, "balance", "parent minus children of the meter tree", span=True)
    balance.add_argument("--window", help="as for kpi (default: 24h, or all of the span)")
    kpi.add_argument("--issue", action="store_true", help="enter the values in the audit ledger as issued figures")
    kpi.add_argument("--author", help="with --issue: who issues them")
    kpi.add_argument("--reason", help="with --issue: and what for")
    series = _asked(commands, "series", "interval values of meters", span=True, site_required=True)
    series.add_argument("--meter")
    events = _asked(commands, "events", "the meter-event ledger", span=True)
    events.add_argument("--meter")
    _findings(commands)
    _asked(commands, "rejects", "rejected readings by reason")
    alerts = _asked(commands, "alerts", "alert states and history")
    alerts.add_argument("--suggest", action="store_true", help="what thresholds would have done over the last year")
    _alerting(commands)
    explain = _asked(commands, "explain", "one KPI value taken back to its meters", span=True, site_required=True)
    explain.add_argument("--kpi", required=True, help="one name")
    explain.add_argument("--window", help="as for kpi (default: all of the span)")
    explain.add_argument("--at", help="a time in the calendar window, or the rolling one's end (default: latest)")
    _reporting(commands)
    _auditing(commands)
    unmapped = _configured(commands, "unmapped", "topics seen but bound to no meter, and the meters that they could be")
    unmapped.add_argument("--json", action="store_true", help="print one JSON document")
    backup = _configured(commands, "backup", "copy the store to a new file, also while the service runs")
    backup.add_argument("file", metavar="FILE", help="the copy; the service writes it, where it runs")
    resend = _configured(commands, "resend", "send all that the spool has to the remote store once more")
    resend.add_argument("--json", action="store_true", help="print one JSON document")
    restore = _configured(commands, "restore", "bring readings back from the remote store into a spool that lost them")
    restore.add_argument("--from", dest="start", required=True, help=f"{_TIMES}, of UTC")
    restore.add_argument("--to", dest="end", required=True, help="exclusive; written like --from")
    restore.add_argument("--json", action="store_true", help="print one JSON document")
    _configured(commands, "rules", "the alert rules as a Prometheus rule file", whole=True)
    factors = commands.add_parser("factors", help="an hourly generation table by fuel as the factor files of a site")
    factors.add_argument("file", metavar="FILE", help="CSV or CSV.gz: timestamp, MWh by fuel code, avg_CI in g/kWh")
    factors.add_argument("--out", required=True, metavar="DIR", help="the folder to write them to")
    factors.add_argument("--json", action="store_true", help="print one JSON document")
    devices = commands.add_parser("devices", help="devices that are known, for a meter's source")
    devices.add_argument("--json", action="store_true", help="print one JSON document")


def _findings(commands: _Commands[argparse.ArgumentParser]) -> None:
    findings = _asked(commands, "findings", "what wastes energy or water, ranked by money", span=True)
    findings.add_argument("--status", choices=FINDING_STATES, help="default: all")
    findings.add_argument("--limit", type=int, metavar="N", help="the first N of them")
    one = findings.add_mutually_exclusive_group()
    one.add_argument("--id", help="this one in full: cause, evidence, advice, plot and history")
    one.add_argument("--models", action="store_true", help="instead: what is watched, and how well it is expected")
    judge = _configured(commands, "judge", "say what a finding is: known, not a fault, or open again")
    judge.add_argument("--id", required=True, help="of the finding, as `wattwell findings` lists it")
    verdicts = ("known", "not_a_fault", "open")
    judge.add_argument("--as", dest="verdict", required=True, choices=verdicts, help="open takes the others back")
    judge.add_argument("--author", required=True, help="who, for the audit ledger")
    judge.add_argument("--note", required=True, help="and why")
    judge.add_argument("--until", help=f"when it is news again (default: never); {_TIMES}")
    judge.add_argument("--json", action="store_true", help="print one JSON document")
    maintenance = _asked(
        commands, "maintenance", "enter a maintenance window, also in the past, or list them", span=True
    )
    maintenance.add_argument("--equipment", help="that somebody works on (default: the whole site)")
    maintenance.add_argument("--author", help="who, for the audit ledger")
    maintenance.add_argument("--reason", help="and why")


def _alerting(commands: _Commands[argparse.ArgumentParser]) -> None:
    silence = _asked(commands, "silence", "alerts that are not told for a while; of a whole site: maintenance")
    silence.add_argument("--name", help="of one alert (default: every alert)")
    silence.add_argument("--match", action="append", default=[], metavar="LABEL=VALUE", help="may be repeated")
    silence.add_argument("--from", dest="start", help=f"default now; {_TIMES}")
    silence.add_argument("--until", help="exclusive; written like --from")
    silence.add_argument("--for", dest="lasts", help="instead of --until: a duration, such as 4h")
    silences = _configured(commands, "silences", "silences and maintenance windows")
    silences.add_argument("--expire", type=int, metavar="ID", help="end this one now")
    silences.add_argument("--json", action="store_true", help="print one JSON document")
    ack = _asked(commands, "ack", "acknowledge an open alert: somebody has it in hand")
    ack.add_argument("--name", required=True, help="of the alert")
    ack.add_argument("--meter", help="of a rule on meters or findings: which meter, or which family")
    for command in (silence, silences, ack):
        command.add_argument("--author", help="who, for the audit ledger")
        command.add_argument("--reason", help="and why")


def _reporting(commands: _Commands[argparse.ArgumentParser]) -> None:
    report = _asked(commands, "report", "the efficiency report of a month or a year; issued where it is over")
    report.add_argument("--month", help="2026-10")
    report.add_argument("--year", help="2026")
    report.add_argument("--fiscal-year", metavar="YEAR", help="the fiscal year that begins in this calendar year")
    report.add_argument("--out", metavar="DIR", help="the folder for report.html, report.pdf, report.csv, report.json")
    report.add_argument("--format", help="some of html,pdf,csv,json with commas between (default: all)")
    report.add_argument("--draft", action="store_true", help="as the figures are now, and issue nothing")
    report.add_argument("--revision", type=int, metavar="N", help="this issued revision again, as it was")
    report.add_argument("--author", help="who issues it, for the audit ledger (default: wattwell)")
    report.add_argument("--reason", help="and why (default: period over, or what has changed)")
    report.add_argument("--list", action="store_true", help="instead: what was issued")
    export = _configured(commands, "export", "what a regulator asks for a calendar year, with the meters behind it")
    export.add_argument("regulation", metavar="REGULATION", help="eu-2024-1364 or enefg; it may also stand first")
    export.add_argument("--site", required=True)
    export.add_argument("--year", required=True, help="a calendar year, such as 2026")
    export.add_argument("--out", metavar="DIR", help="the folder for REGULATION.json and REGULATION.csv")
    export.add_argument("--json", action="store_true", help="print one JSON document")


def _auditing(commands: _Commands[argparse.ArgumentParser]) -> None:
    audit = commands.add_parser("audit", help="the audit ledger, and the remote store compared with the spool")
    actions = audit.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = _configured(actions, "verify", "walk the chain and name the first broken entry")
    verify.add_argument("--head", metavar="HASH", help="a head noted earlier, which must still be in the chain")
    verify.add_argument("--json", action="store_true", help="print one JSON document")
    show = _configured(actions, "show", "list the entries")
    show.add_argument("--kind", choices=KINDS, help="entries of one kind (default: all)")
    show.add_argument("--json", action="store_true", help="print one JSON document")
    compare = _configured(actions, "compare", "the remote store against the spool, reading by reading")
    compare.add_argument("--site", help="one site (default: every site)")
    compare.add_argument("--from", dest="start", required=True, help=f"{_TIMES}, of UTC")
    compare.add_argument("--to", dest="end", required=True, help="exclusive; written like --from")
    compare.add_argument("--csv", metavar="FILE", help="every reading that counts, and how it compares")
    compare.add_argument("--json", action="store_true", help="print one JSON document")


def _configured(
    commands: _Commands[argparse.ArgumentParser], name: str, what: str, *, whole: bool = False
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    command.add_argument("config", metavar="CONFIG", help="the YAML configuration")
    if not whole:
        command.add_argument("--shard", metavar="INDEX", help="of a configuration with shards: 0, 1, ... or 0/4")
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
