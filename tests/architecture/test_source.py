"""What every file of the repository must be like."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("wattwell", "collector", "analytics", "alerts")
FEWEST_MODULES = 75
"""A floor, so that a search that finds nothing cannot pass."""
LONGEST_FUNCTION = 50
LONGEST_FILE = 450
CLOCK = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today")}
CLOCK_READERS = {
    *("wattwell/store/database.py", "wattwell/web/api.py", "collector/simulate/run.py"),
    "wattwell/config/build.py",
}
"""The shells that read the time of day (the API only where it is given no clock, the configuration for its notes about
days to come); everyone else is told it."""
FOREIGN = {
    "an absolute path of one machine": r"(?<![\w.$}>/])/(?:work|root|home|Users|mnt|tmp|opt/wheels)/\w",
    "a folder beside the repository": r"\.\./shared",
    "a package index of one machine": r"(?i)--(?:extra-)?index-url|--find-links|--registry[= ]",
    "a mark of work left undone": r"\b(?:TODO|FIXME|XXX|HACK)\b",
    "a conflict mark": r"^(?:<{7} |>{7} |={7}$)",
}
EXCEPTED = {
    (Path("tests/architecture/test_source.py"), None),  # names what it looks for
    (Path("deploy"), "an absolute path of one machine"),  # where systemd and containers mount things
}


def tracked() -> list[Path]:
    """Text files of the repository, also those about to be added; all files where it is no git checkout."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        paths = [ROOT / name for name in names if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    found = [path for path in paths if path.is_file() and path.suffix not in {".png", ".parquet", ".gz", ".pyc"}]
    assert len(found) > FEWEST_MODULES
    return found


def modules() -> list[Path]:
    """Modules of the product."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(found) >= FEWEST_MODULES
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in modules():
        yield name_of(path), ast.parse(path.read_text(encoding="utf-8"))


def test_the_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    kept = re.search(r"(\d+) kept, 0 broken", done.stdout)
    assert kept is not None
    assert int(kept[1]) >= 2, done.stdout


def test_every_module_says_what_it_is() -> None:
    silent = [name for name, tree in trees() if not ast.get_docstring(tree)]
    assert silent == []


def test_imports_are_absolute_and_packages_do_not_know_their_tests() -> None:
    odd = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "tests")
    ]
    assert odd == []


def test_functions_and_files_stay_readable() -> None:
    long = [name_of(path) for path in modules() if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE]
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{name}: {node.name} has {lines} lines")
    assert long == []


def test_no_failure_is_swallowed() -> None:
    """A broad handler re-raises or reports; none goes on as if nothing had been."""
    silent = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _broad(node.type) and _says_nothing(node)
    ]
    assert silent == []


def _broad(caught: ast.expr | None) -> bool:
    names = [caught] if not isinstance(caught, ast.Tuple) else caught.elts
    return caught is None or any(isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"} for n in names)


def _says_nothing(handler: ast.ExceptHandler) -> bool:
    return not any(isinstance(node, ast.Raise | ast.Call) for node in ast.walk(handler))


def test_only_the_shells_read_the_clock() -> None:
    readers = set()
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) in CLOCK:
                    readers.add(name)
            elif isinstance(node, ast.ImportFrom) and any((node.module, n.name) in CLOCK for n in node.names):
                readers.add(name)
    assert readers == CLOCK_READERS


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_foreign_is_in_the_repository(what: str) -> None:
    pattern = re.compile(FOREIGN[what], re.MULTILINE)
    found = []
    for path in tracked():
        place = path.relative_to(ROOT)
        if (place, None) in EXCEPTED or any((parent, what) in EXCEPTED for parent in place.parents):
            continue
        if what == "a folder beside the repository" and place.parts[0] == "tests":
            continue  # tests may use data there when it is present; nothing depends on it
        text = path.read_text(encoding="utf-8")
        found += [f"{place}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}" for hit in pattern.finditer(text)]
    assert found == []


def test_the_search_for_foreign_text_finds_it() -> None:
    wrong = {
        "an absolute path of one machine": "see /home/someone/file",
        "a folder beside the repository": "../shared/data",
        "a package index of one machine": "pip install --index-url https://packages.example.org/simple",
        "a mark of work left undone": "# TODO later",
        "a conflict mark": "<<<<<<< HEAD",
    }
    assert wrong.keys() == FOREIGN.keys()
    assert [what for what, text in wrong.items() if not re.search(FOREIGN[what], text)] == []
