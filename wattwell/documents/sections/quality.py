"""Key metrics, every KPI, coverage of the meters, checks, method and revisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from analytics.report.rounding import digits_of, percent, scale_of
from wattwell.documents.blocks import Block, Cell, Column, Facts, Line, Points, Section, absent, line, table
from wattwell.documents.sections.operation import MOST, more
from wattwell.documents.words import NONE, Document, clock, number, sentence, share, significant, unit, with_unit

_STATES: dict[bool | None, tuple[str, str]] = {
    True: ("holds", "good"),
    False: ("does not hold", "bad"),
    None: ("not judged", "muted"),
}


_DIGESTS = {"told": "Findings, alerts, meter events"}
_WITHOUT_SIDES = ("peak_demand_kw",)
"""KPIs whose value is one interval's: no quotient of sums."""
_KW = ("load_factor",)
_LITRES = ("water_reclaimed_share",)
_MOST_DIGITS = 9
_KINDS = {"kWh": "energy", "L": "water", "kg": "mass"}


def metrics(document: Document) -> Section:
    """The table that sustainability reports print."""
    title, found = "Key metrics", document["metrics"]
    if not found:
        return Section(id="metrics", title=title, blocks=(absent("No figure has a value."),))
    columns = [
        Column(label="Metric", kind="text"),
        Column(label="Value"),
        Column(label="Unit", kind="word"),
        Column(label="Basis", kind="text"),
    ]
    lines = [line(each["label"], each["shown"], unit(each["unit"]), each["basis"] or "") for each in found]
    return Section(id="metrics", title=title, blocks=(table("Key metrics", columns, lines),))


def kpis(document: Document) -> Section:
    """Each with what it is made from and what it stands on."""
    title, found = "All KPIs", document["kpis"]
    if not found:
        return Section(id="kpis", title=title, blocks=(absent("The site has the inputs for no KPI."),))
    columns = [
        Column(label="KPI", kind="text"),
        Column(label="Value"),
        Column(label="Numerator"),
        Column(label="Denominator"),
        Column(label="Usable", unit="%"),
        Column(label="Measured", unit="%"),
        Column(label="Estimated", unit="%"),
        Column(label="Category", kind="word"),
    ]
    shared = _shared(found)
    notes = " ".join(f"{mark} {sentence(text)}" for text, mark in shared.items())
    note = f"Numerator and denominator are sums over the usable intervals. {notes}".strip()
    lines = [_kpi(each, shared) for each in found]
    return Section(id="kpis", title=title, blocks=(table("KPIs", columns, lines, note),))


def _shared(found: Sequence[Document]) -> dict[str, str]:
    """What more than one KPI has to say, with the mark that stands for it."""
    said = Counter(issue["message"] for each in found for issue in each["issues"])
    several = [text for text, count in said.items() if count > 1]
    return {text: f"[{place}]" for place, text in enumerate(several, start=1)}


def _kpi(each: Document, shared: Mapping[str, str]) -> Line:
    messages = [issue["message"] for issue in each["issues"]]
    said = [each["basis"].replace("_", " ")] if each["basis"] else []
    said += ["provisional"] if each["provisional"] and each["value"] is not None else []
    said += [text for text in messages if text not in shared]
    marks = " ".join(shared[text] for text in dict.fromkeys(messages) if text in shared)
    value = Cell("no value", "muted")
    if each["value"] is not None:
        value = Cell(_kpi_value(each))
    above, below = _sides(each)
    return line(
        Cell(f"{each['label']} {marks}".strip(), "", " ".join(map(sentence, said))),
        value,
        above,
        below,
        number(100 * each["usable"], 1),
        number(100 * each["coverage"], 1),
        number(100 * each["estimated"], 1),
        NONE if each["category"] is None else str(each["category"]),
    )


def _kpi_value(each: Document) -> str:
    """With the digits that it has everywhere in the report."""
    name = each["kpi"]
    if percent(name):
        return share(each["value"], digits_of(name))
    return with_unit(number(each["value"], digits_of(name)), each["unit"])


def _sides(each: Document) -> tuple[str, str]:
    """Numerator and denominator with their units."""
    name = each["kpi"]
    if name in _WITHOUT_SIDES:
        return NONE, NONE
    above, _, below = each["unit"].partition("/")
    if not below:
        above = below = "kW" if name in _KW else "L" if name in _LITRES else "kWh"
    return with_unit(number(each["numerator"], 1), above), with_unit(number(each["denominator"], 1), below)


def coverage(document: Document) -> Section:
    """Each real meter; those that lack most come first."""
    title, found = "Meters and coverage", document["meters"]
    if not found:
        return Section(id="meters", title=title, blocks=(absent("The site has no meter of its own."),))
    columns = [
        Column(label="Meter", kind="text"),
        Column(label="Role", kind="text"),
        Column(label="Amount or mean"),
        Column(label="In service", unit="%"),
        Column(label="Measured", unit="%"),
        Column(label="Estimated", unit="%"),
        Column(label="Missing", unit="%"),
    ]
    ordered = sorted(found, key=lambda each: (-each["missing"], -each["estimated"]))
    several = any(each["recovered"] for each in ordered[:MOST])
    note = "Measured, estimated and missing are parts of the time in service; meters that lack most come first."
    note += " Recovered: measured as a whole, spread evenly over a gap." if several else ""
    lines = [_meter(each) for each in ordered[:MOST]]
    said = f"{note} {more(found, 'meter')}".strip()
    return Section(id="meters", title=title, blocks=(table("Meters", columns, lines, said),))


