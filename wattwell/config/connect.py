"""How to reach the store, the broker and the web: URLs, secrets in files, and safe defaults."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from wattwell.config.files import named_file
from wattwell.config.places import Faults, Place
from wattwell.config.reading import read
from wattwell.config.remote_store import ONLY_REMOTE, SCHEMES, read_remote
from wattwell.config.schema import RawHttp, RawMqtt, RawStore, RawTls
from wattwell.config.settings import HttpSettings, MqttSettings, StoreSettings, Tls
from wattwell.intervals import DAY, SECOND, format_duration

DEFAULT_STORE = "duckdb:wattwell.duckdb"
DEFAULT_SPOOL = "wattwell.spool.duckdb"
DEFAULT_LISTEN = "127.0.0.1:8080"
DEFAULT_RATE = 50.0
DEFAULT_SESSION = 7 * DAY
DEFAULT_PAYLOAD = 1_048_576
_STORES = (
    "write duckdb:FILE (relative to the configuration file), duckdb:///ABSOLUTE/FILE, victoriametrics://HOST:8428"
    " or influxdb://HOST:8086/ORG/BUCKET"
)
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PASSWORD = re.compile(r"(//[^/?#]*?:)[^/?#]*@")
_LONGEST_SESSION = 4_294_967_294
"""Seconds; MQTT 5 keeps the largest 32-bit number for 'never'."""


def masked(url: str) -> str:
    """A URL as it may be shown: without its password."""
    return _PASSWORD.sub(r"\1***@", url)


def split_url(url: str, place: Place, faults: Faults) -> SplitResult | None:
    """The parts of a URL; a fault where it is none, or where it holds a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        faults.add(place, f"no valid URL ({error})", masked(url))
        return None
    if parts.password is not None:
        faults.add(place, "a password does not belong in a URL; put it in a file and name the file", masked(url))
        return None
    return parts


def read_store(raw: Any, base: Path, late: int, faults: Faults) -> StoreSettings:
    """The store section; its default is ``duckdb:wattwell.duckdb`` beside the configuration file."""
    place = Place() / "store"
    store = read(RawStore, {} if raw is None else raw, place, faults) or RawStore()
    url = store.url or DEFAULT_STORE
    remote, path = None, None
    if url.partition("://")[0] in SCHEMES:
        parts = split_url(url, place / "url", faults)
        remote = None if parts is None else read_remote(store, parts, base, place, faults)
        path = _spool_path(store.spool or DEFAULT_SPOOL, base, place / "spool", faults)
    else:
        path = _duckdb_path(url, base, place / "url", faults)
        for key in ONLY_REMOTE if path is not None else ():
            if (written := getattr(store, key)) is not None:
                faults.add(place / key, "an embedded store needs none; leave it out", written)
    retention = store.raw_retention
    if retention is not None and retention < late:
        remedy = f"raw readings must be kept as long as late ones are taken; write at least {format_duration(late)}"
        faults.add(place / "raw_retention", remedy, format_duration(retention))
    return StoreSettings(url=url, path=path, remote=remote, raw_retention=retention)


def _spool_path(text: str, base: Path, place: Place, faults: Faults) -> Path:
    path = base / text
    if text.endswith("/") or path.is_dir():
        faults.add(place, f"this is a directory; name a file, such as {DEFAULT_SPOOL}", text)
    return path


def _duckdb_path(url: str, base: Path, place: Place, faults: Faults) -> Path | None:
    says = _STORES
    scheme, colon, rest = url.partition(":")
    if scheme != "duckdb" or not colon:
        faults.add(place, f"no known store; {says}", masked(url))
        return None
    if rest.startswith("//"):
        if not rest.startswith("///"):
            faults.add(place, f"a path after // must start with a third slash; {says}", masked(url))
            return None
        rest = "/" + rest.lstrip("/")
    if not rest.strip("/") or rest == ":memory:" or rest.endswith("/"):
        faults.add(place, f"the store needs a file that lasts; {says}", url)
        return None
    path = base / rest
    if path.is_dir():
        faults.add(place, f"this is a directory; {says}", url)
    return path


