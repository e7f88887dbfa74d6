"""Data files: layouts, formats, faults."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from collector.backfill import Summary, backfill, read
from tests.collecting import NOW, config, meter, rows, site
from wattwell.errors import UsageError, WattwellError
from wattwell.intervals import SECOND, parse_iso
from wattwell.model import Readings, Reject

METERS = [meter("a"), meter("b", "power", "instantaneous")]
T1, T2 = parse_iso("2010-01-01T00:00:00Z"), parse_iso("2010-01-01T00:10:00Z")


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, float | None]] = []
        self.rejects: list[Reject] = []
        self.chunks = 0

    def __call__(self, readings: Readings, rejects: Sequence[Reject]) -> None:
        self.rows += rows(readings)
        self.rejects += rejects
        self.chunks += 1


def fill(*paths: Path) -> tuple[Kept, Summary]:
    kept = Kept()
    return kept, backfill(paths, "s", config(site(METERS)), kept, NOW)


def csv_file(folder: Path, text: str, name: str = "d.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def parquet_file(folder: Path, select: str) -> Path:
    path = folder / "d.parquet"
    duckdb.connect().execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def test_wide_rows_of_any_age_with_empty_cells(tmp_path: Path) -> None:
    text = "\ufefftime, a ,b\r\n2010-01-01T00:00:00Z,1.5,\r\n\r\n1262304600,2.5,7\r\n"
    kept, summary = fill(csv_file(tmp_path, text))
    assert kept.rows == [("a", T1, 1.5), ("a", T2, 2.5), ("b", T2, 7.0)]
    assert (summary.files, summary.rows, summary.readings) == (1, 2, 3)
    assert (summary.first, summary.last) == (T1, T2)


def test_long_rows_with_units_in_file_order(tmp_path: Path) -> None:
    text = (
        "unit,meter,time,value\nWh,a,2010-01-01T00:10:00Z,2500\n,a,2010-01-01T00:00:00Z,1.5\n"
        "W,b,2010-01-01T00:00:00Z,3000\nL,a,2010-01-01T00:00:01Z,1\n,ghost,2010-01-01T00:00:00Z,9\n,a,2010-01-01T00:00:02Z,\n"
    )
    kept, summary = fill(csv_file(tmp_path, text))
    assert kept.rows == [("a", T2, 2.5), ("a", T1, 1.5), ("b", T1, 3.0), ("a", T1 + SECOND, None)]
    assert [(r.meter, r.reason, r.value) for r in kept.rejects] == [
        ("a", "unit.wrong", "1 L"),
        ("ghost", "point.unknown", "9"),
    ]
    assert summary.rejected == {"unit.wrong": 1, "point.unknown": 1}
    assert summary.unknown == {"ghost": 1}


def test_an_unknown_column_is_a_reject_for_each_cell_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.backfill.UNKNOWN_LISTED", 2)
    text = "time,a,ghost\n" + "".join(f"{1262304000 + second},1,{second}\n" for second in range(5)) + "1262305000,1,\n"
    kept, summary = fill(csv_file(tmp_path, text))
    assert summary.unknown == {"ghost": 5}
    assert summary.rejected == {"point.unknown": 5}
    assert [r.value for r in kept.rejects] == ["0", "1"]
    assert len(kept.rows) == 6


def test_a_broken_line_is_a_reject_that_names_it(tmp_path: Path) -> None:
    kept, summary = fill(csv_file(tmp_path, "time,a,b\n2010-01-01T00:00:00Z,1\n2010-01-01T00:10:00Z,1,2\n"))
    assert [(r.reason, r.value) for r in kept.rejects] == [
        ("payload.invalid", "line 2: 2 cells where the header has 3: 2010-01-01T00:00:00Z,1")
    ]
    assert summary.readings == 2
    assert summary.rows == 2


def test_files_come_in_chunks_and_tell_their_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.files.CELLS_A_CHUNK", 6)
    told: list[tuple[float, int]] = []
    kept = Kept()
    path = csv_file(tmp_path, "time,a,b\n" + "".join(f"{1262304000 + second},{second},1\n" for second in range(7)))
    backfill([path], "s", config(site(METERS)), kept, NOW, lambda _, share, count: told.append((share, count)))
    assert [count for _, count in told] == [2, 4, 6, 7]
    assert told[-1][0] == 1.0
    assert kept.chunks == 4
    assert [value for name, _, value in kept.rows if name == "a"] == [0, 1, 2, 3, 4, 5, 6]


FAULTS = {
    "empty": (b"", "there is no column time; found nothing, expected time,meter,value"),
    "no time": (b"when,a\n1,2\n", "there is no column time; found when,a"),
    "semicolons": (b"time;a\n1;2\n", "there is no column time; found time;a"),
    "only time": (b"time\n1\n", "there is no column beside time"),
    "twice": (b"time,a,a\n1,2,3\n", "the column 'a' stands twice"),
    "latin": (b"time,a\n1,\xe4\n", "not UTF-8"),
    "quote": (b'time,a\n1,"2\n', "line 2 is broken CSV"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path, name: str) -> None:
    content, words = FAULTS[name]
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    with pytest.raises(WattwellError, match=r"d\.csv") as raised:
        fill(path)
    assert words in str(raised.value)


def test_a_cut_archive_a_missing_file_and_an_unknown_site_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(b"time,a\n" + b"1262304000,1\n" * 5000)[:-20])
    with pytest.raises(WattwellError, match="cut short or damaged"):
        fill(path)
    path.write_bytes(b"no archive at all")
    with pytest.raises(WattwellError, match="cut short or damaged"):
        fill(path)
    with pytest.raises(WattwellError, match="no such file"):
        fill(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="There is no site 'x'; the configuration has s"):
        backfill([path], "x", config(site(METERS)), Kept(), NOW)


def test_csv_numbers_are_what_float_makes_of_them(tmp_path: Path) -> None:
    generator = np.random.default_rng(7)
    texts = [
        f"{value:.{digits}f}" for value, digits in zip(generator.uniform(0, 1e9, 3000), [1, 3, 6] * 1000, strict=True)
    ]
    texts += ["9007199254740993", "0.1", "1e-310", "123456789.123456789123456789", "8.5e22"]
    path = csv_file(tmp_path, "time,a\n" + "".join(f"{1262304000 + row},{text}\n" for row, text in enumerate(texts)))
    kept, _ = fill(path)
    assert [value for _, _, value in kept.rows] == [float(text) for text in texts]


def test_parquet_wide_with_time_zone_nulls_and_decimals(tmp_path: Path) -> None:
    select = (
        "SELECT TIMESTAMPTZ '2010-01-01 00:10:00Z' AS time, 1.5::DOUBLE AS a, 0.1::DECIMAL(10,3) AS b, 5 AS ghost "
        "UNION ALL SELECT TIMESTAMPTZ '2010-01-01 00:00:00Z', NULL, 7, NULL "
        "UNION ALL SELECT TIMESTAMPTZ '2010-01-01 00:00:00Z', 'nan'::DOUBLE, NULL, NULL"
    )
    kept, summary = fill(parquet_file(tmp_path, select))
    assert kept.rows == [("a", T2, 1.5), ("a", T1, None), ("b", T2, 0.1), ("b", T1, 7.0)]
    assert [(r.meter, r.reason, r.value) for r in kept.rejects] == [
        ("a", "value.sentinel", "nan"),
        ("ghost", "point.unknown", "5.0"),
    ]
    assert summary.rows == 3


@pytest.mark.parametrize("time", ["'2010-01-01T01:00:00+01:00'", "1262304000", "1262304000.0::DOUBLE"])
def test_parquet_long_with_text_and_numbers_as_time(tmp_path: Path, time: str) -> None:
    select = (
        f"SELECT {time} AS time, 'a' AS meter, '812400' AS value, 'Wh' AS unit UNION ALL SELECT NULL, 'b', 'x', NULL"
    )
    kept, _ = fill(parquet_file(tmp_path, select))
    assert kept.rows == [("a", T1, 812.4)]
    assert [(r.meter, r.reason) for r in kept.rejects] == [("b", "time.invalid")]


def test_a_large_parquet_file_keeps_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.parquet.CELLS_A_CHUNK", 60_000)
    select = "SELECT 1262304000 + (range * 7919) % 200000 AS time, range + 0.5::DOUBLE AS a FROM range(200000)"
    kept, _ = fill(parquet_file(tmp_path, select))
    assert kept.chunks == 7
    assert [value for _, _, value in kept.rows] == [number + 0.5 for number in range(200_000)]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("SELECT TIMESTAMP '2010-01-01' AS time, 1 AS a", "the column time has the type TIMESTAMP"),
        ("SELECT DATE '2010-01-01' AS time, 1 AS a", "the column time has the type DATE"),
        ("SELECT 1 AS a", "there is no column time; found a"),
    ],
)
def test_a_parquet_file_without_instants_is_one_clear_error(tmp_path: Path, select: str, words: str) -> None:
    with pytest.raises(WattwellError, match=words):
        fill(parquet_file(tmp_path, select))


def test_what_is_no_parquet_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    path.write_bytes(b"PAR0")
    with pytest.raises(WattwellError, match="not a readable Parquet file"):
        list(read(path, {}, "s", NOW))
