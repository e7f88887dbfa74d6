"""``wattwell simulate``: a run to a folder or to a broker."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.simulate.faults import parse_fault
from collector.simulate.files import write_folder
from collector.simulate.meters import meter_plans
from collector.simulate.publish import Broker, Connection, Pace, parse_broker, publish
from collector.simulate.simulator import Simulator
from collector.simulate.spec import SiteSpec
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, day_start, floor_to, from_us, iso, parse_duration, parse_iso

_MOST_STEPS = 5_000_000


def wall_clock() -> int:
    """Now, microseconds UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What a run takes from the world around it."""

    spec: SiteSpec = field(default_factory=SiteSpec)
    now: Callable[[], int] = wall_clock
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it to end a live run early."""


def simulate(
    out: str,
    *,
    days: float | None = 30.0,
    start: str | None = None,
    seed: int = 1,
    step: str = "60s",
    faults: Sequence[str] = (),
    speed: float = 1.0,
    edge: Edge | None = None,
) -> dict[str, Any]:
    """Simulates ``days`` of the site into ``out``, a folder or an ``mqtt://`` URL, and returns a summary.

    ``start`` is ISO 8601 or a bare date of the site; by default a folder ends at the last full hour, and a broker
    begins with the present minute and (``days`` None) never ends. ``faults`` are read by
    :func:`~collector.simulate.faults.parse_fault`. ``speed`` is simulated seconds by second, 0 as fast as possible;
    it does not matter to a folder. UsageError names a wrong value and its remedy.
    """
    edge = Edge() if edge is None else edge
    spec, live = edge.spec, "://" in out
    if not 0 <= speed < math.inf:
        raise UsageError(f"speed {speed:g} is no speed; give simulated seconds by second, or 0 for as fast as possible")
    if days is None and not live:
        raise UsageError("a folder needs an end; give the number of days")
    broker = parse_broker(out) if live else None
    step_us = _step(step)
    steps = None if days is None else _steps(days, step_us)
    begin = _start(start, spec, edge.now, 0 if live else (steps or 0) * step_us)
    known = [parse_fault(text, spec, begin) for text in faults]
    simulator = Simulator(spec, seed=seed, start_us=begin, step_us=step_us, faults=known)
    summary = {"site": spec.id, "out": _public(out), "start": iso(begin), "meters": len(meter_plans(spec))}
    if broker is None:
        document = write_folder(Path(out), simulator, steps or 0)
        return summary | {
            "rows": simulator.state.step + 1,
            "end": iso(simulator.now),
            "truth": document["total"],
            "faults": document["faults"],
        }
    rows = _live(simulator, broker, None if steps is None else steps + 1, speed, edge.stop)
    return summary | {"rows": rows, "end": iso(begin + max(rows - 1, 0) * step_us)}


def _live(simulator: Simulator, broker: Broker, rows: int | None, speed: float, stop: threading.Event) -> int:
    with Connection(broker, client_id=f"wattwell-simulate-{simulator.spec.id}") as link:
        return publish(simulator, link, steps=rows, pace=Pace(speed, time.monotonic, stop.wait), stop=stop)


def _public(out: str) -> str:
    """The address without user name and password."""
    scheme, mark, rest = out.partition("://")
    return scheme + mark + rest.rpartition("@")[2]


def _step(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"step: {error}") from error


def _steps(days: float, step_us: int) -> int:
    steps = round(days * DAY / step_us) if math.isfinite(days) and step_us else 0
    if not 1 <= steps <= _MOST_STEPS:
        raise UsageError(f"{days:g} days are {steps} steps; choose days and step so that there are 1 to {_MOST_STEPS}")
    return steps


def _start(text: str | None, spec: SiteSpec, now: Callable[[], int], length: int) -> int:
    if text is None:
        return floor_to(now(), HOUR if length else MINUTE) - length
    try:
        return parse_iso(text) if "T" in text else day_start(from_us(parse_iso(f"{text}T00:00Z")).date(), spec.timezone)
    except ValueError as error:
        raise UsageError(f"start {text!r} is not a time ({error}); write 2026-01-05 or 2026-01-05T00:00Z") from error