def read_mqtt(raw: Any, base: Path, derived: tuple[str, ...], faults: Faults) -> MqttSettings | None:
    """The mqtt section, or None where there is none; ``derived`` is subscribed to where it does not say."""
    place = Place() / "mqtt"
    mqtt = None if raw is None else read(RawMqtt, raw, place, faults)
    if mqtt is None:
        return None
    parts = _broker(mqtt, place, faults)
    scheme = parts.scheme if parts else "mqtt"
    tls = _tls(mqtt.tls, scheme, base, place / "tls", faults)
    version = mqtt.version or "5"
    if mqtt.password_file is not None and mqtt.username is None and version == "3.1.1" and not mqtt.broken("username"):
        faults.add(place / "username", "MQTT 3.1.1 takes a password only with a user name; add it")
    if mqtt.subscribe is not None and not mqtt.subscribe:
        faults.add(place / "subscribe", "the list is empty; name a topic filter or leave the key out", mqtt.subscribe)
    session = (DEFAULT_SESSION if mqtt.session_expiry is None else mqtt.session_expiry) // SECOND
    return MqttSettings(
        host=(parts.hostname if parts else None) or "localhost",
        port=(parts.port if parts else None) or _PORTS.get(scheme, 1883),
        tls=tls,
        client_id=mqtt.client_id or "wattwell",
        username=mqtt.username,
        password_file=named_file(base, mqtt.password_file, place / "password_file", faults),
        subscribe=tuple(dict.fromkeys(mqtt.subscribe)) if mqtt.subscribe else derived,
        version=version,
        session_expiry=min(session, _LONGEST_SESSION),
        max_payload=mqtt.max_payload or DEFAULT_PAYLOAD,
        rebirth=mqtt.rebirth is not False,
    )


def _broker(mqtt: RawMqtt, place: Place, faults: Faults) -> SplitResult | None:
    if mqtt.url is None:
        return None
    where, url = place / "url", masked(mqtt.url)
    parts = split_url(mqtt.url, where, faults)
    if parts is None:
        return None
    if parts.scheme not in _PORTS:
        faults.add(where, "no known scheme; write mqtt://HOST:1883, or mqtts://HOST:8883 for TLS", url)
        return None
    if parts.username is not None:
        faults.add(where, "write the user name as `username:` beside the URL", url)
    if not parts.hostname or parts.port == 0:
        faults.add(where, "the URL names no host or port; write mqtt://HOST:1883", url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        faults.add(where, "nothing may follow host and port; topics belong in `subscribe:`", url)
    return parts


def _tls(raw: RawTls | None, scheme: str, base: Path, place: Place, faults: Faults) -> Tls | None:
    tls = raw or RawTls()
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if getattr(tls, key) is not None and tls.lacks(other):
            faults.add(place / other, f"a client certificate needs both files; add it beside {key}")
    files = {key: named_file(base, getattr(tls, key), place / key, faults) for key in type(tls).model_fields}
    return Tls(**files) if scheme == "mqtts" else None


def read_http(raw: Any, base: Path, faults: Faults) -> HttpSettings:
    """The http section; beyond loopback a token is required."""
    place = Place() / "http"
    http = read(RawHttp, {} if raw is None else raw, place, faults) or RawHttp()
    token = named_file(base, http.token_file, place / "token_file", faults)
    listen = http.listen or DEFAULT_LISTEN
    address = _address(listen)
    if address is None:
        faults.add(place / "listen", "write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080", listen)
        address = ("127.0.0.1", 8080)
    elif not is_loopback(address[0]) and http.lacks("token_file"):
        remedy = f"required to listen beyond loopback ({listen}); name a file that holds a token"
        faults.add(place / "token_file", remedy)
    public = None if http.public_url is None else _public(http.public_url, place / "public_url", "the page", faults)
    boards = None if http.grafana_url is None else _public(http.grafana_url, place / "grafana_url", "Grafana", faults)
    return HttpSettings(
        host=address[0],
        port=address[1],
        token_file=token,
        rate=http.rate or DEFAULT_RATE,
        public_url=public or f"http://{listen}",
        grafana_url=boards,
    )


def _public(url: str, place: Place, what: str, faults: Faults) -> str:
    such = f"https://{'wattwell' if what == 'the page' else what.lower()}.example.org"
    parts = split_url(url, place, faults)
    if parts is not None and (parts.scheme not in ("http", "https") or not parts.hostname):
        faults.add(place, f"write the address where people find {what}, such as {such}", url)
    elif parts is not None and (parts.query or parts.fragment or parts.username is not None):
        faults.add(place, f"write scheme, host, port and path only, such as {such}", masked(url))
    return url.rstrip("/")


def _address(listen: str) -> tuple[str, int] | None:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", listen)
    if not found or int(found[2]) > 65535:
        return None
    host = found[1].strip("[]")
    if found[1].startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return None
    return host, int(found[2])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listening address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
