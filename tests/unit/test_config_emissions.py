"""Emissions of a site as configured: entries by hand, names and sources of factors, the baseline."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from wattwell.config import Config, parse
from wattwell.emissions import Baseline, EmissionEntry
from wattwell.engine.audit import configuration
from wattwell.errors import ConfigError
from wattwell.intervals import Interval, day_start
from wattwell.ledger import canonical

HEAD = "id,kind,start,end,amount,unit,kg_per_unit,factor,source"
DIESEL = 'd1,fuel,2026-01-15,2026-02-15,1200,L,2.51,"diesel, average biofuel blend",DEFRA 2025'
REFRIGERANT = 'r1,refrigerant,2026-03-01,2026-03-02,4.5,kg,1430,"R-134a, GWP 1430",IPCC AR4'
METER = {"id": "gas", "role": "fuel", "quantity": "energy", "accumulation": "register", "max_rate": 500, "weight": 1}
ZONE = "Europe/Berlin"


def configured(base: Path, *more: dict[str, Any], meter: dict[str, Any] | None = None, **keys: Any) -> Config:
    site = {"id": "s", "timezone": ZONE, "pue_category": 1, "meters": [METER | (meter or {})], **keys}
    return parse({"sites": [site, *more]}, base)


def faults(base: Path, *more: dict[str, Any], meter: dict[str, Any] | None = None, **keys: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        configured(base, *more, meter=meter, **keys)
    return [str(fault) for fault in caught.value.faults]


def written(base: Path, *rows: str, name: str = "emissions.csv", head: str = HEAD) -> str:
    (base / name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return name


def test_a_site_without_these_keys() -> None:
    site = configured(Path("/etc/wattwell")).sites["s"]
    assert (dict(site.factor_sources), site.emissions, site.baseline) == ({}, None, None)
    assert site.meters["gas"].factor_source is None


def test_entries_hold_between_local_dates(tmp_path: Path) -> None:
    name = written(tmp_path, DIESEL + ",monthly test run", REFRIGERANT + ",", head=HEAD + ",note")
    entries = configured(tmp_path, emissions=name).sites["s"].emissions
    assert entries is not None
    assert entries[0] == EmissionEntry(
        id="d1",
        kind="fuel",
        interval=Interval(day_start(date(2026, 1, 15), ZONE), day_start(date(2026, 2, 15), ZONE)),
        amount=1200.0,
        unit="L",
        kg_per_unit=2.51,
        factor="diesel, average biofuel blend",
        source="DEFRA 2025",
        note="monthly test run",
    )
    assert (entries[1].id, entries[1].kind, entries[1].kg_per_unit, entries[1].note) == ("r1", "refrigerant", 1430, "")


def test_fuel_beside_metered_emissions_is_pointed_out(tmp_path: Path) -> None:
    (note,) = (
        note
        for note in configured(
            tmp_path, emissions=written(tmp_path, REFRIGERANT, DIESEL), meter={"kg_per_kwh": 0.2}
        ).notes
        if "emissions.csv" in note
    )
    assert note == (
        "sites[0].emissions: emissions.csv line 3: enter only fuel that no meter counts; emissions of gas are metered"
    )
    for rows, meter in ((REFRIGERANT, {"kg_per_kwh": 0.2}), (DIESEL, {})):
        assert not any(
            "emissions.csv" in n for n in configured(tmp_path, emissions=written(tmp_path, rows), meter=meter).notes
        )


def test_a_file_of_a_header_alone_says_that_there_is_nothing(tmp_path: Path) -> None:
    assert configured(tmp_path, emissions=written(tmp_path)).sites["s"].emissions == ()


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (DIESEL.replace("fuel", "coal"), "kind = coal: write one of: fuel refrigerant"),
        (DIESEL.replace("1200", "-1"), "amount = -1: write the amount in the unit beside it, a number of 0 or more"),
        (DIESEL.replace("1200", "nan"), "amount = nan: write the amount in the unit beside it, a number of 0 or more"),
        (DIESEL.replace("2.51", "many"), "kg_per_unit = many: write the kg of CO2 equivalent of one unit, a number"),
        (DIESEL.replace("2026-02-15", "2026-01-15"), "end = 2026-01-15: the end is exclusive and must lie after"),
        (DIESEL.replace("2026-01-15", "2026-01-32"), "start = 2026-01-32: no such day"),
        (DIESEL.replace(",L,", ",,"), "unit: write the unit of the amount"),
        (DIESEL.replace("DEFRA 2025", ""), "source: write where the factor comes from"),
        (DIESEL.replace("d1", ""), "id: an entry needs its id; write it"),
        (DIESEL + ",surplus", "cells in this row: 10, columns in the header: 9"),
    ],
)
def test_a_wrong_entry_is_named_by_file_line_and_column(row: str, fault: str, tmp_path: Path) -> None:
    (found,) = faults(tmp_path, emissions=written(tmp_path, REFRIGERANT, row))
    where, _, rest = found.partition(" line 3")
    assert where == "sites[0].emissions: emissions.csv"
    assert fault in rest


def test_a_file_that_is_not_there_or_lacks_a_column(tmp_path: Path) -> None:
    (absent,) = faults(tmp_path, emissions="no.csv")
    assert absent.startswith("sites[0].emissions = no.csv: there is no such file")
    short = written(tmp_path, head="id,kind,start,end,amount,unit,kg_per_unit,factor")
    (lacking,) = faults(tmp_path, emissions=short)
    assert lacking == (
        "sites[0].emissions: emissions.csv line 1, source: this column is required and absent; add it to the header"
    )


def test_the_same_id_twice_is_a_fault_also_across_sites(tmp_path: Path) -> None:
    (twice,) = faults(tmp_path, emissions=written(tmp_path, DIESEL, REFRIGERANT, DIESEL))
    assert "line 4, id = d1: this id stands already in emissions.csv line 2; an entry counts once" in twice
    other = {"id": "t", "timezone": ZONE, "pue_category": 1, "meters": [METER]}
    other["emissions"] = written(tmp_path, DIESEL, name="other.csv")
    (across,) = faults(tmp_path, other, emissions=written(tmp_path, DIESEL))
    assert across.startswith("sites[1].emissions: other.csv line 2, id = d1: this id stands already in emissions.csv")


def test_sources_of_factors(tmp_path: Path) -> None:
    site = configured(
        tmp_path,
        factors={"grid_kg_per_kwh": 0.4, "ewif_l_per_kwh": 1.8},
        factor_sources={"grid_kg_per_kwh": "UBA 2025, German mix"},
        meter={"kg_per_kwh": 0.2, "factor_source": "DEFRA 2025, natural gas"},
    ).sites["s"]
    assert dict(site.factor_sources) == {"grid_kg_per_kwh": "UBA 2025, German mix"}
    assert site.meters["gas"].factor_source == "DEFRA 2025, natural gas"


def test_a_source_is_a_text_also_in_a_meters_file(tmp_path: Path) -> None:
    rows = "id,quantity,accumulation,max_rate,role,weight,kg_per_kwh,factor_source\nb,energy,delta,9,fuel,1,0.2,2025\n"
    (tmp_path / "meters.csv").write_text(rows, encoding="utf-8")
    assert configured(tmp_path, meters_file="meters.csv").sites["s"].meters["b"].factor_source == "2025"


def test_a_source_without_its_factor_is_a_fault(tmp_path: Path) -> None:
    (of_site,) = faults(tmp_path, factors={"ewif_l_per_kwh": 1.8}, factor_sources={"grid_kg_per_kwh": "UBA"})
    assert of_site.startswith("sites[0].factor_sources.grid_kg_per_kwh = UBA: the site has no factor of this name")
    (of_meter,) = faults(tmp_path, meter={"factor_source": "DEFRA"})
    assert of_meter.startswith("sites[0].meters[0].factor_source = DEFRA: this names the source of kg_per_kwh")
    (unknown,) = faults(tmp_path, factor_sources={"grid": "UBA"})
    assert unknown.startswith("sites[0].factor_sources.grid = UBA: unknown key")
    (number,) = faults(tmp_path, factors={"grid_kg_per_kwh": 1}, factor_sources={"grid_kg_per_kwh": 2025})
    assert number.startswith("sites[0].factor_sources.grid_kg_per_kwh = 2025: write a text")


def test_a_factor_that_is_at_fault_itself_is_told_once(tmp_path: Path) -> None:
    keys = {"factors": {"grid_kg_per_kwh": True}, "factor_sources": {"grid_kg_per_kwh": "UBA"}}
    (found,) = faults(tmp_path, **keys)
    assert found.startswith("sites[0].factors.grid_kg_per_kwh = true")


def test_the_baseline(tmp_path: Path) -> None:
    base = {"name": "operation in 2019", "pue": 1.52}
    assert configured(tmp_path, baseline=base).sites["s"].baseline == Baseline(name="operation in 2019", pue=1.52)
    found = configured(tmp_path, baseline=base | {"grid_kg_per_kwh": 0.5}).sites["s"].baseline
    assert found is not None
    assert found.grid_kg_per_kwh == 0.5


@pytest.mark.parametrize(
    ("baseline", "fault"),
    [
        ({"pue": 1.5}, ".name: this key is required and absent"),
        ({"name": "x"}, ".pue: this key is required and absent"),
        ({"name": "x", "pue": 0.9}, ".pue = 0.9: write a PUE of 1 or more"),
        ({"name": "x", "pue": 1.5, "grid_kg_per_kwh": -1}, ".grid_kg_per_kwh = -1: write a number of 0 or more"),
        ({"name": 2019, "pue": 1.5}, ".name = 2019: write a text"),
        ("operation in 2019", " = operation in 2019: write keys and values here"),
    ],
)
def test_a_wrong_baseline(baseline: Any, fault: str, tmp_path: Path) -> None:
    (found,) = faults(tmp_path, baseline=baseline)
    assert found.startswith(f"sites[0].baseline{fault}")


def test_they_are_part_of_the_audited_configuration(tmp_path: Path) -> None:
    keys = {"baseline": {"name": "2019", "pue": 1.5}, "factors": {"grid_kg_per_kwh": 1}}
    keys["factor_sources"] = {"grid_kg_per_kwh": "UBA"}
    with_all = configured(tmp_path, emissions=written(tmp_path, DIESEL), **keys)
    document = configuration(with_all, ())
    site = document["sites"]["s"]
    assert site["emissions"][0]["interval"] == {"from": "2026-01-14T23:00:00Z", "to": "2026-02-14T23:00:00Z"}
    assert (site["baseline"]["pue"], site["factor_sources"]) == (1.5, {"grid_kg_per_kwh": "UBA"})
    other = configured(tmp_path, emissions=written(tmp_path, DIESEL.replace("1200", "1201")), **keys)
    assert canonical(configuration(other, ())) != canonical(document)
