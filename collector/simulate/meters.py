"""The site's meters: one table that both the configuration and the telemetry are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collector.simulate.spec import SiteSpec
from collector.simulate.truth import Truth
from wattwell.model import Accumulation, Float64
from wattwell.units import QuantityKind, scale_to_canonical

_REGISTER, _DELTA, _INSTANT = Accumulation.REGISTER, Accumulation.DELTA, Accumulation.INSTANTANEOUS
_ENERGY, _WATER = QuantityKind.ENERGY, QuantityKind.WATER


@dataclass(frozen=True, slots=True)
class MeterPlan:
    """One meter as it is installed."""

    id: str
    role: str | None
    quantity: QuantityKind
    accumulation: Accumulation
    unit: str
    equipment: str
    per_unit: int
    """Steps of the display by unit: 100 shows 0.01."""
    parent: str | None = None
    rollover_at: int | None = None
    """In ``unit``."""
    first: int = 0
    """Dial at the start of a run, in ``unit``: meters are rarely new."""
    interpolation: str | None = None
    max_rate: float | None = None
    """kW or L/s"""

    @property
    def per_canonical(self) -> float:
        """Steps of the display by kWh, L, ..., for amounts."""
        return self.per_unit * _per_canonical(self.quantity, self.unit)


def _per_canonical(quantity: QuantityKind, unit: str) -> float:
    scale = scale_to_canonical(quantity, unit)
    return 1.0 / scale


def meter_plans(spec: SiteSpec) -> tuple[MeterPlan, ...]:
    """Every meter of the site, parents before children.

    The main switchboard meter has no role: it is the parent that the tree needs where PV feeds in behind the utility
    meter, and its energy is already counted as import + PV - export.
    """
    return (*_electric(spec), *_water(spec), *_sensors())


def _electric(spec: SiteSpec) -> tuple[MeterPlan, ...]:
    size = spec.it_power_kw

    def meter(id: str, role: str | None, equipment: str, parent: str | None, share: float, **more: Any) -> MeterPlan:
        options: dict[str, Any] = {"unit": "kWh", "per_unit": 100, "accumulation": _REGISTER} | more
        unit, per_unit, kind = options.pop("unit"), options.pop("per_unit"), options.pop("accumulation")
        rate = round(share * size, 3)
        return MeterPlan(id, role, _ENERGY, kind, unit, equipment, per_unit, parent, max_rate=rate, **options)

    return (
        meter("utility", "utility_import", "switchboard", None, 4, unit="MWh", per_unit=10_000, first=8_120),
        meter("grid-export", "grid_export", "switchboard", None, 4, first=41_907),
        meter("pv", "onsite_renewable", "pv-inverter", None, 3, first=655_360),
        meter("main", None, "switchboard", None, 4, rollover_at=1_000_000, first=905_000),
        meter("ups-in", "ups_input", "ups", "main", 2, rollover_at=1_000_000, first=963_000),
        meter("ups-out", "it_ups", "ups", "ups-in", 2, rollover_at=1_000_000, first=921_000),
        meter("chiller", "chiller", "chiller", "main", 2, unit="MWh", per_unit=100_000, first=310),
        meter("tower", "cooling_tower", "cooling-tower", "main", 0.2, first=10_240),
        meter("chw-pump", "pump", "chw-pump", "main", 0.2, per_unit=1000, rollover_at=100_000, first=99_000),
        meter("cw-pump", "pump", "cw-pump", "main", 0.2, per_unit=1000, rollover_at=100_000, first=57_000),
        meter("ahu-east", "ahu", "ahu-east", "main", 0.5, first=73_114),
        meter("ahu-west", "ahu", "ahu-west", "main", 0.5, first=70_998),
        MeterPlan(
            "lights", "lighting", QuantityKind.POWER, _INSTANT, "kW", "lighting-panel", 1000, "main",
            interpolation="step", max_rate=round(0.1 * size, 3),
        ),
        meter("house", "other", "house-panel", "main", 2, unit="Wh", per_unit=1, accumulation=_DELTA),
        meter("chiller-heat", "heat_removed", "chiller", None, 4, per_unit=10, first=1_204_551),
    )  # fmt: skip


def _water(spec: SiteSpec) -> tuple[MeterPlan, ...]:
    rate = round(0.01 * spec.it_power_kw, 3)

    def meter(id: str, role: str | None, equipment: str, parent: str | None, **more: Any) -> MeterPlan:
        options: dict[str, Any] = {"unit": "m3", "per_unit": 1000} | more
        unit, per_unit = options.pop("unit"), options.pop("per_unit")
        return MeterPlan(id, role, _WATER, _REGISTER, unit, equipment, per_unit, parent, max_rate=rate, **options)

    return (
        meter("water-main", "water_input", "water-main", None, rollover_at=100_000, first=99_950),
        meter("tower-makeup", "water_tower_makeup", "cooling-tower", "water-main", first=7_480),
        meter("taps", None, "taps", "water-main", first=512),
        meter("tower-blowdown", "water_blowdown", "cooling-tower", None, unit="L", per_unit=1, first=1_870_000),
    )


def _sensors() -> tuple[MeterPlan, ...]:
    def sensor(id: str, role: str, quantity: QuantityKind, unit: str, per_unit: int, equipment: str) -> MeterPlan:
        rate = 10_000.0 if quantity is QuantityKind.FLOW else None
        return MeterPlan(id, role, quantity, _INSTANT, unit, equipment, per_unit, max_rate=rate)

    temperature, ratio, flow = QuantityKind.TEMPERATURE, QuantityKind.RATIO, QuantityKind.FLOW
    return (
        sensor("oat", "outdoor_dry_bulb", temperature, "degC", 10, "weather-station"),
        sensor("wet-bulb", "outdoor_wet_bulb", temperature, "degC", 10, "weather-station"),
        sensor("humidity", "outdoor_humidity", QuantityKind.HUMIDITY, "%", 10, "weather-station"),
        sensor("ahu-oat", "outdoor_dry_bulb", temperature, "degC", 10, "air-handlers"),
        sensor("oa-fraction", "outdoor_air_fraction", ratio, "1", 1000, "air-handlers"),
        sensor("supply-air", "supply_air", temperature, "degC", 10, "air-handlers"),
        sensor("return-air", "return_air", temperature, "degC", 10, "halls"),
        sensor("hall-air", "hall_air", temperature, "degC", 10, "halls"),
        sensor("fan-speed-east", "fan_speed", ratio, "%", 10, "ahu-east"),
        sensor("fan-speed-west", "fan_speed", ratio, "%", 10, "ahu-west"),
        sensor("chw-supply", "chw_supply", temperature, "degC", 20, "chiller"),
        sensor("chw-return", "chw_return", temperature, "degC", 20, "chiller"),
        sensor("chw-flow", "chw_flow", flow, "L/s", 100, "chw-pump"),
        sensor("cw-supply", "cw_supply", temperature, "degC", 20, "cooling-tower"),
        sensor("cw-return", "cw_return", temperature, "degC", 20, "cooling-tower"),
        sensor("cw-flow", "cw_flow", flow, "m3/h", 10, "cw-pump"),
    )


def amounts(truth: Truth) -> Mapping[str, Float64]:
    """What each register or delta meter measures in each step, kWh or L."""
    return {
        "utility": truth.grid_import,
        "grid-export": truth.grid_export,
        "pv": truth.pv,
        "main": truth.e_dc,
        "ups-in": truth.ups_input,
        "ups-out": truth.it,
        "chiller": truth.chiller,
        "tower": truth.tower,
        "chw-pump": truth.chw_pump,
        "cw-pump": truth.cw_pump,
        "ahu-east": truth.ahu_east,
        "ahu-west": truth.ahu_west,
        "house": truth.house,
        "chiller-heat": truth.heat_removed,
        "water-main": truth.water_input,
        "tower-makeup": truth.makeup,
        "taps": truth.domestic,
        "tower-blowdown": truth.blowdown,
    }


def site_document(spec: SiteSpec, period: str = "60s") -> dict[str, Any]:
    """The entry of this site for ``sites:`` in a configuration file; ``period`` is the time between readings."""
    return {
        "id": spec.id,
        "name": spec.name,
        "timezone": spec.timezone,
        "pue_category": 1,
        "it_power_kw": spec.it_power_kw,
        "wue_numerator": "total_input",
        "targets": {"pue": 1.3, "wue": 1.2, "renewable_share": 0.1},
        "prices": {"currency": "EUR", "electricity_per_kwh": 0.2, "water_per_m3": 2.5},
        "factors": {"grid_kg_per_kwh": 0.35, "grid_carbon_free_share": 0.45, "ewif_l_per_kwh": 1.8},
        "meters": [_meter_document(plan, period) for plan in meter_plans(spec)],
    }


def _meter_document(plan: MeterPlan, period: str) -> dict[str, Any]:
    amount = plan.accumulation is not _INSTANT
    entry: dict[str, Any] = {
        "id": plan.id,
        "role": plan.role,
        "quantity": plan.quantity.value,
        "accumulation": plan.accumulation.value,
        "unit": plan.unit,
        "equipment": plan.equipment,
        "parent": plan.parent,
        "rollover_at": plan.rollover_at,
        "max_rate": plan.max_rate,
        "resolution": 1 / plan.per_unit if amount else None,
        "interpolation": plan.interpolation,
        "period": period,
    }
    return {key: value for key, value in entry.items() if value is not None}
