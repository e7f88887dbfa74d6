"""The plant model: a data centre of two halls for EnergyPlus, driven by schedules, and the running of it.

The model file comes from the installed or downloaded package ``sinergym`` (MIT), the engine from ``pyenergyplus-lbnl``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.sites import sizing
from benchmarks.sites.levers import SCHEDULES

MODEL = "sinergym/data/buildings/2ZoneDataCenterHVAC_wEconomizer_CW.epJSON"
SIDES = ("East", "West")
HEATER_KW = 10.0
DRIVEN = ("ups_loss", "fan_east", "fan_west", "tower_override", "supply_setpoint")
CONDENSER_FLOW = 0.0106
"""m3/s."""
CONDENSER_SETPOINT = "Condenser Setpoint"
SUPPLY = 16.4
"""degC, behind the water coil."""
RESERVE = 1.3
"""Of the air handlers over the largest IT load."""
FAN_PRESSURE = 400
"""Pa, at full flow and with clean filters."""
FAN_CURVE = (0.0013, 0.147, 0.9506, -0.0998)
"""Share of full power by the share of full flow: variable speed with static pressure reset, ASHRAE 90.1 appendix G."""
LEAST_FLOW = 0.1
"""Of the air handlers, so low that no healthy hall is overcooled."""

OUTPUTS = (
    ("*", "ITE CPU Electricity Rate"),
    ("*", "ITE Fan Electricity Rate"),
    ("*", "ITE UPS Electricity Rate"),
    ("*", "ITE Air Inlet Dry-Bulb Temperature"),
    ("*", "Chiller Electricity Rate"),
    ("*", "Chiller Evaporator Cooling Rate"),
    ("*", "Cooling Tower Fan Electricity Rate"),
    ("*", "Cooling Tower Basin Heater Electricity Rate"),
    ("*", "Cooling Tower Make Up Water Volume Flow Rate"),
    ("*", "Pump Electricity Rate"),
    ("*", "Pump Mass Flow Rate"),
    ("*", "Fan Electricity Rate"),
    ("*", "Evaporative Cooler Electricity Rate"),
    ("*", "Evaporative Cooler Water Volume"),
    ("*", "Lights Electricity Rate"),
    ("*", "Site Outdoor Air Drybulb Temperature"),
    ("*", "Site Outdoor Air Wetbulb Temperature"),
    ("*", "Site Outdoor Air Relative Humidity"),
    ("*", "Zone Mean Air Temperature"),
    ("*", "Air System Outdoor Air Flow Fraction"),
    ("East Air Loop Outlet Node", "System Node Temperature"),
    ("West Air Loop Outlet Node", "System Node Temperature"),
    ("East Zone Return Air Node", "System Node Temperature"),
    ("West Zone Return Air Node", "System Node Temperature"),
    ("CW Supply Outlet Node", "System Node Temperature"),
    ("Chiller Inlet Node", "System Node Temperature"),
    ("Chiller Condenser Inlet Node", "System Node Temperature"),
    ("Chiller Condenser Outlet Node", "System Node Temperature"),
)

_Model = dict[str, Any]


def build(model: _Model, schedules: Path, year: int, sizes: sizing.Sizes | None) -> _Model:
    """The site: its own set points, drift and faults come from the columns of the file `schedules`.

    Without sizes it is only sized, by the IT load of the schedules.
    """
    for name in [x for x in model if x.startswith(("EnergyManagementSystem", "Output", "SetpointManager:Follow"))]:
        del model[name]
    model["Version"] = {"Version 1": {"version_identifier": "25.2"}}
    model["Timestep"] = {"Timestep 1": {"number_of_timesteps_per_hour": 6}}
    period = next(iter(model["RunPeriod"].values()))
    period.pop("day_of_week_for_start_day", None)
    period.update(begin_year=year, end_year=year, use_weather_file_daylight_saving_period="No")
    period.update(use_weather_file_holidays_and_special_days="No")
    model["Schedule:File"] = {
        f"lever {name}": {
            "schedule_type_limits_name": "Any Number",
            "file_name": str(schedules),
            "column_number": 1 + number,
            "rows_to_skip_at_top": 1,
            "number_of_hours_of_data": 8760,
            "column_separator": "Comma",
            "minutes_per_item": 10,
        }
        for number, name in enumerate(SCHEDULES)
    }
    _set_points(model)
    _halls(model)
    _air(model)
    _programs(model)
    _cold(model)
    model["OutputControl:Files"] = {"files": {"output_csv": "Yes", "output_tabular": "No", "output_sqlite": "No"}}
    model["Output:Variable"] = {
        f"out {i}": {"key_value": key, "variable_name": name, "reporting_frequency": "Timestep"}
        for i, (key, name) in enumerate(OUTPUTS)
    }
    if sizes is None:
        next(iter(model["SimulationControl"].values()))["run_simulation_for_weather_file_run_periods"] = "No"
    else:
        sizing.fix(model, sizes)
    return model


def _set_points(model: _Model) -> None:
    chilled = model["SetpointManager:Scheduled"]
    next(iter(chilled.values()))["schedule_name"] = "lever chw_setpoint"
    del model["SetpointManager:SingleZone:Cooling"]
    model["Schedule:Constant"]["Coil Setpoint"] = {"hourly_value": SUPPLY, "schedule_type_limits_name": "Any Number"}
    for side in SIDES:  # the water coil comes in last: its set point is a little higher than that of the other stages
        stages = [f"{side} Zone {x} Outlet Node" for x in ("DEC", "IEC", "CCoil Air")]
        model["NodeList"][f"{side} Sys Setpoint nodes"]["nodes"] = [{"node_name": x} for x in stages]
        for what, schedule, node in (
            ("supply", "lever supply_setpoint", f"{side} Sys Setpoint nodes"),
            ("coil", "Coil Setpoint", f"{side} Air Loop Outlet Node"),
        ):
            chilled[f"{side} {what}"] = {
                "control_variable": "Temperature",
                "schedule_name": schedule,
                "setpoint_node_or_nodelist_name": node,
            }
        mixed = model["SetpointManager:MixedAir"][f"{side} Zone Mixed Air Temp Manager"]
        mixed["reference_setpoint_node_name"] = f"{side} Zone DEC Outlet Node"
    chilled["condenser"] = {
        "control_variable": "Temperature",
        "schedule_name": CONDENSER_SETPOINT,
        "setpoint_node_or_nodelist_name": "Condenser Supply Outlet Node",
    }
    model["Schedule:Constant"][CONDENSER_SETPOINT] = {"hourly_value": 20.0, "schedule_type_limits_name": "Any Number"}
    pair = model["ThermostatSetpoint:DualSetpoint"]["Temperature Setpoints"]
    pair["cooling_setpoint_temperature_schedule_name"] = "lever hall_setpoint"
    for field in model["Schedule:Compact"]["Heating Setpoints"]["data"]:
        if isinstance(field["field"], float):
            field["field"] = 12.0


def _halls(model: _Model) -> None:
    for item in model["ElectricEquipment:ITE:AirCooled"].values():
        item.update(cpu_loading_schedule_name="lever cpu", design_fan_power_input_fraction=0.15)
    curves = model["Curve:Biquadratic"]
    power = curves["Data Center Servers Power fLoadTemp"]  # mild: a kelvin more at the inlet, 0.6 % of the rating
    power.update(coefficient1_constant=0.232 - 0.006 * 17.4, coefficient2_x=0.96, coefficient4_y=0.006)
    flow = curves["Data Center Servers Airflow fLoadTemp"]
    flow.update(coefficient1_constant=0.3 - 0.02 * 17.4, coefficient2_x=0.8, coefficient4_y=0.02)
    for item in model["Lights"].values():
        item["schedule_name"] = "lever lights"
    for item in model["ElectricEquipment"].values():
        item.update(design_level=1000 * HEATER_KW / 2, schedule_name="lever heater", fraction_radiant=0.25)


def _air(model: _Model) -> None:
    for controller in model["Controller:OutdoorAir"].values():
        controller.pop("minimum_outdoor_air_schedule_name")
        controller.update(
            minimum_fraction_of_outdoor_air_schedule_name="lever oa_low",
            maximum_fraction_of_outdoor_air_schedule_name="lever oa_high",
            minimum_outdoor_air_flow_rate=0.0,
        )
    next(iter(model["Sizing:Parameters"].values()))["cooling_sizing_factor"] = RESERVE
    for zone in model["Sizing:Zone"].values():
        zone["zone_cooling_design_supply_air_temperature"] = SUPPLY
    for terminal in model["AirTerminal:SingleDuct:VAV:NoReheat"].values():
        terminal["constant_minimum_air_flow_fraction"] = LEAST_FLOW
    for fan in model["Fan:VariableVolume"].values():
        fan.update({f"fan_power_coefficient_{i}": x for i, x in enumerate(FAN_CURVE, 1)})
        fan["fan_power_minimum_flow_fraction"] = LEAST_FLOW
    model["FaultModel:TemperatureSensorOffset:OutdoorAir"] = {
        f"{side} sensor": {
            "severity_schedule_name": "lever oat_bias",
            "controller_object_type": "Controller:OutdoorAir",
            "controller_object_name": f"{side} Data Center OA Controller",
            "temperature_sensor_offset": 1.0,
        }
        for side in SIDES
    }


def _cold(model: _Model) -> None:
    """A centrifugal chiller with the DOE-2 curves, whose input depends on the chilled water as a real one's does."""
    old = model.pop("Chiller:Electric")["Chiller"]
    kept = {x: old[x] for x in old if x.endswith("_node_name")} | {
        "condenser_type": "WaterCooled",
        "chiller_flow_mode": "NotModulated",
    }
    model["Chiller:Electric:EIR"] = {
        "Chiller": kept
        | {
            "reference_capacity": 130000.0,
            "reference_cop": 4.7,
            "reference_leaving_chilled_water_temperature": 7.0,
            "reference_entering_condenser_fluid_temperature": 29.4,
            "reference_chilled_water_flow_rate": 0.0045,
            "reference_condenser_fluid_flow_rate": CONDENSER_FLOW,
            "minimum_part_load_ratio": 0.1,
            "maximum_part_load_ratio": 1.1,
            "optimum_part_load_ratio": 0.7,
            "minimum_unloading_ratio": 0.15,
            "leaving_chilled_water_lower_temperature_limit": 3.0,
            "cooling_capacity_function_of_temperature_curve_name": "Chiller CapFT",
            "electric_input_to_cooling_output_ratio_function_of_temperature_curve_name": "Chiller EIRFT",
            "electric_input_to_cooling_output_ratio_function_of_part_load_ratio_curve_name": "Chiller EIRFPLR",
        }
    }
    _curves(model)
    for branch in model["Branch"].values():
        for part in branch["components"]:
            if part["component_object_type"] == "Chiller:Electric":
                part["component_object_type"] = "Chiller:Electric:EIR"
    for parts in model["PlantEquipmentList"].values():
        for part in parts["equipment"]:
            if part["equipment_object_type"] == "Chiller:Electric":
                part["equipment_object_type"] = "Chiller:Electric:EIR"
    model["PlantLoop"]["Condenser Loop"]["maximum_loop_flow_rate"] = CONDENSER_FLOW
    model["PlantLoop"]["Chilled Water Loop"]["maximum_loop_flow_rate"] = 0.0045
    model["Pump:VariableSpeed"]["Cond Circ Pump"]["design_maximum_flow_rate"] = CONDENSER_FLOW
    model["Pump:VariableSpeed"]["CW Circ Pump"]["design_maximum_flow_rate"] = 0.0045
    tower = model["CoolingTower:VariableSpeed"]["Cooling Tower"]
    tower.update(basin_heater_capacity=120.0, design_water_flow_rate=CONDENSER_FLOW)


