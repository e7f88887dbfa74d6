"""What reports print: characters that no font has, what the first page claims, tables that add up."""

from __future__ import annotations

import io
import json
import shutil
from functools import cache
from pathlib import Path

import pypdf
import pytest

from tests.report_files import Reader, csv_rows, flat, pages_of
from tests.reporting import Document, full
from wattwell.documents import render
from wattwell.documents.advice import advice
from wattwell.documents.blocks import Table
from wattwell.documents.fonts import dejavu, source_sans
from wattwell.documents.glyphs import Glyphs
from wattwell.documents.sections.carbon import carbon
from wattwell.documents.sections.operation import resolved, threshold
from wattwell.documents.sections.rows import Amounts, amounts_of, rows_table
from wattwell.documents.sections.summary import Headlines
from wattwell.documents.words import NONE, unavailable
from wattwell.errors import UsageError


def text_of(document: Document) -> str:
    """The HTML page as text."""
    return Reader(render(document, "html").decode()).text


@cache
def page_text() -> str:
    return text_of(full())


@cache
def pdf_text() -> str:
    return " ".join(pages_of(render(full(), "pdf")))


# -- characters that no font has ------------------------------------------------------------------------------------

STRANGE = ("张北", "데이터", "हिन्दी", "🏭", "👨\u200d👩\u200d👧 x\u0000\ufeff\ue000\u2028y\tz", "b\u0489")
BOX = "\u25a1"


@pytest.mark.parametrize("name", STRANGE)
def test_no_character_breaks_a_file(name: str) -> None:
    document = full()
    document["site"]["name"] = name
    document["revisions"][1]["reason"] = f"Late: {name}"
    for part in document["energy"]["uses"]["parts"]:
        part["label"] = f"Hall {name}"
    raw = render(document, "pdf")
    found = pypdf.PdfReader(io.BytesIO(raw))
    text = " ".join(flat(page.extract_text()) for page in found.pages)
    assert found.metadata is not None
    assert "October 2026: Monthly efficiency report" in str(found.metadata.title)
    assert f"Late: {name if name[0] == 'b' else BOX}" in text
    assert text.count("in no font at hand") == (0 if name == "b\u0489" else 1)
    assert name.split("\u0000", maxsplit=1)[0] in render(document, "html").decode()
    assert name in json.loads(render(document, "json"))["site"]["name"]


def test_a_pdf_says_how_many_characters_have_a_box_and_keeps_its_title() -> None:
    document = full()
    document["site"]["name"] = "张北 1"
    found = pypdf.PdfReader(io.BytesIO(render(document, "pdf")))
    first = flat(found.pages[0].extract_text())
    assert f"2 characters of this report are in no font at hand; {BOX} stands wherever one comes." in first
    assert "(reports: {fonts: DIR})" in first
    assert found.metadata is not None
    assert str(found.metadata.title).startswith("张北 1, October 2026")
    assert "in no font" not in pdf_text()


def test_letters_with_marks_have_one_box() -> None:
    glyphs = Glyphs([source_sans(), dejavu()])
    assert glyphs.settable("हिन्दी") == BOX * 2
    assert glyphs.settable("👨\u200d👩\u200d👧") == BOX
    assert glyphs.settable("a\u0301 Köln\u00a0ქ\t.\u200b") == "a\u0301 Köln\u00a0ქ .\u200b"
    assert glyphs.settable("x\u0000\ufeffy") == "xy"
    assert len(glyphs.missing) == 3


def test_a_font_of_the_folder_has_what_the_others_lack(tmp_path: Path) -> None:
    extra = dejavu().with_name("STIXGeneral.ttf")
    shutil.copyfile(extra, tmp_path / extra.name)
    document = full()
    document["site"]["name"] = "\U0001d518\U0001d52b\U0001d526"
    texts = [pages_of(render(document, "pdf", fonts))[0] for fonts in (None, tmp_path)]
    assert (BOX * 3 in texts[0], BOX in texts[1]) == (True, False)
    assert ("in no font at hand" in texts[0], "in no font at hand" in texts[1]) == (True, False)
    (tmp_path / "a.ttf").write_text("no font")
    with pytest.raises(UsageError, match=r"a\.ttf is no font that can be read .*; take it out of the folder of fonts"):
        render(document, "pdf", tmp_path)


# -- what the first page claims -------------------------------------------------------------------------------------


def first_lines(document: Document) -> dict[str, list[tuple[str, str, str]]]:
    found = Headlines(document).table()
    return {
        line.cells[0].text: [(each.text, each.tone, flat(each.note)) for each in line.cells[1:]] for line in found.lines
    }


def test_a_verdict_on_a_provisional_figure_is_marked() -> None:
    document = full()
    document["headlines"][0]["current"] |= {"provisional": True, "usable": 0.58}
    current, target, previous = first_lines(document)["iPUE"][:3]
    assert current == ("1.287", "warn", "provisional, 58.0 %")
    assert target == ("1.300", "warn", "met, provisional")
    assert previous == ("1.313", "", "")
    assert first_lines(full())["iPUE"][0][1] == "strong good"


