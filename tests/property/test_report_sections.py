"""The sections of a report against a plain re-implementation, interval by interval, on random data with gaps."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.evaluate import Rules
from analytics.report.demand import demand
from analytics.report.energy import energy
from analytics.report.model import Breakdown
from analytics.report.rounding import breakdown
from analytics.report.rows import rows
from analytics.report.water import water
from analytics.report.weather import weather
from tests.periods import a_period
from tests.sites import GRID, T0, a_site, meter
from wattwell.intervals import HOUR, Interval
from wattwell.model import Prices, Site
from wattwell.units import QuantityKind

LENGTH = 192
"""Two UTC days of quarters of an hour."""
PRICES = Prices(currency="EUR", electricity_per_kwh=0.2, water_per_m3=3.0)
RULES = Rules(grid=GRID, full=0.9, provisional=0.5)
SITE: Site = a_site(
    {
        "grid": "utility_import",
        "pv": "onsite_renewable",
        "out": "grid_export",
        "ups-in": "ups_input",
        "ups": "it_ups",
        "chiller": "chiller",
        "fans": "ahu",
        "lights": "lighting",
        "mains": "water_input",
        "grey": "water_reclaimed",
        "rain": "water_rain",
        "tower": "water_tower_makeup",
        "drain": "water_blowdown",
    },
    meter("potable", "water_potable", parent="mains"),
    meter("boiler", "fuel", weight=0.5),
    meter("air", "outdoor_dry_bulb", quantity=QuantityKind.TEMPERATURE, unit="degC"),
    zone="Europe/Berlin",
    prices=PRICES,
)
E_DC = {"grid": 1.0, "pv": 1.0, "boiler": 0.5, "out": -1.0}
amount = st.one_of(st.floats(0, 500, allow_subnormal=False), st.just(0.0))
Column = list[float]


@st.composite
def columns(draw: Any) -> dict[str, Column]:
    """Values of every meter; three spans without a value in some of them."""
    found: dict[str, Column] = {}
    for name in SITE.meters:
        base = draw(st.lists(amount, min_size=4, max_size=8))
        found[name] = [base[place % len(base)] + place % 7 for place in range(LENGTH)]
    for _ in range(3):
        low, name = draw(st.integers(0, LENGTH - 1)), draw(st.sampled_from(sorted(found)))
        for place in range(low, min(low + draw(st.integers(1, 40)), LENGTH)):
            found[name][place] = math.nan
    return found


def there(values: dict[str, Column], names: list[str]) -> list[int]:
    """The intervals in which all of these have a value."""
    return [place for place in range(LENGTH) if not any(math.isnan(values[name][place]) for name in names)]


def total(values: dict[str, Column], name: str, places: list[int]) -> float:
    return sum(values[name][place] for place in places)


def e_dc(values: dict[str, Column], places: list[int]) -> float:
    return sum(weight * total(values, name, places) for name, weight in E_DC.items())


def close(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-6)


def adds_up(found: Breakdown | None) -> bool:
    """Whether the parts sum to the total, in value and as printed."""
    if found is None:
        return True
    printed = sum(round(float(part.shown.replace(",", "")) * 1000) for part in found.parts)
    exact = math.fsum(part.value for part in found.parts)
    return printed == round(float(found.total_shown.replace(",", "")) * 1000) and exact == close(found.total)


def parts(found: Breakdown | None) -> dict[str, float]:
    return {} if found is None else {part.name: part.value for part in found.parts}


@settings(max_examples=40, deadline=None)
@given(columns())
def test_energy_in_is_energy_out(values: dict[str, Column]) -> None:
    found = energy(a_period(SITE, values))
    joint = there(values, ["grid", "pv", "boiler", "out", "ups-in", "ups", "chiller", "fans", "lights"])
    if not joint:
        assert (found.sources, found.uses) == (None, None)
        return
    whole, it, cooling = e_dc(values, joint), total(values, "ups", joint), 0.0
    cooling = total(values, "chiller", joint) + total(values, "fans", joint)
    chain, lights = total(values, "ups-in", joint) - it, total(values, "lights", joint)
    assert parts(found.uses) == {
        "it": close(it),
        "cooling": close(cooling),
        "power_chain": close(chain),
        "lighting": close(lights),
        "other": close(whole - it - cooling - chain - lights),
    }
    assert parts(found.sources) == {
        "utility_import": close(total(values, "grid", joint)),
        "onsite_renewable": close(total(values, "pv", joint)),
        "fuel": close(total(values, "boiler", joint) / 2),
        "grid_export": close(-total(values, "out", joint)),
    }
    assert found.uses is not None
    assert found.sources is not None
    assert found.uses.total == close(whole) == found.sources.total
    assert adds_up(found.uses)
    assert adds_up(found.sources)
    assert found.cooling is not None
    assert found.cooling.total == close(cooling)
    assert adds_up(found.cooling)


@settings(max_examples=40, deadline=None)
@given(columns())
def test_water_in_is_water_out(values: dict[str, Column]) -> None:
    found = water(a_period(SITE, values), 0.0)
    joint = there(values, ["mains", "potable", "grey", "rain", "tower", "drain"])
    if joint:
        came = sum(total(values, name, joint) for name in ("mains", "grey", "rain"))
        made, drained = total(values, "tower", joint), total(values, "drain", joint)
        assert parts(found.sources) == {
            "water_potable": close(total(values, "potable", joint)),
            "water_reclaimed": close(total(values, "grey", joint)),
            "water_rain": close(total(values, "rain", joint)),
            "water_input": close(total(values, "mains", joint) - total(values, "potable", joint)),
        }
        assert parts(found.uses) == {
            "tower_evaporation": close(made - drained),
            "water_blowdown": close(drained),
            "other": close(came - made),
        }
        assert adds_up(found.sources)
        assert adds_up(found.uses)
    both = there(values, ["tower", "drain"])
    away = total(values, "drain", both)
    assert found.cycles == (close(total(values, "tower", both) / away) if away > 0 else None)


@settings(max_examples=30, deadline=None)
@given(columns())
def test_the_days_are_cut_in_the_zone_and_sum_to_the_whole(values: dict[str, Column]) -> None:
    day = Interval(T0 + 23 * HOUR, T0 + 47 * HOUR)  # the second local day of the year in Berlin
    found = rows(a_period(SITE, values, day), "day", RULES)
    assert [row.key for row in found] == ["2026-01-02"]
    inside = range(23 * 4, 47 * 4)
    inlets = [place for place in there(values, list(E_DC)) if place in inside]
    both = [place for place in there(values, [*E_DC, "ups"]) if place in inside]
    bought = [place for place in there(values, ["grid"]) if place in inside]
    came = [place for place in there(values, ["mains", "grey", "rain"]) if place in inside]
    assert found[0].e_dc == (close(e_dc(values, inlets)) if inlets else None)
    assert found[0].usable == close(len(both) / len(inside))
    litres = sum(total(values, name, came) for name in ("mains", "grey", "rain"))
    money = total(values, "grid", bought) * 0.2 + litres / 1000 * 3.0
    assert found[0].cost == (close(money) if bought and came else None)
    degrees = [values["air"][place] for place in there(values, ["air"]) if place in inside]
    assert found[0].temperature == (close(sum(degrees) / len(degrees)) if degrees else None)
    it = total(values, "ups", both)
    withheld = len(both) < 48 or it <= 0 or e_dc(values, both) < it * (1 - 1e-9)
    assert found[0].pue == (None if withheld else close(e_dc(values, both) / it))
    assert found[0].provisional == (not withheld and len(both) < 0.9 * len(inside))


@settings(max_examples=30, deadline=None)
@given(columns())
def test_the_load_and_its_duration(values: dict[str, Column]) -> None:
    found = demand(a_period(SITE, values), 0.0)
    loads = [values["grid"][place] * 4 for place in there(values, ["grid"])]
    if not loads:
        assert (found.peak_kw, found.load_factor) == (None, None)
        return
    assert (found.peak_kw, found.mean_kw) == (close(max(loads)), close(sum(loads) / len(loads)))
    curve = found.curves[0]
    assert list(curve.kw) == sorted(curve.kw, reverse=True)
    for share, kilowatts in zip(curve.share, curve.kw, strict=True):
        assert sum(load >= kilowatts for load in loads) >= round(share * len(loads))
        assert sum(load > kilowatts for load in loads) < round(share * len(loads))


@settings(max_examples=30, deadline=None)
@given(columns())
def test_hours_of_weather(values: dict[str, Column]) -> None:
    found = weather(a_period(SITE, values), "hour", RULES)
    expected = []
    known = set(there(values, [*E_DC, "ups", "air"]))
    for hour in range(LENGTH // 4):
        places = list(range(4 * hour, 4 * hour + 4))
        it = sum(values["ups"][place] for place in places)
        if known.issuperset(places) and 0 < it <= e_dc(values, places):
            degrees = sum(values["air"][place] for place in places) / 4
            expected.append((close(degrees), close(e_dc(values, places) / it)))
    assert found is not None
    assert list(zip(found.temperature, found.pue, strict=True)) == expected


@given(
    st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=12),
    st.sampled_from(["energy", "water", "mass"]),
)
def test_printed_parts_sum_to_the_printed_total(amounts: list[float], kind: str) -> None:
    found = breakdown("x", kind, [(str(place), str(place), each) for place, each in enumerate(amounts)], 1.0)
    assert adds_up(found)
    size = {"GWh": 1e6, "MWh": 1e3, "kWh": 1, "m3": 1e3, "L": 1, "t": 1e3, "kg": 1}[found.unit]
    step = 10.0 ** -len(found.total_shown.partition(".")[2])
    for part in found.parts:
        assert abs(float(part.shown.replace(",", "")) - part.value / size) <= step * (1 + 1e-6)
