"""Reports as files: everything is in each format, the same document is the same bytes, and no name does harm."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pypdf
import pytest
from matplotlib.ft2font import FT2Font

from tests.report_files import Reader, csv_rows, flat, pages_of
from tests.reporting import HOSTILE, LONG, Document, empty, fleet, full, named, provisional, year
from wattwell.documents import FORMATS, MEDIA, render
from wattwell.documents.fonts import dejavu, source_sans

ROOT = Path(__file__).resolve().parents[2]
KINDS: dict[str, Callable[[], Document]] = {
    "full": full,
    "empty": empty,
    "provisional": provisional,
    "year": year,
    "long": lambda: named(LONG),
    "hostile": lambda: named(HOSTILE),
    "fleet": fleet,
}
SECTIONS = (
    "the weather",
    "Load and peak demand",
    "Where the energy goes",
    "Power chain",
    "Water balance",
    "Reused heat",
    "Renewable energy",
    "Carbon-free share by hour",
    "Carbon",
    "Legal limits on PUE",
    "Key metrics",
    "Alerts",
    "Findings",
    "Meter events",
    "Meters and coverage",
    "All KPIs",
    "Checks before issue",
    "Method and versions",
    "Revisions",
)


@cache
def made(kind: str, format: str) -> bytes:
    """One rendering of each document, for the tests that only look at it."""
    return render(KINDS[kind](), format)


TITLES = {
    "year": "Rechenzentrum Köln 1, 2026: Annual efficiency report",
    "fleet": "Fleet of 30 sites, October 2026: Fleet efficiency report",
}
NAMES = {"long": LONG, "hostile": HOSTILE}


@cache
def page_of(kind: str) -> Reader:
    return Reader(made(kind, "html").decode())


@cache
def pdf_text(kind: str) -> str:
    return " ".join(pages_of(made(kind, "pdf")))


# -- what is in it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "empty", "provisional", "year"])
def test_every_section_is_there_in_html_and_pdf(kind: str) -> None:
    page, text = page_of(kind), pdf_text(kind)
    titles = [title for title in SECTIONS if title in page.text]
    assert titles == list(SECTIONS)
    assert [title for title in SECTIONS if title in text] == list(SECTIONS)


def test_html_sections_stand_in_the_order_of_the_contents() -> None:
    page = made("full", "html").decode()
    linked = re.findall(r'<li><a href="#(\w+)">', page)
    assert linked == re.findall(r'<section id="(\w+)"', page)
    assert len(linked) == len(SECTIONS)


def test_every_headline_is_shown_alike_in_every_format() -> None:
    document = full()
    page, text, table = page_of("full").text, pdf_text("full"), made("full", "csv").decode()
    shown = [line[span]["shown"] for line in document["headlines"] for span in ("current", "previous", "ytd", "fiscal")]
    assert len(shown) == 28
    for each in shown:
        assert each in page
        assert each in text
        assert f"shown as {each}" in table


def test_parts_and_totals_are_printed_as_shown() -> None:
    document = full()
    page, text = page_of("full").text, pdf_text("full")
    for found in (*document["energy"].values(), document["water"]["sources"], document["water"]["uses"]):
        if isinstance(found, dict):
            for shown in (found["total_shown"], *(part["shown"] for part in found["parts"])):
                assert shown in page
                assert shown in text


def test_the_three_findings_of_the_first_page_have_their_amounts_and_advice() -> None:
    document = full()
    first = made("full", "html").decode().split('<section class="first">')[1].split("</section>")[0]
    text = flat(re.sub(r"<[^>]*>", " ", first))
    for found in document["findings"][:3]:
        assert found["title"] in text
        assert found["advice"] in text
    assert document["findings"][3]["title"] not in text
    assert "41.2 MWh" in text
    assert "38.1 m³" in text
    assert "3,760 EUR" in text


def test_a_figure_without_a_value_says_why() -> None:
    why = "The site reports since 1 March 2026."
    document = full()
    assert f"¹ {why}" in page_of("full").text
    assert why in pdf_text("full")
    row = next(each for each in csv_rows(document) if each["name"] == "energy.year_ago")
    assert (row["value"], row["note"]) == ("", why)


def test_provisional_figures_are_marked() -> None:
    document = provisional()
    page = page_of("provisional").text
    assert "October 2026 is not over: all figures end at 2026-10-16 00:00 and are provisional." in page
    assert page.count("provisional, 71.0 %") == len(document["headlines"])
    assert "provisional, 71.0 %" in pdf_text("provisional")
    rows = [each for each in csv_rows(document) if each["name"] == "pue.current"]
    assert [each["provisional"] for each in rows] == ["true"]


def test_a_draft_says_so_on_each_page() -> None:
    assert "DRAFT" not in page_of("full").text
    assert page_of("provisional").text.count("DRAFT, NOT ISSUED") >= len(SECTIONS)
    pages = pages_of(made("provisional", "pdf"))
    assert len(pages) > 3
    assert all("DRAFT, NOT ISSUED" in page for page in pages)


def test_revisions_show_old_value_new_value_and_reason() -> None:
    for text in (page_of("full").text, pdf_text("full")):
        for said in ("1.291", "1.287", "no value", "0.427", "Late data of ups-a.", "m.weber", "Revision 2"):
            assert said in text


def test_a_breach_of_the_gate_stands_on_the_first_page() -> None:
    first = pages_of(made("full", "pdf"))[0]
    assert "A check does not hold" in first
    assert "must equal" in first


def test_gaps_of_factors_are_told() -> None:
    said = "grid_kg_per_kwh has no value in 3 hours"
    assert said in page_of("full").text
    assert said in pdf_text("full")


def test_the_hour_that_comes_twice_keeps_its_offset() -> None:
    page = page_of("full").text
    assert "2026-10-25 02:30+02:00" in page
    assert "2026-10-14 10:31 " in page


def test_many_rows_are_cut_in_print_and_whole_in_the_table() -> None:
    document = full()
    document["meters"] = [document["meters"][0] | {"meter": f"meter-{place:04}"} for place in range(1000)]
    page = render(document, "html")
    assert page.count(b"meter-0") == 100
    assert "900 more meters in the CSV and JSON files." in flat(page.decode())
    assert len(page) < 600_000
    assert len(render(document, "pdf")) < 600_000
    names = {row["name"] for row in csv_rows(document) if row["section"] == "meters"}
    assert {f"meter-{place:04}" for place in range(1000)} <= names


def test_a_fleet_names_each_site_and_whom_no_sum_has() -> None:
    document = fleet()
    page, text, rows = page_of("fleet").text, pdf_text("fleet"), csv_rows(document)
    for site in document["sites"]:
        assert site["name"] in page
        assert flat(site["name"]).replace(" ", "") in text.replace(" ", "")
        assert any(row["section"] == f"site {site['id']}" for row in rows)
    for group in document["groups"]:
        for metric in group["metrics"]:
            assert metric["shown"] in page
            assert metric["shown"] in text
    for total in document["totals"]:
        assert total["shown"] in page
        assert total["shown"] in text
    assert "No data." in text
    assert "provisional: 71.0% of the period is usable" in page
    assert len(pypdf.PdfReader(io.BytesIO(made("fleet", "pdf"))).pages) <= 8


# -- the files themselves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_page_is_whole_and_needs_nothing_from_elsewhere(kind: str) -> None:
    raw = made(kind, "html")
    page = Reader(raw.decode())
    assert len(raw) < 600_000
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert not re.search(rb"url\((?!#)|@import", raw)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_pdf_is_tagged_titled_and_small(kind: str) -> None:
    raw = made(kind, "pdf")
    assert len(raw) < 500_000
    found = pypdf.PdfReader(io.BytesIO(raw))
    catalog = found.trailer["/Root"]
    assert catalog["/Lang"] == "en"
    assert catalog["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in catalog
    assert found.metadata is not None
    assert found.metadata.title == TITLES.get(
        kind, f"{NAMES.get(kind, 'Rechenzentrum Köln 1')}, October 2026: Monthly efficiency report"
    )
    assert found.metadata.creation_date is None
    for place, page in enumerate(found.pages, start=1):
        text = flat(page.extract_text())
        assert f"Page {place} of {len(found.pages)}" in text
        assert ("inputs 9f2c41d07be35a66" in text) == (kind != "fleet")
        fonts = {str(each.get_object()["/BaseFont"]) for each in page["/Resources"]["/Font"].values()}
        assert fonts
        assert all("SourceSansPro" in name for name in fonts)


def test_heads_of_tables_come_again_on_every_page() -> None:
    document = full()
    document["events"] = document["events"] * 60
    pages = pages_of(render(document, "pdf"))
    with_events = [text for text in pages if "pump-7" in text and "Jump" in text]
    assert len(with_events) > 2
    assert all("Before After Booked" in text for text in with_events)


def test_json_is_the_document() -> None:
    document = full()
    raw = render(document, "json")
    assert json.loads(raw) == document
    assert raw.endswith(b"\n}\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(document | {"revision": float("nan")}, "json")


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="'docx' is no format of a report; use one of html, pdf, csv, json"):
        render(full(), "docx")
    assert set(MEDIA) == set(FORMATS)


# -- CSV ------------------------------------------------------------------------------------------------------------


def test_csv_numbers_are_those_of_the_document() -> None:
    document = full()
    rows = {(row["section"], row["name"], row["start"]): row for row in csv_rows(document)}
    period = document["period"]["start"]
    for line in document["headlines"]:
        row = rows["headlines", f"{line['name']}.current", line["current"]["start"]]
        assert float(row["value"]) == line["current"]["value"]
        assert float(row["usable"]) == line["current"]["usable"]
    for day in document["rows"]:
        written = rows["days", "pue", day["start"]]["value"]
        assert (None if written == "" else float(written)) == day["pue"]
    for part in document["energy"]["uses"]["parts"]:
        row = rows["energy.uses", part["name"], period]
        assert (float(row["value"]), row["unit"]) == (part["value"], "kWh")
    assert float(rows["carbon", "total_market_kg", period]["value"]) == document["carbon"]["total_market_kg"]


def test_csv_texts_are_never_formulas() -> None:
    rows = csv_rows(named('=HYPERLINK("http://x")'))
    texts = [value for row in rows for value in row.values()]
    assert sum("=HYPERLINK" in text for text in texts) > 20
    assert not any(text.startswith(("=", "+", "@")) for text in texts)
    for text in (text for text in texts if text.startswith("-")):
        float(text)


# -- hostile names --------------------------------------------------------------------------------------------------


def test_markup_in_names_stays_text() -> None:
    page = page_of("hostile")
    assert page.texts.count(HOSTILE) > 10
    text = pdf_text("hostile")
    assert text.replace(" ", "").count(flat(HOSTILE).replace(" ", "")) > 5


def test_dollar_signs_in_names_are_no_formula() -> None:
    document, name = fleet(2), r"a$\foo$b"
    document["sites"][0]["name"] = name
    assert name in Reader(render(document, "html").decode()).text
    document = full()
    for part in document["energy"]["uses"]["parts"]:
        part["label"] = name
    assert name in Reader(render(document, "html").decode()).text


def test_a_folder_of_fonts_serves_names_in_other_scripts(tmp_path: Path) -> None:
    extra = dejavu().with_name("STIXGeneral.ttf")
    known = {letter for path in (source_sans(), dejavu()) for letter in FT2Font(str(path)).get_charmap()}
    letter = chr(min(code for code in FT2Font(str(extra)).get_charmap() if code not in known and chr(code).isalpha()))
    shutil.copyfile(extra, tmp_path / extra.name)
    document = named(letter * 3)
    used = []
    for fonts in (None, tmp_path):
        pages = pypdf.PdfReader(io.BytesIO(render(document, "pdf", fonts))).pages
        used.append({str(each.get_object()["/BaseFont"]) for each in pages[0]["/Resources"]["/Font"].values()})
    assert not any("STIX" in name for name in used[0])
    assert any("STIX" in name for name in used[1])


# -- the same bytes -------------------------------------------------------------------------------------------------

CHILD = """
import hashlib, json, sys
from wattwell.documents import FORMATS, render
document = json.loads(sys.stdin.read())
print(json.dumps({format: hashlib.sha256(render(document, format)).hexdigest() for format in FORMATS}))
"""


def test_the_same_document_is_the_same_bytes_in_any_zone_locale_and_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\naxes.grid: True\n")
    document = full()
    shuffled = dict(reversed(document.items()))
    found = []
    for given, zone, lang, seed, folder in (
        (document, "America/Caracas", "C", "1", ROOT),
        (shuffled, "Asia/Tokyo", "de_DE.UTF-8", "77", tmp_path),
    ):
        env = os.environ | {"TZ": zone, "LANG": lang, "LC_ALL": lang, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=json.dumps(given),
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    here = {each: hashlib.sha256(made("full", each)).hexdigest() for each in FORMATS}
    assert found[0] == found[1] == here
