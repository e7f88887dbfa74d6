"""What is watched at a site: one column for each subsystem, water use and point, with what it depends on.

A stream names a signed sum of meters, the *space* of drivers in which like hours are looked for, which way waste
shows, and for a sensor when it can be judged at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.anomaly.frame import Frame
from analytics.balance import Terms, sides
from analytics.closure import balances
from wattwell.model import Bool, Float64, Meter, Site
from wattwell.roles import ENERGY_KINDS, WATER_KINDS

KIND_OF_ROLE = {
    "chiller": "chiller",
    "pump": "pump",
    "fan": "fan",
    "ahu": "fan",
    "crah": "fan",
    "crac": "chiller",
    "cooling_tower": "tower",
    "dry_cooler": "tower",
    "evaporative_cooler": "evaporative",
    "humidifier": "humidifier",
    "cooling_other": "cooling_other",
    "lighting": "lighting",
    "other": "other",
    "water_tower_makeup": "tower_water",
    "water_evaporative": "evaporative_water",
}
"""Kinds of the streams that are one meter each."""
POINT_ROLES = {
    "hall_air": "hall",
    "return_air": "hall",
    "rack_inlet": "hall",
    "supply_air": "supply",
    "chw_supply": "chw_supply",
    "outdoor_air_fraction": "outdoor_air",
}
LOW_IS_WASTE = frozenset({"hall", "supply", "chw_supply"})
MOST_OF_A_ROLE = 8
"""Meters of one role that are watched one by one; more are watched as their sum."""
RUNNING = 0.05
"""Share of the highest hour so far above which a plant counts as running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One column that is watched."""

    name: str
    kind: str
    unit: str
    terms: Terms
    space: str
    """Of drivers: load, weather, profile or plant."""
    equipment: str | None
    waste: int
    """+1 where more than expected is waste, -1 where less is, 0 where either way is wrong."""
    floor: float
    """Departures smaller than this mean nothing, in ``unit``."""
    gate: Terms = ()
    """What must be running for the value to mean something; empty: nothing."""
    drivers: tuple[Terms, ...] = ()
    """What it is compared at, in the spaces load and plant; what it goes by beside the clock, in a profile."""

    @property
    def meters(self) -> tuple[str, ...]:
        """The meters that it is made of."""
        return tuple(meter for _, meter in self.terms)

    @property
    def energy(self) -> bool:
        """Whether it counts kilowatts."""
        return self.unit == "kW"

    @property
    def water(self) -> bool:
        """Whether it counts litres an hour."""
        return self.unit == "L/h"


def streams(site: Site) -> tuple[Stream, ...]:
    """Everything that can be watched with the meters of a site, in a fixed order."""
    found = [*_ups(site), *_metered(site), *_sums(site), *_water(site), *_points(site), *_plant(site)]
    return tuple({stream.name: stream for stream in found}.values())


def values(stream: Stream, frame: Frame) -> Float64:
    """The stream's column, NaN where it is missing or means nothing."""
    column = frame.sum(stream.terms)
    return np.where(running(stream.gate, frame), column, np.nan) if stream.gate else column


def running(gate: Terms, frame: Frame) -> Bool:
    """Where a plant runs: above a small share of the most that it has done so far."""
    column = np.nan_to_num(frame.sum(gate))
    here: Bool = column > np.maximum(RUNNING * np.maximum.accumulate(column), 1e-9)
    return here


# -- energy ----------------------------------------------------------------------------------------------------------


def _by_role(site: Site) -> Mapping[str, list[Meter]]:
    found: dict[str, list[Meter]] = defaultdict(list)
    for meter in site.meters.values():
        if meter.role:
            found[meter.role].append(meter)
    return found


def _one(meters: Sequence[Meter]) -> Terms:
    return tuple((1.0, meter.id) for meter in meters)


def it_terms(site: Site) -> Terms:
    """The IT load, by which everything else is explained."""
    return sides(site).get("e_it", ())


