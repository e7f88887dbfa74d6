"""The simulator itself: state and a number of steps in, telemetry, truth and the next state out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from collector.simulate import load, plant
from collector.simulate.faults import Fault, added
from collector.simulate.meters import MeterPlan, amounts, meter_plans
from collector.simulate.spec import SiteSpec
from collector.simulate.truth import Truth, exact, join
from collector.simulate.weather import Weather, pv_power, weather
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, Interval, ceil_to, floor_to
from wattwell.model import Accumulation, Float64, Int64
from wattwell.units import CANONICAL, convert

RACKS_US = 12 * MINUTE
"""Time constant of the heat stored in racks and air."""
BASIN_US = 15 * MINUTE
"""Time constant of the water in the tower's basin."""
_CHUNK = 20_000
"""Steps computed at once, which bounds memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that one step hands to the next."""

    step: int = 0
    """Steps done."""
    air_heat_kw: float | None = None
    water_heat_kw: float | None = None
    basin_c: float | None = None
    totals: Mapping[str, float] = field(default_factory=dict)
    """kWh or L that each amount meter has measured since the start."""
    last: Mapping[str, float] = field(default_factory=dict)
    """The same one step ago: a delta meter sends the difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What the devices send at each instant, in each meter's own unit.

    Registers show what passed before the instant, a delta the amount since the instant before, a power what holds
    from the instant to the next. The row after the last step therefore closes a run: see :meth:`Simulator.closing`.
    """

    site: str
    at: Int64
    """Device times, microseconds UTC."""
    values: Mapping[str, Float64]
    """By meter id, each as long as ``at``."""

    def __len__(self) -> int:
        return len(self.at)


def advance(
    spec: SiteSpec, seed: int, faults: Sequence[Fault], start_us: int, step_us: int, state: State, steps: int
) -> tuple[Telemetry, Truth, State]:
    """``steps`` (at least one) further steps of the run that began at ``start_us``: a pure function."""
    if steps < 1:
        raise ValueError(f"{steps} steps cannot be simulated; ask for at least one")
    at = start_us + step_us * np.arange(state.step, state.step + steps, dtype=np.int64)
    moment = _physics(spec, seed, faults, at, step_us, state)
    truth, signals = _truth(moment, step_us), _signals(moment)
    flows = amounts(truth)
    values: dict[str, Float64] = {}
    totals: dict[str, float] = {}
    last: dict[str, float] = {}
    for plan in meter_plans(spec):
        if plan.accumulation is Accumulation.INSTANTANEOUS:
            values[plan.id] = _shown(plan, signals[plan.id])
            continue
        running = np.cumsum(np.concatenate(([state.totals.get(plan.id, 0.0)], flows[plan.id])))
        totals[plan.id], last[plan.id] = float(running[-1]), float(running[-2])
        if plan.accumulation is Accumulation.REGISTER:
            values[plan.id] = _dial(plan, running[:-1])
        else:
            values[plan.id] = _delta(plan, np.concatenate(([state.last.get(plan.id, 0.0)], running[:-1])))
    air_heat, water_heat, basin = moment.slow
    after = State(
        step=state.step + steps, air_heat_kw=air_heat, water_heat_kw=water_heat, basin_c=basin, totals=totals, last=last
    )
    return Telemetry(site=spec.id, at=at, values=values), truth, after


def _dial(plan: MeterPlan, total: Float64) -> Float64:
    """A register's display: cut off at its resolution, starting again at its rollover."""
    ticks = np.floor(total * plan.per_canonical).astype(np.int64) + plan.first * plan.per_unit
    if plan.rollover_at is not None:
        ticks = ticks % (plan.rollover_at * plan.per_unit)
    return ticks / plan.per_unit


def _delta(plan: MeterPlan, total: Float64) -> Float64:
    """What a pulse output sends: whole ticks since the reading before; the rest waits for the next."""
    ticks = np.floor(total * plan.per_canonical)
    return (ticks[1:] - ticks[:-1]) / plan.per_unit


