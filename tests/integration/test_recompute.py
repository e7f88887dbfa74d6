"""``wattwell recompute``: one process or several, and shards: the same interval values, checkpoints and events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask.config import set as set_dask
from distributed import Client

from tests.commands import CONFIG, ROOT, called
from tests.servers import free_port
from tests.support import T0, readings_of
from wattwell.app import recompute as module
from wattwell.app.access import rules_of
from wattwell.app.recompute import recompute
from wattwell.app.workers import Workers, joined, local
from wattwell.config import Config, load
from wattwell.config.sharding import shard_of
from wattwell.engine.analyse import analyse
from wattwell.engine.engine import Engine
from wattwell.errors import StoreLocked, UsageError
from wattwell.intervals import DAY, MINUTE
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import MeterUpdate

NOW = T0 + 30 * DAY
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
KINDS = {
    "register": {"quantity": "energy", "accumulation": "register", "max_rate": 5000, "rollover_at": 10_000},
    "delta": {"quantity": "energy", "accumulation": "delta", "max_rate": 5000, "period": "5m"},
    "power": {"quantity": "power", "accumulation": "instantaneous"},
}


def configure(folder: Path, **sections: Any) -> Path:
    sites = []
    for site in ("a", "b"):
        meters = [{"id": f"{kind}-{n}", **fields} for kind, fields in KINDS.items() for n in range(3)]
        sites.append({"id": site, "timezone": "UTC", "pue_category": 1, "meters": meters})
    (folder / "w.yaml").write_text(json.dumps({"sites": sites, **sections}))
    return folder / "w.yaml"


def rows(site: str) -> list[tuple[tuple[str, str], int, float]]:
    """Four days with gaps, resets, rollovers and spikes, drawn anew for each meter but always alike."""
    dice = np.random.default_rng(3 + len(site))
    found = []
    for kind in KINDS:
        for number in range(3):
            dial = 9000.0
            for minute in range(0, 4 * 1440, 5):
                dial = 0.0 if dice.random() < 0.001 else (dial + dice.uniform(0, 12)) % 10_000
                shown = dial if kind == "register" else dice.uniform(0, 12)
                shown = 0.0 if dice.random() < 0.002 else shown
                if dice.random() > 0.02:
                    found.append(((site, f"{kind}-{number}"), T0 + minute * MINUTE, round(float(shown), 2)))
    return found


def fill(config: Config) -> None:
    with closing(DuckdbStore.open(config.store.path, lambda: NOW)) as store:  # type: ignore[arg-type] # it is a file
        for site in config.sites:
            store.commit(readings_of(rows(site)), [])
        Engine(config, rules_of(config), store, lambda: NOW).refresh()


def everything(config: Config) -> dict[str, Any]:
    """All that the analysis has made, to the bit."""
    assert config.store.path is not None
    with closing(DuckdbStore.open(config.store.path, lambda: NOW)) as store:
        made = {name: store.rows(f"FROM {name} ORDER BY ALL") for name in ("intervals", "checkpoints", "events")}
        return made | {"dirty": store.dirty().meters, "audit": [entry.hash for entry in store.audit()]}


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    with local(2) as workers:
        yield workers


def test_two_workers_come_to_what_one_process_does_to_the_bit(tmp_path: Path, two: Workers) -> None:
    config = load(configure(tmp_path))
    fill(config)
    before = everything(config)
    assert len(before["intervals"]) > 5000
    assert {each[2] for each in before["events"]} >= {"reset", "rollover"}
    recompute(config, (), None, lambda: NOW)
    assert everything(config) == before
    done = recompute(config, (), two, lambda: NOW)
    assert (done.sites, done.meters) == (("a", "b"), 18)
    assert everything(config) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.yaml", "wattwell.duckdb"], "nothing is left behind"


@pytest.mark.parametrize("held", [1, 3000, 10**9])
def test_stretches_of_time_that_are_handed_on_together_come_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    config = load(configure(tmp_path))
    fill(config)
    meters = {(site.id, meter.id): meter for site in config.sites.values() for meter in site.meters.values()}
    with closing(DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: NOW)) as store:
        store.forget(list(meters))
        analyse(store, meters, config.grid, slab=2000)
    before = everything(config)
    saved: list[int] = []

    class Here:
        count = 2

        def run(self, work: Callable[..., object], pieces: Sequence[tuple[Any, ...]]) -> list[object]:
            return [work(*piece) for piece in pieces]

    class Counting(DuckdbStore):
        def save(self, updates: Sequence[MeterUpdate]) -> None:
            saved.append(len(updates))
            super().save(updates)

    monkeypatch.setattr(module, "analyse", partial(analyse, slab=2000))
    monkeypatch.setattr(module, "_HELD", held)
    monkeypatch.setattr("wattwell.app.access.DuckdbStore", Counting)
    recompute(config, (), Here(), lambda: NOW)  # type: ignore[arg-type] # as far as it is asked
    assert everything(config) == before
    assert (len(saved) > 1) == (held < 10**9)


def test_values_that_were_spoilt_are_made_good_at_the_sites_named(tmp_path: Path, two: Workers) -> None:
    config = load(configure(tmp_path))
    fill(config)
    before = everything(config)
    with closing(DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: NOW)) as store, store.transaction() as con:
        con.execute("UPDATE intervals SET value = value + 1")
    recompute(config, ["a"], two, lambda: NOW)
    with closing(DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: NOW)) as store:
        names = tuple(config.sites["a"].meters)
        good, spoilt = (store.intervals(site, names, T0, NOW).values.value for site in ("a", "b"))
    expected = {(series, t): value for series, t, value, *_ in before["intervals"]}
    assert sorted(good.tolist() + (spoilt - 1).tolist()) == pytest.approx(sorted(expected.values()), abs=1e-9)
    assert set(good.tolist()) <= set(expected.values()), "to the bit"
    assert not set(spoilt.tolist()) <= set(expected.values())


def test_readings_that_come_in_between_are_not_lost(
    tmp_path: Path, two: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process may write the store after the workers have read it and before we do."""
    config = load(configure(tmp_path))
    fill(config)
    late = [(("a", "power-0"), T0 + 5 * DAY + minute * MINUTE, 7.0) for minute in range(60)]

    @contextmanager
    def slow(*args: Any) -> Iterator[Engine]:
        with closing(DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: NOW)) as store:
            store.commit(readings_of(late), [])
        with open_engine(*args) as engine:
            yield engine

    open_engine = module.open_engine
    monkeypatch.setattr(module, "open_engine", slow)
    recompute(config, (), two, lambda: NOW)
    monkeypatch.undo()
    assert "everything is computed once more" in caplog.text
    found = everything(config)
    recompute(config, (), None, lambda: NOW)
    assert everything(config) == found
    assert any(t >= T0 + 5 * DAY for _, t, *_ in found["intervals"])


