"""The command line: parse, ask, print, exit code."""

from wattwell.cli.main import main

__all__ = ["main"]