def test_amounts_are_compared_where_both_are_whole_and_as_long() -> None:
    def said(**more: object) -> tuple[str, str]:
        document = full()
        for each in (document["headlines"][0], document["headlines"][3]):
            each["previous"] |= more
        lines = first_lines(document)
        return lines["iPUE"][2][2], lines["Energy (E_DC)"][2][2]

    assert said() == ("now -1.9 %", "now -2.0 %")
    assert said(start="2026-10-01T22:00:00Z") == ("now -1.9 %", "now -2.0 %")
    assert said(start="2026-10-03T22:00:00Z") == ("now -1.9 %", "")
    assert said(usable=0.85) == ("85.0 %", "85.0 %")
    assert said(provisional=True, usable=1.0) == ("provisional", "provisional")


def test_findings_that_ended_are_no_orders() -> None:
    document = full()
    document["findings"] = [each for each in document["findings"] if each["status"] == "closed"]
    page = text_of(document)
    assert "Worth acting on" not in page
    assert "Ended 12 October 2026. If it comes back: Raise the chilled-water set-point" in page
    assert "Worth acting on" in page_text()


def test_a_correction_that_was_entered_is_not_asked_for() -> None:
    document = full()
    found = document["findings"][3] | {"meters": ["grid-a"], "equipment": None}
    assert advice(found, document) == "Replacement of grid-a at 2026-10-09 11:00 was entered by ann."
    assert advice(found | {"meters": ["pump-7"]}, document) == found["advice"]
    assert advice(found | {"family": "fan_power"}, document) == found["advice"]
    assert advice(found | {"start": "2026-10-10T06:00:00Z"}, document) == found["advice"]


# -- tables ---------------------------------------------------------------------------------------------------------


def test_the_rows_add_up_to_their_last_line() -> None:
    document = full()
    for row in document["rows"]:
        row |= {"e_dc": None if row["e_dc"] is None else row["e_dc"] / 100}
    found = rows_table(document, "day")
    place = next(at for at, column in enumerate(found.columns) if column.label == "E_DC")
    *texts, total = (line.cells[place].text for line in found.lines)
    numbers = [int(text.replace(",", "")) for text in texts if text != NONE]
    assert found.columns[place].unit == "kWh"
    assert found.lines[-1].total
    assert sum(numbers) == int(total.replace(",", ""))
    assert int(total.replace(",", "")) == round(sum(row["e_dc"] or 0 for row in document["rows"]))
    assert len(texts) - len(numbers) == sum(row["e_dc"] is None for row in document["rows"])


def test_both_sides_of_a_change_have_one_unit_and_digits_enough() -> None:
    document = full()
    document["revisions"][1]["changes"] = [
        {"name": "pue", "label": "iPUE", "unit": "1", "old": 1.378381, "new": 1.3784342},
        {"name": "energy", "label": "E_DC", "unit": "kWh", "old": 70_646.2, "new": 7_000.0},
    ]
    page = text_of(document)
    assert "iPUE 1.37838 1.37843" in page
    assert "E_DC [MWh] 70.646 7.000" in page


def test_alerts_show_their_worst_and_nothing_from_after_the_period() -> None:
    document = full()
    document["alerts"][0]["resolved_at"] = "2026-12-24T00:00:00Z"
    page = text_of(document)
    assert "after the period 1.377 above 1.3" in page
    assert "2026-12-24" not in page
    assert "1.341" not in page
    assert "2026-12-24" not in render(document, "csv").decode()


def test_nothing_of_an_alert_is_told_from_after_the_period() -> None:
    document = full()
    ended = {"resolved_at": document["period"]["end"]}
    assert resolved(ended, document) == document["period"]["end"]
    assert resolved({"resolved_at": "2026-12-01T00:00:00Z"}, document) is None
    assert resolved({"resolved_at": None}, document) is None
    assert (threshold({"above": 1.3}), threshold({"above": None, "below": 0.5})) == ("above 1.3", "below 0.5")
    assert threshold({"above": None, "below": None}) == ""


@pytest.mark.parametrize(("second", "end"), [("00Z", "00Z"), ("00.000Z", "00.000Z"), ("00.500Z", ""), ("01Z", "")])
def test_the_table_tells_no_end_from_after_the_period(second: str, end: str) -> None:
    document = full()
    until = document["period"]["end"].removesuffix("00Z")
    document["alerts"][0]["resolved_at"] = f"{until}{second}"
    row = next(row for row in csv_rows(document) if row["section"] == "alerts")
    assert row["end"] == (f"{until}{end}" if end else "")
    assert row["note"] == ("worst value" if end else "worst value; resolved after the period")


def test_corrections_are_listed_and_none_is_said() -> None:
    for text in (page_text(), pdf_text()):
        assert "grid-a Replacement 2026-10-09 11:00 81,233.4 0 ann worn bearing" in text
    assert "No correction was entered." in text_of(full() | {"corrections": []})
    row = next(each for each in csv_rows(full()) if each["name"] == "grid-a.final")
    assert (row["value"], row["note"]) == ("81233.4", "replacement; ann; worn bearing")


