"""What regulators ask: every field, by worked numbers, with the way back to the meters; and what is said of blanks."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pytest

from analytics.evaluate import Rules
from analytics.report.enefg import enefg, size_class
from analytics.report.eu_2024_1364 import eu_2024_1364
from analytics.report.regulation import Export, Field
from tests.periods import a_period
from tests.sites import Cells, a_site, certificate, kpi, meter
from tests.support import T0, a_meter
from wattwell.facility import Facility
from wattwell.intervals import HOUR, Interval
from wattwell.model import Accumulation, Meter, Site
from wattwell.units import QuantityKind

N = 365 * 24
YEAR = Interval(T0, T0 + N * HOUR)
RULES = Rules(grid=HOUR, full=0.9, provisional=0.5)
ANNEX_1 = ("NAME", "OWNER", "OPERATOR", "ADDRESS", "LAU", "NUTS", "TYPE", "START")
REDUNDANCY = ("RED-EL", "RED-EL-RACK", "RED-CO", "RED-CO-RACK")
ANNEX_2 = (
    *("PD_IT", "S_DC", "S_CR", "E_DC", "E_DC-BG", "E_IT", "GRID", "C_BtG", "W_IN", "W_IN-POT", "E_REUSE", "T_WH"),
    *("T_IN", "REFRIGERANTS", "CDD", "E_RES-TOT", "E_RES-GOO", "E_RES-PPA", "E_RES-OS", "C_SERV", "C_STOR"),
    *("B_IN", "B_OUT", "T_IN traffic", "T_OUT"),
)
ANNEX_3 = ("PUE", "WUE", "ERF", "REF")
ROLES = {
    "grid": "utility_import",
    "genset": "generator",
    "roof": "onsite_renewable",
    "ups": "it_ups",
    "main": "water_input",
    "tap": "water_potable",
    "heat": "heat_reuse",
}
KW = {"grid": 120.0, "genset": 1.0, "roof": 9.0, "ups": 100.0, "main": 50.0, "tap": 30.0, "heat": 13.0}


def sensor(id: str, role: str | None = None) -> Meter:
    kind = QuantityKind.TEMPERATURE
    return a_meter(id=id, role=role, quantity=kind, unit="degC", accumulation=Accumulation.INSTANTANEOUS, max_rate=None)


def full_site(**declared: Any) -> Site:
    retired = [
        certificate(kind, "retired", 8.76e4, *_ends(), retired=date(2027, 1, 9)) for kind in ("ppa", "certificate")
    ]
    parent = {"tap": "main"}
    return a_site(
        {},
        *(meter(name, role, parent=parent.get(name)) for name, role in ROLES.items()),
        *(sensor("inlet", "rack_inlet"), sensor("oat", "outdoor_dry_bulb"), sensor("flow")),
        certificates=tuple(retired),
        it_power_kw=500.0,
        facility=Facility(**declared),
    )


def _ends() -> tuple[int, int]:
    return YEAR.start, YEAR.end


def values() -> dict[str, Any]:
    """Even power and water, and a day of 25 degC, one of 23 and one of 30 among cold ones."""
    days = np.full(365, 5.0)
    days[[100, 101, 102]] = (25.0, 23.0, 30.0)
    found: dict[str, Any] = {name: np.full(N, kw) for name, kw in KW.items()}
    return found | {"inlet": np.full(N, 24.0), "flow": np.full(N, 45.0), "oat": np.repeat(days, 24)}


def asked(
    site: Site, columns: dict[str, Any], make: Any = eu_2024_1364, *, over: bool = True, year: int = 2026
) -> Export:
    store = Cells()
    for name, column in columns.items():
        store.put(name, column, grid=HOUR)
    kpis = {name: kpi(site, store, name, "year", grid=HOUR) for name in ("pue", "erf", "ref", "cer", "wue")}
    found: Export = make(a_period(site, store, YEAR, HOUR), kpis, RULES, year, over=over)
    return found


def field(export: Export, code: str) -> Field:
    (found,) = [each for each in export.fields if each.code == code]
    return found


def test_every_field_of_the_annexes_once() -> None:
    found = asked(full_site(), values())
    assert [each.code for each in found.fields if each.part == "Annex I"] == [*ANNEX_1, *REDUNDANCY]
    assert [each.code for each in found.fields if each.part == "Annex II"] == [*ANNEX_2]
    assert [each.code for each in found.fields if each.part == "Annex III"] == [*ANNEX_3]
    assert all((each.value is None) == (each.missing is not None) == (each.basis is None) for each in found.fields)
    json.dumps(asdict(found))


def test_the_figures_of_a_year() -> None:
    found = asked(full_site(waste_heat_meter="flow"), values())
    expected = {
        "E_DC": 130.0 * N,
        "E_DC-BG": 1.0 * N,
        "E_IT": 100.0 * N,
        "W_IN": 50.0 * N / 1000,
        "W_IN-POT": 30.0 * N / 1000,
        "E_REUSE": 13.0 * N,
        "T_WH": 45.0,
        "T_IN": 24.0,
        "CDD": 4.0 + 9.0,
        "E_RES-OS": 9.0 * N,
        "E_RES-PPA": 8.76e4,
        "E_RES-GOO": 8.76e4,
        "E_RES-TOT": 9.0 * N + 2 * 8.76e4,
        "PUE": 1.3,
        "WUE": 0.5,
        "ERF": 0.1,
        "REF": 29 / 130,
        "PD_IT": 500.0,
    }
    assert {code: field(found, code).value for code in expected} == {
        code: pytest.approx(value, rel=1e-12) for code, value in expected.items()
    }
    assert not found.breaches
    assert (found.obliged, found.due, found.over) == (True, "2027-05-15", True)
    assert field(found, "T_WH").basis == field(found, "E_DC").basis == "measured"
    assert "set point" in field(found, "T_IN").note


def test_each_number_leads_back_to_its_meters() -> None:
    found = asked(full_site(), values())
    assert {each.meter: each.amount for each in field(found, "PUE").meters} == pytest.approx(
        {"grid": 120.0 * N, "genset": 1.0 * N, "roof": 9.0 * N, "ups": 100.0 * N}
    )
    e_dc = field(found, "E_DC")
    assert sum(each.factor * (each.amount or 0.0) for each in e_dc.meters) == pytest.approx(e_dc.value)


def test_a_virtual_meter_leads_to_the_real_ones() -> None:
    site = a_site(
        {"grid": "utility_import", "a": None, "b": None}, meter("it", "it_ups", formula=((1, "a"), (-1, "b")))
    )
    found = asked(site, {"grid": [9.0] * N, "a": [5.0] * N, "b": [1.0] * N})
    e_it = field(found, "E_IT")
    assert e_it.value == 4.0 * N
    assert [(each.meter, each.factor, each.amount) for each in e_it.meters] == [
        ("a", 1.0, 5.0 * N),
        ("b", -1.0, 1.0 * N),
    ]


def test_a_field_without_data_is_missing_and_never_nought() -> None:
    site = a_site({"grid": "utility_import", "ups": "it_ups"})
    found = asked(site, {"grid": [3.0] * N, "ups": [2.0] * N})
    given = {"NAME", "E_DC", "E_IT", "PUE"}
    assert {each.code for each in found.fields if each.value is not None} == given
    assert set(found.missing) == {*ANNEX_1, *REDUNDANCY, *ANNEX_2, *ANNEX_3} - given
    assert field(found, "E_DC-BG").missing == "no meter has the role generator"
    assert field(found, "OWNER").missing == "not declared: facility.owner of the site"
    assert found.obliged is None
    assert not found.breaches


def test_an_empty_list_is_an_answer() -> None:
    found = asked(full_site(grid_functions=(), refrigerants=("R-1234ze",)), values())
    assert (field(found, "GRID").value, field(found, "REFRIGERANTS").value) == ((), ("R-1234ze",))


def test_gaps_are_told_and_not_filled() -> None:
    columns = values()
    columns["grid"][: N // 5] = np.nan
    columns["main"][: N * 3 // 5] = np.nan
    found = asked(full_site(), columns)
    e_dc = field(found, "E_DC")
    assert e_dc.value == pytest.approx(130.0 * N * 4 / 5)
    assert (e_dc.usable, e_dc.coverage, e_dc.provisional) == (0.8, 0.8, True)
    assert e_dc.note == "80.0% of the year has values; nothing is added for the rest"
    assert field(found, "PUE").value == pytest.approx(1.3)
    assert field(found, "W_IN").value is None
    assert field(found, "W_IN").missing == "40.0% of the period has values, at least 50% are needed"
    assert field(found, "WUE").value is None


def test_a_day_that_is_half_known_has_no_degree_days() -> None:
    columns = values()
    columns["oat"][102 * 24 : 102 * 24 + 12] = np.nan
    found = field(asked(full_site(), columns), "CDD")
    assert found.value == pytest.approx(4.0)
    assert found.usable == 364 / 365


def test_degree_days_go_by_local_days() -> None:
    columns = values()
    columns["oat"] = np.full(N, 5.0)
    columns["oat"][50 * 24 - 6 : 51 * 24 - 6] = 26.0
    site = full_site()
    east = a_site({}, *site.meters.values(), zone="Etc/GMT-6", facility=site.facility)
    assert field(asked(east, columns), "CDD").value == pytest.approx(5.0)
    assert field(asked(site, columns), "CDD").value == 0.0


def test_what_is_declared_for_another_year_is_missing() -> None:
    declared = {"declared_year": 2025, "traffic_in_eb": 1.5, "floor_area_m2": 900.0}
    found = asked(full_site(**declared), values())
    assert field(found, "T_IN traffic").missing == "facility.traffic_in_eb is declared for 2025"
    assert field(found, "S_DC").value == 900.0
    same = asked(full_site(**(declared | {"declared_year": 2026})), values())
    assert (field(same, "T_IN traffic").value, field(same, "T_IN traffic").note) == (1.5, "")
    loose = asked(full_site(traffic_in_eb=1.5), values())
    assert "without a year" in field(loose, "T_IN traffic").note


def test_the_cap_takes_certificates_first() -> None:
    columns = values() | {"grid": np.full(N, 15.0), "ups": np.full(N, 12.0)}
    found = asked(full_site(), columns)
    kwh = {name: field(found, f"E_RES-{name}").value for name in ("OS", "PPA", "GOO", "TOT")}
    assert kwh == {name: pytest.approx(kw * N) for name, kw in {"OS": 9, "PPA": 10, "GOO": 6, "TOT": 25}.items()}
    assert field(found, "REF").value == pytest.approx(1.0)
    assert not [each for each in found.breaches if "E_RES" in each]


def test_a_breach_is_named_with_both_values() -> None:
    columns = values() | {"ups": np.full(N, 140.0)}
    found = asked(full_site(), columns)
    assert field(found, "PUE").value is None
    assert found.breaches == (f"E_IT {140 * N} kWh must not be above E_DC {130 * N} kWh.",)
    small = asked(a_site({}, *full_site().meters.values(), it_power_kw=90.0), values())
    assert small.breaches == (f"E_IT {100 * N} kWh must not be above PD_IT x 8760 h {90 * N} kWh.",)
    assert small.obliged is False


def test_a_year_that_is_not_over_is_provisional() -> None:
    found = asked(full_site(), values(), over=False)
    assert field(found, "E_DC").provisional
    assert "not over" in field(found, "E_DC").note


def test_the_german_register() -> None:
    declared = {"connected_power_kw": 800.0, "energy_management": "ISO 50001", "energy_management_certified": True}
    site = full_site(**declared, start_of_operation=date(2020, 5, 1), waste_heat_temperature_c=41.0)
    extra = (meter("out", "grid_export"), meter("cold", "heat_removed"), meter("fans", "fan"))
    site = a_site(
        {}, *site.meters.values(), *extra, facility=site.facility, it_power_kw=500.0, limits=("enefg-existing",)
    )
    columns = values() | {"out": np.full(N, 2.0), "cold": np.full(N, 90.0), "fans": np.full(N, 9.0)}
    found = asked(site, columns, enefg)
    assert {code: field(found, code).value for code in ("E_TOTAL", "E_IMPORT", "E_EXPORT", "Q_RELEASED", "CER")} == {
        "E_TOTAL": pytest.approx(128.0 * N),
        "E_IMPORT": pytest.approx(120.0 * N),
        "E_EXPORT": pytest.approx(2.0 * N),
        "Q_RELEASED": pytest.approx(77.0 * N),
        "CER": pytest.approx(10.0),
    }
    assert (field(found, "SIZE").value, field(found, "EMS-CERT").value, field(found, "T_WH").value) == (
        "< 1 MW",
        True,
        41.0,
    )
    assert (found.due, found.obliged) == ("2027-03-31", True)
    (limit,) = found.limits
    assert (limit.limit.state, limit.judgement.verdict) == ("none yet", "no limit")


@pytest.mark.parametrize(
    ("kw", "name"), [(499.9, "< 500 kW"), (500.0, "< 1 MW"), (99_999.0, "< 100 MW"), (100_000.0, ">= 100 MW")]
)
def test_size_classes(kw: float, name: str) -> None:
    assert size_class(kw) == name
