"""A bucket of InfluxDB 2 as the remote store.

Each reading is one point of the measurement ``wattwell_reading`` with the tags ``site``, ``meter`` and ``unit`` and the
field ``value``, a float in the meter's own unit, at its own time in microseconds, which is how precisely Wattwell knows
it; InfluxDB keeps both to the last bit. What is sent twice replaces itself, unless the meter's configured unit was
another then: that is part of what a point is known by. A later arrival that counts in place of an earlier one has the
same time and the further tag ``revision``, as in VictoriaMetrics: both stay, the highest counts.

KPI values are the field ``value`` of ``wattwell_kpi`` with the tags ``site``, ``kpi`` and ``window`` at the end of
their window; a later value of the same window replaces the one before. What was sent of which site and time is told by
:mod:`wattwell.store.marks`.

InfluxDB acknowledges what it has written to its log on disk (unless ``storage-wal-fsync-delay`` says otherwise), so
nothing that it has acknowledged has to be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.flux_csv_parser import FluxCsvParserException, FluxQueryException
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from wattwell.config.settings import RemoteSettings
from wattwell.errors import RemoteStoreError
from wattwell.intervals import SECOND
from wattwell.model import MeterKey
from wattwell.store import flux, marks, remote
from wattwell.store.marks import Mark
from wattwell.store.outbox import Outgoing, Refusal
from wattwell.store.remote import MEASUREMENT, SECONDS, KpiPoint, Sample, head
from wattwell.store.writer import LineWriter, said

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What InfluxDB says of a bucket."""

    name: str
    retention: int | None
    """Microseconds; None: for ever."""


def lines(readings: Outgoing, units: Mapping[MeterKey, str]) -> Iterator[str]:
    """Line protocol, one reading each, times in microseconds."""
    columns = (readings.meter, readings.at, readings.value, readings.revision)
    heads: dict[tuple[int, int], str] = {}
    for meter, at, value, revision in zip(*(column.tolist() for column in columns), strict=True):
        if (meter, revision) not in heads:
            key = readings.keys[meter]
            tags = {"site": key[0], "meter": key[1], "unit": units.get(key)}
            heads[meter, revision] = head(MEASUREMENT, tags | {"revision": str(revision) if revision else None})
        yield f"{heads[meter, revision]} value={value!r} {at}"


