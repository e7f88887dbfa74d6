"""A consistent copy of an open store: DuckDB copies one snapshot of every table while others go on writing."""

from __future__ import annotations

import os
from pathlib import Path

from wattwell.errors import StoreError, UsageError
from wattwell.store.database import Database

_COPY = "backup"
"""Name of the copy among the open databases."""


def back_up(store: Database, target: Path) -> int:
    """Writes all that is committed by now to a new file; returns its bytes.

    The file has its name only once it is whole and on disk. UsageError for a name that is taken or in no folder.
    """
    if not target.parent.is_dir():
        raise UsageError(f"back-up {target}: its folder does not exist; create {target.parent}")
    if target.exists():
        raise UsageError(f"back-up {target} is there already; name a new file")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(store, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    except (OSError, StoreError) as error:
        part.unlink(missing_ok=True)
        why = str(error.__cause__ or error).splitlines()[0]
        raise StoreError(
            f"back-up {target} was not written: {why}; its disk needs room, and the service must be allowed to write"
        ) from error
    return target.stat().st_size


def _copy(store: Database, path: Path) -> None:
    place = str(path).replace("'", "''")
    store.rows(f"ATTACH '{place}' AS {_COPY}")
    try:
        ((name,),) = store.rows("SELECT current_database()")
        store.rows(f'COPY FROM DATABASE "{name}" TO {_COPY}')
        store.rows(f"CHECKPOINT {_COPY}")  # all of it in the one file, none beside it
    finally:
        store.rows(f"DETACH {_COPY}")
