"""VictoriaMetrics as the remote store, single node or cluster.

Each reading is one sample of ``wattwell_reading_value{site, meter, unit}``, in the meter's own unit, at its own time in
milliseconds, which is all that VictoriaMetrics keeps. Two more labels stand only where they are needed:

* ``revision="1"`` (and so on): a later arrival that counts in place of the sample without it at the same time; of
  samples at one time the highest revision counts. VictoriaMetrics itself would keep either of the two.
* ``us="456"``: another reading of the meter came earlier in the same millisecond; these microseconds go with the time.

KPI values are ``wattwell_kpi{site, kpi, window}`` at the end of their window, with ``revision`` likewise; what was sent
of which site and time is told by :mod:`wattwell.store.marks`.

It keeps the values that lie together as decimal fractions with one exponent, of some 18 digits from the largest on:
dials come back as they were sent, thirds to a part in 10^12 where no neighbour is a million times as large.

What is sent twice is the same sample twice, which VictoriaMetrics keeps as one with ``-dedup.minScrapeInterval=1ms``
and counts twice without; where the meter's configured ``unit`` was another then, it is a sample of another series. It
acknowledges what it holds in memory: a killed 1.79.5 was seen to lose what was up to 10 seconds old. Its start time
tells whether that may have happened (see :mod:`wattwell.store.outbox`). In a cluster the nodes that are named tell,
vminsert (which holds what it has not passed on) and vmstorage: where one of them starts anew or does not answer, what
was not yet safe is sent again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx
from influxdb_client.client.influxdb_client import InfluxDBClient

from wattwell.config.settings import RemoteSettings
from wattwell.errors import RemoteStoreError
from wattwell.intervals import DAY
from wattwell.model import MeterKey
from wattwell.store import marks, remote
from wattwell.store.marks import Mark
from wattwell.store.outbox import Outgoing, Refusal
from wattwell.store.remote import MEASUREMENT, SECONDS, KpiPoint, Sample, head
from wattwell.store.writer import LineWriter

METRIC = "wattwell_reading_value"
_SETTLED_UPTIME = 1
"""Seconds that a server must have run: its start time is known to the second, and a second one must differ."""
_MILLISECOND = marks.MILLISECOND
_MONTH = 28 * DAY
_MARKS = f'{{__name__=~"{marks.MEASUREMENT}_({"|".join(marks.FIELDS)})"}}'
_SAMPLE = re.compile(r"^([a-z_]+)(\{[^}]*\})? ([^ ]+)$", re.MULTILINE)
_FLAG = re.compile(r'^flag\{name="([^"]+)", ?value="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a server says of itself."""

    started: int
    """Seconds UTC."""
    uptime: int
    """Seconds."""
    flags: Mapping[str, str]
    ignored: int
    """Samples dropped since its start because they were older than it keeps, or too far ahead."""

    @property
    def dedup(self) -> bool:
        """Whether it keeps repeated samples as one."""
        return self.flags.get("dedup.minScrapeInterval", "0s") not in ("", "0", "0s")


def lines(readings: Outgoing, units: Mapping[MeterKey, str]) -> Iterator[str]:
    """Line protocol, one reading each, times in milliseconds."""
    heads = [_head(key, units.get(key)) for key in readings.keys]
    columns = (readings.meter, readings.at, readings.value, readings.revision, readings.apart)
    for meter, at, value, revision, apart in zip(*(column.tolist() for column in columns), strict=True):
        tags = (f",revision={revision}" if revision else "") + (f",us={at % _MILLISECOND}" if apart else "")
        yield f"{heads[meter]}{tags} value={value!r} {at // _MILLISECOND}"


def _head(key: MeterKey, unit: str | None) -> str:
    site, meter = key
    return head(MEASUREMENT, {"site": site, "meter": meter, "unit": unit})