def _shown(plan: MeterPlan, canonical: Float64) -> Float64:
    """A sensor's display: its unit, rounded to its resolution."""
    own = convert(canonical, plan.quantity, CANONICAL[plan.quantity], plan.unit)
    return np.rint(own * plan.per_unit) / plan.per_unit


@dataclass(frozen=True, slots=True)
class _Moment:
    """The physics of consecutive steps."""

    at: Int64
    sky: Weather
    it_kw: Float64
    lights_kw: Float64
    house_kw: Float64
    loss_kw: Float64
    pv_kw: Float64
    taps_l_s: Float64
    leak_l_h: Float64
    air: plant.AirSide
    water: plant.ChilledWater
    reject: plant.HeatRejection
    basin_c: Float64
    slow: tuple[float, float, float]
    """The lagging quantities of :class:`State` after the last step."""


def _physics(spec: SiteSpec, seed: int, faults: Sequence[Fault], at: Int64, step_us: int, state: State) -> _Moment:
    civil = load.civil_time(at, spec.timezone)
    sky = weather(spec, seed, at)
    it = load.it_load(spec, seed, at, civil)
    lights = load.lighting(spec, seed, at, civil)
    loss = plant.ups_loss(spec, faults, at, it)
    racks, basin = _closing_share(step_us, RACKS_US), _closing_share(step_us, BASIN_US)
    air_heat = plant.lag(state.air_heat_kw, (1.0 - spec.water_cooled_share) * it + loss + lights, racks)
    water_heat = plant.lag(state.water_heat_kw, spec.water_cooled_share * it, racks)
    basin_c = plant.lag(state.basin_c, plant.tower_target(spec, sky.wet_bulb_c), basin)
    air = plant.air_side(spec, faults, at, sky, air_heat)
    water = plant.chilled_water(spec, faults, at, air.coil_kw + water_heat)
    return _Moment(
        at=at,
        sky=sky,
        it_kw=it,
        lights_kw=lights,
        house_kw=load.house(spec, seed, at, civil, sky.dry_bulb_c) + added(faults, "unexpected_load", at),
        loss_kw=loss,
        pv_kw=pv_power(spec, sky, at),
        taps_l_s=load.domestic_water(spec, civil),
        leak_l_h=added(faults, "water_leak", at),
        air=air,
        water=water,
        reject=plant.heat_rejection(spec, faults, at, water, sky.wet_bulb_c, basin_c),
        basin_c=basin_c,
        slow=(float(air_heat[-1]), float(water_heat[-1]), float(basin_c[-1])),
    )


def _truth(moment: _Moment, step_us: int) -> Truth:
    hours, seconds = step_us / HOUR, step_us / SECOND
    air, water, reject = moment.air, moment.water, moment.reject
    return Truth(
        at=moment.at,
        step_us=step_us,
        pv=exact(moment.pv_kw * hours),
        it=exact(moment.it_kw * hours),
        ups_loss=exact(moment.loss_kw * hours),
        chiller=exact(reject.chiller_kw * hours),
        tower=exact(reject.tower_kw * hours),
        chw_pump=exact(water.pump_kw * hours),
        cw_pump=exact(reject.pump_kw * hours),
        ahu_east=exact(air.fan_east_kw * hours),
        ahu_west=exact(air.fan_west_kw * hours),
        lighting=exact(moment.lights_kw * hours),
        house=exact(moment.house_kw * hours),
        heat_removed=exact(water.heat_kw * hours),
        evaporation=exact(reject.evaporation_l_s * seconds),
        blowdown=exact(reject.blowdown_l_s * seconds),
        domestic=exact(moment.taps_l_s * seconds),
        leak=exact(moment.leak_l_h * hours),
    )


def _signals(moment: _Moment) -> dict[str, Float64]:
    """What the sensors sense, by meter, in canonical units."""
    air, water, reject = moment.air, moment.water, moment.reject
    return {
        "lights": moment.lights_kw,
        "oat": moment.sky.dry_bulb_c,
        "wet-bulb": moment.sky.wet_bulb_c,
        "humidity": moment.sky.humidity,
        "ahu-oat": air.sensed_c,
        "oa-fraction": air.outdoor_fraction,
        "supply-air": air.supply_c,
        "return-air": air.return_c,
        "hall-air": 0.5 * (air.supply_c + air.return_c),
        "fan-speed-east": air.speed_east,
        "fan-speed-west": air.speed_west,
        "chw-supply": water.supply_c,
        "chw-return": water.return_c,
        "chw-flow": water.flow_l_s,
        "cw-supply": moment.basin_c,
        "cw-return": reject.return_c,
        "cw-flow": reject.flow_l_s,
    }


