"""What a revision says otherwise than the one before: every figure that a report prints, also in its details."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from analytics.report.compare import changes
from tests import reporting
from wattwell.engine.report_news import issued

Path = tuple[str | int, ...]
FIGURES: tuple[tuple[Path, str, str], ...] = (
    (("water", "cycles"), "section.water.cycles", "1"),
    (("water", "blowdown"), "section.water.blowdown", "L"),
    (("water", "uses", "parts", 0, "value"), "section.water.uses.tower_evaporation", "L"),
    (("water", "sources", "parts", 0, "value"), "section.water.sources.water_potable", "L"),
    (("energy", "sources", "parts", 0, "value"), "section.energy.sources.utility_import", "kWh"),
    (("energy", "uses", "parts", 0, "value"), "section.energy.uses.it", "kWh"),
    (("energy", "cooling", "parts", 0, "value"), "section.energy.cooling.chiller", "kWh"),
    (("energy", "stages", 1, "kwh"), "section.stage.ups_input", "kWh"),
    (("energy", "stages", 1, "loss_kwh"), "section.stage.ups_input.loss", "kWh"),
    (("heat", "reused_kwh"), "section.heat.reused_kwh", "kWh"),
    (("heat", "removed_kwh"), "section.heat.removed_kwh", "kWh"),
    (("demand", "peak_kw"), "section.demand.peak_kw", "kW"),
    (("demand", "mean_kw"), "section.demand.mean_kw", "kW"),
    (("renewables", "sold_kwh"), "section.renewables.sold_kwh", "kWh"),
    (("rows", 3, "pue"), "2026-10-04.pue", "1"),
    (("rows", 3, "carbon_market"), "2026-10-04.carbon_market", "kg"),
    (("rows", 3, "cost"), "2026-10-04.cost", "EUR"),
    (("rows", 3, "temperature"), "2026-10-04.temperature", "degC"),
    (("meters", 0, "value"), "", ""),
)


def changed(path: Path, value: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report, and the same with another value at a place."""
    old = reporting.full()
    new = copy.deepcopy(old)
    found: Any = new
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = value
    return old, new


@pytest.mark.parametrize(("path", "name", "unit"), FIGURES, ids=str)
def test_a_figure_of_a_detail_alone_is_a_change(path: Path, name: str, unit: str) -> None:
    old, new = changed(path, 12345.5)
    (found,) = changes(old, new)
    meter = old["meters"][0]
    assert (found.name, found.unit, found.new) == (
        name or f"meter.{meter['meter']}",
        unit or meter["unit"],
        12345.5,
    )
    assert found.old is not None
    assert changes(old, old) == ()


def test_a_section_that_is_no_longer_there_is_a_change_too() -> None:
    old, new = changed(("water", "uses"), None)
    assert {each.new for each in changes(old, new)} == {None}
    assert {each.name for each in changes(old, new)} == {
        f"section.water.uses.{part['name']}" for part in old["water"]["uses"]["parts"]
    }


@pytest.mark.parametrize("path", [path for path, *_ in FIGURES if path[0] in ("water", "energy")])
def test_a_detail_is_told_in_its_own_unit(path: Path) -> None:
    (found,) = changes(*changed(path, 12345.5))
    document = reporting.full()
    document["revisions"][-1]["changes"] = [vars_of(found)]
    said = issued(document, "", 0).annotations["summary"]
    assert f"-> 12,345.5{'' if found.unit == '1' else f' {found.unit}'}. Reason" in said


def vars_of(change: Any) -> dict[str, Any]:
    return {name: getattr(change, name) for name in ("name", "label", "unit", "old", "new")}
