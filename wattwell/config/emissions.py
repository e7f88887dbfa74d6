"""The emissions file of a site, fuels and refrigerants entered by hand, and the sources of its factors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from wattwell.config.energy_files import read_amount, read_days
from wattwell.config.files import Row, read_table
from wattwell.config.meters import Entry
from wattwell.config.places import Faults, Place
from wattwell.config.schema import RawFactors, RawSite
from wattwell.emissions import KINDS, EmissionEntry
from wattwell.intervals import Interval, day_start

_COLUMNS = ("id", "kind", "start", "end", "amount", "unit", "kg_per_unit", "factor", "source", "note")
_TEXTS = {
    "id": "an entry needs its id; write it",
    "unit": "write the unit of the amount, such as L, kg or m3",
    "factor": "write what the factor is, such as diesel, average biofuel blend, or R-134a, GWP 1430",
    "source": "write where the factor comes from, such as DEFRA 2025",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An entry as written, with its local dates."""

    place: Place
    id: str
    kind: str
    start: date
    end: date
    amount: float
    unit: str
    kg_per_unit: float
    factor: str
    source: str
    note: str

    def build(self, zone: str) -> EmissionEntry:
        """The entry with its dates as instants of the site's zone."""
        return EmissionEntry(
            id=self.id,
            kind=self.kind,
            interval=Interval(day_start(self.start, zone), day_start(self.end, zone)),
            amount=self.amount,
            unit=self.unit,
            kg_per_unit=self.kg_per_unit,
            factor=self.factor,
            source=self.source,
            note=self.note,
        )


def read_emissions(name: str, base: Path, place: Place, faults: Faults) -> list[EntryRow]:
    """The rows of an emissions file ``id,kind,start,end,amount,unit,kg_per_unit,factor,source[,note]``."""
    rows = read_table(base, name, place, faults, known=_COLUMNS, required=_COLUMNS[:-1])
    found = (_entry(row, faults) for row in rows)
    return [entry for entry in found if entry is not None]


def _entry(row: Row, faults: Faults) -> EntryRow | None:
    before = len(faults)
    cells, place = row.cells, row.place
    for column, remedy in _TEXTS.items():
        if column not in cells:
            faults.add(place.cell(column), remedy)
    if cells.get("kind") not in KINDS:
        faults.add(place.cell("kind"), f"write one of: {' '.join(KINDS)}", cells.get("kind", ""))
    start, end = read_days(row, faults)
    amount = read_amount(row, "amount", "the amount in the unit beside it", faults)
    factor = read_amount(row, "kg_per_unit", "the kg of CO2 equivalent of one unit", faults)
    if len(faults) > before or start is None or end is None or amount is None or factor is None:
        return None
    return EntryRow(
        place=place,
        id=cells["id"],
        kind=cells["kind"],
        start=start,
        end=end,
        amount=amount,
        unit=cells["unit"],
        kg_per_unit=factor,
        factor=cells["factor"],
        source=cells["source"],
        note=cells.get("note", ""),
    )


def metered_twice(rows: Iterable[EntryRow], meters: Iterable[Entry]) -> list[str]:
    """A note where fuel is entered beside meters whose emissions count already."""
    metered = [
        str(meter.raw.id)
        for meter in meters
        if meter.raw.role in ("fuel", "generator") and meter.raw.kg_per_kwh is not None
    ]
    fuel = next((row for row in rows if row.kind == "fuel"), None)
    if fuel is None or not metered:
        return []
    return [f"{fuel.place}: enter only fuel that no meter counts; emissions of {', '.join(metered)} are metered"]


def check_factor_sources(raw: RawSite, place: Place, faults: Faults) -> None:
    """A source belongs to a factor that the site has."""
    if raw.factor_sources is None or raw.broken("factors"):
        return
    factors = raw.factors or RawFactors()
    for name, source in raw.factor_sources.model_dump(exclude_none=True).items():
        if factors.lacks(name):
            faults.add(place / name, "the site has no factor of this name; add it to factors or leave this out", source)