def _ups(site: Site) -> Iterator[Stream]:
    """Losses of the power chain: of each UPS that is metered on both sides, else of all together."""
    roles = _by_role(site)
    into, out = roles["ups_input"], roles["it_ups"]
    if not into or not out:
        return
    base = Stream(name="", kind="ups_loss", unit="kW", terms=(), space="load", equipment=None, waste=1, floor=0.0)
    pairs = [(a, [b for b in out if b.equipment == a.equipment]) for a in into if a.equipment]
    if 1 < len(into) == len(pairs) <= MOST_OF_A_ROLE and all(len(b) == 1 for _, b in pairs):
        for a, (b,) in pairs:
            terms = ((1.0, a.id), (-1.0, b.id))
            yield replace(base, name=f"ups_loss {a.id}", terms=terms, equipment=a.equipment, drivers=(((1.0, b.id),),))
        return
    all_terms: Terms = (*_one(into), *((-1.0, meter.id) for meter in out))
    yield replace(base, name="ups_loss", terms=all_terms, equipment=_shared(into) or "ups", drivers=(_one(out),))


def _shared(meters: Sequence[Meter]) -> str | None:
    """The equipment that all have in common."""
    names = {meter.equipment for meter in meters}
    return names.pop() if len(names) == 1 else None


def _metered(site: Site) -> Iterator[Stream]:
    """Energy and water meters of plant, one by one; by role where there are many.

    Panels with offices and controls go by the clock, and by the outdoor temperature: there is always some heating.
    """
    outdoor: tuple[Terms, ...] = tuple(((1.0, meter),) for meter in weather_meters(site)[:1])
    for role, meters in _by_role(site).items():
        kind = KIND_OF_ROLE.get(role)
        if kind is None:
            continue
        groups = [[meter] for meter in meters] if len(meters) <= MOST_OF_A_ROLE else [meters]
        for group in groups:
            water = group[0].quantity in WATER_KINDS
            yield Stream(
                name=group[0].id if len(group) == 1 else role,
                kind=kind,
                unit="L/h" if water else "kW",
                terms=_one(group),
                space="profile" if role in ("lighting", "other") else "weather",
                drivers=outdoor if role == "other" else (),
                equipment=_shared(group) or (group[0].id if len(group) == 1 else role),
                waste=1,
                floor=0.0,
            )


def _sums(site: Site) -> Iterator[Stream]:
    """What no meter below the supply shows, and everything beside the IT load together."""
    found = sides(site)
    e_dc, e_it = found.get("e_dc", ()), found.get("e_it", ())
    for balance in balances(site):
        parent = site.meters[balance.parent]
        if parent.quantity in ENERGY_KINDS and (
            parent.role == "utility_import" or parent.role is parent.parent is None
        ):
            terms = ((1.0, parent.id), *((-1.0, meter) for meter in balance.children))
            yield Stream(
                name=f"unmetered {parent.id}", kind="unmetered", unit="kW", terms=terms, space="profile",
                equipment=parent.equipment or parent.id, waste=1, floor=0.0, drivers=(e_it,) if e_it else (),
            )  # fmt: skip
    if e_dc and e_it:
        terms = (*e_dc, *((-factor, meter) for factor, meter in e_it))
        yield Stream(
            name="overhead",
            kind="overhead",
            unit="kW",
            terms=terms,
            space="weather",
            equipment=None,
            waste=1,
            floor=0.0,
        )


def _water(site: Site) -> Iterator[Stream]:
    """Water that enters and reaches no meter below; where none is metered below, all that enters."""
    divided = set()
    for balance in balances(site):
        parent = site.meters[balance.parent]
        if parent.quantity in WATER_KINDS:
            divided.add(parent.id)
            terms = ((1.0, parent.id), *((-1.0, meter) for meter in balance.children))
            yield Stream(
                name=f"unmetered {parent.id}", kind="water_balance", unit="L/h", terms=terms, space="profile",
                equipment=parent.equipment or parent.id, waste=1, floor=0.0,
            )  # fmt: skip
    for meter in site.meters.values():
        if meter.role in ("water_input", "water_potable") and meter.id not in divided and meter.parent is None:
            yield Stream(
                name=meter.id, kind="site_water", unit="L/h", terms=((1.0, meter.id),), space="weather",
                equipment=meter.equipment or meter.id, waste=1, floor=0.0,
            )  # fmt: skip


# -- points ------------------------------------------------------------------------------------------------------------


