"""The plausibility gate: every rule holds, breaks and cannot be judged, and a breach names both values."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from analytics.report.gate import Check, Figure, breaches, gate

UNITS = {"E_DC": "kWh", "E_IT": "kWh", "E_REUSE": "kWh", "PD_IT": "kW", "W_IN": "m3", "PUE": "1", "REF": "1"}
SOUND = {"E_DC": 130.0, "E_IT": 100.0, "E_REUSE": 20.0, "PD_IT": 50.0, "PUE": 1.3, "REF": 0.5, "W_IN": 3.0}


def judged(sums: dict[str, list[str]] | None = None, **changes: float | None) -> tuple[Check, ...]:
    values = SOUND | changes
    figures = [Figure(name=name, value=value, unit=UNITS.get(name, "kWh")) for name, value in values.items()]
    return gate(figures, hours=2.0, sums=sums)


def test_sound_figures_pass_every_check() -> None:
    found = judged({"E_DC": ["E_IT", "REST"]}, REST=30.0)
    assert all(check.ok for check in found)
    codes = {"energy.it_above_dc", "energy.reuse_not_below_dc", "energy.it_above_installed", "pue.below_one"}
    assert codes | {"ref.outside", "amount.negative", "sum.differs"} == {check.code for check in found}


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"E_IT": 130.001, "PD_IT": 100.0}, "energy.it_above_dc", ("E_IT 130.001 kWh", "E_DC 130 kWh")),
        ({"E_REUSE": 130.0}, "energy.reuse_not_below_dc", ("E_REUSE 130 kWh", "E_DC 130 kWh")),
        ({"PD_IT": 49.9}, "energy.it_above_installed", ("E_IT 100 kWh", "PD_IT x 2 h 99.8 kWh")),
        ({"PUE": 0.999}, "pue.below_one", ("PUE 0.999", "1 or more")),
        ({"REF": 1.01}, "ref.outside", ("REF 1.01", "0 to 1")),
        ({"REF": -0.01}, "ref.outside", ("REF -0.01", "0 to 1")),
        ({"W_IN": -3.0}, "amount.negative", ("W_IN -3 m3",)),
        ({"W_IN": math.inf}, "number.not_finite", ("W_IN inf m3",)),
    ],
)
def test_a_breach_names_what_it_compares(change: dict[str, float], code: str, named: tuple[str, ...]) -> None:
    (found,) = breaches(judged(**change))
    assert found.code == code
    assert all(text in found.message for text in named), found.message


def test_parts_sum_to_their_total() -> None:
    (found,) = breaches(judged({"E_DC": ["E_IT", "REST"]}, REST=29.0))
    assert found.code == "sum.differs"
    assert found.message == "E_DC 130 kWh must equal E_IT + REST 129 kWh."
    assert not breaches(judged({"E_DC": ["E_IT", "REST"]}, REST=30.0 + 1e-9))


def test_a_roundings_worth_is_no_breach() -> None:
    assert not breaches(judged(E_IT=130.0 * (1 + 1e-12), PD_IT=65.0, PUE=1 - 1e-12, REF=1 + 1e-12))


def test_what_is_missing_is_not_judged() -> None:
    found = {check.code: check for check in judged(E_IT=None)}
    assert found["energy.it_above_dc"].ok is None
    assert found["energy.it_above_dc"].message == "Not judged: E_IT has no value."
    assert found["energy.it_above_installed"].ok is None
    assert found["energy.reuse_not_below_dc"].ok is True
    assert not breaches(found.values())
    json.dumps([asdict(check) for check in found.values()])
