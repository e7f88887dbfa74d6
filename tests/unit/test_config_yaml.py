"""YAML text to document: scalars, duplicate keys, merges, and what is no YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattwell.config import load
from wattwell.config.document import compose, flow_value, plain_scalar
from wattwell.config.places import Faults
from wattwell.errors import ConfigError


def read(text: str) -> tuple[Any, list[str]]:
    faults = Faults()
    document = compose(text, "x.yaml", faults)
    return document, [str(fault) for fault in faults.in_order(document)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("no", "no"),
        ("on", "on"),
        ("010", 10),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("~", None),
        ("", None),
        ("15m", "15m"),
        ("9" * 401, float("inf")),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_quoted_scalars_stay_texts() -> None:
    assert read("a: '1'\nb: \"true\"\nc: 1\n1: x\n") == ({"a": "1", "b": "true", "c": 1, "1": "x"}, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [("40", 40), ("[0, 9.5]", [0, 9.5]), ("[{from: 2026-01-01, value: 2}]", [{"from": "2026-01-01", "value": 2}])],
)
def test_cells_of_a_csv_file_are_yaml_values(text: str, value: Any) -> None:
    assert flow_value(text) == value


def test_a_broken_cell_stays_a_text() -> None:
    assert flow_value("[1, ") == "[1, "
    assert flow_value("{a: 1, a: 2}") == "{a: 1, a: 2}"


def test_merge_keys_are_overridden_by_the_mapping_itself_and_by_earlier_merges() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\n"
    assert read(text)[0]["z"] == {"a": 1, "b": 1, "c": 3}


def test_a_merge_of_something_else_is_a_fault() -> None:
    assert "merge an anchored mapping" in read("a: {<<: 5}")[1][0]


def test_nested_duplicate_keys_name_path_and_lines() -> None:
    document, faults = read("a:\n- b: 1\n  c: 2\n  b: 3\n")
    assert document == {"a": [{"b": 1, "c": 2}]}
    assert faults == ["a[0].b = 3: given twice, in lines 2 and 4; keep one of them"]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a: [1", "x.yaml line 1, column 6", "broken YAML"),
        ("a: b: c", "x.yaml line 1, column 5", "broken YAML"),
        ("a: 1\n---\nb: 2\n", "x.yaml line 2, column 1", "broken YAML"),
        ("a: *nobody", "x.yaml line 1, column 4", "broken YAML"),
        ("a:\n\tb: 1", "x.yaml line 2, column 1", "broken YAML"),
        ("a: 1\nb: \x07", "x.yaml line 2", "control character"),
        ("", "x.yaml", "empty"),
        ("# only words\n", "x.yaml", "empty"),
        ("[" * 5000, "x.yaml", "nested too deeply"),
    ],
)
def test_no_yaml_is_one_fault_with_its_line(text: str, where: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (fault,) = caught.value.faults
    assert fault.path == where
    assert words in fault.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!python/object:os.system {}", "YAML tag"),
        ("a: !!int x", "YAML tag"),
        ("? [a]\n: 1", "list or a mapping"),
        ("a: &x [*x]", "inside its own anchor"),
    ],
)
def test_what_yaml_allows_and_a_configuration_does_not(text: str, words: str) -> None:
    _, faults = read(text)
    assert len(faults) == 1
    assert words in faults[0]


def test_aliases_cannot_blow_up_a_small_file() -> None:
    text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(ConfigError, match="aliases"):
        read(text)


def test_a_scalar_document_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("sites\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "x.yaml")
    (fault,) = caught.value.faults
    assert "keys and values" in fault.remedy


def test_duplicates_and_other_faults_come_together(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("grid: 7m\ngrid: 5m\nsites: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "x.yaml")
    assert [fault.path for fault in caught.value.faults] == ["grid", "grid", "sites"]