def test_what_was_begun_is_ended_by_the_next_analysis(tmp_path: Path) -> None:
    config = load(configure(tmp_path))
    fill(config)
    before = everything(config)

    class Killed:
        count = 2

        def run(self, *_: object) -> list[object]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recompute(config, (), Killed(), lambda: NOW)  # type: ignore[arg-type] # as far as it comes
    assert everything(config)["intervals"] == []
    with closing(DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: NOW)) as store:
        Engine(config, rules_of(config), store, lambda: NOW).refresh()
    assert everything(config) == before


def test_each_shard_has_a_worker_of_its_own(tmp_path: Path, two: Workers) -> None:
    path = configure(tmp_path, shards={"count": 2, "pinned": {"a": 0, "b": 1}})
    parts = [shard_of(load(path), index) for index in (0, 1)]
    for part in parts:
        fill(part)
    before = [everything(part) for part in parts]
    done = two.run(module.recompute_shard, [(path, "0", ()), (path, "1", ())])
    assert [each.sites for each in done] == [("a",), ("b",)]
    assert [everything(part) for part in parts] == before


# -- a cluster that is there already ------------------------------------------------------------------------------


@contextmanager
def dask(*arguments: str) -> Iterator[None]:
    """One of Dask's own programs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_workers_of_a_cluster_come_to_the_same(tmp_path: Path) -> None:
    path = configure(tmp_path)
    config = load(path)
    fill(config)
    before = everything(config)
    address = f"tcp://127.0.0.1:{free_port()}"
    with dask("scheduler", "--host", address), Client(address, timeout=60) as looking:
        with pytest.raises(UsageError, match="has no workers; start `dask worker tcp"), joined(address):
            pass
        with dask("worker", address, "--nthreads", "1", "--local-directory", str(tmp_path / "scratch")):
            looking.wait_for_workers(1, timeout=60)
            done = called("recompute", "w.yaml", "--scheduler", address, "--json", folder=tmp_path).json
    assert (done["meters"], done["workers"]) == (18, 1)
    assert everything(config) == before


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        set_dask({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(UsageError, match=f"no Dask scheduler answers at {address} .*; start it, or use --workers"),
        joined(address),
    ):
        pass


# -- the command ----------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_has_done(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(CONFIG)
    assert called("recompute", "w.yaml", folder=tmp_path).out.startswith("6 meters of 2 sites recomputed in ")
    found = called("recompute", "w.yaml", "--site", "north", "--workers", "1", "--json", folder=tmp_path).json
    assert (found["sites"], found["meters"], found["workers"]) == (["north"], 4, 1)


def test_the_command_takes_every_shard(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(CONFIG + "shards: {count: 2, pinned: {north: 0, south: 1}}\n")
    assert called("recompute", "w.yaml", "--json", folder=tmp_path).json["sites"] == ["north", "south"]
    assert called("recompute", "w.yaml", "--shard", "1", "--json", folder=tmp_path).json["sites"] == ["south"]
    found = called("recompute", "w.yaml", "--workers", "2", "--json", folder=tmp_path).json
    assert (found["sites"], found["workers"]) == (["north", "south"], 2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--site", "west"], "site 'west' is not configured; known: north, south"),
        (["--workers", "0"], "--workers 0 is no number of processes; write 1 or more"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, options: list[str], says: str) -> None:
    (tmp_path / "w.yaml").write_text(CONFIG)
    found = called("recompute", "w.yaml", *options, folder=tmp_path)
    assert (found.code, says in found.err) == (2, True)


def test_a_store_in_use_is_left_alone(tmp_path: Path, two: Workers) -> None:
    config = load(configure(tmp_path))
    fill(config)
    hold = "import duckdb, sys; con = duckdb.connect('wattwell.duckdb'); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreLocked, match="in use by another process"):
            recompute(config, (), two, lambda: NOW)
        holder.kill()


def test_without_dask_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"install it beside Wattwell: pip install 'wattwell\[dask\]'"), local(2):
        pass


def test_a_worker_prints_no_progress(tmp_path: Path) -> None:
    """DuckDB shows a bar on stdout for what takes long in a process without a program file."""
    asked = "print(connect(Path('x.duckdb')).execute(\"SELECT current_setting('enable_progress_bar')\").fetchall())"
    program = f"from pathlib import Path; from wattwell.store.database import connect; {asked}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[(False,)]\n"