def _points(site: Site) -> Iterator[Stream]:
    roles = _by_role(site)
    outdoor = roles["outdoor_dry_bulb"]
    for meter in outdoor[1:]:
        yield Stream(
            name=f"{meter.id} - {outdoor[0].id}", kind="outdoor_sensor", unit="K",
            terms=((1.0, meter.id), (-1.0, outdoor[0].id)), space="profile", equipment=meter.equipment, waste=0,
            floor=1.0,
        )  # fmt: skip
    yield from _pairs(roles)
    for role, kind in POINT_ROLES.items():
        for meter in roles[role][:MOST_OF_A_ROLE]:
            yield Stream(
                name=meter.id,
                kind=kind,
                unit="1" if kind == "outdoor_air" else "degC",
                terms=((1.0, meter.id),),
                space="weather",
                equipment=meter.equipment,
                waste=-1 if kind in LOW_IS_WASTE else 0,
                floor=0.05 if kind == "outdoor_air" else 0.4,
                gate=_chilling(roles) if kind == "chw_supply" else (),
            )


def _pairs(roles: Mapping[str, list[Meter]]) -> Iterator[Stream]:
    """Sensors that go together: when one leaves the other, one of them is wrong.

    Air arrives at the racks no colder than it was supplied: colder by the sensors means that the supply's reads high.
    """
    base = Stream(name="", kind="", unit="K", terms=(), space="weather", equipment=None, waste=0, floor=0.7)
    hall, back = roles["hall_air"], roles["return_air"]
    if len(hall) == len(back) == 1:
        terms = ((1.0, back[0].id), (-1.0, hall[0].id))
        where = hall[0].equipment
        yield replace(base, name=f"{back[0].id} - {hall[0].id}", kind="hall_sensor", terms=terms, equipment=where)
    inlet, supply = roles["rack_inlet"], roles["supply_air"]
    if len(inlet) == 1 and 1 <= len(supply) <= MOST_OF_A_ROLE:
        means: Terms = ((1.0, inlet[0].id), *((-1.0 / len(supply), meter.id) for meter in supply))
        where = _shared(supply) or supply[0].equipment
        yield replace(base, name=f"{inlet[0].id} - supply", kind="supply_sensor", terms=means, equipment=where)


def _chilling(roles: Mapping[str, list[Meter]]) -> Terms:
    """What tells that chilled water is being made."""
    return _one(roles["heat_removed"] or roles["chw_flow"] or roles["chiller"])


def _plant(site: Site) -> Iterator[Stream]:
    """Machines against what they are made to do: chillers by heat and temperatures."""
    roles = _by_role(site)
    heat, chillers = roles["heat_removed"], roles["chiller"]
    if not heat or not chillers:
        return
    temperatures = [_one(roles[role][:1]) for role in ("cw_supply", "chw_supply") if roles[role]]
    pairs = [(a, [b for b in heat if b.equipment == a.equipment]) for a in chillers]
    single = len(chillers) == 1 or not all(len(b) == 1 for _, b in pairs)
    groups = [(chillers, heat)] if single else [([a], b) for a, b in pairs]
    for machines, loads in groups:
        yield Stream(
            name=f"{machines[0].id} curve", kind="chiller_curve", unit="kW", terms=_one(machines), space="plant",
            equipment=_shared(machines) or "chillers", waste=1, floor=0.0, gate=_one(loads),
            drivers=(_one(loads), *temperatures),
        )  # fmt: skip


def inputs(stream: Stream, site: Site) -> tuple[str, ...]:
    """Every meter that a stream's judgement goes by: its own, its gate's and its drivers'."""
    terms = [*stream.terms, *stream.gate, *(term for driver in stream.drivers for term in driver)]
    if stream.space == "weather":
        terms += [*it_terms(site), *((1.0, meter) for meter in weather_meters(site))]
    return tuple(dict.fromkeys(meter for _, meter in terms))


def weather_meters(site: Site) -> tuple[str, ...]:
    """The site's first outdoor dry bulb and wet bulb; empty without the first."""
    roles = _by_role(site)
    if not roles["outdoor_dry_bulb"]:
        return ()
    return tuple(meter.id for role in ("outdoor_dry_bulb", "outdoor_wet_bulb") for meter in roles[role][:1])
