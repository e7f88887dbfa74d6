"""Energieeffizienzgesetz (EnEfG), Annex 3: what data centres in Germany report to the register for data centres.

The items follow Annex 3 to section 13; the codes are this program's own. The limits of section 11 that the site chose
are told beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from analytics.evaluate import Rules
from analytics.report.period import PeriodData
from analytics.report.regulation import Export, Field, Form, Regulation
from wattwell.limits import LIMITS
from wattwell.model import KpiValue

REGULATION = Regulation(
    name="enefg",
    title="Energieeffizienzgesetz (EnEfG), Annex 3: register for data centres",
    source="Energieeffizienzgesetz (EnEfG), BGBl. 2023 I Nr. 309",
    threshold="data centres in Germany with a non-redundant connected power of 300 kW or more",
    least_kw=300.0,
    due=(3, 31),
)
GENERAL, OPERATION, MANAGEMENT = "General", "Operation", "Management"
_TABLES = tuple(name for name in LIMITS if name.startswith("enefg"))
_CLASSES = ((500, "< 500 kW"), (1000, "< 1 MW"), (5000, "< 5 MW"), (10_000, "< 10 MW"), (50_000, "< 50 MW"))
_LARGE = ((100_000, "< 100 MW"), (float("inf"), ">= 100 MW"))


def enefg(data: PeriodData, kpis: Mapping[str, KpiValue], rules: Rules, year: int, *, over: bool) -> Export:
    """Every item for a calendar year.

    ``data`` spans the year as far as it is over; ``kpis`` are its pue, erf, ref, cer and wue.
    """
    form = Form(data, kpis, rules, year, over=over)
    fields = [*_general(form), *_electricity(form), *_heat(form), *_data(form), *_ratios(form), *_management(form)]
    power = form.facility.connected_power_kw
    if power is None and (data.site.it_power_kw or 0.0) >= REGULATION.least_kw:
        power = data.site.it_power_kw  # the whole data centre is connected with at least the power of its IT
    return form.export(REGULATION, fields, power, {}, _TABLES)


def size_class(it_power_kw: float) -> str:
    """The size class of Annex 3 by the connected power of the IT."""
    return next(name for most, name in (*_CLASSES, *_LARGE) if it_power_kw < most)


def _general(form: Form) -> Iterator[Field]:
    site = form.data.site
    yield form.given(GENERAL, "NAME", "Name of the data centre", form.facility.name or site.name, "name")
    yield form.declared(GENERAL, "OWNER", "Owner", "owner")
    yield form.declared(GENERAL, "OPERATOR", "Operator", "operator")
    power = site.it_power_kw
    size = None if power is None else size_class(power)
    sized = form.given(GENERAL, "SIZE", "Size class by the connected power of the IT", size, "it_power_kw")
    yield sized if size is None else replace(sized, basis="computed")
    yield form.declared(GENERAL, "POSTCODE", "Postcode", "postcode")
    yield form.declared(GENERAL, "AREA", "Total floor area of the building", "floor_area_m2", "m2")
    yield form.given(GENERAL, "PD_IT", "Connected power of the IT", power, "it_power_kw", "kW")
    text = "Non-redundant connected power of the data centre"
    yield form.declared(GENERAL, "PD_DC", text, "connected_power_kw", "kW")


def _electricity(form: Form) -> Iterator[Field]:
    trace = form.tracer
    terms = [(1.0, "utility_import"), (1.0, "generator"), (1.0, "onsite_renewable"), (-1.0, "grid_export")]
    used = trace.signed(terms, "no meter has the role utility_import, generator or onsite_renewable")
    text, formula = "Electricity consumption, own generation included", "import + generators + renewables - export"
    yield form.measured(OPERATION, "E_TOTAL", text, "kWh", used, formula)
    bought, formula = trace.role("utility_import"), "sum of the utility_import meters"
    yield form.measured(OPERATION, "E_IMPORT", "Electricity bought", "kWh", bought, formula)
    fed, formula = trace.role("grid_export"), "sum of the grid_export meters"
    yield form.measured(OPERATION, "E_EXPORT", "Electricity fed into the grid", "kWh", fed, formula)
    made = ("e_dc", "pv", "export")
    yield form.kpi(OPERATION, "REF", "Share of renewable energy", "ref", made, "renewable energy / E_DC")


def _heat(form: Form) -> Iterator[Field]:
    trace = form.tracer
    text = "Waste heat given off to air, water or ground"
    field = form.declared(OPERATION, "Q_RELEASED", text, "released_heat_kwh", "kWh")
    if field.value is None and form.facility.released_heat_kwh is None and "heat_removed" in form.data.roles:
        released = trace.signed([(1.0, "heat_removed"), (-1.0, "heat_reuse")], "no meter has the role heat_removed")
        note = "heat from compressors and pumps is not in it; declare facility.released_heat_kwh where it is estimated"
        field = form.computed(OPERATION, "Q_RELEASED", text, "kWh", released, "heat_removed - heat_reuse", note)
    yield field
    text, key = "Mean temperature of the waste heat given off", "released_heat_temperature_c"
    yield form.declared(OPERATION, "T_RELEASED", text, key, "degC")
    reused, formula = trace.role("heat_reuse"), "sum of the heat_reuse meters"
    yield form.measured(OPERATION, "E_REUSE", "Waste heat delivered to users", "kWh", reused, formula)
    yield form.temperature(OPERATION, "T_WH", "Mean temperature of the waste heat delivered", "waste_heat")


def _data(form: Form) -> Iterator[Field]:
    yield form.declared(OPERATION, "D_STORED", "Data stored", "data_stored_pb", "PB")
    yield form.declared(OPERATION, "D_PROCESSED", "Data processed", "data_processed_pb", "PB")


def _ratios(form: Form) -> Iterator[Field]:
    for code, text, quantities, formula in (
        ("PUE", "Power usage effectiveness", ("e_dc", "e_it"), "E_DC / E_IT"),
        ("ERF", "Energy reuse factor", ("heat_reuse", "e_dc"), "E_REUSE / E_DC"),
        ("CER", "Cooling efficiency ratio", ("heat_removed", "cooling"), "heat removed / energy of the cooling"),
        ("WUE", "Water usage effectiveness", ("water", "e_it"), "water / E_IT"),
    ):
        yield form.kpi(OPERATION, code, text, code.lower(), quantities, formula)


def _management(form: Form) -> Iterator[Field]:
    text = "Energy or environmental management system"
    yield form.declared(MANAGEMENT, "EMS", text, "energy_management")
    yield form.declared(MANAGEMENT, "EMS-CERT", f"{text}: certified", "energy_management_certified")
    yield form.declared(MANAGEMENT, "START", "Start of operation", "start_of_operation")
