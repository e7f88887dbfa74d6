"""Sends what the local store has committed on to the remote store, patiently; see :mod:`wattwell.store.outbox`.

The remote store may be away for as long as it likes: the readings wait in the local store, which all figures are made
from. The client library's own retries are not used, since they give up.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wattwell.app.kpi_teller import tell
from wattwell.config.settings import Config, RemoteSettings
from wattwell.engine.kpi_series import KpiSeries
from wattwell.errors import RemoteStoreError, WattwellError
from wattwell.intervals import iso
from wattwell.model import MeterKey
from wattwell.store.outbox import START, Progress, ReadingSink, Refusal, SetAside
from wattwell.store.protocol import ReadingStore
from wattwell.store.remote import KpiPoint, brief

if TYPE_CHECKING:
    from wattwell.store.influxdb import InfluxDB
    from wattwell.store.victoriametrics import VictoriaMetrics

_log = logging.getLogger(__name__)
STATE = "spool.progress"
"""Name of the stored document that says how far the remote store has got."""
REFUSED = "spool.refused"
"""Name of the one that says which readings it refuses for good."""
SAFE_AFTER = 60.0
"""Seconds after which an acknowledged reading is on the remote store's disk, if it still runs as the same process.

Above what VictoriaMetrics 1.79 (10 s, as measured) and later ones (5 s, ``-inmemoryDataFlushInterval``) take.
"""
_LOOK_EVERY = 10.0
"""Seconds between two looks at which process answers, while something is not safe yet."""
_BATCH = 20_000
_TICK = 0.25
_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0
_SHOWN = 5
"""Refused readings that are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """What waits for the remote store, and what it should hold."""

    waiting: int
    """Accepted readings that it has not acknowledged."""
    since: int | None
    """When the first of them arrived, microseconds UTC."""
    error: str | None
    """Why it does not take readings, while it does not."""
    refused: int = 0
    """Readings that it refuses for good."""
    last_refused: tuple[str, ...] = ()
    """The latest of them in words."""

    def __str__(self) -> str:
        since = "" if self.since is None else f" since {iso(self.since)}"
        return f"{self.waiting} reading{'' if self.waiting == 1 else 's'} wait in the spool{since}"


