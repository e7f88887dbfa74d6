"""CSV files of a site: hourly factors and renewable energy certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np

from wattwell.config.files import Row, read_table
from wattwell.config.places import Faults, Place
from wattwell.config.schema import RawFactors
from wattwell.config.values import as_date
from wattwell.intervals import HOUR, Interval, day_start, iso, parse_iso
from wattwell.model import Certificate, Factor

KINDS = ("onsite", "ppa", "certificate")
STATUSES = ("held", "retired", "sold")
_MOST_ROWS_LISTED = 20
_KWH_PER_MWH = 1000


def read_factors(raw: RawFactors, base: Path, place: Place, faults: Faults) -> dict[str, Factor]:
    """Every factor of a site, a constant or hourly values (METRICS: a value holds for the UTC hour from its time)."""
    factors: dict[str, Factor] = {}
    for name in type(raw).model_fields:
        value = getattr(raw, name)
        if value is None:
            continue
        where = place / name
        most = 1.0 if name == "grid_carbon_free_share" else None
        if isinstance(value, str):
            factors[name] = _hourly(value, base, where, faults, most)
        elif fault := _outside(value, most):
            faults.add(where, fault, value)
        else:
            factors[name] = Factor(constant=value)
    return factors


def _outside(value: float, most: float | None) -> str | None:
    if most is not None and not 0 <= value <= most:
        return "write a share from 0 to 1"
    return "write a number of 0 or more" if not value >= 0 or value == float("inf") else None


def _hourly(name: str, base: Path, place: Place, faults: Faults, most: float | None) -> Factor:
    columns = ("time", "value")
    before = len(faults)
    rows = read_table(base, name, place, faults, known=columns, required=columns)
    hours: dict[int, float] = {}
    bad: list[tuple[Place, str, str]] = []
    for row in rows:
        hour, value = _hour(row, bad), _value(row, bad, most)
        if hour is None or value is None:
            continue
        if hour in hours:
            bad.append((row.place.cell("time"), f"the hour {iso(hour)} stands twice; keep one row", row.cells["time"]))
        hours.setdefault(hour, value)
    for where, remedy, shown in bad[:_MOST_ROWS_LISTED]:
        faults.add(where, remedy, shown)
    if len(bad) > _MOST_ROWS_LISTED:
        faults.add(bad[-1][0], f"and {len(bad) - _MOST_ROWS_LISTED} more faults of this kind up to here")
    if not hours and len(faults) == before:
        faults.add(
            place, "the file has no row that can be used; write a header time,value and a row for each hour", name
        )
    ordered = sorted(hours)
    return Factor(hours=np.array(ordered, dtype=np.int64), values=np.array([hours[hour] for hour in ordered]))


def _hour(row: Row, bad: list[tuple[Place, str, str]]) -> int | None:
    text = row.cells.get("time", "")
    says = "write the start of an hour in UTC, such as 2026-01-01T00:00:00Z"
    try:
        instant = parse_iso(text)
    except (ValueError, OverflowError):
        bad.append((row.place.cell("time"), says, text))
        return None
    if instant % HOUR:
        bad.append((row.place.cell("time"), f"a value holds for a whole UTC hour; {says}", text))
        return None
    return instant


def _value(row: Row, bad: list[tuple[Place, str, str]], most: float | None) -> float | None:
    text = row.cells.get("value", "")
    try:
        value = float(text)
    except ValueError:
        bad.append((row.place.cell("value"), "write a number; leave the row out where there is none", text))
        return None
    if fault := _outside(value, most):
        bad.append((row.place.cell("value"), fault, text))
        return None
    return value


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate as written, with its local dates."""

    place: Place
    id: str
    kind: str
    start: date
    end: date
    kwh: float
    status: str
    retired_on: date | None

    def build(self, zone: str) -> Certificate:
        """The certificate with its dates as instants of the site's zone."""
        return Certificate(
            id=self.id,
            kind=self.kind,
            interval=Interval(day_start(self.start, zone), day_start(self.end, zone)),
            kwh=self.kwh,
            status=self.status,
            retired_on=self.retired_on,
        )


def read_certificates(name: str, base: Path, place: Place, faults: Faults) -> list[CertificateRow]:
    """The rows of a certificate file ``id,kind,start,end,mwh,status,retired_on``."""
    columns = ("id", "kind", "start", "end", "mwh", "status", "retired_on")
    rows = read_table(base, name, place, faults, known=columns, required=columns[:-1])
    found = (_certificate(row, faults) for row in rows)
    return [certificate for certificate in found if certificate is not None]


def _certificate(row: Row, faults: Faults) -> CertificateRow | None:
    before = len(faults)
    cells, place = row.cells, row.place
    if "id" not in cells:
        faults.add(place.cell("id"), "a certificate needs its id; write it")
    for column, words in (("kind", KINDS), ("status", STATUSES)):
        if cells.get(column) not in words:
            faults.add(place.cell(column), f"write one of: {' '.join(words)}", cells.get(column, ""))
    start, end = read_days(row, faults)
    retired = _day(row, "retired_on", faults) if "retired_on" in cells else None
    mwh = read_amount(row, "mwh", "the energy in MWh", faults)
    if len(faults) > before or start is None or end is None or mwh is None:
        return None
    return CertificateRow(place, cells["id"], cells["kind"], start, end, mwh * _KWH_PER_MWH, cells["status"], retired)


def read_days(row: Row, faults: Faults) -> tuple[date | None, date | None]:
    """The local dates ``start`` and ``end``, exclusive, of a row; None and a fault where one is wrong."""
    start, end = _day(row, "start", faults), _day(row, "end", faults)
    if start and end and start >= end:
        remedy = f"the end is exclusive and must lie after the start {start}"
        faults.add(row.place.cell("end"), remedy, row.cells["end"])
    return start, end


def _day(row: Row, column: str, faults: Faults) -> date | None:
    text = row.cells.get(column, "")
    try:
        return as_date(text)
    except ValueError as error:
        faults.add(row.place.cell(column), str(error), text)
        return None


def read_amount(row: Row, column: str, what: str, faults: Faults) -> float | None:
    """A number of 0 or more; None and a fault where it is none. ``what`` completes "write ..."."""
    text = row.cells.get(column, "")
    try:
        amount = float(text)
    except ValueError:
        amount = float("nan")
    if not 0 <= amount < float("inf"):
        faults.add(row.place.cell(column), f"write {what}, a number of 0 or more", text)
        return None
    return amount


class Identified(Protocol):
    """A row of a file that has an id."""

    @property
    def place(self) -> Place:
        """Where it stands."""

    @property
    def id(self) -> str:
        """Its id."""


def check_unique(rows: Sequence[Identified], what: str, faults: Faults) -> None:
    """The same id twice, in one file or in two, is a fault: the same amount would count twice."""
    first: dict[str, Identified] = {}
    for row in rows:
        if row.id in first:
            where = first[row.id].place
            remedy = f"this id stands already in {where.file} line {where.line}; {what} counts once, remove one"
            faults.add(row.place.cell("id"), remedy, row.id)
        first.setdefault(row.id, row)
