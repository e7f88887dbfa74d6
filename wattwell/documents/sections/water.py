"""The water balance, and heat that was used again."""

from __future__ import annotations

from wattwell.documents.blocks import Block, Facts, Section, absent
from wattwell.documents.figures.flow import flow
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.sections.energy import breakdown_words, parts, plot
from wattwell.documents.words import Document, amount, number, share


def water(document: Document, faces: Faces) -> Section:
    """By source and by use."""
    found = document["water"]
    sources, uses = found["sources"], found["uses"]
    blocks: list[Block] = []
    if sources is not None and uses is not None:
        svg = flow(faces, "water", "Water", sources, uses)
        words = f"Water balance. {breakdown_words(sources, uses)}"
        blocks += plot("water", svg, words, "Water from its sources to its uses. Widths are to scale.")
    blocks += [parts(each) for each in (sources, uses) if each is not None]
    if sources is None and uses is None:
        blocks.append(absent("Water is not metered, or its meters have no value."))
    facts = (
        ("WUE counts", str(found["numerator"]).replace("_", " "), ""),
        ("Blow-down", amount(found["blowdown"], "L"), ""),
        ("Returned", amount(found["returned"], "L"), ""),
        ("Cycles of concentration", number(found["cycles"], 2), "make-up / blow-down"),
        ("Reclaimed share", share(found["reclaimed_share"]), ""),
    )
    if any(found[name] is not None for name in ("blowdown", "returned", "cycles", "reclaimed_share")):
        blocks.append(Facts(facts=facts))
    return Section(id="water", title="Water balance", blocks=tuple(blocks))


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
