"""What ``wattwell doctor`` says of the remote store: whether it answers, keeps what it should, and what still waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wattwell.app.access import Access
from wattwell.app.forward import open_remote
from wattwell.config import Config
from wattwell.config.settings import RemoteSettings
from wattwell.engine.queries import Document
from wattwell.errors import WattwellError
from wattwell.intervals import DAY, MINUTE, floor_to, iso
from wattwell.model import MeterKey

if TYPE_CHECKING:
    from wattwell.store.victoriametrics import Server

Told = tuple[str, str, str | None]
"""Status, message, remedy."""
_DEFAULT_RETENTION = "1"
_SHOWN = 5
_SEND_AGAIN = "restore its data, or send it everything that the spool has once more with `wattwell resend CONFIG`"


def examine_remote(config: Config, settings: RemoteSettings, access: Access, now: int) -> Iterator[Told]:
    """Checks of the remote store, by way of whoever holds the spool; ``now`` is microseconds UTC."""
    end = floor_to(now, MINUTE)
    spool = access.spool(end - DAY, end)
    if spool is not None:
        yield _waiting(spool)
    remote = open_remote(config, settings)
    try:
        server = remote.server()
        yield "ok", f"{settings.url} answers; it has run since {iso(server.started * 1_000_000)}", None
        yield from judge(server)
        if spool is not None and server.dedup:
            yield compare(spool, remote.count_by_meter(end - DAY, end))
    except WattwellError as error:
        yield "failed", str(error), "nothing is lost meanwhile: readings wait in the spool, and figures go on"
    finally:
        remote.close()


def _waiting(spool: Document) -> Told:
    count = spool["waiting"]
    if not count:
        return "ok", "no reading waits in the spool", None
    message = f"{count} reading{'' if count == 1 else 's'} wait in the spool since {iso(spool['since'])}"
    return (
        "warning" if spool["error"] else "ok",
        message,
        "wattwell run sends them on as soon as the remote store is there",
    )


def judge(server: Server) -> Iterator[Told]:
    """What is wrong with how a server was started."""
    if not server.dedup:
        remedy = "start it with -dedup.minScrapeInterval=1ms"
        yield "warning", "the remote store counts a reading twice that was sent twice", remedy
    if server.flags.get("retentionPeriod") == _DEFAULT_RETENTION:
        yield (
            "warning",
            "the remote store drops readings older than a month",
            "start it with -retentionPeriod=10y or more",
        )
    if server.ignored:
        message = f"the remote store has dropped {server.ignored} samples as too old or too far ahead since it started"
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