def test_kpis_have_units_on_both_sides_and_a_peak_has_none() -> None:
    document = full()
    document["kpis"][1] |= {"kpi": "peak_demand_kw", "label": "Peak demand", "unit": "kW", "value": 128.12}
    page = text_of(document)
    assert "iPUE 1.287 4,511,300.0 kWh 3,504,200.0 kWh" in page
    assert "CUE Location. 3 hours have no grid factor. 0.367 kg/kWh 4,511,300.0 kg 3,504,200.0 kWh" in page
    assert f"128 kW {NONE} {NONE}" in page


def test_one_stage_is_a_sentence() -> None:
    document = full()
    document["energy"]["stages"] = document["energy"]["stages"][1:2]
    page = text_of(document)
    assert "UPS input: 3,718.9 MWh. A loss and an efficiency need the meters of two stages." in page


def test_a_total_without_scope_1_says_so() -> None:
    document = full()
    document["carbon"]["scope1_kg"] = None
    assert "Total, scope 1 not known" in text_of(document)
    assert "scope 1 not known" not in page_text()


def test_a_column_suits_its_largest_and_adds_up() -> None:
    rows: list[Document] = [{"e": 2_154.6}, {"e": None}, {"e": 998.6}]
    assert amounts_of(rows, "e", "energy") == Amounts("kWh", ("2,154", NONE, "999"), "3,153")
    large = amounts_of([*rows, {"e": 146_200.0}], "e", "energy")
    assert large == Amounts("MWh", ("2.2", NONE, "1.0", "146.2"), "149.4")
    assert amounts_of([{"e": None}], "e", "water") == Amounts("", (NONE,), NONE)


def test_a_flow_names_what_it_cannot_show() -> None:
    document = full()
    for chapter in ("energy", "water"):
        document[chapter]["uses"]["parts"][-1] |= {"value": -5.0, "shown": f"-5.{chapter}", "label": "Other"}
    page = text_of(document)
    assert "Below 0 and not drawn: Other -5.energy." in page
    assert "Below 0 and not drawn: Other -5.water." in page
    assert "not drawn" not in page_text()


def test_cooling_is_told_also_where_nothing_else_is() -> None:
    document = full()
    kinds = document["energy"]["cooling"]
    document["energy"] |= {"sources": None, "uses": None}
    page = text_of(document)
    assert "Not available. E_DC or E_IT has no value." in page
    assert kinds["label"] in page
    assert all(f"{part['label']} {part['shown']}" in page for part in kinds["parts"])


@pytest.mark.parametrize(
    ("scope1", "location", "market", "unit", "columns"),
    [
        (140.0, 1_240.0, 1_200.0, "kg", (("140", "1,240", "1,380"), ("140", "1,200", "1,340"))),
        (44.0, 0.0, 0.0, "kg", (("44", "0", "44"), ("44", "0", "44"))),
        (0.4, 0.4, 0.3, "kg", (("1", "0", "1"), ("1", "0", "1"))),
        (14_444.4, 14_444.4, 0.0, "t", (("14.445", "14.444", "28.889"), ("14.444", "0.000", "14.444"))),
        (1_000.0, None, 9e6, "t", (("1.0", NONE, NONE), ("1.0", "9,000.0", "9,001.0"))),
        (None, 1_240.0, 1_200.0, "kg", ((NONE, "1,240", "1,240"), (NONE, "1,200", "1,200"))),
        (None, None, None, "kg", ((NONE, NONE, NONE), (NONE, NONE, NONE))),
    ],
)
def test_scopes_add_up_in_a_unit_that_suits_them(
    scope1: float | None, location: float | None, market: float | None, unit: str, columns: tuple[tuple[str, ...], ...]
) -> None:
    document = full()
    found = document["carbon"] | {"scope1_kg": scope1}
    for basis, scope2 in (("location", location), ("market", market)):
        total = None if scope2 is None else scope2 + (scope1 or 0.0)
        found |= {f"scope2_{basis}_kg": scope2, f"total_{basis}_kg": total}
    scopes = next(
        each
        for each in carbon(document | {"carbon": found}).blocks
        if isinstance(each, Table) and each.caption == "Emissions by scope"
    )
    assert [each.unit for each in scopes.columns[1:]] == [f"{unit} CO₂e"] * 2
    assert tuple(tuple(each.cells[place].text for each in scopes.lines) for place in (1, 2)) == columns


def test_blow_down_says_in_which_use_it_is() -> None:
    document = full()
    uses = document["water"]["uses"]["parts"]
    uses[1] |= {"name": "water_returned", "label": "Returned"}
    assert "298 m³ within: Returned" in text_of(document)
    assert "within:" not in page_text()


def test_what_is_not_available_is_said_once() -> None:
    assert unavailable("not available: nobody has looked") == "Not available. Nobody has looked."
    assert unavailable("Findings are not available: no data.") == "Findings are not available: no data."
    assert unavailable("No day has a PUE") == "Not available. No day has a PUE."
