"""Every figure of a report, computed again from raw readings by :mod:`tests.plainly`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from benchmarks.figures import filled
from tests.plainly import Table, read, steps, utc
from tests.support import DATA
from wattwell.config import load
from wattwell.engine.engine import Engine

pytestmark = [
    pytest.mark.skipif(not (DATA / "dcsim").is_dir(), reason="the public telemetry is not beside this checkout"),
    pytest.mark.slow,
]
Document = dict[str, Any]
SITE = "dcsim"
COOLING = {
    "chiller": ["chiller"],
    "cooling_tower": ["tower"],
    "pump": ["chw-pump", "cw-pump"],
    "ahu": ["fan-east", "fan-west"],
    "evaporative_cooler": ["evap"],
}
PRICE_KWH, PRICE_M3, GRID_KG, EWIF = 0.1, 2.0, 0.4, 1.8
LITRES = 1000
"""In a cubic metre, the unit of the water dials."""
MONTHS = [f"{year}-{month:02}" for year in (2022, 2023) for month in range(1, 13)]


def close(value: float) -> Any:
    """The same sum in another order, in millions of readings of 0.01 kWh."""
    return pytest.approx(value, rel=1e-9, abs=1e-6)


@pytest.fixture(scope="module", params=["y2_healthy", "y2_faults"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Table]]:
    source = DATA / "dcsim"
    files = [source / "y1_healthy.csv.gz", source / f"{request.param}.csv.gz"]
    with filled(load(source / "wattwell.yaml"), SITE, files, tmp_path_factory.mktemp(request.param)) as engine:
        yield engine, read(*files)


def ends(found: Document) -> tuple[datetime, datetime]:
    return utc(found["start"]), utc(found["end"])


def amount(raw: Table, meters: list[str], span: tuple[datetime, datetime]) -> float:
    return sum(raw.amount(meter, *span) for meter in meters)


def by_name(parts: list[Document]) -> dict[str, Document]:
    return {part["name"]: part for part in parts}


def test_the_first_page_of_every_month(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    for key in MONTHS:
        made = engine.draft(SITE, key)
        lines = by_name(made["headlines"])
        for name in ("current", "previous", "year_ago", "ytd", "fiscal"):
            cell = lines["pue"][name]
            if utc(cell["start"]) < raw.times[0]:  # before the first reading: nothing, or less than all
                assert cell["usable"] < 1
                continue
            span = ends(cell)
            e_dc, e_it = raw.amount("utility", *span), raw.amount("ups-out", *span)
            water = LITRES * raw.amount("water-site", *span)
            assert cell["value"] == close(e_dc / e_it)
            assert lines["wue"][name]["value"] == close(water / e_it)
            assert lines["energy"][name]["value"] == close(e_dc)
            assert lines["water"][name]["value"] == close(water)
            assert lines["carbon"][name]["value"] == close(e_dc * GRID_KG)
            assert lines["cost"][name]["value"] == close(e_dc * PRICE_KWH + water / 1000 * PRICE_M3)
        assert lines["ref"]["current"]["value"] is None  # no panel and no certificate


def test_the_parts_of_a_month(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    for key in ("2022-01", "2023-07"):
        made = engine.draft(SITE, key)
        span = ends(made["period"])
        e_dc, e_it, ups_in = (raw.amount(meter, *span) for meter in ("utility", "ups-out", "ups-in"))
        cooling = {role: amount(raw, meters, span) for role, meters in COOLING.items()}
        lighting = raw.amount("lights", *span)
        uses = {part["name"]: part["value"] for part in made["energy"]["uses"]["parts"]}
        assert uses == {
            "it": close(e_it),
            "cooling": close(sum(cooling.values())),
            "power_chain": close(ups_in - e_it),
            "lighting": close(lighting),
            "other": close(e_dc - ups_in - sum(cooling.values()) - lighting),
        }
        assert {p["name"]: p["value"] for p in made["energy"]["cooling"]["parts"]} == {
            role: close(energy) for role, energy in cooling.items()
        }
        assert [part["value"] for part in made["energy"]["sources"]["parts"]] == [close(e_dc)]
        stages = by_name([{**stage, "name": stage["role"]} for stage in made["energy"]["stages"]])
        assert stages["it_ups"]["efficiency"] == close(e_it / ups_in)
        assert stages["it_ups"]["loss_kwh"] == close(ups_in - e_it)
        assert made["heat"]["removed_kwh"] == close(raw.amount("chiller-heat", *span))


def test_the_water_of_a_month(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    made = engine.draft(SITE, "2023-07")
    span, water = ends(made["period"]), made["water"]
    meters = ("water-site", "water-tower", "water-evap")
    total, tower, evaporative = (LITRES * raw.amount(meter, *span) for meter in meters)
    assert water["sources"]["total"] == close(total)
    uses = by_name(water["uses"]["parts"])
    assert uses["water_tower_makeup"]["value"] == close(tower)
    assert uses["water_evaporative"]["value"] == close(evaporative)
    assert uses["other"]["value"] == close(total - tower - evaporative)
    assert (water["cycles"], water["blowdown"], water["returned"]) == (None, None, None)


def test_the_load_of_a_month(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    made = engine.draft(SITE, "2023-07")["demand"]
    span = (utc("2023-07-01T06:00:00Z"), utc("2023-08-01T06:00:00Z"))
    loads = {low: raw.amount("utility", low, high) * 4 for low, high in steps(*span, timedelta(minutes=15))}
    peak = max(loads.values())
    assert made["peak_kw"] == close(peak)
    assert loads[utc(made["peak_at"])] == close(peak)
    assert made["mean_kw"] == close(sum(loads.values()) / len(loads))
    assert made["load_factor"] == close(sum(loads.values()) / len(loads) / peak)
    curve = made["curves"][0]
    assert (curve["kw"][0], curve["kw"][-1]) == (close(peak), close(min(loads.values())))
    for share, kilowatts in zip(curve["share"], curve["kw"], strict=True):
        above = sum(load >= kilowatts - 1e-6 for load in loads.values()) / len(loads)
        assert above >= share - 1e-9


def test_the_days_of_a_month(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    made = engine.draft(SITE, "2023-07")
    assert [row["key"] for row in made["rows"]] == [f"2023-07-{day:02}" for day in range(1, 32)]
    for row in made["rows"]:
        span = ends(row)
        assert span[1] - span[0] == timedelta(days=1)
        e_dc, e_it = (raw.amount(meter, *span) for meter in ("utility", "ups-out"))
        water = LITRES * raw.amount("water-site", *span)
        assert (row["e_dc"], row["e_it"], row["water"]) == (close(e_dc), close(e_it), close(water))
        assert (row["pue"], row["wue"]) == (close(e_dc / e_it), close(water / e_it))
        assert row["carbon_location"] == close(e_dc * GRID_KG)
        assert row["cost"] == close(e_dc * PRICE_KWH + water / 1000 * PRICE_M3)
        assert row["temperature"] == close(raw.mean("oat", *span))


def test_the_weather_of_a_month(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    made = engine.draft(SITE, "2023-07")["weather"]
    span = (utc("2023-07-01T06:00:00Z"), utc("2023-08-01T06:00:00Z"))
    hours = list(steps(*span, timedelta(hours=1)))
    assert made["step"] == "hour"
    assert made["temperature"] == [close(raw.mean("oat", *hour)) for hour in hours]
    assert made["pue"] == [close(raw.amount("utility", *hour) / raw.amount("ups-out", *hour)) for hour in hours]


def test_a_year_and_its_months(site: tuple[Engine, Table]) -> None:
    engine, raw = site
    made = engine.draft(SITE, "2023")
    span = ends(made["period"])
    assert [row["key"] for row in made["rows"]] == [f"2023-{month:02}" for month in range(1, 13)]
    for row in made["rows"]:
        month = ends(row)
        e_dc, e_it = (raw.amount(meter, *month) for meter in ("utility", "ups-out"))
        water = LITRES * raw.amount("water-site", *month)
        assert (row["e_dc"], row["pue"], row["wue"]) == (close(e_dc), close(e_dc / e_it), close(water / e_it))
    (pue,) = [each for each in made["kpis"] if each["kpi"] == "pue"]
    assert pue["label"] == "PUE"
    assert pue["value"] == close(raw.amount("utility", *span) / raw.amount("ups-out", *span))
    (source,) = [each for each in made["kpis"] if each["kpi"] == "wue_source"]
    at_source = LITRES * raw.amount("water-site", *span) + EWIF * raw.amount("utility", *span)
    assert source["value"] == close(at_source / raw.amount("ups-out", *span))
    assert sum(row["e_dc"] for row in made["rows"]) == close(raw.amount("utility", *span))
