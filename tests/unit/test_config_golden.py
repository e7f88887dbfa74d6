"""Pairs of good and bad configurations: a bad one gives exactly the faults written beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattwell.config import load
from wattwell.errors import ConfigError

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
BAD = sorted(GOLDEN.glob("*.bad.yaml"))
GOOD = sorted(GOLDEN.glob("*.good.yaml"))


def test_each_bad_file_has_a_good_twin() -> None:
    assert len(BAD) >= 7
    bad, good = ({path.name.split(".")[0] for path in paths} for paths in (BAD, GOOD))
    assert bad <= good


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_good_files_load(path: Path) -> None:
    assert load(path).sites


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_bad_files_list_every_fault(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_one_file_gives_all_of_its_faults_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load(GOLDEN / "everything.bad.yaml")
    assert len(caught.value.faults) >= 60
    assert all(fault.path and fault.remedy for fault in caught.value.faults)
    assert "hunter2" not in str(caught.value)
