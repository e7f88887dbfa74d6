"""``make audit``: known vulnerabilities fail, a service that cannot be asked does not; bounds of the dependencies."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import audit, main

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DATA = {"tzdata"}
"""Packages of data: their versions are dates, and none of them breaks a caller."""
FAULT = "requests.exceptions.ConnectionError: name not known"
SOUND: dict[str, Any] = {"name": "numpy", "version": "2.0", "vulns": []}
FAULTY = {"name": "paho-mqtt", "version": "2.1", "vulns": [{"id": "GHSA-1", "fix_versions": ["2.1.1"], "aliases": []}]}
OPEN = {"name": "h11", "version": "0.1", "vulns": [{"id": "GHSA-2", "fix_versions": [], "aliases": []}]}
LEFT = {"name": "local", "skip_reason": "not found"}


def stand_in(folder: Path, dependencies: list[dict[str, Any]] | None) -> tuple[str, ...]:
    """A command that does as pip-audit does: a report and 1 where it found something, 1 and no report on a fault."""
    report = None if dependencies is None else json.dumps({"dependencies": dependencies, "fixes": []})
    script = folder / "stand_in.py"
    script.write_text(
        f"import sys, pathlib\nreport = {report!r}\n"
        "assert sys.argv[1:3] == ['--vulnerability-service', 'osv'], sys.argv\n"
        f"if report is None:\n    sys.exit({FAULT!r})\n"
        "pathlib.Path(sys.argv[sys.argv.index('--output') + 1]).write_text(report)\n"
        f"sys.exit({int(any(each.get('vulns') for each in dependencies or []))})\n"
    )
    return sys.executable, str(script)


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([SOUND], 0, ["1 packages audited, 0 known vulnerabilities"]),
        ([], 0, ["0 packages audited, 0 known vulnerabilities"]),
        (
            [SOUND, FAULTY, OPEN, LEFT],
            1,
            [
                "left out: local: not found",
                "VULNERABLE: paho-mqtt 2.1: GHSA-1, mended in 2.1.1",
                "VULNERABLE: h11 0.1: GHSA-2, not mended yet",
                "3 packages audited, 2 known vulnerabilities",
            ],
        ),
        (
            None,
            0,
            [f"NOT AUDITED: the vulnerability service could not be asked: {FAULT}"],
        ),
    ],
)
def test_what_is_known_fails_and_what_cannot_be_asked_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    dependencies: list[dict[str, Any]] | None,
    code: int,
    said: list[str],
) -> None:
    assert audit(stand_in(tmp_path, dependencies)) == code
    assert capsys.readouterr().err.splitlines() == said


def test_a_service_that_hangs_does_not_fail_and_a_missing_program_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hangs = tmp_path / "hangs.py"
    hangs.write_text("import signal\nsignal.pause()\n")
    assert audit((sys.executable, str(hangs)), seconds=0.1) == 0
    assert capsys.readouterr().err == "NOT AUDITED: the vulnerability service did not answer in 0.1 s\n"
    assert main("pip_audit_that_is_nowhere") == 1
    assert "NOT AUDITED: pip_audit_that_is_nowhere is not installed" in capsys.readouterr().err


def test_continuous_integration_audits() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^audit: .*\n\t\$\(BIN\)/python -m scripts\.audit$", makefile, re.MULTILINE)
    assert "make audit" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def requirements() -> dict[str, str]:
    """Name -> what is asked of its version, for everything that is installed with Wattwell."""
    found = [re.match(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?(.*)", line) for line in PROJECT["dependencies"]]
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("name", sorted(requirements()))
def test_no_dependency_comes_in_a_version_that_nobody_tried(name: str) -> None:
    """A major version may break its callers; before 1.0 a package promises nothing at all, and 1 is the bound."""
    asked = requirements()[name]
    if asked.startswith("=="):
        return
    bound = re.search(r"<(\d+)(?:$|,)", asked)
    if name in DATA:
        assert bound is None
        return
    assert bound is not None, f"{name}{asked} takes any later version; add the next major as a bound, such as <3"
    assert int(bound[1]) > int(version(name).partition(".")[0])
