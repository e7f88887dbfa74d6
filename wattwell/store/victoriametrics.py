"""VictoriaMetrics (single-node) as the remote store.

Each reading is one sample of ``wattwell_reading_value{site, meter, unit}``, in the meter's own unit, at its own time in
milliseconds, which is all that VictoriaMetrics keeps. Two more labels stand only where they are needed:

* ``revision="1"`` (and so on): a later arrival that counts in place of the sample without it at the same time; of
  samples at one time the highest revision counts. VictoriaMetrics itself would keep either of the two.
* ``us="456"``: another reading of the meter came earlier in the same millisecond; these microseconds go with the time.

It keeps decimal fractions to a part in 10^12: dials come back as they were sent, thirds do not to the last bit.

What is sent twice is the same sample twice, which VictoriaMetrics keeps as one with ``-dedup.minScrapeInterval=1ms``
and counts twice without. It acknowledges what it holds in memory: a killed 1.79.5 was seen to lose what was up to 10
seconds old. Its start time tells whether that may have happened (see :mod:`wattwell.store.outbox`).
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from wattwell.config.settings import RemoteSettings
from wattwell.errors import RemoteStoreError, UsageError
from wattwell.model import MeterKey
from wattwell.store.outbox import Outgoing

MEASUREMENT = "wattwell_reading"
METRIC = "wattwell_reading_value"
_LINES = 5000
"""Readings in one request."""
_SECONDS = 30.0
"""How long a request may take."""
_SETTLED_UPTIME = 1
"""Seconds that a server must have run: its start time is known to the second, and a second one must differ."""
_MILLISECOND = 1000
_SHOWN = 200
_ESCAPED = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\\": r"\\"})
_SAMPLE = re.compile(r"^([a-z_]+)(\{[^}]*\})? ([^ ]+)$", re.MULTILINE)
_FLAG = re.compile(r'^flag\{name="([^"]+)", ?value="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A reading as the remote store holds it."""

    at: int
    """Microseconds UTC; whole milliseconds but for one that stands apart."""
    revision: int
    value: float


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
    tags = {"site": site, "meter": meter} | ({} if unit is None else {"unit": unit})
    return MEASUREMENT + "".join(f",{name}={text.translate(_ESCAPED)}" for name, text in tags.items())