class VictoriaMetrics:
    """A :class:`~wattwell.store.remote.RemoteStore`."""

    kind: Literal["victoriametrics"] = "victoriametrics"
    resolution = _MILLISECOND
    exact = 1e-12

    def __init__(
        self, settings: RemoteSettings, writer: LineWriter, http: httpx.Client, units: Mapping[MeterKey, str]
    ) -> None:
        self.url = settings.url
        self.nodes = settings.nodes
        self._read_url = settings.read_url or settings.url
        self._cluster = settings.read_url is not None
        self._writer = writer
        self._http = http
        self._units = units

    @classmethod
    def open(cls, settings: RemoteSettings, units: Mapping[MeterKey, str]) -> VictoriaMetrics:
        """Makes ready to talk to a server, which need not be there; UsageError for a token or CA file without one."""
        url, path = settings.url, settings.token_file
        headers = {} if path is None else {"Authorization": f"Bearer {remote.token(path)}"}
        context = remote.tls(settings)
        influx = InfluxDBClient(
            url, token="", org="-", timeout=round(SECONDS * 1000), enable_gzip=True, ssl_context=context
        )
        for name, value in headers.items():
            influx.api_client.set_default_header(name, value)  # type: ignore[no-untyped-call]
        http = httpx.Client(headers=headers, timeout=SECONDS, verify=context)
        return cls(settings, LineWriter(url, influx, "-", "-", "ms"), http, units)

    def close(self) -> None:
        """Lets go of connections."""
        self._writer.close()
        self._http.close()

    # -- writing ----------------------------------------------------------------------------------------------

    def write(self, readings: Outgoing) -> list[Refusal]:
        """Sends readings, some thousand at a time; returns when all are acknowledged."""
        refused = self._writer.write(list(lines(readings, self._units)), patient=False)
        return [readings.refusal(place, why) for place, why in refused.items()]

    def write_kpis(self, points: Sequence[KpiPoint]) -> Sequence[str]:
        """Sends KPI values."""
        text = remote.kpi_lines(points, "wattwell", "kpi", _MILLISECOND, revised=True)
        return list(self._writer.write(list(text)).values())

    def write_marks(self, told: Sequence[Mark]) -> Sequence[str]:
        """Sends marks."""
        return list(self._writer.write(list(remote.mark_lines(told, _MILLISECOND))).values())

    def identity(self) -> str | None:
        """The starts of all its processes; None while another start could still fall into the same second."""
        if not self._cluster:
            server = self.server()
            return None if server.uptime < _SETTLED_UPTIME else str(server.started)
        starts = []
        for node in self.nodes:
            try:
                server = self.node(node)
            except RemoteStoreError:  # a cluster goes on without it: what it held unsafely is sent to the others
                starts.append("away")
                continue
            if server.uptime < _SETTLED_UPTIME:
                return None
            starts.append(str(server.started))
        return " ".join(starts)

    # -- asking -----------------------------------------------------------------------------------------------

    def server(self) -> Server:
        """What a single node says of itself on /metrics."""
        server = self.node(self.url)
        if "storageDataPath" not in server.flags:
            raise self._stranger(self.url)
        return server

    def node(self, url: str) -> Server:
        """What one process of a cluster says of itself on /metrics."""
        text = self._get("/metrics", url).text
        flags = dict(_FLAG.findall(text))
        totals: dict[str, int] = {}
        for name, _, value in _SAMPLE.findall(text):
            if name in ("vm_app_start_timestamp", "vm_app_uptime_seconds", "vm_rows_ignored_total"):
                totals[name] = totals.get(name, 0) + int(float(value))
        if "vm_app_start_timestamp" not in totals:
            raise self._stranger(url)
        return Server(
            started=totals["vm_app_start_timestamp"],
            uptime=totals.get("vm_app_uptime_seconds", 0),
            flags=flags,
            ignored=totals.get("vm_rows_ignored_total", 0),
        )

    def _stranger(self, url: str) -> RemoteStoreError:
        if self._cluster:
            remedy = "name the addresses of its processes in store.nodes"
            return RemoteStoreError(f"{url} is no process of a VictoriaMetrics cluster; {remedy}")
        return RemoteStoreError(
            f"the remote store {url} is no single-node VictoriaMetrics of version 1.79 or later, or something"
            " before it answers /metrics in its place; name the server itself in store.url, or of a cluster also"
            " its vmselect in store.read_url"
        )

    def read(self, site: str, meter: str, start: int, end: int) -> list[Sample]:
        """Samples of a meter in ``[start, end)``, microseconds UTC, by time and revision, repeated ones included."""
        match = f"{METRIC}{{site={json.dumps(site)},meter={json.dumps(meter)}}}"
        return self._samples(match, start, end).get((site, meter), [])

    def read_sites(self, sites: Sequence[str], start: int, end: int) -> dict[MeterKey, list[Sample]]:
        """The same of every meter of these sites that has any."""
        any_of = "|".join(map(re.escape, sites))
        return self._samples(f"{METRIC}{{site=~{json.dumps(any_of)}}}", start, end)

    def _samples(self, match: str, start: int, end: int) -> dict[MeterKey, list[Sample]]:
        found: dict[MeterKey, list[Sample]] = {}
        for labels, stamps, values in self._export(match, start, end):
            revision, extra = int(labels.get("revision", 0)), int(labels.get("us", 0))
            samples = found.setdefault((labels["site"], labels["meter"]), [])
            for at, value in zip(stamps, values, strict=True):
                samples.append(Sample(at=at * _MILLISECOND + extra, revision=revision, value=float(value)))
        for samples in found.values():
            samples.sort(key=lambda sample: (sample.at, sample.revision))
        return found

    def marks(self, start: int, end: int) -> Sequence[Mark]:
        """Marks that were written in ``[start, end)``."""
        fields: dict[tuple[str, str, int], dict[str, float]] = {}
        for labels, stamps, values in self._export(_MARKS, start, end):
            name = labels["__name__"].removeprefix(f"{marks.MEASUREMENT}_")
            for at, value in zip(stamps, values, strict=True):
                fields.setdefault((labels["site"], labels["by"], at * _MILLISECOND), {})[name] = float(value)
        return marks.joined(fields)

    def first_mark(self, start: int, end: int) -> int | None:
        """Time of the first of them; looked for month by month, since a server bounds what one query may look at."""
        metric = f"{marks.MEASUREMENT}_{marks.FIELDS[0]}"
        span = {"start": _seconds(start // _MILLISECOND), "end": _seconds(end // _MILLISECOND)}
        if not self._get("/api/v1/series", **{"match[]": metric}, **span).json()["data"]:
            return None
        for low in range(start, end, _MONTH):
            high = min(low + _MONTH, end)
            query = f"min(tfirst_over_time({metric}[{(high - low) // _MILLISECOND}ms]))"
            last = _seconds(high // _MILLISECOND - 1)
            found = self._get("/api/v1/query", query=query, time=last, nocache="1").json()["data"]["result"]
            if found:
                return round(float(found[0]["value"][1]) * 1000) * _MILLISECOND
        return None

    def _export(self, match: str, start: int, end: int) -> Iterator[tuple[dict[str, str], list[int], list[float]]]:
        """Labels, times in milliseconds and values of the series that match, in ``[start, end)``."""
        last = -(-end // _MILLISECOND) - 1
        span = {"match[]": match, "start": _seconds(start // _MILLISECOND), "end": _seconds(last)}
        for line in self._get("/api/v1/export", **span).iter_lines():
            series = json.loads(line)
            yield series["metric"], series["timestamps"], series["values"]

    def count_by_meter(self, start: int, end: int) -> dict[tuple[MeterKey, int], int]:
        """Samples in ``[start, end)``, whole milliseconds, by meter and revision, as the server counts them."""
        span = (end - start) // _MILLISECOND
        query = f"sum by (site, meter, revision) (count_over_time({METRIC}[{span}ms]))"
        last = _seconds(end // _MILLISECOND - 1)  # the server's spans include their end, not their start
        found = self._get("/api/v1/query", query=query, time=last, nocache="1").json()["data"]["result"]
        counts = {}
        for each in found:
            labels = each["metric"]
            counts[(labels["site"], labels["meter"]), int(labels.get("revision") or 0)] = int(float(each["value"][1]))
        return counts

    def latest(self, start: int, end: int) -> dict[MeterKey, int]:
        """Time of the latest sample of each meter in ``[start, end)``, whole milliseconds."""
        query = f"max by (site, meter) (tlast_over_time({METRIC}[{(end - start) // _MILLISECOND}ms]))"
        last = _seconds(end // _MILLISECOND - 1)
        found = self._get("/api/v1/query", query=query, time=last, nocache="1").json()["data"]["result"]
        return {
            (each["metric"]["site"], each["metric"]["meter"]): round(float(each["value"][1]) * 1000) * _MILLISECOND
            for each in found
        }

    def _get(self, path: str, url: str | None = None, **parameters: str) -> httpx.Response:
        where = url or self._read_url
        try:
            response = self._http.get(where + path, params=parameters)
        except httpx.HTTPError as error:
            raise remote.unreachable(where, error) from error
        if response.status_code != 200:
            raise remote.refusal(where, response.status_code, response.text)
        return response


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
