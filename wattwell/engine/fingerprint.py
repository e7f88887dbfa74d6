"""What of a meter's configuration its interval values depend on: when that changes, they are computed anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from wattwell.model import Meter, MeterKey
from wattwell.store.protocol import ReadingStore

_STATE = "analysis.fingerprints"


def fingerprint(meter: Meter, grid: int) -> str:
    """A digest of everything that turns the meter's readings into interval values."""
    parts = (
        grid,
        meter.quantity.value,
        meter.accumulation.value,
        meter.unit,
        meter.factors,
        meter.rollover_at,
        meter.max_rate,
        meter.resolution,
        meter.max_gap,
        meter.interpolation.value,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def forget_changed(store: ReadingStore, meters: Mapping[MeterKey, Meter], grid: int) -> list[MeterKey]:
    """Marks meters to be computed anew whose configuration differs from the one their values were made with."""
    known: dict[str, str] = json.loads(store.load_state(_STATE) or "{}")
    current = {f"{site}/{name}": fingerprint(meter, grid) for (site, name), meter in meters.items()}
    changed = [key for key in meters if (name := f"{key[0]}/{key[1]}") in known and known[name] != current[name]]
    if changed:
        store.forget(changed)
    if known != (merged := known | current):
        store.save_states({_STATE: json.dumps(merged, sort_keys=True)})
    return changed
