"""Kills the service again and again while readings come, and counts what is in the store at the end; prints JSON.

    python -m tests.torture [--seed 1] [--kills 100] [--store duckdb|victoriametrics]

A publisher sends numbered readings of three registers at QoS 1 through mosquitto, a little out of order and some of
them twice. ``wattwell run`` is killed (SIGKILL) at random points, mosquitto is restarted at random, and with
``--store victoriametrics`` the remote store is stopped or killed for long stretches too. At the end the store must
hold each reading that the broker acknowledged exactly once, and every interval value must be that of the dials.
Exit code 1 where one is not. The seed decides what is sent, when there is trouble and how long each life lasts; where
exactly in its work a kill meets the service is left to the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers import VictoriaMetrics, wait_until
from tests.torture import verify
from tests.torture.stream import Publisher, dials
from tests.torture.world import World
from wattwell.intervals import DAY, SECOND, floor_to

_DRAIN_SECONDS = 300.0


def torture(seed: int, kills: int, store: str, folder: Path) -> dict[str, Any]:
    """Runs the test and gives its report; the key ``passed`` says how it ended."""
    began = time.monotonic()
    draw = random.Random(seed)
    start = floor_to(time.time_ns() // 1000 - DAY, verify.GRID)
    remote = VictoriaMetrics(folder) if store == "victoriametrics" else None
    world = World(folder, draw, remote)
    world.broker.start()
    if remote is not None:
        remote.start()
    publisher = Publisher(world.broker.port, dials(seed, start), random.Random(seed + 1))
    try:
        _first_life(world)
        publisher.connect()
        with publisher.sending():
            for life in range(kills):
                _life(world, draw, life / kills)
        _last_life(world, publisher)
        found = _look(world, publisher)
    finally:
        publisher.close()
        world.stop()
        world.back()
        world.broker.stop()
        if remote is not None:
            remote.stop()
    report = {"seed": seed, "store": store, "kills": kills, **world.counts}
    if remote is not None:
        report["remote_store_away_seconds"] = {"in_all": round(sum(world.away)), "longest": round(max(world.away))}
    return report | found | {"seconds": round(time.monotonic() - began)}


def _first_life(world: World) -> None:
    """The session exists at the broker before anything is published: what is sent to nobody is kept by nobody."""
    world.start()
    world.wait_ready()


def _life(world: World, draw: random.Random, share: float) -> None:
    """Something goes wrong, and the service is killed at some point; the next one starts."""
    ends = time.monotonic() + draw.choice((0.3, 1.0, 2.0, 3.0)) + draw.random()
    world.trouble(share)
    time.sleep(max(0.0, ends - time.monotonic()))
    world.kill()
    world.start()


def _last_life(world: World, publisher: Publisher) -> None:
    world.back()
    world.wait_ready()
    publisher.send(max(2, 2 * verify.PER_INTERVAL + 1 - publisher.numbers))  # two whole intervals at least
    publisher.settle()
    last = publisher.dials[0].start // SECOND + publisher.numbers - 1
    wait_until(lambda: world.drained(last), "every reading has arrived and none waits", _DRAIN_SECONDS)
    world.stop()


def _look(world: World, publisher: Publisher) -> dict[str, Any]:
    """Every count that must hold; ``stored`` in the embedded file, ``remote`` at the remote store."""
    stored = verify.readings(world.file, publisher.dials, publisher.numbers)
    totals = verify.totals(world.configuration, publisher.dials, publisher.numbers)
    found: dict[str, Any] = {
        "messages_published": publisher.published,
        "messages_acknowledged": publisher.acknowledged,
        "store_rows": stored,
        "intervals": totals,
    }
    wrong = [stored[name] for name in verify.FAULTS] + [stored["rejected"], totals["wrong"], totals["events"]]
    if world.remote is not None:
        found["remote_rows"] = verify.remote(world.remote.url, publisher.dials, publisher.numbers)
        wrong += [found["remote_rows"][name] for name in verify.FAULTS]
    return found | {"passed": not any(wrong)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the test and prints its report."""
    parser = argparse.ArgumentParser(description="kill the service again and again, and count what is stored")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--store", choices=("duckdb", "victoriametrics"), default="duckdb")
    parser.add_argument("--keep", type=Path, help="an empty folder that is left for looking at")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wattwell-torture-") as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        report = torture(options.seed, options.kills, options.store, folder)
    print(json.dumps(report, indent=2))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
