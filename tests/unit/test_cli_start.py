"""What the command line loads before it knows which command is meant."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    *("amqtt", "apprise", "fastapi", "influxdb_client", "matplotlib", "pandas", "pyarrow"),
    *("scipy.optimize", "sklearn", "typst", "uvicorn"),
)


def test_a_command_waits_for_no_library_that_it_does_not_use() -> None:
    code = f"import sys, wattwell.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