class InfluxDB:
    """A :class:`~wattwell.store.remote.RemoteStore`."""

    kind: Literal["influxdb"] = "influxdb"
    resolution = 1
    exact = 0.0

    def __init__(self, settings: RemoteSettings, influx: InfluxDBClient, units: Mapping[MeterKey, str]) -> None:
        self.url = f"{settings.url}/{settings.org}/{settings.bucket}"
        self._settings = settings
        self._influx = influx
        self._writer = LineWriter(self.url, influx, settings.org, settings.bucket, "us")
        self._units = units

    @classmethod
    def open(cls, settings: RemoteSettings, units: Mapping[MeterKey, str]) -> InfluxDB:
        """Makes ready to talk to a server, which need not be there; UsageError for a token or CA file without one."""
        influx = InfluxDBClient(
            settings.url,
            token="" if settings.token_file is None else remote.token(settings.token_file),
            org=settings.org,
            timeout=round(SECONDS * 1000),
            enable_gzip=True,
            ssl_context=remote.tls(settings),
        )
        return cls(settings, influx, units)

    def close(self) -> None:
        """Lets go of connections."""
        self._writer.close()

    # -- writing ----------------------------------------------------------------------------------------------

    def write(self, readings: Outgoing) -> list[Refusal]:
        """Sends readings, some thousand at a time; returns when all are acknowledged."""
        refused = self._writer.write(list(lines(readings, self._units)), patient=False)
        return [readings.refusal(place, why) for place, why in refused.items()]

    def write_kpis(self, points: Sequence[KpiPoint]) -> Sequence[str]:
        """Sends KPI values."""
        text = remote.kpi_lines(points, "wattwell_kpi", "value", 1, revised=False)
        return list(self._writer.write(list(text)).values())

    def write_marks(self, told: Sequence[Mark]) -> Sequence[str]:
        """Sends marks."""
        return list(self._writer.write(list(remote.mark_lines(told, 1))).values())

    def identity(self) -> str | None:
        """Always the same: what was acknowledged is on its disk."""
        return "influxdb"

    # -- asking -----------------------------------------------------------------------------------------------

    def read(self, site: str, meter: str, start: int, end: int) -> list[Sample]:
        """Samples of a meter in ``[start, end)``, microseconds UTC, by time and revision."""
        found = map(_sample, self._rows(flux.samples(self._settings.bucket, site, meter, start, end)))
        return sorted(found, key=lambda sample: (sample.at, sample.revision))

    def read_sites(self, sites: Sequence[str], start: int, end: int) -> dict[MeterKey, list[Sample]]:
        """The same of every meter of these sites that has any."""
        found: dict[MeterKey, list[Sample]] = {}
        for row in self._rows(flux.samples_of_sites(self._settings.bucket, sites, start, end)):
            found.setdefault((row["site"], row["meter"]), []).append(_sample(row))
        for samples in found.values():
            samples.sort(key=lambda sample: (sample.at, sample.revision))
        return found

    def marks(self, start: int, end: int) -> Sequence[Mark]:
        """Marks that were written in ``[start, end)``."""
        fields: dict[tuple[str, str, int], dict[str, float]] = {}
        for row in self._rows(flux.forwarded(self._settings.bucket, start, end)):
            known = row["site"], row["by"], _microseconds(row["_time"])
            fields.setdefault(known, {})[row["_field"]] = float(row["_value"])
        return marks.joined(fields)

    def first_mark(self, start: int, end: int) -> int | None:
        """Time of the first of them."""
        rows = self._rows(flux.first_forwarded(self._settings.bucket, start, end))
        return min((_microseconds(row["_time"]) for row in rows), default=None)

    def count_by_meter(self, start: int, end: int) -> dict[tuple[MeterKey, int], int]:
        """Samples in ``[start, end)`` by meter and revision, as the server counts them."""
        counts: dict[tuple[MeterKey, int], int] = {}
        for row in self._rows(flux.counts(self._settings.bucket, start, end)):
            known = (row["site"], row["meter"]), int(row.get("revision") or 0)
            counts[known] = counts.get(known, 0) + int(row["_value"])
        return counts

    def latest(self, start: int, end: int) -> dict[MeterKey, int]:
        """Time of the latest sample of each meter in ``[start, end)``."""
        found: dict[MeterKey, int] = {}
        for row in self._rows(flux.latest(self._settings.bucket, start, end)):
            key = (row["site"], row["meter"])
            found[key] = max(found.get(key, -(2**62)), _microseconds(row["_time"]))
        return found

    def _rows(self, query: str) -> list[dict[str, Any]]:
        try:
            return [record.values for record in self._influx.query_api().query_stream(query, org=self._settings.org)]
        except (FluxQueryException, FluxCsvParserException) as error:
            raise remote.refusal(self.url, 200, str(getattr(error, "message", error))) from error
        except ApiException as error:
            raise self._fault(error) from error
        except (HTTPError, OSError) as error:
            raise remote.unreachable(self.url, error) from error

    # -- setting up -------------------------------------------------------------------------------------------

    def version(self) -> str:
        """Of the server, as it says on /ping."""
        try:
            return str(self._influx.version())
        except ApiException as error:
            raise self._fault(error) from error
        except (HTTPError, OSError) as error:
            raise remote.unreachable(self.url, error) from error

    def bucket(self) -> Bucket | None:
        """What there is under the configured name; None where there is nothing."""
        try:
            api = self._influx.buckets_api()
            found = api.find_buckets(name=self._settings.bucket, org=self._settings.org).buckets  # type: ignore[no-untyped-call]
        except ApiException as error:
            if error.status == _NOT_FOUND and said(error).startswith("bucket"):
                return None
            raise self._fault(error) from error
        except (HTTPError, OSError) as error:
            raise remote.unreachable(self.url, error) from error
        for each in found or ():
            seconds = sum(rule.every_seconds or 0 for rule in each.retention_rules or ())
            return Bucket(name=each.name, retention=seconds * SECOND or None)
        return None

    def create_bucket(self) -> None:
        """Creates it with the configured retention."""
        kept = self._settings.retention
        rules = [] if kept is None else [BucketRetentionRules(type="expire", every_seconds=kept // SECOND)]  # type: ignore[no-untyped-call]
        try:
            self._influx.buckets_api().create_bucket(
                bucket_name=self._settings.bucket, retention_rules=rules, org=self._settings.org
            )
        except ApiException as error:
            raise self._fault(error) from error
        except InfluxDBError as error:
            raise remote.refusal(self.url, _NOT_FOUND, str(error)) from error
        except (HTTPError, OSError) as error:
            raise remote.unreachable(self.url, error) from error

    def _fault(self, error: ApiException) -> RemoteStoreError:
        if not error.status:
            return remote.unreachable(self.url, error)
        return remote.refusal(self.url, error.status, said(error))


def _sample(row: Mapping[str, Any]) -> Sample:
    return Sample(at=_microseconds(row["_time"]), revision=int(row.get("revision") or 0), value=float(row["_value"]))


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
