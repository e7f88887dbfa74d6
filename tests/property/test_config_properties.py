"""Whatever is written, the answer is a configuration or a list of faults; and counting twice is found exactly."""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattwell.config import Config, load, parse
from wattwell.errors import ConfigError, Fault

LONG = settings(max_examples=150, deadline=None)

WHOLE: dict[str, Any] = {
    "store": {"url": "duckdb:x.duckdb", "raw_retention": "40d", "token_file": None},
    "mqtt": {"url": "mqtts://h", "subscribe": ["a/#"], "tls": {}, "version": "5", "session_expiry": "1d"},
    "http": {"listen": "127.0.0.1:80"},
    "grid": "15m",
    "late": "31d",
    "coverage": {"full": 0.9, "provisional": 0.5},
    "sites": [
        {
            "id": "s",
            "timezone": "Europe/Berlin",
            "pue_category": 1,
            "targets": {"pue": 1.2},
            "limits": ["enefg-new"],
            "prices": {"currency": "EUR", "electricity_per_kwh": 1, "water_per_m3": 1},
            "factors": {"grid_kg_per_kwh": 0.4},
            "meters": [
                {
                    "id": "g",
                    "role": "utility_import",
                    "quantity": "energy",
                    "accumulation": "register",
                    "max_rate": 5,
                    "multiplier": [{"from": "2026-01-01", "value": 2}],
                    "sign": 1,
                    "range": [0, 5],
                    "sentinels": [1],
                    "from": "2026-01-01",
                    "until": "2027-01-01",
                    "source": {"topic": "a/b", "value": "x.0", "time_unit": "ms"},
                },
                {"id": "i", "role": "it_ups", "quantity": "power", "accumulation": "instantaneous", "parent": "g"},
                {"id": "v", "quantity": "energy", "formula": "g - i"},
            ],
        }
    ],
    "alerts": [{"name": "A", "kpi": "pue", "window": "24h", "above": 1.3, "labels": {"a": "b"}, "sites": ["s"]}],
    "notify": [{"url": "json://h"}],
}

words = st.sampled_from(
    ["s", "g", "i", "v", "all", "a + b", "g + v", "v", "5m", "0s", "energy", "register", "fuel", "duckdb:", "mqtt://",
     "mqtt://[", "json://x:y@z", "[::]:1", "a/#/b", "2026-02-30", "2026-01-01", "\0", "ä", "../..", ".", "\ud800",
     "1e5"]
)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), words, st.text(max_size=8), st.dates(), st.just(10**400)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(words, st.integers(), st.none()), inner, max_size=3)
    ),
    max_leaves=6,
)


def outcome(document: Any) -> Config | tuple[str, ...]:
    faults: tuple[Fault, ...] = ()
    try:
        return parse(document, Path("/nonexistent"))
    except ConfigError as error:
        faults = error.faults
    assert faults
    assert all(fault.path and fault.remedy and "\n" not in str(fault) for fault in faults)
    return tuple(str(fault) for fault in faults)


def spots(document: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value in a document."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in list(inner):
        found.append((document, key))
        if isinstance(value, dict | list):
            found += spots(value)
    return found


def test_the_whole_document_is_right() -> None:
    assert isinstance(outcome(WHOLE), Config)
    assert len(spots(WHOLE)) > 50


@LONG
@given(values)
def test_any_value_is_a_configuration_or_faults(value: Any) -> None:
    assert outcome(value)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_change_gives_a_configuration_or_faults(data: st.DataObject) -> None:
    document = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        container, key = data.draw(st.sampled_from(spots(document)))
        action = data.draw(st.sampled_from(["replace", "remove", "add", "copy"]))
        if action == "remove":
            del container[key]
            if not spots(document):
                break
        elif action == "replace":
            container[key] = data.draw(values)
        elif action == "copy" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif isinstance(container, dict):
            container[data.draw(words)] = data.draw(values)
    before = copy.deepcopy(document)
    first = outcome(document)
    assert repr(document) == repr(before), "the document was changed"
    if not isinstance(first, Config):
        assert outcome(document) == first


@LONG
@given(text=st.text(alphabet=st.sampled_from(list("ab:-[]{}#&*!|>'\"%@`, \n\t?<0.")), max_size=40))
def test_any_text_that_names_no_site_is_a_list_of_faults(text: str, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.faults


@st.composite
def metered_sites(draw: st.DrawFn) -> tuple[list[int | None], list[list[tuple[int, int]]], list[bool]]:
    """Parents of real meters (each has a lower number), formulas over them, and who has the role."""
    count = draw(st.integers(1, 6))
    parents = [draw(st.one_of(st.none(), st.integers(0, n - 1))) if n else None for n in range(count)]
    term = st.tuples(st.sampled_from([1, 1, -1]), st.integers(0, count - 1))
    formulas = draw(st.lists(st.lists(term, min_size=1, max_size=4), max_size=3))
    roles = draw(st.lists(st.booleans(), min_size=count + len(formulas), max_size=count + len(formulas)))
    return parents, formulas, roles


def counted(parents: list[int | None], formulas: list[list[tuple[int, int]]], roles: list[bool]) -> bool:
    """The oracle: along some branch the energy of a meter is added, or taken off, once too often."""
    net = [int(role) for role in roles[: len(parents)]]
    for formula, role in zip(formulas, roles[len(parents) :], strict=True):
        for sign, member in formula:
            net[member] += sign * role
    for leaf in range(len(parents)):
        branch: list[int] = []
        node: int | None = leaf
        while node is not None:
            branch.insert(0, net[node])
            node = parents[node]
        sums = [sum(branch[:depth]) for depth in range(len(branch) + 1)]
        if max(sums) - min(sums) > 1:
            return True
    return False


@settings(max_examples=300, deadline=None)
@given(metered_sites())
def test_counting_twice_is_found_exactly(site: tuple[Any, Any, Any]) -> None:
    parents, formulas, roles = site
    meters: list[dict[str, Any]] = [
        {
            "id": f"m{n}",
            "quantity": "power",
            "accumulation": "instantaneous",
            "parent": None if up is None else f"m{up}",
        }
        for n, up in enumerate(parents)
    ]
    for n, formula in enumerate(formulas):
        text = " ".join(f"{'+' if sign > 0 else '-'} m{member}" for sign, member in formula)
        meters.append({"id": f"v{n}", "quantity": "energy", "formula": text})
    for meter, role in zip(meters, roles, strict=True):
        if role:
            meter["role"] = "it_ups"
    found = outcome({"sites": [{"id": "s", "timezone": "Etc/UTC", "pue_category": 1, "meters": meters}]})
    assert (not isinstance(found, Config)) == counted(parents, formulas, roles)


@LONG
@given(
    st.lists(
        st.tuples(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(1, 9)), max_size=4, unique_by=lambda s: s[0]
    )
)
def test_dated_multipliers_are_steps_in_order(steps: list[tuple[date, int]]) -> None:
    dated = [{"from": day, "value": value} for day, value in steps] or 1
    meter = {"id": "m", "quantity": "power", "accumulation": "instantaneous", "multiplier": dated, "sign": -1}
    site = {"id": "s", "timezone": "America/Sao_Paulo", "pue_category": 1, "meters": [meter]}
    factors = parse({"sites": [site]}, Path()).sites["s"].meters["m"].factors
    assert [at for at, _ in factors] == sorted({at for at, _ in factors})
    assert [-value for _, value in factors] == [1.0, *(float(value) for _, value in sorted(steps))]