class Forwarder:
    """Sends readings to one remote store; one thread calls it, any thread may ask for its state."""

    def __init__(
        self,
        store: ReadingStore,
        sink: ReadingSink,
        wall: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        safe_after: float = SAFE_AFTER,
        batch: int = _BATCH,
        series: KpiSeries | None = None,
        write_kpis: Callable[[Sequence[KpiPoint]], Sequence[str]] = lambda _: (),
    ) -> None:
        """``wall`` is microseconds UTC, ``monotonic`` seconds of a clock that never steps, ``batch`` readings.

        ``series``: the KPI values that are to be written too, by ``write_kpis``.
        """
        self._store = store
        self._sink = sink
        self._wall = wall
        self._monotonic = monotonic
        self._safe_after = safe_after
        self._batch = batch
        self._saved = store.load_state(STATE)
        self._progress = Progress.of(self._saved, sink.url, wall(), monotonic())
        self._refused = SetAside.of(store.load_state(REFUSED), sink.url)
        self._series, self._write_kpis = series, write_kpis
        self._look_at = monotonic()
        """When to look next at which process answers: before anything is sent, and then from time to time."""
        self._error: str | None = None
        self._anew = threading.Event()
        store.hold(self._progress.settled)

    @property
    def error(self) -> str | None:
        """Why the remote store does not take readings, while it does not."""
        return self._error

    def state(self) -> Spool:
        """What waits."""
        waiting, since = self._store.waiting(self._progress.sent)
        last = tuple(_in_words(*each) for each in list(self._refused.known.items())[-_SHOWN:])
        count = self._refused.count
        return Spool(waiting=waiting, since=since, error=self._error, refused=count, last_refused=last)

    def due(self, start: int, end: int) -> Mapping[tuple[MeterKey, int], int]:
        """How many readings in ``[start, end)`` must be safe in the remote store, by meter and revision."""
        return self._store.count_by_meter(start, end, self._progress.settled)

    def send_again(self) -> int:
        """Everything that the local store has is to be sent once more; how many readings. Any thread may ask."""
        self._anew.set()
        return self._store.waiting(START)[0]

    # -- one step ---------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Sends the next readings, or first looks at who answers; False: there is nothing to do, or it is too early.

        Raises RemoteStoreError or StoreError; nothing is lost then, and the call may be repeated.
        """
        if self._anew.is_set():
            self.save()
        now = self._monotonic()
        readings = self._store.outgoing(self._progress.sent, self._batch)
        busy = self._series is not None and self._series.busy(self._wall())
        if now >= self._look_at and (len(readings) or self._progress.unsafe or busy):
            return self._look(now)
        try:
            if len(readings):
                self._set_aside(self._sink.write(readings))
                self._progress.wrote(readings.last, self._monotonic())
            caught_up = len(readings) < self._batch
            told = caught_up and self._tell()
        except RemoteStoreError:
            self._look_at = now  # another process may answer next, and need not wait for what it lacks
            raise
        return bool(len(readings) or told)

    def _tell(self) -> bool:
        """Writes the next KPI values; whether there were any."""
        return self._series is not None and tell(self._series, self._write_kpis, self._wall(), self._monotonic)

    def _set_aside(self, refusals: Sequence[Refusal]) -> None:
        """Remembers durably what will never be in the remote store, and says so."""
        if not refusals:
            return
        self._refused.add(refusals)
        self._store.save_states({REFUSED: self._refused.document(self._sink.url)})
        first = refusals[0]
        count = f"{len(refusals)} reading{'' if len(refusals) == 1 else 's'}"
        said = _in_words((first.key, first.at), first.why)
        _log.error(
            "The remote store refuses %s for good; the spool keeps them, and figures count them: %s", count, said
        )

    def _look(self, now: float) -> bool:
        """Looks at which process answers, and what is safe by now; False: it has only just started."""
        identity = self._sink.identity()
        if identity is None:
            return False
        if not self._progress.met(identity, now, self._safe_after):
            _log.warning("The remote store has restarted; what it may have forgotten is sent again.")
            if self._series is not None:
                self._series.forgotten()
        if self._series is not None:
            self._series.settle(now - self._safe_after)
        self._look_at = now + min(_LOOK_EVERY, self._safe_after)
        self._store.hold(self._progress.settled)
        self.save()
        return True

    def save(self) -> None:
        """Remembers durably how far the remote store has got; nowhere, where all is to be sent again."""
        if self._anew.is_set():
            self._anew.clear()
            self._progress, self._look_at = Progress(), self._monotonic()
            self._refused = SetAside()
            self._store.hold(self._progress.settled)
            self._store.save_states({REFUSED: self._refused.document(self._sink.url)})
            if self._series is not None:
                self._series.anew()
        document = self._progress.document(self._sink.url, self._wall(), self._monotonic())
        if document != self._saved:
            self._store.save_states({STATE: document})
            self._saved = document

    # -- many steps -------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Sends what comes until told to stop, however long the remote store is away.

        The log gets one line when it begins to refuse (and one for each new reason), one when it works again.
        """
        delay = _FIRST_RETRY
        while not stop.is_set():
            try:
                moved = self.step()
            except WattwellError as error:
                self._stopped(str(error))
                stop.wait(delay)
                delay = min(2 * delay, _LONGEST_RETRY)
            else:
                delay = _FIRST_RETRY
                if moved:
                    self._taken()
                else:
                    stop.wait(_TICK)
        try:
            self.save()
        except WattwellError as error:
            self._stopped(str(error))

    def drain(self, patience: float = 5.0) -> int:
        """Sends what there is while the remote store takes it; how many readings still wait.

        ``patience``: seconds for a server that has only just started.
        """
        deadline = self._monotonic() + patience
        try:
            while self._store.waiting(self._progress.sent)[0]:
                if not self.step():
                    if self._monotonic() > deadline:
                        break
                    time.sleep(_TICK)
            self.save()
        except RemoteStoreError as error:
            self._stopped(str(error))
        return self._store.waiting(self._progress.sent)[0]

    def _stopped(self, text: str) -> None:
        if self._error != text:
            _log.error("Readings are not sent on, they wait in the spool and nothing is lost: %s", text)
        self._error = text

    def _taken(self) -> None:
        if self._error is not None:
            _log.info("The remote store takes readings again.")
        self._error = None


def _in_words(reading: tuple[MeterKey, int], why: str) -> str:
    (site, meter), at = reading
    return f"{site}/{meter} at {iso(at)}: {brief(why)}"


@contextlib.contextmanager
def forwarding(
    config: Config, store: ReadingStore, wall: Callable[[], int], series: KpiSeries | None = None
) -> Iterator[Forwarder | None]:
    """What sends a store's readings on to the configured remote one; None for an embedded store.

    ``series``: what knows the KPI values that are written there too.
    """
    if config.store.remote is None:
        yield None
        return
    sink = open_remote(config, config.store.remote)
    try:
        yield Forwarder(store, sink, wall, series=series, write_kpis=sink.write_kpis)
    finally:
        sink.close()


def open_remote(config: Config, settings: RemoteSettings) -> InfluxDB | VictoriaMetrics:
    """The remote store, which need not be there."""
    # Either takes a quarter second to load: for whom it serves.
    units = {(meter.site, meter.id): meter.unit for site in config.sites.values() for meter in site.meters.values()}
    if settings.kind == "influxdb":
        from wattwell.store.influxdb import InfluxDB  # noqa: PLC0415

        return InfluxDB.open(settings, units)
    from wattwell.store.victoriametrics import VictoriaMetrics  # noqa: PLC0415

    return VictoriaMetrics.open(settings, units)
