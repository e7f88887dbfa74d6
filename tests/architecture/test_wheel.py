"""What users get: the wheel, in an environment with nothing that only development needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

import wattwell

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("wattwell", "collector", "analytics", "alerts")
DEVELOPMENT = ("pytest", "hypothesis", "mypy", "ruff", "importlinter", "xdist")
IMPORT_ALL = f"""
import importlib, json, pkgutil
found = []
for package in {PACKAGES!r}:
    found.append(package)
    made = importlib.import_module(package)
    found += [module.name for module in pkgutil.walk_packages(made.__path__, package + ".")]
for name in found:
    importlib.import_module(name)
present = [name for name in {DEVELOPMENT!r} if importlib.util.find_spec(name)]
print(json.dumps([found, present]))
"""


def pip(*arguments: str | Path, python: Path = Path(sys.executable)) -> None:
    """Runs pip; without a network the test is skipped, or fails in CI (CI=true)."""
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        reason = f"pip {arguments[0]} failed, as without a network: {done.stderr[-1500:]}"
        if os.environ.get("CI", "").lower() == "true" or "No matching distribution" not in done.stderr:
            pytest.fail(reason)
        pytest.skip(reason)


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def shipped(names: Sequence[str]) -> set[str]:
    """The files of the packages among the names in a wheel."""
    return {name for name in names if name.split("/")[0] in PACKAGES}


def in_repository() -> set[str]:
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_the_wheel_works_without_development_dependencies(tmp_path: Path) -> None:
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("wattwell-*.whl")
    with ZipFile(wheel) as content:
        assert shipped(content.namelist()) == in_repository()

    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip("install", wheel, python=python)

    imported = run(tmp_path, python, "-W", "error", "-c", IMPORT_ALL)
    assert imported.returncode == 0, imported.stderr
    modules, present = json.loads(imported.stdout)
    assert len(modules) >= 75
    assert present == []

    program = tmp_path / "venv" / "bin" / "wattwell"
    assert run(tmp_path, program, "--version").stdout == f"wattwell {wattwell.__version__}\n"
    demo = run(tmp_path, program, "demo", "--seconds", "5", "--port", "0")
    assert demo.returncode == 0, demo.stderr
    assert "PueHigh is inactive" in demo.stderr
    assert demo.stderr.endswith("Stopped; nothing is left behind.\n")