def _meter(each: Document) -> Line:
    value = each["value"]
    digits = 3 if each["unit"] == "1" else 1
    shown = Cell("no value", "muted") if value is None else Cell(with_unit(number(value, digits), each["unit"]))
    recovered = f"{number(each['recovered'])} intervals recovered" if each["recovered"] else ""
    return line(
        Cell(each["meter"], "", recovered),
        (each["role"] or NONE).replace("_", " "),
        shown,
        number(100 * each["in_service"], 1),
        number(100 * each["measured"], 1),
        number(100 * each["estimated"], 1),
        Cell(number(100 * each["missing"], 1), "warn" if each["missing"] > 0.1 else ""),
    )


def checks(document: Document) -> Section:
    """The plausibility gate."""
    title, found = "Checks before issue", document["gate"]
    if not found:
        return Section(id="checks", title=title, blocks=(absent("Nothing could be checked."),))
    columns = [
        Column(label="Check", kind="text"),
        Column(label="Result", kind="word"),
        Column(label="What was found", kind="text"),
    ]
    ordered = sorted(found, key=lambda each: (each["ok"] is not False, each["ok"] is True))
    lines = [line(each["code"], Cell(*_STATES[each["ok"]]), each["message"]) for each in ordered[:MOST]]
    return Section(id="checks", title=title, blocks=(table("Checks", columns, lines, more(found, "check")),))


def method(document: Document) -> Section:
    """How figures are made, from what, and by which program."""
    inputs, period, zone = document["inputs"], document["period"], document["site"]["timezone"]
    span = f"{clock(period['start'], zone)} to {clock(period['end'], zone)}"
    facts = (
        ("Program", inputs["program"], f"method {inputs['method']}, {document['schema']}"),
        ("Period", period["key"], f"{span}, {zone}, end exclusive"),
        ("Grid", f"{significant(period['grid_seconds'] / 60)} min", f"{significant(period['hours'])} hours"),
    )
    parts = ("intervals", "comparisons", "configuration", "corrections", "told")
    names = [Column(label="SHA-256 of", kind="word"), Column(label="Hexadecimal", kind="text")]
    digests = [line(_DIGESTS.get(name, name.capitalize()), inputs[name]) for name in parts if name in inputs]
    digests.append(line("All inputs", inputs["digest"], total=True))
    note = "Equal digests give equal figures, and the same program gives the same bytes."
    blocks: list[Block] = [Facts(facts=facts)]
    if document["method"]:
        blocks.append(Points(title="", points=tuple(document["method"])))
    blocks.append(table("Digests of the inputs", names, digests, note))
    return Section(id="method", title="Method and versions", blocks=tuple(blocks))


def revisions(document: Document) -> Section:
    """Each issue, and what it changed."""
    title, found = "Revisions", document["revisions"]
    if not found:
        return Section(id="revisions", title=title, blocks=(absent("This report has not been issued."),))
    columns = [
        Column(label="Revision", kind="word"),
        Column(label="By", kind="text"),
        Column(label="Reason", kind="text"),
        Column(label="Figure", kind="text"),
        Column(label="Old value"),
        Column(label="New value"),
    ]
    lines: list[Line] = []
    for each in found:
        head = (str(each["number"]), each["author"], Cell(each["reason"], "", f"digest {each['digest'][:16]}"))
        changes = each["changes"] or [None]
        for place, change in enumerate(changes):
            start: tuple[Cell | str, ...] = head if place == 0 else ("", "", "")
            lines.append(line(*start, *_change(change)))
    return Section(id="revisions", title=title, blocks=(table("Revisions", columns, lines),))


def _change(change: Document | None) -> tuple[str, str, str]:
    if change is None:
        return "", "", ""
    sides = (change["old"], change["new"])
    size, name, digits = _alike(change)
    texts = [["no value" if each is None else number(each / size, many) for each in sides] for many in digits]
    old, new = next((pair for pair in texts if pair[0] != pair[1]), texts[-1])
    written = unit(name)
    return f"{change['label']} [{written}]" if written else change["label"], old, new


def _alike(change: Document) -> tuple[float, str, range]:
    """Unit for both values of a change, and digits to try until they differ."""
    most = max((abs(change[side]) for side in ("old", "new") if change[side] is not None), default=0.0)
    kind = _KINDS.get(change["unit"])
    if kind is None:
        return 1.0, change["unit"], range(_ratio_digits(most), _MOST_DIGITS)
    scale = scale_of(kind, most)
    return scale.size, scale.unit, range(scale.digits + (scale.size != 1.0), _MOST_DIGITS)


def _ratio_digits(most: float) -> int:
    """Three for ratios, fewer for what is large."""
    return 3 if most < 10 else 2 if most < 1000 else 0
