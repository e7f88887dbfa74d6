"""Every operation of the OpenAPI document over a real engine: no question brings it down, every answer keeps to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.running import Site, two_meters
from tests.support import T0
from wattwell.intervals import HOUR, SECOND
from wattwell.store.duckdb import DuckdbStore
from wattwell.web.api import create_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HOURS = 6.0
OPERATIONS = (
    *(f"/api/v1/{name}" for name in ("sites", "kpi", "balance", "series", "power", "explain", "problems", "alerts")),
    *(
        f"/api/v1/{name}"
        for name in ("silences", "findings", "findings/{id}", "models", "events", "rejects", "unmapped")
    ),
    *("/healthz", "/readyz", "/metrics"),
)
"""Those that there must be; what is added is asked too."""
KNOWN: dict[str, Any] = {
    "site": st.sampled_from(["s", "s", "s", "all", "t"]),
    "meter": st.sampled_from(["grid", "it", "nobody"]),
    "kpi": st.sampled_from(["pue", "wue", "pue", "pue,,ref", ","]),
    "window": st.sampled_from(["1h", "24h", "month", "365d", "9h"]),
    "from": st.sampled_from(
        ["2026-01-01", "2026-01-01T01:00:00Z", "2026-01", "1970-01-01", "9999-12-31", "2026-02-30"]
    ),
    "to": st.sampled_from(["2026-01-01T05:00:00+02:00", "2026-01-01T03:00:00Z", "2025-12-31", "now", "0001-01-01"]),
    "at": st.sampled_from(["2026-01-01T02:00:00Z", "2026-01-01", "later"]),
    "status": st.sampled_from(["open", "closed", "all"]),
    "limit": st.sampled_from(["1", "0", "-1", "1000000000000000000000", "x"]),
}
"""What gets past the first look: names that exist, times around the readings."""


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    with closing(DuckdbStore.open(folder / "wattwell.duckdb")) as store:
        site = Site(config=two_meters(folder), store=store, pue=lambda hours: 1.5 if hours > 2 else 1.2)
        site.live(HOURS)
        app = create_app(
            site.engine, token=None, ready=lambda: (True, ""), clock=lambda: (T0 + HOURS * HOUR) / SECOND, max_rows=2000
        )
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


def test_the_document_lists_every_operation(schema: schemathesis.BaseSchema) -> None:
    assert set(OPERATIONS) <= set(schema)


def operations(schema: schemathesis.BaseSchema) -> list[schemathesis.APIOperation[Any, Any, Any]]:
    return [found.ok() for found in schema.get_all_operations()]


def fuzz(strategy: st.SearchStrategy[Any], ask: Callable[[Any], None]) -> None:
    """Asks a few dozen questions, the same each time."""

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(question=strategy)
    def asked(question: Any) -> None:
        ask(question)

    asked()


def test_any_question_is_answered_as_the_document_says(schema: schemathesis.BaseSchema) -> None:
    for operation in operations(schema):
        fuzz(operation.as_strategy(), lambda case: case.call_and_validate(checks=CHECKS))


def test_any_nonsense_is_answered_as_the_document_says(schema: schemathesis.BaseSchema) -> None:
    for operation in operations(schema):
        names = st.sampled_from([*KNOWN, "token"]) | st.text(max_size=5)
        queries = st.dictionaries(names, st.text(max_size=30) | st.lists(st.text(max_size=5)), max_size=4)
        cases = queries.map(partial(question, operation, "%00"))
        fuzz(cases, lambda case: case.validate_response(case.call(), checks=CHECKS))


def test_likely_questions_are_answered_as_the_document_says(schema: schemathesis.BaseSchema) -> None:
    answered = set()

    def ask(case: Any) -> None:
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        if response.status_code == 200:
            answered.add(case.operation.path)

    for operation in operations(schema):
        names = {parameter.name for parameter in operation.query} & KNOWN.keys()
        queries = st.fixed_dictionaries({}, optional={name: KNOWN[name] for name in sorted(names)})
        fuzz(queries.map(partial(question, operation, "s")), ask)
    explain = schema["/api/v1/explain"]["GET"]
    ask(question(explain, "s", {"kpi": "pue", "window": "1h"}))  # which few of those above put together
    assert answered >= {path for path in OPERATIONS if "{" not in path}, "questions got through"


def question(operation: Any, place: str, query: dict[str, Any]) -> Any:
    """One question of an operation, with ``place`` for whatever its path leaves open."""
    names = [parameter.name for parameter in operation.path_parameters]
    return operation.Case(query=query, path_parameters=dict.fromkeys(names, place))
