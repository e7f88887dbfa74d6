"""Line protocol to a server that speaks InfluxDB's v2 write API, synchronously, and what it refuses found and named.

The client library's batching and retries are not used: they give up after some minutes, and what they held is lost.
Here a request either is acknowledged, or fails and is repeated by who sends, or is refused for what it holds. InfluxDB
takes the good lines of a request that it refuses in part and says how many it has dropped, not which; halves of the
request, sent again, tell. Writing a line twice changes nothing, so that a line which was taken before tells whether a
server still takes anything.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from wattwell.store import remote
from wattwell.store.outbox import TooManyRefused

LINES = 5000
"""Lines in one request."""
_FOR_ITS_CONTENT = (400, 413, 422)
"""HTTP status of requests that are refused for what they hold."""
_PATIENCE = 200
"""Requests for parts of one that may be refused before any is taken: then it is not the lines that are at fault.

Also those after which fewer lines are asked for: all parts of 100 lines are 199.
"""
_DROPPED = re.compile(r"dropped=(\d+)")


class LineWriter:
    """Writes lines to one bucket."""

    def __init__(self, url: str, influx: InfluxDBClient, org: str, bucket: str, precision: str) -> None:
        """``url`` is what errors call the server; ``precision``: ``ms`` or ``us``, of the lines' times."""
        self._url = url
        self._influx = influx
        self._writer = influx.write_api(write_options=SYNCHRONOUS)
        self._where = {"org": org, "bucket": bucket, "write_precision": precision}
        self._taken: str | None = None
        """The last line that was acknowledged."""

    def close(self) -> None:
        """Lets go of connections."""
        self._writer.close()  # type: ignore[no-untyped-call]
        self._influx.close()  # type: ignore[no-untyped-call]

    def write(self, lines: Sequence[str], *, patient: bool = True) -> Mapping[int, str]:
        """Returns when all are acknowledged: the places of those refused for good, and why.

        RemoteStoreError where the server is away, lets nobody in, or refuses whatever it is sent; unless ``patient``,
        TooManyRefused where it would take some hundred requests to tell which lines are at fault.
        """
        refused: dict[int, str] = {}
        for first in range(0, len(lines), LINES):
            part = lines[first : first + LINES]
            refused.update((first + place, why) for place, why in self._write(part, patient).items())
        return refused

    def _write(self, lines: Sequence[str], patient: bool) -> dict[int, str]:
        refused: dict[int, str] = {}
        proven, tried = False, 0
        parts = deque([(0, len(lines))])
        while parts:
            first, last = parts.popleft()
            why = self._send(lines[first:last])
            if why is None:
                proven = True
                continue
            tried += 1
            found = _DROPPED.search(why)
            proven = proven or found is not None
            if last - first in (1, 0 if found is None else int(found[1])):
                refused.update(dict.fromkeys(range(first, last), why))
            else:
                middle = (first + last) // 2
                parts.extend(((first, middle), (middle, last)))
            if tried >= _PATIENCE or not parts:
                proven = proven or (self._taken is not None and self._send([self._taken]) is None)
                if not proven:
                    raise remote.refusal(self._url, 400, why)
                if parts and not patient:
                    raise TooManyRefused(str(remote.refusal(self._url, 400, why)))
        return refused

    def _send(self, lines: Sequence[str]) -> str | None:
        """One request; why it is refused for what it holds, None where it is acknowledged."""
        try:
            self._writer.write(record="\n".join(lines), **self._where)  # type: ignore[arg-type]
        except ApiException as error:
            if not error.status:
                raise remote.unreachable(self._url, error) from error
            why = said(error)
            if error.status not in _FOR_ITS_CONTENT and _DROPPED.search(why) is None:  # 2.0 says it with status 500
                raise remote.refusal(self._url, error.status, why) from error
            return why
        except (HTTPError, OSError) as error:
            raise remote.unreachable(self._url, error) from error
        self._taken = lines[-1]
        return None


def said(error: ApiException) -> str:
    """What a server says of an error: the message of its document, or its words."""
    body = error.body or error.reason or ""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        document = json.loads(text)
    except ValueError:
        return text
    return str(document.get("message") or text) if isinstance(document, dict) else text
