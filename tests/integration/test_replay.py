"""A slice of simulated telemetry through mosquitto: the interval values of the back-fill, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.replay import compared, replay
from tests.servers import Mosquitto
from tests.support import DATA, T0, readings_of
from wattwell.app.access import open_engine
from wattwell.config import load
from wattwell.intervals import MINUTE


def test_mqtt_and_back_fill_give_the_same_bits(tmp_path: Path, broker: Mosquitto) -> None:
    data = DATA / "dcsim"
    if not data.is_dir():
        pytest.skip(f"no telemetry of a site at {data}")
    result = replay(data, "y1_healthy.csv.gz", 30, tmp_path, broker.port)
    assert result["readings"] == [30 * 144 * 32] * 2
    assert result["intervals"][0] > 30 * 96 * 32 * 0.99
    assert (result["different"], result["equal"]) == (0, True)


def test_a_difference_of_one_bit_is_seen(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(
        "sites: [{id: s, timezone: UTC, pue_category: 1, meters: [{id: m, quantity: energy, "
        "accumulation: register, max_rate: 100, period: 15m}]}]\n"
    )
    config = load(tmp_path / "w.yaml")
    values = (1.0, 1.0 + 2.0**-52)
    paths = []
    for number, last in enumerate(values):
        with open_engine(config) as engine:
            rows = [(("s", "m"), T0 + step * 15 * MINUTE, value) for step, value in enumerate((0.0, last))]
            engine.store.commit(readings_of(rows), [])
            engine.refresh()
        paths.append((tmp_path / "wattwell.duckdb").rename(tmp_path / f"{number}.duckdb"))
    assert compared(paths[0], paths[0], config, "s")["equal"]
    found = compared(*paths, config, "s")
    assert (found["different"], found["equal"]) == (1, False)
