"""``make audit``: known vulnerabilities of what is installed, asked of a public vulnerability service by pip-audit.

Ends with 1 where one is known, and with 0 where none is, or where the service cannot be asked, which it says.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off")
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


def audit(command: tuple[str, ...]) -> int:
    """Runs pip-audit and says what it found."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(  # noqa: S603 - our own command
            [*command, *SERVICE, "--output", report], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
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


if __name__ == "__main__":
    raise SystemExit(audit(COMMAND))
