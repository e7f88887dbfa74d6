"""The remote store that the store section names: VictoriaMetrics, single node or cluster, or a bucket of InfluxDB 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from wattwell.config.files import named_file
from wattwell.config.places import Faults, Place
from wattwell.config.schema import RawStore
from wattwell.config.settings import RemoteSettings
from wattwell.intervals import HOUR, SECOND, format_duration

SCHEMES = {"victoriametrics": "http", "victoriametricss": "https", "influxdb": "http", "influxdbs": "https"}
_PORTS = {"victoriametrics": 8428, "influxdb": 8086}
_SHAPES = {"victoriametrics": "victoriametrics://HOST:8428", "influxdb": "influxdb://HOST:8086/ORG/BUCKET"}
ONLY_REMOTE = ("token_file", "ca_file", "spool", "read_url", "nodes", "bucket_retention", "kpi_series", "follow")
"""Keys of the store section that mean nothing to an embedded store."""
_ONLY_CLUSTER = ("read_url", "nodes")


def read_remote(store: RawStore, parts: SplitResult, base: Path, place: Place, faults: Faults) -> RemoteSettings:
    """How to reach the remote store of ``parts``, the URL without a password; faults are added."""
    kind = "influxdb" if parts.scheme.startswith("influxdb") else "victoriametrics"
    token = named_file(base, store.token_file, place / "token_file", faults)
    ca_file = named_file(base, store.ca_file, place / "ca_file", faults)
    address = _address(parts, kind, place / "url", faults)
    if ca_file is not None and not address.startswith("https"):
        faults.add(place / "ca_file", f"not used with {parts.scheme}://; write {parts.scheme}s://", store.ca_file)
    if store.follow is not None and not SECOND <= store.follow <= HOUR:
        faults.add(place / "follow", "write how often to look, from 1s to 1h", format_duration(store.follow))
    series = bool(store.kpi_series)
    common = RemoteSettings(
        url=address, kind=kind, token_file=token, ca_file=ca_file, kpi_series=series, follow=store.follow
    )
    if kind == "influxdb":
        for key in _ONLY_CLUSTER:
            if (written := getattr(store, key)) is not None:
                faults.add(place / key, "only a cluster of VictoriaMetrics has it; leave it out", written)
        if store.lacks("token_file"):
            faults.add(place / "token_file", "required: InfluxDB lets nobody in without a token; name a file with one")
        address, organisation, bucket = _bucket(address, parts, place / "url", faults)
        return replace(common, url=address, org=organisation, bucket=bucket, retention=store.bucket_retention)
    if store.bucket_retention is not None:
        remedy = "only a bucket of InfluxDB has it; start VictoriaMetrics with -retentionPeriod and leave this out"
        faults.add(place / "bucket_retention", remedy)
    read_url = _read_url(store, parts, place, faults)
    nodes = tuple(_node(url, place / "nodes", faults) for url in store.nodes or ())
    if nodes and read_url is None and not store.broken("read_url"):
        faults.add(place / "nodes", "only a cluster has nodes; name its vmselect too, in read_url", list(nodes))
    return replace(common, read_url=read_url, nodes=nodes)


def _address(parts: SplitResult, kind: str, place: Place, faults: Faults) -> str:
    """``http(s)://HOST:PORT/PATH`` without a slash at the end."""
    shape = _SHAPES[kind]
    if parts.username is not None:
        faults.add(place, "a user does not belong here; put a bearer token into a file, token_file", parts.geturl())
    if not parts.hostname or parts.port == 0:
        faults.add(place, f"the URL names no host or port; write {shape}", parts.geturl())
    if parts.query or parts.fragment:
        faults.add(place, f"nothing may follow host, port and path; write {shape}", parts.geturl())
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{SCHEMES[parts.scheme]}://{host}:{parts.port or _PORTS[kind]}{parts.path.rstrip('/')}"


def _bucket(address: str, parts: SplitResult, place: Place, faults: Faults) -> tuple[str, str, str]:
    """Address, organisation and bucket: the last two steps of the path, percent-decoded."""
    *before, organisation, bucket = ["", "", *filter(None, parts.path.split("/"))]
    if parts.hostname and not organisation:
        faults.add(place, f"the URL names no organisation and bucket; write {_SHAPES['influxdb']}", parts.geturl())
    path = "".join(f"/{step}" for step in before if step)
    return address.removesuffix(parts.path.rstrip("/")) + path, unquote(organisation), unquote(bucket)


def _read_url(store: RawStore, parts: SplitResult, place: Place, faults: Faults) -> str | None:
    where = place / "read_url"
    if store.read_url is None:
        if "/insert/" in f"{parts.path}/" and store.lacks("read_url"):
            remedy = "a cluster is read at its vmselect; add victoriametrics://HOST:8481/select/TENANT/prometheus"
            faults.add(where, remedy)
        return None
    read, fault = split(store.read_url)
    if read is None or read.scheme not in ("victoriametrics", "victoriametricss") or read.password is not None:
        remedy = fault or "write victoriametrics://HOST:8481/select/TENANT/prometheus, without a password"
        faults.add(where, remedy, "" if "@" in store.read_url else store.read_url)
        return None
    return _address(read, "victoriametrics", where, faults)


def _node(url: str, place: Place, faults: Faults) -> str:
    parts, fault = split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        remedy = fault or "write the address at which a node answers /metrics, such as http://vmstorage-1:8482"
        faults.add(place, remedy, "" if "@" in url else url)
    return url.rstrip("/")


def split(url: str) -> tuple[SplitResult | None, str]:
    """The parts of a URL, or why it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return None, f"no valid URL ({error})"
    return parts, ""
