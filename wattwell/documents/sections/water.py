"""The water balance, and heat that was used again."""

from __future__ import annotations

import math

from wattwell.documents.blocks import Block, Facts, Section, absent
from wattwell.documents.figures.flow import flow
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.sections.energy import breakdown_words, not_drawn, parts, plot
from wattwell.documents.words import Document, amount, number, share, with_unit


def water(document: Document, faces: Faces) -> Section:
    """By source and by use."""
    found = document["water"]
    sources, uses = found["sources"], found["uses"]
    blocks: list[Block] = []
    if sources is not None and uses is not None:
        svg = flow(faces, "water", "Water", sources, uses)
        words = f"Water balance. {breakdown_words(sources, uses)}"
        caption = "Water from its sources to its uses. Widths are to scale."
        blocks += plot("water", svg, words, caption + not_drawn(uses))
    blocks += [parts(each) for each in (sources, uses) if each is not None]
    if sources is None and uses is None:
        blocks.append(absent("Water is not metered, or its meters have no value."))
    facts = (
        ("WUE counts", str(found["numerator"]).replace("_", " "), ""),
        ("Blow-down", *_blowdown(found)),
        ("Returned", _as_part(found, "water_returned", found["returned"]), ""),
        ("Cycles of concentration", number(found["cycles"], 2), "make-up / blow-down"),
        ("Reclaimed share", share(found["reclaimed_share"]), ""),
    )
    if any(found[name] is not None for name in ("blowdown", "returned", "cycles", "reclaimed_share")):
        blocks.append(Facts(facts=facts))
    return Section(id="water", title="Water balance", blocks=tuple(blocks))


def _as_part(found: Document, name: str, value: float | None) -> str:
    """An amount as the table of uses prints it, where it is one of them and of the same intervals."""
    part = next((each for each in (found["uses"] or {"parts": ()})["parts"] if each["name"] == name), None)
    if part is None or value is None or not math.isclose(part["value"], value):
        return amount(value, "L")
    return with_unit(part["shown"], found["uses"]["unit"])


def _blowdown(found: Document) -> tuple[str, str]:
    """Its amount, and in which use it is where it is none itself."""
    said = _as_part(found, "water_blowdown", found["blowdown"])
    if found["blowdown"] is None or found["uses"] is None:
        return said, ""
    labels = {each["name"]: each["label"] for each in found["uses"]["parts"]}
    if "water_blowdown" in labels:
        return said, ""
    within = labels.get("water_returned") or labels.get("other")
    return said, f"within: {within}" if within else ""


def heat(document: Document) -> Section:
    """Reused and removed."""
    found = document["heat"]
    if all(found[name] is None for name in ("reused_kwh", "erf", "removed_kwh", "cer")):
        block: Block = absent("Neither reused nor removed heat is metered.")
    else:
        block = Facts(
            facts=(
                ("Reused heat", amount(found["reused_kwh"], "kWh"), ""),
                ("ERF", share(found["erf"]), "reused heat / E_DC"),
                ("Removed heat", amount(found["removed_kwh"], "kWh"), ""),
                ("CER", number(found["cer"], 2), "removed heat / cooling energy"),
            )
        )
    return Section(id="heat", title="Reused heat", blocks=(block,))
