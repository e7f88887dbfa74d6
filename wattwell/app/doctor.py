"""``wattwell doctor``: looks at everything an installation stands on, and says what to do about what is wrong."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import wattwell
from analytics.commissioning import CODES
from wattwell.app.access import Access, RemoteAccess, clock, reach, store_path
from wattwell.app.broker_check import examine_broker
from wattwell.app.remote import examine_remote
from wattwell.config import Config
from wattwell.config.fleet import load_part
from wattwell.engine.queries import Document
from wattwell.errors import ConfigError, Fault, WattwellError
from wattwell.intervals import FIRST_INSTANT, MINUTE, iso, parse_iso

_LOW_DISK = 1_000_000_000
_AHEAD = 5 * MINUTE
"""As far as a reading may be ahead of its arrival (METERING)."""
_OURS = ("collector", "analytics", "alerts")


def examine(path: Path, shard: str | None = None, *, fix: bool = False) -> list[Document]:
    """Every check as {check, status, message, remedy}; status ok, warning or failed. ``shard``: see load_part.

    ``fix``: whether what can be put right without losing anything is: a bucket that is not there is created.
    """
    found = [*_packaging(), _clock()]
    try:
        config = load_part(path, shard)
    except ConfigError as error:
        return [*found, *(_finding("configuration", "failed", _where(f), f.remedy) for f in error.faults)]
    found.append(
        _finding(
            "configuration", "ok", f"{path}: {len(config.sites)} site{'' if len(config.sites) == 1 else 's'}", None
        )
    )
    found += [_finding("configuration", "warning", note, None) for note in config.notes]
    found.append(_disk(config))
    found += _store(config, fix=fix)
    if config.mqtt is None and config.behind:
        return found
    if config.mqtt is None:
        remedy = "add an mqtt section to collect live"
        return [*found, _finding("broker", "warning", "no mqtt section: only back-fill brings readings", remedy)]
    return [*found, *examine_broker(config, config.mqtt)]


def _finding(check: str, status: str, message: str, remedy: str | None) -> Document:
    return {"check": check, "status": status, "message": message, "remedy": remedy}


def _where(fault: Fault) -> str:
    return f"{fault.path} = {fault.value}" if fault.value else fault.path


def _packaging() -> Iterator[Document]:
    """The packages collector, analytics and alerts have common names: another one of that name would hide ours."""
    home = Path(wattwell.__file__).resolve().parents[1]
    for name in _OURS:
        spec = importlib.util.find_spec(name)
        place = Path(spec.origin).resolve().parents[1] if spec is not None and spec.origin is not None else None
        if place == home:
            yield _finding("packaging", "ok", f"{name} is Wattwell's own", None)
        else:
            remedy = "install Wattwell into a virtual environment of its own"
            yield _finding("packaging", "failed", f"package {name} comes from {place}, not from Wattwell", remedy)


def _clock() -> Document:
    now = clock()
    if now < FIRST_INSTANT:
        return _finding("clock", "failed", f"the machine's clock says {iso(now)}", "set it, and keep it with NTP")
    return _finding("clock", "ok", f"the machine's clock says {iso(now)}; compare it", None)


def _disk(config: Config) -> Document:
    folder = store_path(config).parent
    if not folder.is_dir():
        return _finding("disk", "failed", f"the store's folder {folder} does not exist", "create it")
    free = shutil.disk_usage(folder).free
    message = f"{free / 1e9:.1f} GB are free in {folder}"
    if free < _LOW_DISK:
        return _finding("disk", "warning", message, "free some space: readings wait at the broker when it is full")
    return _finding("disk", "ok", message, None)


def _store(config: Config, *, fix: bool) -> Iterator[Document]:
    try:
        with reach(config) as access:
            way = "through the running service" if isinstance(access, RemoteAccess) else "opened"
            yield _finding("store", "ok", f"{store_path(config)}, {way}", None)
            yield from _behind(access)
            if config.store.remote is not None:
                for told in examine_remote(config, config.store.remote, access, clock(), fix=fix):
                    yield _finding("remote store", *told)
            access.refresh()
            problems = [(site, each) for site in config.sites for each in access.ask("problems", site=site)]
            yield from list(_mapping(problems, access)) or [_finding("mapping", "ok", _ALL_MAPPED, None)]
            yield from list(_commissioning(problems)) or [_finding("commissioning", "ok", _ALL_SOUND, None)]
            yield from _receivers(access.ask("receivers"))
            yield from _reports(access.ask("overdue"))
    except WattwellError as error:
        yield _finding("store", "failed", str(error), "put right what the message names; nothing in it is changed")


def _behind(access: Access) -> Iterator[Document]:
    """Readings are never taken from far ahead of the clock: where the latest ones are, the clock has gone back."""
    now = clock()
    for site in access.ask("sites"):
        lasts = [meter["last_reading"] for meter in site["meters"] if meter["last_reading"] is not None]
        last = max(map(parse_iso, lasts), default=now)
        if last > now + _AHEAD:
            message = f"{site['id']} has a reading of {iso(last)}, which is later than the machine's clock"
            yield _finding("clock", "warning", message, "set the machine's clock, and keep it with NTP")


def _mapping(problems: Sequence[tuple[str, Document]], access: Access) -> Iterator[Document]:
    for site, problem in problems:
        if problem["code"] not in CODES and problem["severity"] != "info":
            message = " ".join((f"{site}:", *filter(None, (problem["meter"], problem["message"]))))
            remedy = _REMEDIES.get(problem["code"], "see wattwell rejects")
            yield _finding("mapping", "warning", message, remedy)
    for topic in access.ask("unmapped"):
        message = f"topic {topic['topic']} brought {topic['count']} messages and is bound to no meter"
        yield _finding("mapping", "warning", message, "give a meter this source, or subscribe more narrowly")


def _commissioning(problems: Sequence[tuple[str, Document]]) -> Iterator[Document]:
    """Meters that are mounted, set or declared wrongly, with the evidence."""
    for site, problem in problems:
        if problem["code"] in CODES:
            meter = "" if problem["meter"] is None else f"{problem['meter']}: "
            status = "failed" if problem["severity"] == "error" else "warning"
            message = f"{site}: {problem['code']}: {meter}{problem['message']}"
            yield _finding("commissioning", status, message, problem["remedy"])


def _receivers(receivers: Sequence[Document]) -> Iterator[Document]:
    """Who is told of alerts, and what has still to be told."""
    for each in receivers:
        message = f"{each['receiver']}: {each['waiting']} notifications wait, {each['delivered']} were delivered"
        if each["lost"]:
            message += f", {each['lost']} were lost since it refused them or too many waited"
        if each["waiting"] and each["error"]:
            message += f"; the last attempt failed: {each['error']}"
        status = "warning" if each["waiting"] or each["lost"] else "ok"
        yield _finding("notifications", status, message, _TOLD if each["waiting"] else None)


def _reports(overdue: Sequence[Document]) -> Iterator[Document]:
    """Reports that should have been issued by now."""
    for each in overdue:
        message = f"{each['site']}: the report of {each['name']} has been due since {each['due']}: {each['reason']}"
        asked = f"--site {each['site']} {_asked(each['key'])}"
        remedy = f"put right what it names, and see that `wattwell run` is up; `wattwell report {asked}` issues it now"
        yield _finding("reports", "warning", message, remedy)


def _asked(key: str) -> str:
    """The option of `wattwell report` for a key."""
    if key.startswith("FY"):
        return f"--fiscal-year {key[2:]}"
    return f"--month {key}" if "-" in key else f"--year {key}"


_TOLD = "nothing is lost: `wattwell run` tries again until they are taken; see to the receiver and its `notify` entry"
_ALL_SOUND = "no meter looks reversed, frozen, off its clock or in another unit, and the sums are possible"
_ALL_MAPPED = "every meter in service reports, and every topic seen is bound to one"
_REMEDIES = {
    "findings.failed": "everything else goes on; the service's log says where it failed: report it with that",
    "meter.silent": "check its source topic, the device, and until when it is in service",
    "meter.stale": "check the device and its way to the broker; one that reports on change declares a long max_gap",
}