class VictoriaMetrics:
    """A :class:`~wattwell.store.outbox.ReadingSink`; also reads back, for checks."""

    def __init__(self, url: str, influx: InfluxDBClient, http: httpx.Client, units: Mapping[MeterKey, str]) -> None:
        self.url = url
        self._influx = influx
        self._writer = influx.write_api(write_options=SYNCHRONOUS)
        self._http = http
        self._units = units

    @classmethod
    def open(cls, settings: RemoteSettings, units: Mapping[MeterKey, str]) -> VictoriaMetrics:
        """Makes ready to talk to a server, which need not be there; UsageError for a token file without a token."""
        headers = {} if settings.token_file is None else {"Authorization": f"Bearer {_token(settings.token_file)}"}
        context = ssl.create_default_context()
        influx = InfluxDBClient(
            settings.url, token="", org="-", timeout=round(_SECONDS * 1000), enable_gzip=True, ssl_context=context
        )
        for name, value in headers.items():
            influx.api_client.set_default_header(name, value)  # type: ignore[no-untyped-call]
        http = httpx.Client(base_url=settings.url, headers=headers, timeout=_SECONDS, verify=context)
        return cls(settings.url, influx, http, units)

    def close(self) -> None:
        """Lets go of connections."""
        self._writer.close()  # type: ignore[no-untyped-call]
        self._influx.close()  # type: ignore[no-untyped-call]
        self._http.close()

    # -- writing ----------------------------------------------------------------------------------------------

    def write(self, readings: Outgoing) -> None:
        """Sends readings, some thousand at a time; returns when all are acknowledged."""
        text = list(lines(readings, self._units))
        for first in range(0, len(text), _LINES):
            record = "\n".join(text[first : first + _LINES])
            try:
                self._writer.write(bucket="-", record=record, write_precision="ms")  # type: ignore[arg-type]
            except ApiException as error:
                raise self._refusal(error.status, str(error.body or error.reason)) from error
            except (HTTPError, OSError) as error:
                raise self._unreachable(error) from error

    def identity(self) -> str | None:
        """The server's start; None while another start could still fall into the same second."""
        server = self.server()
        return None if server.uptime < _SETTLED_UPTIME else str(server.started)

    # -- asking -----------------------------------------------------------------------------------------------

    def server(self) -> Server:
        """What the server says of itself on /metrics."""
        text = self._get("/metrics").text
        flags = dict(_FLAG.findall(text))
        totals: dict[str, int] = {}
        for name, _, value in _SAMPLE.findall(text):
            if name in ("vm_app_start_timestamp", "vm_app_uptime_seconds", "vm_rows_ignored_total"):
                totals[name] = totals.get(name, 0) + int(float(value))
        if "storageDataPath" not in flags or "vm_app_start_timestamp" not in totals:
            raise RemoteStoreError(
                f"the remote store {self.url} is no single-node VictoriaMetrics of version 1.79 or later, or something"
                " before it answers /metrics in its place; name the server itself in store.url"
            )
        return Server(
            started=totals["vm_app_start_timestamp"],
            uptime=totals.get("vm_app_uptime_seconds", 0),
            flags=flags,
            ignored=totals.get("vm_rows_ignored_total", 0),
        )

    def read(self, site: str, meter: str, start: int, end: int) -> list[Sample]:
        """Samples of a meter in ``[start, end)``, microseconds UTC, by time and revision, repeated ones included."""
        match = f"{METRIC}{{site={json.dumps(site)},meter={json.dumps(meter)}}}"
        last = -(-end // _MILLISECOND) - 1
        span = {"match[]": match, "start": _seconds(start // _MILLISECOND), "end": _seconds(last)}
        found = []
        for line in self._get("/api/v1/export", **span).text.splitlines():
            series = json.loads(line)
            labels = series["metric"]
            revision, extra = int(labels.get("revision", 0)), int(labels.get("us", 0))
            for at, value in zip(series["timestamps"], series["values"], strict=True):
                found.append(Sample(at=at * _MILLISECOND + extra, revision=revision, value=float(value)))
        return sorted(found, key=lambda sample: (sample.at, sample.revision))

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

    def _get(self, path: str, **parameters: str) -> httpx.Response:
        try:
            response = self._http.get(path, params=parameters)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status_code != 200:
            raise self._refusal(response.status_code, response.text)
        return response

    def _unreachable(self, error: Exception) -> RemoteStoreError:
        cause: BaseException = error
        while (deeper := cause.__cause__ or cause.__context__) is not None:
            cause = deeper
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RemoteStoreError(
                f"the certificate of the remote store {self.url} is not trusted ({cause.verify_message}); renew it, or"
                " name the file of its CA in the environment variable SSL_CERT_FILE"
            )
        said = (cause.strerror if isinstance(cause, OSError) else str(cause)) or type(cause).__name__
        return RemoteStoreError(f"the remote store {self.url} does not answer ({said}); start it, or correct store.url")

    def _refusal(self, status: int | None, text: str) -> RemoteStoreError:
        if status in (401, 403):
            return RemoteStoreError(
                f"the remote store {self.url} does not let us in (HTTP {status}); check store.token_file"
            )
        said = " ".join(text.split())[:_SHOWN]
        return RemoteStoreError(
            f"the remote store {self.url} refuses (HTTP {status}: {said}); see its log and its disk"
        )


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def _token(path: Path) -> str:
    token = path.read_text(encoding="utf-8").strip()
    if not token:
        raise UsageError(f"store.token_file {path} is empty; write a token into it")
    return token
