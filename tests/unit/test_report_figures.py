"""Figures of reports: drawn from the document, to scale, in fonts that have every letter."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.reporting import energy, full, month, plain, water, year
from wattwell.documents.figures import bars, curves, flow
from wattwell.documents.figures.flow import left_out
from wattwell.documents.figures.sheet import PAPER, VARIABLES, Faces, nice, tick_text, tidy
from wattwell.documents.fonts import dejavu, source_sans
from wattwell.documents.html import themed
from wattwell.documents.words import amount, base_unit, clock, day_name, day_short, number, share

COLOR = re.compile(r"#[0-9a-f]{6}")


@pytest.fixture(scope="module")
def faces() -> Faces:
    return Faces()


@pytest.fixture(scope="module")
def drawn(faces: Faces) -> dict[str, str]:
    """Every figure there is."""
    document, annual = full(), year()
    parts = document["energy"]
    found = {
        "daily": bars.pue_and_weather(faces, document),
        "duration": curves.load_duration(faces, document["demand"]["curves"]),
        "weather": curves.pue_by_temperature(faces, document["weather"]),
        "flow": flow.flow(faces, "flow", "E_DC", parts["sources"], parts["uses"], parts["cooling"]),
        "water": flow.flow(faces, "water", "Water", document["water"]["sources"], document["water"]["uses"]),
        "hourly": bars.carbon_free(faces, document["carbon_free"]),
        "months": bars.pue_and_weather(faces, annual),
        "energy": bars.energy_by_row(faces, annual),
        "sites": bars.by_site(faces, "sites", ["A", "B", "C"], [1.2, None, 1.4], 1.3),
    }
    return {name: svg for name, svg in found.items() if svg is not None}


def test_every_figure_is_one_svg_of_known_colors(drawn: dict[str, str]) -> None:
    assert len(drawn) == 9
    for svg in drawn.values():
        root = ET.fromstring(svg)  # noqa: S314 - drawn here
        assert root.tag.endswith("svg")
        assert set(COLOR.findall(svg)) <= set(VARIABLES)
        assert not COLOR.search(str(themed(svg)))
        assert "date" not in svg.lower()


def test_nothing_is_drawn_beyond_the_sheet(drawn: dict[str, str]) -> None:
    """Every glyph stands within the sheet: labels are not cut."""
    placed = re.compile(r'<g style="[^"]*" transform="translate\(([-\d.]+) ([-\d.]+)\)')
    for name, svg in drawn.items():
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
        assert box is not None
        at = [(float(x), float(y)) for x, y in placed.findall(svg)]
        assert len(at) > 3, name
        assert all(0 <= x < float(box[1]) and 6 <= y <= float(box[2]) for x, y in at), name


def test_flow_widths_are_to_scale() -> None:
    """The heights of the nodes of a column are in the proportions of its parts."""
    document = plain(month())
    uses = document["energy"]["uses"]
    svg = flow.flow(Faces(), "flow", "E_DC", document["energy"]["sources"], uses)
    assert svg is not None
    heights: dict[str, list[float]] = {}
    for path in re.findall(r'<path d="(M [^"]*)" clip-path="[^"]*" style="fill: #[0-9a-f]{6}; stroke', svg):
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", path)]
        xs, ys = numbers[::2], numbers[1::2]
        heights.setdefault(f"{min(xs):.1f}", []).append(max(ys) - min(ys))
    expected = sorted(part["value"] for part in uses["parts"])
    whole = sum(expected)
    column = next(found for found in heights.values() if len(found) == len(expected))
    for height, value in zip(sorted(column), expected, strict=True):
        assert height / sum(column) == pytest.approx(value / whole, abs=1e-5)


def test_flow_labels_of_a_column_never_touch() -> None:
    unknown = {"shown": "1", "share": None, "share_shown": None}
    many = [{"name": str(n), "label": f"Use {n}", "value": 10.0**-n, **unknown} for n in range(12)]
    side: dict[str, Any] = {"label": "x", "unit": "MWh", "total": 1.1, "total_shown": "1", "parts": many, "usable": 1.0}
    svg = flow.flow(Faces(), "many", "E_DC", side, side)
    assert svg is not None
    rows = re.findall(r'transform="translate\(([\d.]+) ([\d.]+)\) scale\(0.085', svg)
    left = sorted(float(y) for x, y in rows if float(x) < 110)
    gaps = [after - before for before, after in pairwise(left)]
    assert len(left) == 24
    assert min(gaps) > 8.5


def test_parts_below_zero_are_told_and_not_drawn() -> None:
    parts = plain(energy())
    assert left_out(parts["uses"]) == []
    parts["uses"]["parts"][4]["value"] = -3.0
    assert [part["name"] for part in left_out(parts["uses"])] == ["other"]
    assert flow.flow(Faces(), "flow", "E_DC", parts["sources"], parts["uses"]) is not None


def test_nothing_to_draw_gives_no_figure(faces: Faces) -> None:
    document = full()
    for row in document["rows"]:
        row["pue"] = None
    assert bars.pue_and_weather(faces, document) is None
    assert curves.load_duration(faces, []) is None
    assert flow.flow(faces, "flow", "E_DC", None, plain(energy())["uses"]) is None
    assert flow.flow(faces, "water", "Water", plain(water())["sources"], None) is None
    assert bars.carbon_free(faces, {"hour": [0], "share": [None]}) is None
    assert bars.by_site(faces, "sites", ["A"], [None], None) is None


def test_a_pue_below_one_or_far_above_stays_on_the_sheet(faces: Faces) -> None:
    document = full()
    for place, row in enumerate(document["rows"]):
        row |= {"pue": 0.97 if place % 2 else 11.0, "temperature": -40.0 if place % 2 else None}
    assert bars.pue_and_weather(faces, document) is not None


def test_one_point_is_enough(faces: Faces) -> None:
    assert curves.pue_by_temperature(faces, {"step": "hour", "temperature": [20.0], "pue": [1.3]}) is not None
    flat = {"label": "IT", "share": [0.0, 1.0], "kw": [0.0, 0.0], "usable": 1.0}
    assert curves.load_duration(faces, [flat]) is not None


def test_names_are_shortened_to_the_room_that_there_is(faces: Faces) -> None:
    short = faces.shorten("Adiabatic coolers of hall B", 1.0)
    assert short.endswith("…")
    assert faces.width(short) <= 1.0
    assert faces.shorten("Pumps", 1.0) == "Pumps"


def test_a_font_is_chosen_that_has_every_letter(tmp_path: Path) -> None:
    faces = Faces()
    assert faces.face("Köln").get_file() == str(source_sans())
    assert faces.face("ქალაქი").get_file() == str(dejavu())
    assert not faces.drawable("張北")
    assert faces.shorten("張北 1", 1.0) == "□□ 1"
    (tmp_path / "notes.txt").write_text("no font")
    assert not Faces(tmp_path).drawable("張北")
    assert faces.shorten("ქ張", 1.0) == "ქ□"


def test_ids_of_two_figures_never_meet() -> None:
    svg = '<?xml?><svg><g id="a"><path id="b"/></g><use xlink:href="#b"/><rect clip-path="url(#c)"/><g id="c"/></svg>'
    assert tidy(svg, "x") == (
        '<svg><g><path id="x-0"/></g><use xlink:href="#x-0"/><rect clip-path="url(#x-1)"/><g id="x-1"/></svg>'
    )


@pytest.mark.parametrize(("low", "high"), [(0.0, 7120.0), (1.0, 1.31), (-12.4, 33.0), (0.0, 0.0), (1.2, 1.2)])
def test_ticks_are_round_and_cover_the_values(low: float, high: float) -> None:
    ticks = nice(low, high)
    assert len(ticks) >= 2
    assert ticks[-1] >= high
    assert len({tick_text(each, ticks) for each in ticks}) == len(ticks)


def test_words() -> None:
    assert number(-0.04, 1) == "0.0"
    assert number(None) == "\u2013"
    assert share(0.12345) == "12.3\u202f%"
    assert amount(1_234_567.0, "kWh") == "1.23\u202fGWh"
    assert amount(999.0, "L") == "999\u202fL"
    assert base_unit("m3") == "L"
    assert base_unit("EUR") == "EUR"
    assert clock("2026-10-25T00:30:00Z", "Europe/Berlin") == "2026-10-25 02:30+02:00"
    assert clock("2026-10-25T03:30:00Z", "Europe/Berlin") == "2026-10-25 04:30"
    assert (day_name("2026-10-03"), day_name("2026-10"), day_short("2026-10")) == (
        "3 October 2026",
        "October 2026",
        "Oct",
    )
    assert day_short("2026-10-03") == "Sat 3"
    assert PAPER in VARIABLES
