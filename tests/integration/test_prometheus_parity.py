"""One series through both evaluators: Wattwell's own rules and promtool fire and resolve at the same edges."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alerts.machine import AlertState, Phase, run
from tests.ruling import Edge, edges, input_series, samples, unit_tested, written
from wattwell.intervals import MINUTE
from wattwell.model import AlertRule

LEVELS = (1.20, 1.27, 1.28, 1.30, 1.31, 1.40)
LENGTH = 60
RANDOM = 40


def rule(name: str, **changes: Any) -> AlertRule:
    fields = {"kpi": "pue", "window": "24h", "above": 1.3, "below": None, "clear": None, "hold": 0, "keep_firing": 0}
    return AlertRule(**{"name": name, "severity": "warning", "sites": (name,), **fields, **changes})


def firing(watched: AlertRule, series: Sequence[Edge]) -> list[set[str]]:
    """The alerts that Wattwell's own rules have firing after each edge."""
    _, outcomes = run(watched, AlertState(), samples(series))
    found: list[set[str]] = []
    for state, _ in outcomes:
        names = {watched.name} if state.phase is Phase.FIRING else set()
        found.append(names | ({f"{watched.name}NoData"} if state.data_fired_at is not None else set()))
    return found


def compare(folder: Path, cases: Sequence[tuple[AlertRule, Sequence[Edge]]]) -> str:
    """What promtool finds other than Wattwell's own rules do; each rule is named like its only site."""
    assert len({len(series) for _, series in cases}) == 1
    own = [firing(watched, series) for watched, series in cases]
    expected = [
        {
            "expr": 'max by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": f'{{alertname="{name}"}}', "value": 1} for each in own for name in sorted(each[minute])
            ],
        }
        for minute in range(len(own[0]))
    ]
    found = [one for watched, series in cases for one in input_series(watched, watched.name, series)]
    spool = {"series": "wattwell_spool_readings", "values": f"0x{len(own[0])}"}
    test = {"interval": "1m", "input_series": [*found, spool], "promql_expr_test": expected}
    return unit_tested(written(folder, [watched for watched, _ in cases]), [test])


def drawn(seed: int) -> tuple[AlertRule, list[Edge]]:
    """A rule, and runs of levels, gaps, provisional and withheld figures; some mirrored at the threshold."""
    chance = random.Random(seed)
    signal = chance.choice(["kpi", "kpi", "kpi", "coverage", "power"])
    mirrored = chance.random() < 0.4
    clear = chance.choice([None, 1.30, 1.27, 1.20])

    def turned(value: float) -> float:
        shown = round(2.6 - value, 6) if mirrored else value
        return round(shown / 2, 6) if signal == "coverage" else shown

    limits = {"below" if mirrored else "above": turned(1.3), "above" if mirrored else "below": None}
    watched = rule(
        f"R{seed}",
        signal=signal,
        kpi="" if signal == "power" else chance.choice(["pue", "wue"]),
        of="it" if signal == "power" else "",
        window="" if signal == "power" else "24h",
        clear=None if clear is None else turned(clear),
        hold=chance.choice([0, 0, 1, 2, 5]) * MINUTE,
        keep_firing=chance.choice([0, 0, 1, 3, 7]) * MINUTE,
        **limits,
    )
    series: list[Edge] = []
    while len(series) < LENGTH:
        kind, level = chance.random(), turned(chance.choice(LEVELS))
        one = Edge(level)
        if signal == "kpi" and kind < 0.15:
            one = Edge(level, provisional=True)
        elif signal == "kpi" and watched.kpi == "pue" and kind < 0.25:
            one = Edge(None, withheld=level)
        elif signal != "coverage" and kind < 0.4:
            one = Edge(None)
        series += [one] * chance.randint(1, 6)
    return watched, series[:LENGTH]


def test_random_series(tmp_path: Path) -> None:
    cases = [drawn(seed) for seed in range(RANDOM)]
    told = [set[str]().union(*firing(*case)) for case in cases]
    assert sum(watched.name in names for (watched, _), names in zip(cases, told, strict=True)) >= RANDOM // 2
    assert sum(f"{watched.name}NoData" in names for (watched, _), names in zip(cases, told, strict=True)) >= RANDOM // 8
    assert compare(tmp_path, cases) == ""


WASTE = {"signal": "finding", "kpi": "", "of": "fan_power", "window": "", "clear": 1.0, "keep_firing": 3 * MINUTE}
OPEN = {"signal": "findings", "above": 0.0, "clear": None, "keep_firing": 0}
STRICT = {"clear": 1.27, "hold": 5 * MINUTE, "keep_firing": 10 * MINUTE}


@pytest.mark.parametrize(
    ("changes", "series"),
    [
        pytest.param(STRICT, "1.29 1.31 " * 5 + "1.31x6 " + "1.29 1.31 " * 22, id="a saw-tooth, once over the hold"),
        pytest.param(STRICT, "1.25x10 1.35x20 1.28x15 1.27x15", id="a step, and the clear line"),
        pytest.param(STRICT, "1.35x10 _x20 1.25x30", id="an outage while it fires"),
        pytest.param(STRICT, "1.35x10 1.2px20 1.2x30", id="provisional figures clear nothing"),
        pytest.param({"above": None, "below": 1.0}, "1.2x10 0.9wx20 _x10 1.2x20", id="PUE below 1, which is withheld"),
        pytest.param(WASTE | {"hold": 5 * MINUTE}, "0x5 2x4 0x3 2x10 1.2x5 1.3x5 1x5 0x23", id="kilowatts of findings"),
        pytest.param(WASTE | OPEN, "_x10 1x10 2x10 _x10 1x10 0x10", id="the number of open findings"),
        pytest.param({"hold": 3 * MINUTE}, "0.9wx10 1.2x20 0.9wx30", id="what is withheld is no outage"),
    ],
)
def test_what_operators_ask(changes: dict[str, Any], series: str, tmp_path: Path) -> None:
    assert compare(tmp_path, [(rule("R", **changes), edges(series))]) == ""


def test_a_difference_is_found(tmp_path: Path) -> None:
    """The comparison itself: promtool is told of another series than Wattwell's own rules."""
    watched, series = rule("R"), edges("1.2x3 1.4x3")
    test = {
        "interval": "1m",
        "input_series": input_series(watched, "R", series),
        "promql_expr_test": [{"expr": "count(ALERTS)", "eval_time": "4m", "exp_samples": []}],
    }
    assert "count(ALERTS)" in unit_tested(written(tmp_path, [watched]), [test])
