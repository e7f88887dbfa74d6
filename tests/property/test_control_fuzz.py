"""Whatever comes by the control socket gets an answer in the documented form, and the service goes on as before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.running import Site, two_meters
from wattwell.app.access import handlers
from wattwell.app.service import Service
from wattwell.store.duckdb import DuckdbStore
from wattwell.web.control import create_control_app, pack, restore

WRITES_FILES = {"back_up"}
WORDS = ("site", "kpis", "window", "start", "end", "rejects", "corrections", "limit", "id", "author", "status", "head")
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ARGS = st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), JSON | st.just("s"), max_size=3)
PAYLOAD = st.binary(max_size=60) | st.builds(pack, ARGS, st.binary(max_size=40))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("control")
    with closing(DuckdbStore.open(folder / "wattwell.duckdb")) as store:
        made = Site(config=two_meters(folder), store=store, pue=lambda _: 1.2)
        made.live(3)
        yield made


def post(app: Any, name: str, payload: bytes) -> httpx.Response:
    """One call, without a socket."""

    async def posted() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://wattwell") as client:
            return await client.post(f"/control/{name}", content=payload)

    return asyncio.run(posted())


def test_any_call_is_answered_and_nothing_is_changed_by_nonsense(site: Site) -> None:
    logging.getLogger("wattwell.web.control").setLevel(logging.CRITICAL)  # it logs each defect with its trace
    known = handlers(site.engine, Service(site.config, site.engine, ("analytics",), lambda: site.now))
    app = create_control_app(known)
    before = pack({"site": "s", "window": "1h"}, b"")
    figures = post(app, "kpi", before).json()["result"]
    assert figures

    @settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(name=st.sampled_from(sorted(known.keys() - WRITES_FILES)), payload=PAYLOAD)
    def call(name: str, payload: bytes) -> None:
        answer = post(app, name, payload)
        document = answer.json()
        assert list(document) == (["result"] if answer.status_code == 200 else ["error"])
        assert answer.status_code in (200, 400, 500, 503)
        if answer.status_code != 200:
            assert str(restore(document["error"]))

    try:
        call()
    finally:
        logging.getLogger("wattwell.web.control").setLevel(logging.NOTSET)
    assert post(app, "kpi", before).json()["result"] == figures