def _curves(model: _Model) -> None:
    """Capacity and input by both waters' temperatures, and input by part load."""
    bounds = {
        "minimum_value_of_x": 3.0,
        "maximum_value_of_x": 18.0,
        "minimum_value_of_y": 12.0,
        "maximum_value_of_y": 40.0,
    }
    fits = {
        "Chiller CapFT": (0.257896, 0.0389016, -0.00021708, 0.0468684, -0.00094284, -0.00034344),
        "Chiller EIRFT": (0.933884, -0.058212, 0.00450036, 0.00243, 0.000486, -0.001215),
    }
    names = ("1_constant", "2_x", "3_x_2", "4_y", "5_y_2", "6_x_y")
    for name, values in fits.items():
        model["Curve:Biquadratic"][name] = {f"coefficient{x}": v for x, v in zip(names, values, strict=True)} | bounds
    model["Curve:Quadratic"]["Chiller EIRFPLR"] = {
        "coefficient1_constant": 0.222903,
        "coefficient2_x": 0.313387,
        "coefficient3_x_2": 0.46371,
        "minimum_value_of_x": 0.1,
        "maximum_value_of_x": 1.1,
    }


def _programs(model: _Model) -> None:
    """UPS efficiency, fan pressures and the tower's set point (wet bulb + 4 K, at least 16 degC) step by step."""
    sensors = {f"s_{x}": ("Schedule Value", f"lever {x}") for x in DRIVEN}
    sensors["s_wet"] = ("Site Outdoor Air Wetbulb Temperature", "Environment")
    model["EnergyManagementSystem:Sensor"] = {
        name: {
            "output_variable_or_output_meter_name": variable,
            "output_variable_or_output_meter_index_key_name": key,
        }
        for name, (variable, key) in sensors.items()
    }
    actuators = {
        "a_ups": ("UPS Efficiency fPLR", "Curve", "Curve Result"),
        "a_east": ("East Zone Supply Fan", "Fan", "Fan Pressure Rise"),
        "a_west": ("West Zone Supply Fan", "Fan", "Fan Pressure Rise"),
        "a_coil": ("Coil Setpoint", "Schedule:Constant", "Schedule Value"),
        "a_tower": (CONDENSER_SETPOINT, "Schedule:Constant", "Schedule Value"),
    }
    model["EnergyManagementSystem:Actuator"] = {
        name: {
            "actuated_component_unique_name": unique,
            "actuated_component_type": kind,
            "actuated_component_control_type": control,
        }
        for name, (unique, kind, control) in actuators.items()
    }
    lines = (
        "SET a_ups = (1 - s_ups_loss) / 0.9",
        f"SET a_east = {FAN_PRESSURE} * s_fan_east",
        f"SET a_west = {FAN_PRESSURE} * s_fan_west",
        "SET a_coil = s_supply_setpoint + 0.4",
        "SET a_tower = @MAX (s_wet + 4) 16",
        "IF s_tower_override > 0.5",
        "SET a_tower = 4",
        "ENDIF",
    )
    model["EnergyManagementSystem:Program"] = {"Drive": {"lines": [{"program_line": line} for line in lines]}}
    model["EnergyManagementSystem:ProgramCallingManager"] = {
        f"Drive {point}": {"energyplus_model_calling_point": point, "programs": [{"program_name": "Drive"}]}
        for point in ("BeginTimestepBeforePredictor",)
    }


