"""What remote stores have in common: what they are sent, what they show, and how their faults are told."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wattwell.config.settings import RemoteSettings
from wattwell.errors import RemoteStoreError, UsageError
from wattwell.intervals import SECOND
from wattwell.model import MeterKey
from wattwell.store import marks
from wattwell.store.marks import Mark
from wattwell.store.outbox import ReadingSink
from wattwell.trust import verifying_context

SECONDS = 30.0
"""How long a request may take."""
MEASUREMENT = "wattwell_reading"
_SHOWN = 200
_ESCAPED = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\\": r"\\"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A reading as the remote store holds it."""

    at: int
    """Microseconds UTC, as precisely as the store knows them."""
    revision: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPoint:
    """A KPI value of a window that is over."""

    site: str
    kpi: str
    window: str
    at: int
    """The window's end, microseconds UTC."""
    value: float
    """In the KPI's unit."""
    revision: int
    """0 as first written; of several at one time the highest counts."""


class RemoteStore(ReadingSink, Protocol):
    """A remote store; times are microseconds UTC. Raises RemoteStoreError."""

    resolution: int
    """Microseconds to which it knows a time, but for readings that stand apart."""
    exact: float
    """The share to which it keeps a fraction; 0: to the last bit."""

    def write_kpis(self, points: Sequence[KpiPoint]) -> Sequence[str]:
        """Returns when all are acknowledged; why some were refused for good."""

    def write_marks(self, told: Sequence[Mark]) -> Sequence[str]:
        """Returns when all are acknowledged; why some were refused for good."""

    def marks(self, start: int, end: int) -> Sequence[Mark]:
        """Marks that were written in ``[start, end)``, whole milliseconds of their own times."""

    def first_mark(self, start: int, end: int) -> int | None:
        """Time of the first of them."""

    def read(self, site: str, meter: str, start: int, end: int) -> Sequence[Sample]:
        """Samples of a meter in ``[start, end)`` by time and revision, repeated ones included."""

    def read_sites(self, sites: Sequence[str], start: int, end: int) -> Mapping[MeterKey, Sequence[Sample]]:
        """The same of every meter of these sites that has any."""

    def count_by_meter(self, start: int, end: int) -> Mapping[tuple[MeterKey, int], int]:
        """Samples in ``[start, end)``, whole milliseconds, by meter and revision, as the server counts them."""

    def latest(self, start: int, end: int) -> Mapping[MeterKey, int]:
        """Time of the latest sample of each meter in ``[start, end)``."""

    def close(self) -> None:
        """Lets go of connections."""


def head(measurement: str, tags: Mapping[str, str | None]) -> str:
    """Measurement and tags of line protocol; those without a value are left out."""
    pairs = (f",{name}={text.translate(_ESCAPED)}" for name, text in tags.items() if text is not None)
    return measurement + "".join(pairs)


def kpi_lines(points: Iterable[KpiPoint], measurement: str, field: str, unit: int, *, revised: bool) -> Iterator[str]:
    """Line protocol, one KPI value each; ``unit``: microseconds in a unit of its times.

    ``revised``: whether a later value of the same window needs a tag, since it does not replace the one before.
    """
    for point in points:
        revision = str(point.revision) if revised and point.revision else None
        tags = {"site": point.site, "kpi": point.kpi, "window": point.window, "revision": revision}
        yield f"{head(measurement, tags)} {field}={float(point.value)!r} {point.at // unit}"


def mark_lines(told: Iterable[Mark], unit: int) -> Iterator[str]:
    """Line protocol, one mark each; ``unit``: microseconds in a unit of its times."""
    for mark in told:
        fields = f"earliest={mark.earliest / SECOND!r},latest={mark.latest / SECOND!r}"
        yield f"{head(marks.MEASUREMENT, {'site': mark.site, 'by': mark.by})} {fields} {mark.at // unit}"


def tls(settings: RemoteSettings) -> ssl.SSLContext:
    """Trusts the CA that is named, or else those of the system and of SSL_CERT_FILE."""
    try:
        return verifying_context(settings.ca_file)
    except ssl.SSLError as error:
        raise UsageError(f"store.ca_file {settings.ca_file} holds no certificate in PEM; name the CA's file") from error


def token(path: Path) -> str:
    """What a token file holds; UsageError where that is nothing."""
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise UsageError(f"store.token_file {path} is empty; write a token into it")
    return text


def unreachable(url: str, error: BaseException) -> RemoteStoreError:
    """That a server cannot be talked to, and why."""
    cause = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RemoteStoreError(
            f"the certificate of the remote store {url} is not trusted ({cause.verify_message}); renew it, or"
            " name the file of its CA in store.ca_file"
        )
    said = (cause.strerror if isinstance(cause, OSError) else str(cause)) or type(cause).__name__
    return RemoteStoreError(f"the remote store {url} does not answer ({said}); start it, or correct store.url")


def refusal(url: str, status: int | None, text: str) -> RemoteStoreError:
    """That a server answers something else than it was asked for."""
    if status in (401, 403):
        return RemoteStoreError(f"the remote store {url} does not let us in (HTTP {status}); check store.token_file")
    said = brief(text)
    return RemoteStoreError(f"the remote store {url} refuses (HTTP {status}: {said}); see its log and its disk")


def brief(text: str) -> str:
    """The beginning of what a server says, in one line."""
    return " ".join(text.split())[:_SHOWN]
