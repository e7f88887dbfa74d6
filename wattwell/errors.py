"""The errors Wattwell raises on purpose. Each message names the value at fault and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class WattwellError(Exception):
    """Anything that a user can act on; the command line prints it without a traceback and exits with 1."""


class UsageError(WattwellError):
    """A wrong command line or request; exit code 2, HTTP 400."""


class UnknownError(UsageError):
    """What was asked for by its id does not exist; exit code 2, HTTP 404."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the configuration."""

    path: str
    """Where in the file, for example ``sites[0].meters[3].unit``."""
    value: str
    """The offending value as written; empty where a key is absent."""
    remedy: str
    """What is wrong and what to write instead."""

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value else ""
        return f"{self.path}{shown}: {self.remedy}"


class ConfigError(WattwellError):
    """Every fault of a configuration at once; exit code 2."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class StoreError(WattwellError):
    """The store refused or failed; nothing of the failed call is in it."""


class StoreLocked(StoreError):
    """Another process holds the embedded store's file."""


class StoreFull(StoreError):
    """The disk below the store is full, or may not grow; what was committed before is safe."""


class RemoteStoreError(WattwellError):
    """The remote store cannot be reached or refuses; what it should hold waits in the spool."""


class ClockError(WattwellError):
    """The machine's clock has gone back; readings wait until it is set."""


class ServiceUnavailable(WattwellError):
    """The running service that holds the store does not answer."""
