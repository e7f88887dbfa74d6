"""Remote stores of tests: an InfluxDB as far as it is known, and a cluster's addresses before one VictoriaMetrics."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.servers import VictoriaMetrics, free_port
from wattwell.config.settings import RemoteSettings
from wattwell.intervals import iso, parse_iso

GOLDEN = Path(__file__).parent / "golden" / "influxdb"


@dataclass(frozen=True)
class Request:
    """What a server was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, unpacked."""
        return (gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body).decode()


Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers, body."""


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """The URL of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = answer(Request(self.command, parts.path, query, dict(self.headers), body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def said(status: int, code: str, message: str) -> Answer:
    """An error as InfluxDB 2 words it."""
    return status, {"Content-Type": "application/json"}, json.dumps({"code": code, "message": message}).encode()


@dataclass
class Influx:
    """The write, query, bucket and ping APIs of an InfluxDB 2, by its documentation; queries get recorded answers."""

    points: dict[str, str] = field(default_factory=dict)
    """Fields of each point, by measurement with tags, and time."""
    poison: tuple[str, ...] = ()
    """Lines that hold one of these are dropped, the others of their request taken."""
    malformed: tuple[str, ...] = ()
    """A request with such a line is refused whole, and nothing is said of which it was."""
    refuse: Answer | None = None
    """Instead of everything else."""
    buckets: dict[str, int] = field(default_factory=dict)
    """Seconds of retention by name; 0: for ever."""
    answers: list[str] = field(default_factory=list)
    """Annotated CSV for the next queries."""
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answers a request."""
        self.asked.append(request)
        if self.refuse is not None:
            return self.refuse
        if request.path == "/ping":
            return 204, {"X-Influxdb-Version": "v2.7.10"}, b""
        if request.headers.get("Authorization") != "Token secret-token":
            return said(401, "unauthorized", "unauthorized access")
        return {
            "/api/v2/write": self._write,
            "/api/v2/query": self._query,
            "/api/v2/buckets": self._buckets,
            "/api/v2/orgs": self._orgs,
        }[request.path](request)

    def _write(self, request: Request) -> Answer:
        assert (request.query["precision"], request.headers["Content-Encoding"]) == ("us", "gzip")
        if request.query["bucket"] not in self.buckets:
            return said(404, "not found", f'bucket "{request.query["bucket"]}" not found')
        lines = request.text.split("\n")
        if any(bad in line for line in lines for bad in self.malformed):
            return said(400, "invalid", "unable to parse 'wattwell_reading': bad number")
        dropped = [line for line in lines if any(bad in line for bad in self.poison)]
        for line in lines:
            if line not in dropped:
                tags, fields, at = line.rsplit(" ", 2)
                self.points[f"{tags} {at}"] = fields
        if dropped:
            why = f"partial write: points beyond retention policy dropped={len(dropped)}"
            return said(422, "unprocessable entity", f"failure writing points to database: {why}")
        return 204, {}, b""

    def _query(self, request: Request) -> Answer:
        text = self.answers.pop(0) if self.answers else self._samples(json.loads(request.body)["query"])
        return 200, {"Content-Type": "text/csv; charset=utf-8"}, text.replace("\n", "\r\n").encode()

    @property
    def readings(self) -> dict[str, str]:
        """The points that are readings."""
        return {series: fields for series, fields in self.points.items() if series.startswith("wattwell_reading,")}

    def _samples(self, query: str) -> str:
        """What a query for samples or marks asks for; the least of Flux that serves."""
        span = re.search(r"start: (\S+), stop: (\S+)\)", query)
        assert span is not None, f"record an answer to {query}"
        measurement = re.search(r"r\._measurement == \"(.*?)\"", query)
        assert measurement is not None
        sites = re.findall(r"r\.site == \"(.*?)\"", query)
        meters = re.findall(r"r\.meter == \"(.*?)\"", query)
        columns = ("site", "meter", "by", "revision", "_field")
        head = f"#datatype,string,long,dateTime:RFC3339,double{',string' * len(columns)}\n"
        rows = [
            head + f"#group,false,false,false,false{',true' * len(columns)}\n#default,_result,,,{',' * len(columns)}\n"
        ]
        rows.append(f",result,table,_time,_value,{','.join(columns)}\n")
        for series, fields in self.points.items():
            name, *pairs = re.split(r"(?<!\\),", series.rpartition(" ")[0])
            halves = (re.split(r"(?<!\\)=", pair) for pair in pairs)
            tags = {key: re.sub(r"\\(.)", r"\1", value) for key, value in halves}
            at = int(series.rpartition(" ")[2])
            if name != measurement[1] or not parse_iso(span[1]) <= at < parse_iso(span[2]):
                continue
            if (sites and tags["site"] not in sites) or (meters and tags["meter"] not in meters):
                continue
            for field_name, value in (pair.split("=") for pair in fields.split(",")):
                if "r._field" not in query or f'r._field == "{field_name}"' in query:
                    shown = (tags | {"_field": field_name}).get
                    rows.append(f",,0,{iso(at)},{value},{','.join(shown(column, '') for column in columns)}\n")
        return "".join(rows) + "\n"

    def _buckets(self, request: Request) -> Answer:
        if request.method == "POST":
            wanted = json.loads(request.body)
            self.buckets[wanted["name"]] = sum(rule["everySeconds"] for rule in wanted["retentionRules"])
            return 201, {"Content-Type": "application/json"}, json.dumps(wanted | {"id": "1" * 16}).encode()
        name = request.query["name"]
        if name not in self.buckets:
            return said(404, "not found", f'bucket "{name}" not found')
        rules = [{"type": "expire", "everySeconds": self.buckets[name]}] if self.buckets[name] else []
        document = {"buckets": [{"id": "1" * 16, "name": name, "orgID": "2" * 16, "retentionRules": rules}]}
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def _orgs(self, request: Request) -> Answer:
        document = {"orgs": [{"id": "2" * 16, "name": request.query["org"]}]}
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def queries(self) -> list[str]:
        """The Flux of the queries asked so far."""
        return [json.loads(each.body)["query"] for each in self.asked if each.path == "/api/v2/query"]


