"""Delegated Regulation (EU) 2024/1364: what data centres of 500 kW IT power and more report to the European database.

Annex I describes the data centre, Annex II holds its figures of the calendar year, Annex III what is worked out
of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics.evaluate import Rules
from analytics.kpi.base import MISSING
from analytics.report.period import PeriodData
from analytics.report.regulation import Export, Field, Form, Regulation
from analytics.report.tracing import CDD_BASE, CDD_FROM
from wattwell.model import KpiValue

REGULATION = Regulation(
    name="eu-2024-1364",
    title="Delegated Regulation (EU) 2024/1364, Annexes I to III",
    source="Commission Delegated Regulation (EU) 2024/1364 of 14 March 2024, OJ L, 17.5.2024",
    threshold="data centres in the EU with an installed IT power of 500 kW or more",
    least_kw=500.0,
    due=(5, 15),
)
ONE, TWO, THREE = "Annex I", "Annex II", "Annex III"
_LITRES = 1000.0
_SUMS = {"E_RES-TOT": ("E_RES-GOO", "E_RES-PPA", "E_RES-OS")}


def eu_2024_1364(data: PeriodData, kpis: Mapping[str, KpiValue], rules: Rules, year: int, *, over: bool) -> Export:
    """Every field of the three annexes for a calendar year.

    ``data`` spans the year as far as it is over; ``kpis`` are its pue, erf and ref.
    """
    form = Form(data, kpis, rules, year, over=over)
    fields = [*_described(form), *_energy(form), *_water_and_heat(form), *_renewables(form), *_it(form), *_ratios(form)]
    return form.export(REGULATION, fields, data.site.it_power_kw, _SUMS, ())


def _described(form: Form) -> Iterator[Field]:
    name = form.facility.name or form.data.site.name
    yield form.given(ONE, "NAME", "Name of the data centre", name, "name")
    for code, text, key in (
        ("OWNER", "Owner of the data centre", "owner"),
        ("OPERATOR", "Operator of the data centre", "operator"),
        ("ADDRESS", "Address", "address"),
        ("LAU", "Location: code of the municipality (local administrative unit)", "municipality_code"),
        ("NUTS", "Location: NUTS 3 region", "nuts"),
        ("TYPE", "Type of data centre (enterprise, colocation, co-hosting)", "type"),
        ("START", "Start of operation", "start_of_operation"),
        ("RED-EL", "Redundancy of the electrical infrastructure", "power_redundancy"),
        ("RED-EL-RACK", "Redundancy of the electrical infrastructure at rack level", "power_redundancy_rack"),
        ("RED-CO", "Redundancy of the cooling infrastructure", "cooling_redundancy"),
        ("RED-CO-RACK", "Redundancy of the cooling infrastructure at rack level", "cooling_redundancy_rack"),
    ):
        yield form.declared(ONE, code, text, key)


def _energy(form: Form) -> Iterator[Field]:
    trace, site = form.tracer, form.data.site
    yield form.given(TWO, "PD_IT", "Installed IT power demand", site.it_power_kw, "it_power_kw", "kW")
    yield form.declared(TWO, "S_DC", "Total floor area", "floor_area_m2", "m2")
    yield form.declared(TWO, "S_CR", "Floor area of the computer rooms", "computer_room_area_m2", "m2")
    e_dc = trace.quantity("e_dc", MISSING["e_dc"])
    formula = "import + generators + on-site renewables + weight x (fuels + bought cooling) - export"
    yield form.measured(TWO, "E_DC", "Total energy consumption", "kWh", e_dc, formula)
    text, formula = "Energy from back-up generators", "sum of the generator meters"
    yield form.measured(TWO, "E_DC-BG", text, "kWh", trace.role("generator"), formula)
    e_it, formula = trace.quantity("e_it", MISSING["e_it"]), f"sum of the IT meters of category {site.pue_category}"
    yield form.measured(TWO, "E_IT", "Energy consumption of the IT equipment", "kWh", e_it, formula)
    yield form.declared(TWO, "GRID", "Functions for the electrical grid", "grid_functions")
    yield form.declared(TWO, "C_BtG", "Mean battery capacity offered to the grid", "battery_power_kw", "kW")


def _water_and_heat(form: Form) -> Iterator[Field]:
    trace = form.tracer
    water = trace.quantity("water_total", MISSING["water_total"])
    formula = "sum of the topmost water_input, water_potable, water_reclaimed and water_rain meters / 1000"
    yield form.measured(TWO, "W_IN", "Total water input", "m3", water, formula, size=_LITRES)
    potable, formula = trace.role("water_potable"), "sum of the water_potable meters / 1000"
    yield form.measured(TWO, "W_IN-POT", "Potable water input", "m3", potable, formula, size=_LITRES)
    reused, formula = trace.quantity("heat_reuse", MISSING["heat_reuse"]), "sum of the heat_reuse meters"
    yield form.measured(TWO, "E_REUSE", "Waste heat reused", "kWh", reused, formula)
    yield form.temperature(TWO, "T_WH", "Mean temperature of the waste heat", "waste_heat")
    yield form.temperature(TWO, "T_IN", "Mean set point of the IT intake air temperature", "intake", "rack_inlet")
    yield form.declared(TWO, "REFRIGERANTS", "Refrigerants used", "refrigerants")
    formula = f"sum over local days with a mean of {CDD_FROM:g} degC or more of (mean - {CDD_BASE:g} degC); Eurostat"
    yield form.computed(TWO, "CDD", "Cooling degree days", "K.d", trace.cooling_degree_days(), formula)


def _renewables(form: Form) -> Iterator[Field]:
    found = form.renewable()
    for code, text, name, formula in (
        ("E_RES-TOT", "Renewable energy", "total", "E_RES-GOO + E_RES-PPA + E_RES-OS, at most E_DC"),
        ("E_RES-GOO", "Renewable energy by guarantees of origin", "certificate", "retired certificates, even in time"),
        ("E_RES-PPA", "Renewable energy by power purchase agreements", "ppa", "retired contracts, even in time"),
        ("E_RES-OS", "Renewable energy from the site", "onsite", "generation less what is exported, less what is sold"),
    ):
        yield form.computed(TWO, code, text, "kWh", found[name], formula)


def _it(form: Form) -> Iterator[Field]:
    for code, text, key, unit in (
        ("C_SERV", "Capacity of the servers (active state performance)", "server_capacity", "1"),
        ("C_STOR", "Capacity of the storage", "storage_capacity_pb", "PB"),
        ("B_IN", "Incoming traffic bandwidth", "bandwidth_in_gb_s", "GB/s"),
        ("B_OUT", "Outgoing traffic bandwidth", "bandwidth_out_gb_s", "GB/s"),
        ("T_IN traffic", "Incoming data traffic (T_IN)", "traffic_in_eb", "EB"),
        ("T_OUT", "Outgoing data traffic", "traffic_out_eb", "EB"),
    ):
        yield form.declared(TWO, code, text, key, unit)


def _ratios(form: Form) -> Iterator[Field]:
    yield form.kpi(THREE, "PUE", "Power usage effectiveness", "pue", ("e_dc", "e_it"), "E_DC / E_IT")
    lacks = MISSING["water_total" if "water_total" not in form.data.quantities else "e_it"]
    wue = form.tracer.ratio("water_total", "e_it", lacks)
    formula = "W_IN [m3] / E_IT [kWh] x 1000"
    yield form.computed(THREE, "WUE", "Water usage effectiveness", "m3/MWh", wue, formula, "total input")
    yield form.kpi(THREE, "ERF", "Energy reuse factor", "erf", ("heat_reuse", "e_dc"), "E_REUSE / E_DC")
    made = ("e_dc", "pv", "export")
    yield form.kpi(THREE, "REF", "Renewable energy factor", "ref", made, "E_RES-TOT / E_DC")
