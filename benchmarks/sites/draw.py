"""Sites drawn by lot: climate, order, size, length and season of the faults from a seed, to prove on unseen ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.sites.levers import Change, Fault
from benchmarks.sites.recipes import AHUS, Recipe, fault

CLIMATES = (
    ("Chicago-OHare", "Willard"),
    ("Boulder", "Colorado.Springs"),
    ("Newark", "Sterling"),
    ("Orlando", "Miami"),
    ("Golden", "Denver"),
    ("Willard", "Chicago-OHare"),
)
SLOT = 30
"""Days of the year that one fault has to itself."""

_Lot = Callable[[np.random.Generator], dict[str, float]]
_Entry = tuple[str, str, str, str, _Lot]

WARM: tuple[_Entry, ...] = (
    (
        *("chiller_efficiency", "chiller", "chiller input ratio higher", ""),
        lambda r: {"chiller": r.uniform(1.08, 1.35)},
    ),
    (
        *("chilled_water_setpoint", "chiller", "chilled-water set point lower", ""),
        lambda r: {"chw_setpoint": r.uniform(4.0, 5.6)},
    ),
    (*("overcooling", "halls", "hall set point lower", ""), lambda r: {"hall_setpoint": -r.uniform(1.2, 3.0)}),
)
MILD: tuple[_Entry, ...] = (
    (*("economizer", AHUS, "outdoor-air dampers stuck", ""), lambda r: {"oa_high": r.uniform(0.0, 0.25)}),
    (*("sensor_bias", AHUS, "outdoor-air sensor reads high", "economizer"), lambda r: {"oat_bias": r.uniform(3, 7)}),
    (
        *("pump_power", "cw-pump", "condenser-water pump held at full flow", ""),
        lambda r: {"cw_pump": r.uniform(1, 1.4)},
    ),
)
ANY: tuple[_Entry, ...] = (
    (*("ups_loss", "ups", "UPS efficiency lower", ""), lambda r: {"ups_loss": r.uniform(0.02, 0.08)}),
    (*("fan_power", AHUS, "supply-fan pressure rise higher", ""), lambda r: _both(r.uniform(1.25, 1.8))),
    (*("water_use", "water-main", "make-up water leak", ""), lambda r: {"leak": r.uniform(25, 110)}),
    (*("unexpected_load", "house-panel", "electric heater left on", ""), lambda r: {"heater": r.uniform(1.5, 6)}),
    (*("ups_loss", "ups", "UPS efficiency lower", ""), lambda r: {"ups_loss": r.uniform(0.02, 0.08)}),
    (*("fan_power", "ahu-east", "slipping fan belt", ""), lambda r: {"fan_east": r.uniform(1.25, 1.5)}),
)
RAMPS = {"chiller", "fan_east"}
"""Levers that creep up from nothing as often as they step."""


def draw(seed: int) -> Recipe:
    """The site of a seed: a fault a month; with an odd seed also an ordinary change of the IT load."""
    rng = np.random.default_rng(seed)
    slots: dict[int, _Entry] = {}
    for entries, wanted in ((WARM, (5, 6, 7)), (MILD, (3, 4, 8, 9)), (ANY, tuple(range(12)))):
        free = [x for x in wanted if x not in slots]
        for slot, entry in zip(rng.permutation(free), rng.permutation(len(entries)), strict=False):
            slots[int(slot)] = entries[int(entry)]
    faults = tuple(_placed(rng, slot, slots[slot]) for slot in sorted(slots))
    change = Change(
        day=float(rng.uniform(20, 330)), days=float(rng.uniform(0.2, 8)), factor=float(rng.uniform(0.82, 1.1))
    )
    low = float(rng.uniform(0.15, 0.3))
    return Recipe(
        weather=CLIMATES[int(rng.integers(len(CLIMATES)))],
        seed=1000 + seed,
        trace=("Google", "Alibaba")[int(rng.integers(2))],
        shift_h=int(rng.integers(0, 600)),
        load=(low, low + float(rng.uniform(0.25, 0.4))),
        faults=faults,
        changes=(change,) if seed % 2 else (),
    )


def _both(factor: float) -> dict[str, float]:
    return {"fan_east": factor, "fan_west": factor}


def _placed(rng: np.random.Generator, slot: int, entry: _Entry) -> Fault:
    family, equipment, what, also, lot = entry
    levers = {name: round(float(size), 3) for name, size in lot(rng).items()}
    ramp = bool(RAMPS & set(levers)) and rng.random() < 0.5
    length = float(rng.integers(10 if ramp else 5, 21))
    day = slot * SLOT + 1 + round(float(rng.uniform(0, SLOT - 4 - length)) * 24) / 24
    sizes = ", ".join(f"{name} {size:g}" for name, size in levers.items())
    text = f"{what} ({'ramp to ' if ramp else ''}{sizes})"
    return fault(family, day, length, equipment, text, ramp=ramp, also=also, **levers)