def influx_settings(url: str, folder: Path, bucket: str = "wattwell") -> RemoteSettings:
    """How to reach one, with a token."""
    (folder / "influx.token").write_text("secret-token\n")
    return RemoteSettings(url=url, kind="influxdb", token_file=folder / "influx.token", org="plant", bucket=bucket)


@contextmanager
def cluster(single: VictoriaMetrics, tenant: str = "7") -> Iterator[RemoteSettings]:
    """vminsert, vmselect and vmstorage of one tenant, each an address of its own that asks a single-node server.

    Whatever is not of the cluster's own paths is not found there.
    """

    def passing(prefix: str, to: str) -> Callable[[Request], Answer]:
        def answer(request: Request) -> Answer:
            if request.path != "/metrics" and not request.path.startswith(prefix + "/"):
                return 404, {}, b"no such path"
            path = request.path if request.path == "/metrics" else to + request.path.removeprefix(prefix)
            kept = {name: request.headers[name] for name in ("Content-Encoding",) if name in request.headers}
            try:
                with httpx.Client(timeout=10) as client:
                    got = client.request(
                        request.method, single.url + path, params=request.query, headers=kept, content=request.body
                    )
            except httpx.TransportError:
                return 502, {}, b"the node is away"
            return got.status_code, {}, got.content

        return answer

    with (
        answering(passing(f"/insert/{tenant}/influx", "/influx")) as vminsert,
        answering(passing(f"/select/{tenant}/prometheus", "")) as vmselect,
        answering(passing("/none", "/none")) as vmstorage,
    ):
        yield RemoteSettings(
            url=f"{vminsert}/insert/{tenant}/influx",
            read_url=f"{vmselect}/select/{tenant}/prometheus",
            nodes=(vminsert, vmselect, vmstorage),
        )
