"""The yearly PUEs of a real data centre, from reports and from its weekly table by plain arithmetic."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.figures import ESIF_ROLES, ESIF_ZONE, esif_config, esif_readings, filled
from tests.support import DATA

TABLE = DATA / "esif" / "esif_weekly_2016_2025.csv"
pytestmark = pytest.mark.skipif(not TABLE.is_file(), reason="the public telemetry is not beside this checkout")


def local(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ESIF_ZONE)).astimezone(UTC)


def weeks() -> Iterator[tuple[datetime, datetime, float, float]]:
    """Start and end of each reported week, and its mean kW in all and of IT."""
    with TABLE.open(newline="") as file:
        for row in csv.DictReader(file):
            week = date.fromisoformat(row["week"])
            total = sum(float(row[f"{name}_kw"]) for name in ESIF_ROLES)
            yield local(week), local(week + timedelta(days=7)), total, float(row["it_kw"])


def plainly(year: int) -> tuple[float, float, float]:
    """kWh in all and of IT in a local year, and the hours of it that are reported."""
    low, high = local(date(year, 1, 1)), local(date(year + 1, 1, 1))
    e_dc = e_it = hours = 0.0
    for start, end, total, it in weeks():
        overlap = max((min(end, high) - max(start, low)) / timedelta(hours=1), 0.0)
        e_dc, e_it, hours = e_dc + total * overlap, e_it + it * overlap, hours + overlap
    return e_dc, e_it, hours


def test_every_year(tmp_path: Path) -> None:
    readings = esif_readings(TABLE, tmp_path / "esif.csv")
    with filled(esif_config(tmp_path), "esif", [readings], tmp_path) as engine:
        for year in range(2016, 2026):
            e_dc, e_it, hours = plainly(year)
            found = engine.draft("esif", str(year))
            pue = next(each for each in found["kpis"] if each["kpi"] == "pue")
            assert pue["usable"] == pytest.approx(hours / found["period"]["hours"], abs=1e-9)
            assert (pue["numerator"], pue["denominator"]) == (pytest.approx(e_dc), pytest.approx(e_it))
            assert pue["value"] == pytest.approx(e_dc / e_it)
            assert pue["provisional"] == (hours < 0.9 * found["period"]["hours"])
            assert sum(row["e_dc"] for row in found["rows"] if row["e_dc"] is not None) == pytest.approx(e_dc)
