"""Worse meters: noise, lost rows, a frozen meter, a replaced one, a register that jumps. Pure but for its generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.sites.levers import span
from benchmarks.sites.telemetry import TEMPERATURE
from benchmarks.sites.truth import LABELS, STAMP


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the telemetry alone; `day` counts local days from 1 January."""

    kind: str
    """frozen | replaced | jump | gap"""
    meter: str
    day: float
    days: float
    size: float = 0.0
    """The new dial's first value, or how far the register jumps, in the unit of the meter."""


EVENTS = (
    Event(kind="frozen", meter="fan-west", day=55, days=4),
    Event(kind="replaced", meter="chiller", day=113, days=0.25, size=12.5),
    Event(kind="jump", meter="water-evap", day=172, days=0.25, size=400.0),
    Event(kind="frozen", meter="return-air", day=252, days=3),
)
GAPS = (
    Event(kind="gap", meter="", day=20.3, days=0.2),
    Event(kind="gap", meter="", day=78.5, days=2.0),
    Event(kind="gap", meter="house", day=117.1, days=1.5),
    Event(kind="gap", meter="", day=191.4, days=0.5),
    Event(kind="gap", meter="cw-pump", day=279.0, days=0.8),
    Event(kind="gap", meter="", day=350.0, days=1.0),
)


def noisy_steps(steps: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """0.75 % of noise on every amount, each meter and step for itself."""
    return steps * rng.normal(1.0, 0.0075, steps.shape)


def noisy_states(site: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """0.2 K on the air's temperatures, 0.1 K on the water's, 1 % of flows, 1.5 points of humidity."""
    out = site.copy()
    for name in TEMPERATURE:
        out[name] += rng.normal(0.0, 0.1 if name.startswith(("chw", "cw")) else 0.2, len(out))
    for name in ("chw-flow", "cw-flow"):
        out[name] *= rng.normal(1.0, 0.01, len(out))
    out["rh"] = (out["rh"] + rng.normal(0.0, 1.5, len(out))).clip(0, 100)
    return out


def apply(table: pd.DataFrame, events: tuple[Event, ...], year: int) -> pd.DataFrame:
    """The table with the events on it. A frozen meter sends its last value, and the true one afterwards."""
    out = table.copy()
    for event in events:
        start, end = span(event.day, event.days, year)
        inside, after = (out.index >= start) & (out.index < end), out.index >= start
        if event.kind == "gap":
            out.loc[inside, [event.meter] if event.meter else list(out.columns)] = np.nan
        elif event.kind == "frozen":
            out.loc[inside, event.meter] = out.loc[inside, event.meter].iloc[0]
        elif event.kind == "jump":
            out.loc[after, event.meter] += event.size
        elif event.kind == "replaced":
            out.loc[after, event.meter] += event.size - out.loc[after, event.meter].iloc[0]
        else:
            message = f"An event is frozen, replaced, jump or gap, not {event.kind!r}."
            raise ValueError(message)
    return out


def drop_rows(table: pd.DataFrame, rng: np.random.Generator, share: float = 0.01) -> pd.DataFrame:
    """Without `share` of its rows, nor those in which nothing is left."""
    kept = table[rng.random(len(table)) >= share]
    return kept.dropna(how="all")


def labels(events: tuple[Event, ...], year: int) -> pd.DataFrame:
    """Rows of telemetry events: family metering, not scored."""
    rows = []
    for number, event in enumerate(events, 1):
        start, end = span(event.day, event.days, year)
        what = event.meter or "all meters"
        row: dict[str, str | float] = dict.fromkeys(LABELS, 0)
        row |= {"id": f"T{number:02d}", "family": "metering", "equipment": what, "description": f"{event.kind}: {what}"}
        row |= {"start": start.strftime(STAMP), "end": end.strftime(STAMP)}
        row |= {"also_family": "", "scored": 0}
        rows.append(row)
    return pd.DataFrame(rows, columns=LABELS)