def _closing_share(step_us: int, time_constant: int) -> float:
    """Share of the distance to its target that a first-order lag closes in one step (backward Euler, never above 1)."""
    return step_us / (step_us + time_constant)


class Simulator:
    """One run of one site: keeps the state between calls of :func:`advance`."""

    def __init__(
        self, spec: SiteSpec, *, seed: int, start_us: int, step_us: int = MINUTE, faults: Sequence[Fault] = ()
    ) -> None:
        """UsageError when the step is not 1 s to 1 h."""
        if not SECOND <= step_us <= HOUR:
            raise UsageError(f"step {step_us / SECOND:g} s is out of range; choose 1 s to 1 h")
        self.spec = spec
        self.seed = seed
        self.start_us = start_us
        self.step_us = step_us
        self.faults = tuple(faults)
        self.state = State()

    def onwards(self, step_us: int) -> Simulator:
        """The same run from :attr:`now` on, with another step; UsageError when that is not 1 s to 1 h."""
        later = Simulator(self.spec, seed=self.seed, start_us=self.now, step_us=step_us, faults=self.faults)
        later.state = replace(self.state, step=0)
        return later

    @property
    def now(self) -> int:
        """The instant of the next row, microseconds UTC."""
        return self.start_us + self.step_us * self.state.step

    def inject(self, *faults: Fault) -> None:
        """Adds faults; what was simulated before stays as it was."""
        self.faults = (*self.faults, *faults)

    def advance(self, steps: int) -> tuple[Telemetry, Truth]:
        """The next ``steps`` steps."""
        parts: list[tuple[Telemetry, Truth]] = []
        while steps > 0 or not parts:
            telemetry, truth, self.state = self._ahead(min(steps, _CHUNK))
            parts.append((telemetry, truth))
            steps -= _CHUNK
        return _joined([part for part, _ in parts]), join([part for _, part in parts])

    def advance_to(self, end_us: int) -> tuple[Telemetry, Truth]:
        """Every step that starts before an instant; ValueError when there is none."""
        return self.advance(-(-(end_us - self.now) // self.step_us))

    def closing(self) -> Telemetry:
        """The row at :attr:`now`, which shows the dials after all steps so far; the run itself does not move."""
        return self._ahead(1)[0]

    def _ahead(self, steps: int) -> tuple[Telemetry, Truth, State]:
        return advance(self.spec, self.seed, self.faults, self.start_us, self.step_us, self.state, steps)


def _joined(parts: Sequence[Telemetry]) -> Telemetry:
    first = parts[0]
    values = {meter: np.concatenate([part.values[meter] for part in parts]) for meter in first.values}
    return Telemetry(site=first.site, at=np.concatenate([part.at for part in parts]), values=values)


@dataclass(frozen=True, slots=True)
class Excess:
    """What a fault costs."""

    kwh: float
    litres: float


def excess(spec: SiteSpec, faults: Sequence[Fault], interval: Interval, *, seed: int, step_us: int = MINUTE) -> Excess:
    """Energy and water that the site uses in an interval because of faults: with them minus without, same weather
    and load. The interval is widened to whole steps; both twins start a day earlier, healthy or not, and settle."""
    start, end = floor_to(interval.start, step_us), ceil_to(interval.end, step_us)
    sums = []
    for present in (tuple(faults), ()):
        twin = Simulator(spec, seed=seed, start_us=floor_to(start - DAY, step_us), step_us=step_us, faults=present)
        _, truth = twin.advance_to(end)
        part = truth.slice(start, end)
        sums.append((float(part.e_dc.sum()), float(part.water_input.sum())))
    return Excess(sums[0][0] - sums[1][0], sums[0][1] - sums[1][1])