def size(levers: pd.DataFrame, *, model: Path, weather: Path, year: int, folder: Path) -> sizing.Sizes:
    """The plant for the largest IT load of the levers, in the place of the weather file."""
    largest = levers.assign(cpu=levers["cpu"].quantile(0.999))
    _run(largest, None, model=model, weather=weather, year=year, folder=folder)
    return sizing.read((folder / "eplusout.eio").read_text(encoding="utf-8"))


def simulate(
    levers: pd.DataFrame, sizes: sizing.Sizes, *, model: Path, weather: Path, year: int, folder: Path
) -> pd.DataFrame:
    """One year at ten minutes, a column per output as ``KEY:variable``; the engine runs in a process of its own."""
    _run(levers, sizes, model=model, weather=weather, year=year, folder=folder)
    output = pd.read_csv(folder / "eplusout.csv")
    output.columns = [" ".join(c.split("[")[0].split()) for c in output.columns]
    if len(output) != len(levers):
        message = f"EnergyPlus wrote {len(output)} rows, not {len(levers)}: see {folder}/eplusout.err."
        raise RuntimeError(message)
    return output.drop(columns="Date/Time").set_index(levers.index)


def _run(
    levers: pd.DataFrame, sizes: sizing.Sizes | None, *, model: Path, weather: Path, year: int, folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    columns = levers[list(SCHEDULES)].copy()
    columns["heater"] /= HEATER_KW
    table = folder / "levers.csv"
    columns.round(6).to_csv(table, index=False)
    source = json.loads(model.read_text(encoding="utf-8"))
    site = folder / "site.epJSON"
    site.write_text(json.dumps(build(source, table, year, sizes)), encoding="utf-8")
    run_engine([site, weather, folder])


def run_engine(arguments: Sequence[Path]) -> None:
    """Model, weather, folder. EnergyPlus keeps state between runs, so each run has its own interpreter."""
    program = (
        "import sys; from pyenergyplus.api import EnergyPlusAPI; api = EnergyPlusAPI(); m, w, d = sys.argv[1:]; "
        "s = api.state_manager.new_state(); api.runtime.set_console_output_status(s, False); "
        "sys.exit(api.runtime.run_energyplus(s, ['-w', w, '-d', d, m]))"
    )
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, check=False, cwd=arguments[2])
    if done.returncode:
        message = f"EnergyPlus failed with {done.returncode}: see {arguments[2]}/eplusout.err."
        raise RuntimeError(message)


def weather_folder() -> Path:
    """The typical years that come with the engine."""
    spec = find_spec("pyenergyplus")
    if spec is None or spec.origin is None:
        message = "EnergyPlus is not installed: pip install 'wattwell[simulation]'."
        raise RuntimeError(message)
    return Path(spec.origin).parent / "data" / "weather"
