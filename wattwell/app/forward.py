"""Sends what the local store has committed on to the remote store, patiently; see :mod:`wattwell.store.outbox`.

The remote store may be away for as long as it likes: the readings wait in the local store, which all figures are made
from. The client library's own retries are not used, since they give up.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wattwell.app.kpi_teller import KpiTeller
from wattwell.app.marking import Marker
from wattwell.config.settings import Config, RemoteSettings
from wattwell.engine.kpi_series import KpiSeries
from wattwell.errors import RemoteStoreError, WattwellError
from wattwell.intervals import iso
from wattwell.model import MeterKey
from wattwell.store.outbox import (
    START,
    Outbox,
    Outgoing,
    Progress,
    ReadingSink,
    Refusal,
    SetAside,
    TooManyRefused,
    Unsent,
)
from wattwell.store.protocol import ReadingStore
from wattwell.store.remote import brief

if TYPE_CHECKING:
    from wattwell.store.influxdb import InfluxDB
    from wattwell.store.victoriametrics import VictoriaMetrics

_log = logging.getLogger(__name__)
STATE = "spool.progress"
"""Name of the stored document that says how far the remote store has got."""
REFUSED = "spool.refused"
"""Name of the one that says which readings it refuses for good."""
NAME = "spool.name"
"""Name of the one that says what the spool is called in marks."""
SAFE_AFTER = 60.0
"""Seconds after which an acknowledged reading is on the remote store's disk, if it still runs as the same process.

