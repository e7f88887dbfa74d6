"""``make audit``: known vulnerabilities of what is installed, asked of a public vulnerability service by pip-audit.

Ends with 1 where one is known or pip-audit is not installed, and with 0 where none is known, or where the service
cannot be asked or does not answer in time, which it says.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MODULE = "pip_audit"
OPTIONS = ("--local", "--skip-editable", "--progress-spinner", "off")
SERVICE = ("--vulnerability-service", "osv", "--format", "json")
_SECONDS = 600


def known(document: Any) -> list[str]:
    """One line for each known vulnerability of a report of pip-audit."""
    return [
        f"{each['name']} {each['version']}: {found['id']}"
        + (f", mended in {', '.join(found['fix_versions'])}" if found["fix_versions"] else ", not mended yet")
        for each in document["dependencies"]
        for found in each.get("vulns", ())
    ]


def unasked(document: Any) -> list[str]:
    """One line for each dependency that was left out, with the reason."""
    return [f"{each['name']}: {each['skip_reason']}" for each in document["dependencies"] if "skip_reason" in each]


def audit(command: tuple[str, ...], seconds: float = _SECONDS) -> int:
    """Runs pip-audit, for so many seconds at the most, and says what it found."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        given = [*command, *SERVICE, "--output", str(report)]
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                given, capture_output=True, text=True, check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            print(f"NOT AUDITED: the vulnerability service did not answer in {seconds:g} s", file=sys.stderr)
            return 0
        if not report.is_file() or not report.read_text(encoding="utf-8"):
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"NOT AUDITED: the vulnerability service could not be asked: {reason}", file=sys.stderr)
            return 0
        document = json.loads(report.read_text(encoding="utf-8"))
    for line in unasked(document):
        print(f"left out: {line}", file=sys.stderr)
    found = known(document)
    for line in found:
        print(f"VULNERABLE: {line}", file=sys.stderr)
    asked = len(document["dependencies"]) - len(unasked(document))
    print(f"{asked} packages audited, {len(found)} known vulnerabilities", file=sys.stderr)
    return 1 if found else 0


def main(module: str) -> int:
    """Runs a module as pip-audit; 1 where there is none, for then nothing was ever asked."""
    if importlib.util.find_spec(module) is None:
        print(f"NOT AUDITED: {module} is not installed; pip install -e '.[dev]'", file=sys.stderr)
        return 1
    return audit((sys.executable, "-m", module, *OPTIONS))


if __name__ == "__main__":
    raise SystemExit(main(MODULE))
