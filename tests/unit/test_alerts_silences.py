"""Silences and acknowledgements as the ledger keeps them."""

from __future__ import annotations

import pytest

from alerts.silences import acknowledgement_document, expiry_document, read, silence_document
from tests.support import T0
from wattwell.intervals import HOUR
from wattwell.ledger import extend

LABELS = {"alertname": "PueHigh", "site": "north", "severity": "warning"}


@pytest.mark.parametrize(
    ("matchers", "covers"),
    [
        ({"site": "north"}, True),
        ({"site": "north", "alertname": "PueHigh"}, True),
        ({"site": "south"}, False),
        ({"site": "north", "meter": "ups-a"}, False),
        ({"severity": "warning"}, True),
    ],
)
def test_all_labels_must_be_there(matchers: dict[str, str], covers: bool) -> None:
    known = read(extend(None, T0, [("silence", silence_document(matchers, T0, T0 + HOUR, "ida", "x"))]))
    for at, within in ((T0 - 1, False), (T0, True), (T0 + HOUR - 1, True), (T0 + HOUR, False)):
        assert (known.silencing(LABELS, at) is not None) is (covers and within)


def test_one_of_several_instants_is_enough() -> None:
    known = read(extend(None, T0, [("silence", silence_document({"site": "north"}, T0, T0 + HOUR, "ida", "x"))]))
    assert known.silencing(LABELS, T0 - HOUR, T0) is not None


def test_a_silence_ends_early_and_one_to_come_never_begins() -> None:
    made = [
        silence_document({"site": "north"}, T0, T0 + 9 * HOUR, "ida", "x"),
        silence_document({"site": "south"}, T0 + 5 * HOUR, T0 + 9 * HOUR, "ida", "x"),
    ]
    ended = [expiry_document(1, T0 + HOUR, "bo", "done"), expiry_document(2, T0 + HOUR, "bo", "done")]
    all_entries = extend(None, T0, [("silence", document) for document in [*made, *ended]])
    known = read(all_entries)
    assert [each.to_json(T0 + 2 * HOUR)["state"] for each in known.silences.values()] == ["ended", "ended"]
    assert known.silencing(LABELS, T0 + HOUR - 1) is not None
    assert known.silencing(LABELS, T0 + HOUR) is None
    assert known.silencing(LABELS | {"site": "south"}, T0 + 6 * HOUR) is None
    assert read(all_entries[2:], read(all_entries[:2])) == known


def test_an_acknowledgement_is_of_one_alert() -> None:
    alert = ("north", "PueHigh", "", T0)
    known = read(extend(None, T0, [("silence", acknowledgement_document(alert, T0 + 1, "ida", "looking"))]))
    assert list(known.acknowledged) == [alert]
    assert known.acknowledged[alert].author == "ida"
