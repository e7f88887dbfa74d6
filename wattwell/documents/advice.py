"""What is said to do about a finding: now, if it comes back, or that it has been done."""

from __future__ import annotations

from wattwell.documents.words import Document, clock, day_name

_AGAIN = "If it comes back: "
_METERING = "metering"


def advice(found: Document, document: Document) -> str:
    """The advice of a finding that goes on; of one that ended, when it did; of a meter, what was entered since."""
    zone = document["site"]["timezone"]
    entered = _entered(found, document)
    if entered is not None:
        at = clock(entered["at"], zone)
        return f"{entered['event'].capitalize()} of {entered['meter']} at {at} was entered by {entered['author']}."
    if found["end"] is None and found["status"] != "closed":
        return str(found["advice"])
    ended = "" if found["end"] is None else f"Ended {_day(found['end'], zone)}. "
    return f"{ended}{_AGAIN}{found['advice']}"


def _entered(found: Document, document: Document) -> Document | None:
    """What an operator entered about the finding's meter in its time."""
    if found["family"] != _METERING:
        return None
    meters = {*found["meters"], found["equipment"]}
    zone = document["site"]["timezone"]
    since, until = clock(found["start"], zone)[:10], clock(found["end"], zone)[:10] if found["end"] else "9999"
    return next(
        (
            each
            for each in document["corrections"]
            if each["meter"] in meters and since <= clock(each["at"], zone)[:10] <= until
        ),
        None,
    )


def _day(at: str, zone: str) -> str:
    return day_name(clock(at, zone)[:10])