Above what VictoriaMetrics 1.79 (10 s, as measured) and later ones (5 s, ``-inmemoryDataFlushInterval``) take.
"""
_LOOK_EVERY = 10.0
"""Seconds between two looks at which process answers, while something is not safe yet."""
_BATCH = 20_000
_FEWER = 100
"""Readings sent at once while the remote store refuses many: the service can stop, and remember, in between."""
_SKIPPED = 1_000_000
"""Readings that are looked at together to find the last one."""
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
        store: Outbox,
        sink: ReadingSink,
        wall: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        safe_after: float = SAFE_AFTER,
        batch: int = _BATCH,
        kpis: KpiTeller | None = None,
        marker: Marker | None = None,
    ) -> None:
        """``wall`` is microseconds UTC, ``monotonic`` seconds of a clock that never steps, ``batch`` readings.

        ``kpis``: writes KPI values too. ``marker`` tells followers what was sent; None where nobody follows.
        """
        self._store = store
        self._sink = sink
        self._wall = wall
        self._monotonic = monotonic
        self._safe_after = safe_after
        self._batch = self._limit = batch
        self._saved = store.load_state(STATE)
        self._progress = Progress.of(self._saved, sink.url, wall(), monotonic())
        self._refused = SetAside.of(store.load_state(REFUSED), sink.url)
        self._kpis, self._series = kpis, None if kpis is None else kpis.series
        self._marker = marker
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
        """How many readings in ``[start, end)`` must be safe in the remote store, by meter and revision.

        Without those that it refuses, of which the latest thousand are known.
        """
        refused = self._refused.within(start, end)
        counts = self._store.count_by_meter(start, end, self._progress.settled)
        return {known: count - refused[known] for known, count in counts.items() if count > refused[known]}

    def send_again(self) -> int:
        """Everything that the local store has is to be sent once more; how many readings. Any thread may ask."""
        self._anew.set()
        return self._store.waiting(START)[0]

    def skip(self) -> None:
        """The remote store has all that the local one holds now: that is where it came from."""
        place = self._progress.sent
        while len(readings := self._store.outgoing(place, _SKIPPED)):
            place = readings.last
        self._progress.wrote(place, self._monotonic())
        self.save()

    # -- one step ---------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Sends the next readings, or first looks at who answers; False: there is nothing to do, or it is too early.

        Raises RemoteStoreError or StoreError; nothing is lost then, and the call may be repeated.
        """
        if self._anew.is_set():
            self.save()
        now = self._monotonic()
        if self._marker is not None and self._marker.due(now):
            self._mark(self._marker)
        readings = self._store.outgoing(self._progress.sent, self._limit)
        busy = self._series is not None and self._series.busy(self._wall())
        if now >= self._look_at and (len(readings) or self._progress.unsafe or busy):
            return self._look(now)
        caught_up = len(readings) < self._limit
        try:
            if len(readings):
                self._write(readings)
            told = caught_up and self._tell()
        except RemoteStoreError as error:
            if isinstance(error, TooManyRefused) and self._limit > _FEWER:
                self._limit = _FEWER
                return True
            self._look_at = now  # another process may answer next, and need not wait for what it lacks
            raise
        self._taken()  # only here: a server that refuses every write may still say which process it is
        return bool(len(readings) or told)

    def _write(self, readings: Outgoing) -> None:
        """Sends readings, and remembers which are refused for good."""
        refusals = self._sink.write(readings)
        self._set_aside(refusals)
        self._progress.wrote(readings.last, self._monotonic())
        if self._marker is not None:
            self._marker.wrote(readings, self._monotonic())
        if not refusals:
            self._limit = self._batch

    def _mark(self, marker: Marker) -> None:
        """Tells followers what has been sent; where that fails nothing is sent until it succeeds, and this again."""
        try:
            marker.tell()
        except RemoteStoreError:
            self._progress.again()
            self._look_at = self._monotonic()
            raise

    def _tell(self) -> bool:
        """Writes the next KPI values; whether there were any."""
        return self._kpis is not None and self._kpis.tell(self._wall(), self._monotonic)

    def _set_aside(self, refusals: Sequence[Refusal]) -> None:
        """Remembers durably what will never be in the remote store, and says so."""
        if not refusals:
            return
        self._refused.add(refusals)
        self._store.save_states({REFUSED: self._refused.document(self._sink.url)})
        first = refusals[0]
        count = f"{len(refusals)} reading{'' if len(refusals) == 1 else 's'}"
        said = _in_words((first.key, first.at, first.revision), first.why)
        _log.error(
            "The remote store refuses %s for good; they stay in the spool for as long as store.raw_retention says, and"
            " figures count them: %s",
            count,
            said,
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
        """Remembers durably how far the remote store has got; nowhere, where all is to be sent again.

        RemoteStoreError, and nothing is remembered, where followers cannot be told of it.
        """
        if self._anew.is_set():
            self._anew.clear()
            self._progress, self._look_at = Progress(), self._monotonic()
            self._refused = SetAside()
            self._store.hold(self._progress.settled)
            self._store.save_states({REFUSED: self._refused.document(self._sink.url)})
            if self._series is not None:
                self._series.anew()
            if self._marker is not None:
                self._marker.forget()
        if self._marker is not None:
            self._mark(self._marker)
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
                if self._error is None:
                    delay = _FIRST_RETRY
                if not moved:
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


def _in_words(reading: tuple[MeterKey, int, int], why: str) -> str:
    (site, meter), at, _ = reading
    return f"{site}/{meter} at {iso(at)}: {brief(why)}"


@contextlib.contextmanager
def forwarding(
    config: Config, store: ReadingStore, wall: Callable[[], int], series: KpiSeries | None = None
) -> Iterator[Forwarder | None]:
    """What sends a store's readings on to the configured remote one; None where nothing is sent.

    ``series``: what knows the KPI values that are written there too, and all that a store which follows the remote one
    sends it.
    """
    settings = config.store.remote
    if settings is None or (settings.follow is not None and series is None):
        yield None
        return
    sink = open_remote(config, settings)
    kpis = None if series is None else KpiTeller(series, sink.write_kpis)
    try:
        if settings.follow is None:
            marker = Marker(_name(config, store), sink.write_marks, wall)
            yield Forwarder(store, sink, wall, kpis=kpis, marker=marker)
        else:
            yield Forwarder(Unsent(), sink, wall, kpis=kpis)
    finally:
        sink.close()


def _name(config: Config, store: ReadingStore) -> str:
    """Of the spool, by which followers know who sent a reading: given once, and unlike that of any other."""
    name = store.load_state(NAME)
    if name is None:
        name = f"{'wattwell' if config.mqtt is None else config.mqtt.client_id}-{secrets.token_hex(4)}"
        store.save_states({NAME: name})
    return name


def open_remote(config: Config, settings: RemoteSettings) -> InfluxDB | VictoriaMetrics:
    """The remote store, which need not be there."""
    # Either takes a quarter second to load: for whom it serves.
    units = {(meter.site, meter.id): meter.unit for site in config.sites.values() for meter in site.meters.values()}
    if settings.kind == "influxdb":
        from wattwell.store.influxdb import InfluxDB  # noqa: PLC0415

        return InfluxDB.open(settings, units)
    from wattwell.store.victoriametrics import VictoriaMetrics  # noqa: PLC0415

    return VictoriaMetrics.open(settings, units)
