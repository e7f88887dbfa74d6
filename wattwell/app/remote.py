"""What ``wattwell doctor`` says of the remote store: whether it answers, keeps what it should, and what still waits."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from wattwell.app.access import Access
from wattwell.app.forward import open_remote
from wattwell.config import Config
from wattwell.config.settings import RemoteSettings
from wattwell.engine.queries import Document
from wattwell.errors import WattwellError
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, floor_to, format_duration, iso
from wattwell.model import MeterKey
from wattwell.store.marks import MARGIN, Mark
from wattwell.store.remote import RemoteStore

if TYPE_CHECKING:
    from wattwell.store.influxdb import InfluxDB
    from wattwell.store.victoriametrics import Server, VictoriaMetrics

Told = tuple[str, str, str | None]
"""Status, message, remedy."""
_DEFAULT_RETENTION = "1"
_SHOWN = 5
_SEND_AGAIN = "restore its data, or send it everything that the spool has once more with `wattwell resend CONFIG`"


def examine_remote(
    config: Config, settings: RemoteSettings, access: Access, now: int, *, fix: bool = False
) -> Iterator[Told]:
    """Checks of the remote store, by way of whoever holds the spool; ``now`` is microseconds UTC.

    ``fix``: whether a bucket of InfluxDB that is not there is created.
    """
    end = floor_to(now, MINUTE)
    spool = access.spool(end - DAY, end)
    if spool is not None:
        yield from _waiting(spool)
    remote = open_remote(config, settings)
    try:
        if remote.kind == "influxdb":
            good = yield from _influxdb(remote, settings, fix=fix)
        elif settings.read_url is None:
            good = yield from _single(remote)
        else:
            good = yield from _cluster(remote)
        if spool is not None and good:
            yield _with_latest(compare(spool, remote.count_by_meter(end - DAY, end)), remote, end)
        if settings.follow is not None:
            yield from sent_lately(remote.marks(now - HOUR, now + DAY), now)
    except WattwellError as error:
        yield "failed", str(error), "nothing is lost meanwhile: readings wait in the spool, and figures go on"
    finally:
        remote.close()


def sent_lately(marks: Sequence[Mark], now: int) -> Iterator[Told]:
    """Whether collectors have sent anything within the last hour, and whether their clocks are ahead."""
    last: dict[str, int] = {}
    for mark in marks:
        last[mark.by] = max(mark.at, last.get(mark.by, mark.at))
    if not last:
        remedy = "start them with this remote store; what they sent before 0.5 comes in by `wattwell restore`"
        yield "warning", "no collector has sent anything there within the last hour", remedy
        return
    count = f"{len(last)} collector{'s have' if len(last) > 1 else ' has'}"
    yield "ok", f"{count} sent something there within the last hour, the latest at {iso(max(last.values()))}", None
    for by, at in last.items():
        if at > now + MARGIN:
            message = f"the clock of {by} is ahead of the one here by {format_duration(floor_to(at - now, SECOND))}"
            yield "warning", message, "set both by NTP: they must agree to two minutes"


def _with_latest(told: Told, remote: RemoteStore, end: int) -> Told:
    """The same, and of when the latest reading in the remote store is."""
    status, message, remedy = told
    last = max(remote.latest(end - DAY, end).values(), default=None)
    return status, message if last is None else f"{message}; its latest is of {iso(last)}", remedy


def _influxdb(remote: InfluxDB, settings: RemoteSettings, *, fix: bool) -> Generator[Told, None, bool]:
    """Whether there is a bucket to be asked."""
    yield "ok", f"{settings.url} answers; it is InfluxDB {remote.version()}", None
    keeps = "for ever" if settings.retention is None else f"for {format_duration(settings.retention)}"
    what = f"the bucket {settings.bucket} of {settings.org}"
    found = remote.bucket()
    if found is None and fix:
        remote.create_bucket()
        yield "ok", f"{what} was not there and has been created; it keeps readings {keeps}", None
        return False
    if found is None:
        remedy = f"`wattwell doctor CONFIG --fix` creates it, with readings kept {keeps} (store.bucket_retention)"
        yield "failed", f"{what} does not exist", remedy
        return False
    if found.retention is not None and (settings.retention is None or found.retention < settings.retention):
        message = f"{what} drops readings older than {format_duration(found.retention)}, and store.bucket_retention"
        message += f" says {keeps}: it refuses what is older, which stays in the spool alone, and"
        message += " for as long as store.raw_retention says"
        yield "warning", message, "change the bucket's retention with `influx bucket update`, or store.bucket_retention"
    return True


def _single(remote: VictoriaMetrics) -> Generator[Told, None, bool]:
    server = remote.server()
    yield "ok", f"{remote.url} answers; it has run since {iso(server.started * 1_000_000)}", None
    yield from judge(server)
    return server.dedup


def _cluster(remote: VictoriaMetrics) -> Generator[Told, None, bool]:
    """Each node is asked for itself; those that keep data or answer queries must remove repeated samples."""
    if not remote.nodes:
        message = "the nodes of the VictoriaMetrics cluster are not named: what one that is killed had only in memory"
        yield "warning", f"{message} is not sent again", "name each vminsert, vmselect and vmstorage in store.nodes"
    good = True
    for node in remote.nodes:
        server = remote.node(node)
        yield "ok", f"{node} answers; it has run since {iso(server.started * 1_000_000)}", None
        if "dedup.minScrapeInterval" in server.flags or "storageDataPath" in server.flags:
            yield from judge(server, f"{node} of ")
            good = good and server.dedup
    return good


def _waiting(spool: Document) -> Iterator[Told]:
    if refused := spool["refused"]:
        message = f"the remote store refuses {refused} reading{'' if refused == 1 else 's'} for good, lately "
        remedy = "they stay in the spool, for as long as store.raw_retention says: put right what it says before,"
        remedy += " then `wattwell resend CONFIG`"
        yield "warning", message + "; ".join(spool["last_refused"]), remedy
    count = spool["waiting"]
    if not count:
        yield "ok", "no reading waits in the spool", None
        return
    message = f"{count} reading{'' if count == 1 else 's'} wait in the spool since {iso(spool['since'])}"
    status = "warning" if spool["error"] else "ok"
    yield status, message, "wattwell run sends them on as soon as the remote store is there"


def judge(server: Server, whose: str = "") -> Iterator[Told]:
    """What is wrong with how a server was started; ``whose`` names one of several."""
    if not server.dedup:
        remedy = "start it with -dedup.minScrapeInterval=1ms"
        yield "warning", f"{whose}the remote store counts a reading twice that was sent twice", remedy
    if server.flags.get("retentionPeriod") == _DEFAULT_RETENTION:
        yield (
            "warning",
            f"{whose}the remote store drops readings older than a month",
            "start it with -retentionPeriod=10y or more",
        )
    if server.ignored:
        message = (
            f"{whose}the remote store has dropped {server.ignored} samples as too old or too far ahead since it started"
        )
        yield "warning", message, "start it with a longer -retentionPeriod, and see to its machine's clock"


def compare(spool: Document, held: Mapping[tuple[MeterKey, int], int]) -> Told:
    """What the remote store must hold of the last day against what it counts."""
    due = {((site, meter), revision): count for site, meter, revision, count in spool["due"]}
    missing = {key: count - held.get(key, 0) for key, count in due.items() if held.get(key, 0) < count}
    total, lost = sum(due.values()), sum(missing.values())
    message = (
        f"the remote store holds {total - lost} of the {total} readings of the last day that it must have on its disk"
    )
    if not missing:
        return "ok", message, None
    names = sorted({f"{site}/{meter}" for (site, meter), _ in missing})
    message += f"; missing: {', '.join(names[:_SHOWN])}{' and others' if len(names) > _SHOWN else ''}"
    return "failed", message, _SEND_AGAIN
