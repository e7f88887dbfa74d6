"""Sites: zone, boundaries, targets, files and meters of each one, and what must hold between sites."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from wattwell.config.emissions import EntryRow, check_factor_sources, metered_twice, read_emissions
from wattwell.config.energy_files import CertificateRow, check_unique, read_certificates, read_factors
from wattwell.config.facility import read_facility
from wattwell.config.maintenance import Windows, build_maintenance, read_maintenance
from wattwell.config.meters import Entry, build_meter, check_meter, read_meters, read_meters_file
from wattwell.config.places import Faults, Place, nearest
from wattwell.config.reading import read
from wattwell.config.schema import RawSite
from wattwell.config.structure import by_id, check_counted_once, check_tree, read_formulas
from wattwell.emissions import Baseline
from wattwell.facility import Facility
from wattwell.intervals import GRIDS, MINUTE, offsets_divide, zone_of
from wattwell.model import Factor, Prices, Site
from wattwell.roles import ENERGY_IN, IT_ROLE_OF_CATEGORY, WATER_INPUT_ROLES, Terms

DEFAULT_PUE_TARGET = 1.30
"""The operator's own target where none is given (METRICS, Limits)."""
RESERVED_SITE = "all"
"""The name of the roll-up over every site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A site as read: its parts, as far as they are right."""

    raw: RawSite
    place: Place
    meters: dict[str, Entry]
    formulas: dict[str, Terms]
    factors: dict[str, Factor]
    certificates: list[CertificateRow] | None
    emissions: list[EntryRow] | None
    maintenance: Windows = ()
    facility: Facility | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a site is read with."""

    base: Path
    grid: int | None
    """Microseconds; None where the grid itself is at fault."""
    faults: Faults
    today: date | None = None
    notes: list[str] = field(default_factory=list)


def read_sites(listed: Sequence[Any] | None, place: Place, around: Surroundings) -> list[Draft]:
    """Every site of the document, with the checks within each and between them."""
    faults = around.faults
    if listed is not None and not listed:
        faults.add(place, "write at least one site", listed)
    drafts: list[Draft] = []
    first: dict[str, Draft] = {}
    for index, item in enumerate(listed or ()):
        raw = read(RawSite, item, place / index, faults)
        if raw is None:
            continue
        draft = _read_site(raw, place / index, around)
        drafts.append(draft)
        if raw.id is not None and raw.id in first:
            faults.add(draft.place / "id", f"this id is already used at {first[raw.id].place}; rename one", raw.id)
        elif raw.id is not None:
            first[raw.id] = draft
    check_unique([row for draft in drafts for row in draft.certificates or ()], "a certificate", faults)
    check_unique([row for draft in drafts for row in draft.emissions or ()], "an entry", faults)
    return drafts


def _read_site(raw: RawSite, place: Place, around: Surroundings) -> Draft:
    base, faults = around.base, around.faults
    if raw.id == RESERVED_SITE:
        faults.add(place / "id", "`all` names the roll-up over every site; choose another id", raw.id)
    _check_zone(raw, place, around)
    for index, limit in enumerate(raw.limits or ()):
        if limit in (raw.limits or ())[:index]:
            faults.add(place / "limits" / index, "this limit stands twice; keep one of them", limit)
    certificates = None
    if raw.certificates is not None:
        certificates = read_certificates(raw.certificates, base, place / "certificates", faults)
    emissions = None
    if raw.emissions is not None:
        emissions = read_emissions(raw.emissions, base, place / "emissions", faults)
    check_factor_sources(raw, place / "factor_sources", faults)
    meters, formulas = _read_meters(raw, place, around)
    equipment = {entry.raw.equipment for entry in meters.values() if entry.raw.equipment is not None}
    draft = Draft(
        raw=raw,
        place=place,
        meters=meters,
        formulas=formulas,
        factors=read_factors(raw.factors, base, place / "factors", faults) if raw.factors else {},
        certificates=certificates,
        emissions=emissions,
        maintenance=read_maintenance(raw.maintenance, equipment, place / "maintenance", faults),
        facility=read_facility(raw.facility, meters, place / "facility", faults),
    )
    around.notes.extend(_notes(draft, around.today))
    return draft


def _check_zone(raw: RawSite, place: Place, around: Surroundings) -> None:
    zone, where, faults = raw.timezone, place / "timezone", around.faults
    if zone is None:
        return
    try:
        zone_of(zone)
    except (KeyError, ValueError, OSError):
        hint = nearest(zone, zoneinfo.available_timezones())
        faults.add(where, f"no IANA time zone{hint}; write one such as Europe/Berlin or Etc/UTC", zone)
        return
    if around.grid is not None and not offsets_divide(zone, around.grid):
        most = max((minutes for minutes in GRIDS if offsets_divide(zone, minutes * MINUTE)), default=GRIDS[0])
        remedy = f"the grid of {around.grid // MINUTE}m does not divide every UTC offset of this zone"
        faults.add(where, f"{remedy}; set `grid: {most}m` or a shorter one", zone)


def _read_meters(raw: RawSite, place: Place, around: Surroundings) -> tuple[dict[str, Entry], dict[str, Terms]]:
    faults = around.faults
    entries = read_meters(raw.meters, place / "meters", faults)
    before = len(faults)
    if raw.meters_file is not None:
        entries += read_meters_file(raw.meters_file, around.base, place / "meters_file", faults)
    told = raw.meters or raw.broken("meters") or raw.broken("meters_file") or len(faults) > before
    if not entries and not told:
        faults.add(place / "meters", "a site needs at least one meter; list it here or name a meters_file")
    for entry in entries:
        check_meter(entry, faults, around.notes)
    meters = by_id(entries, faults)
    check_tree(meters, faults)
    formulas = read_formulas(meters, faults)
    check_counted_once(meters, formulas, raw.pue_category, faults)
    return meters, formulas


def _notes(draft: Draft, today: date | None) -> list[str]:
    raw, place = draft.raw, draft.place
    roles = {entry.raw.role for entry in draft.meters.values()}
    notes = []
    if raw.pue_category is not None and IT_ROLE_OF_CATEGORY[raw.pue_category] not in roles:
        it = IT_ROLE_OF_CATEGORY[raw.pue_category]
        notes.append(
            f"{place}: no meter has the role {it} of PUE category {raw.pue_category}, so KPIs with E_IT have no value"
        )
    if roles.isdisjoint(ENERGY_IN):
        notes.append(f"{place}: no meter brings energy in (such as utility_import), so KPIs with E_DC have no value")
    if roles.isdisjoint(WATER_INPUT_ROLES):
        notes.append(f"{place}: no meter has a water input role, so WUE has no value")
    elif raw.wue_numerator == "consumed" and "water_returned" not in roles:
        notes.append(
            f"{place / 'wue_numerator'}: consumed water needs a meter with the role water_returned; WUE has no value"
        )
    notes.extend(metered_twice(draft.emissions or (), draft.meters.values()))
    notes.extend(
        f"{row.place}: the {row.kind} {row.id} is retired without a date, so it does not count"
        for row in draft.certificates or ()
        if row.status == "retired" and row.retired_on is None and row.kind != "onsite"
    )
    notes.extend(
        f"{row.place}: the {row.kind} {row.id} is retired on {row.retired_on}, a day that is still to come"
        for row in draft.certificates or ()
        if today is not None and row.retired_on is not None and row.retired_on > today
    )
    return notes


def build_site(draft: Draft) -> Site:
    """The site of a checked draft. Raises ValueError where a required key is absent, which the checks exclude."""
    raw = draft.raw
    if raw.id is None or raw.timezone is None or raw.pue_category is None:
        raise ValueError("a site without id, timezone or pue_category has passed the checks")
    zone, prices = raw.timezone, raw.prices
    return Site(
        id=raw.id,
        name=raw.name or raw.id,
        zone=zone,
        pue_category=raw.pue_category,
        it_power_kw=raw.it_power_kw,
        fiscal_year_start=raw.fiscal_year_start or 1,
        wue_numerator=raw.wue_numerator or "total_input",
        targets={"pue": DEFAULT_PUE_TARGET} | (raw.targets.model_dump(exclude_none=True) if raw.targets else {}),
        limits=tuple(raw.limits or ()),
        prices=Prices(**prices.model_dump()) if prices else None,
        factors=draft.factors,
        certificates=None if draft.certificates is None else tuple(row.build(zone) for row in draft.certificates),
        factor_sources=raw.factor_sources.model_dump(exclude_none=True) if raw.factor_sources else {},
        emissions=None if draft.emissions is None else tuple(row.build(zone) for row in draft.emissions),
        baseline=Baseline(**raw.baseline.model_dump()) if raw.baseline else None,
        meters={
            identity: build_meter(entry.raw, raw.id, zone, draft.formulas.get(identity, ()))
            for identity, entry in draft.meters.items()
        },
        maintenance=build_maintenance(draft.maintenance, zone),
        facility=draft.facility,
    )
