"""The alert board: many rules and sites, episodes, documents and the ``alerts`` list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

import alerts.board as board_module
from alerts.board import Board, advance, documents_of, load, needed, open_notifications, rules_of
from alerts.documents import DocumentError
from alerts.listing import counts, listing
from alerts.machine import Context, Sample
from alerts.notification import Notification
from alerts.wording import number
from wattwell.errors import UsageError
from wattwell.intervals import MINUTE, iso
from wattwell.model import AlertRule

GRID = 15 * MINUTE
START = 1_774_746_000_000_000  # 2026-03-29T01:00Z
PUE = AlertRule(
    name="PueHigh",
    kpi="pue",
    window="24h",
    above=1.30,
    below=None,
    clear=1.27,
    hold=15 * MINUTE,
    keep_firing=0,
    severity="warning",
    sites=(),
    labels={"team": "plant", "site": "no rule may say this"},
    annotations={"runbook": "https://example.org/pue"},
)
REF = replace(PUE, name="RefLow", kpi="ref", above=None, below=0.5, clear=None, sites=("b",), labels={}, annotations={})
SHAPE = ("name", "site", "state", "value", "since", "fired_at", "resolved_at", "labels", "annotations")


def edge(n: int) -> int:
    return START + n * GRID


def at(n: int) -> str:
    return iso(edge(n))


def play(
    text: str, rules: Sequence[AlertRule] = (PUE,), board: Board | None = None, site: str = "a", first: int = 0
) -> tuple[Board, list[Notification]]:
    """Steps a site through a series for every KPI: ``1.31`` a value, ``1.2p`` provisional, ``_`` none."""
    board = board or Board()
    told: list[Notification] = []
    for n, word in enumerate(text.split(), start=first):
        value = None if word == "_" else float(word.rstrip("p"))
        context = Context(label="iPUE", unit="1", coverage=0.9854, category=1)
        sample = Sample(edge(n), value, word.endswith("p"), context)
        board, new = advance(board, rules, site, edge(n), dict.fromkeys(needed(rules, site), sample))
        told.extend(new)
    return board, told


def brief(documents: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(d["name"], d["site"], d["state"], d["fired_at"], d["resolved_at"]) for d in documents]


def restart(board: Board, sites: Sequence[str] = ("a", "b")) -> Board:
    stored = documents_of(board)
    return load(sites, stored.get)


def test_an_alert_is_told_when_it_begins_and_when_it_ends() -> None:
    _, told = play("1.2 1.31 1.35 1.28 1.25")
    fired, resolved = told
    assert (fired.status.value, fired.starts_at, fired.ends_at) == ("firing", edge(2), None)
    assert (resolved.status.value, resolved.starts_at, resolved.ends_at) == ("resolved", edge(2), edge(4))
    assert fired.labels == resolved.labels
    assert fired.labels == {
        "alertname": "PueHigh", "site": "a", "severity": "warning", "kpi": "pue", "window": "24h", "team": "plant",
    }  # fmt: skip
    assert fired.annotations == {
        "summary": "iPUE of a over 24h is 1.350 (category 1, coverage 98.5 %): above 1.3 for 15m or more; "
        "the worst was 1.350.",
        "runbook": "https://example.org/pue",
    }
    assert resolved.annotations["summary"] == (
        "iPUE of a over 24h is 1.250 (category 1, coverage 98.5 %): at or below the clear line 1.27; "
        "the worst was 1.350."
    )


def test_the_meter_cut_during_an_alert_adds_one_data_alert() -> None:
    board, told = play("1.31 1.35 1.33p _ _ _")
    assert [(each.name, each.status.value) for each in told] == [("PueHigh", "firing"), ("PueHighNoData", "firing")]
    assert told[1].labels["alertname"] == "PueHighNoData"
    assert told[1].annotations["summary"] == (
        f"iPUE of a over 24h has had no value since {at(3)} (category 1, coverage 98.5 %); "
        "PueHigh stays firing meanwhile."
    )
    assert brief(listing(board, [PUE], ["a"])) == [
        ("PueHigh", "a", "firing", at(1), None),
        ("PueHighNoData", "a", "no_data", at(4), None),
    ]
    board, told = play("1.2p 1.2", board=board, first=6)
    assert [(each.name, each.status.value) for each in told] == [("PueHighNoData", "resolved"), ("PueHigh", "resolved")]
    assert brief(listing(board, [PUE], ["a"])) == [
        ("PueHigh", "a", "inactive", at(1), at(7)),
        ("PueHighNoData", "a", "inactive", at(4), at(6)),
    ]


def test_each_alert_is_listed_once() -> None:
    board, _ = play("1.4 1.4 1.2 1.31 1.31 1.2 1.5 1.5 1.2")
    assert brief(listing(board, [PUE], ["a"])) == [
        ("PueHigh", "a", "inactive", at(7), at(8)),
        ("PueHigh", "a", "inactive", at(4), at(5)),
        ("PueHigh", "a", "inactive", at(1), at(2)),
    ]
    assert [each["peak"] for each in listing(board, [PUE], ["a"])] == [1.5, 1.31, 1.4]
    board, _ = play("1.33", board=board, first=9)
    assert brief(listing(board, [PUE], ["a"]))[:2] == [
        ("PueHigh", "a", "pending", None, None),
        ("PueHigh", "a", "inactive", at(7), at(8)),
    ]
    board, _ = play("1.33", board=board, first=10)
    assert brief(listing(board, [PUE], ["a"]))[:2] == [
        ("PueHigh", "a", "firing", at(10), None),
        ("PueHigh", "a", "inactive", at(7), at(8)),
    ]
    assert len(listing(board, [PUE], ["a"])) == 4


def test_the_list_has_every_rule_on_every_site() -> None:
    board, _ = play("0.9 0.4 0.4", rules=[PUE, REF], site="b")
    found = listing(board, [PUE, REF], ["a", "b"])
    assert brief(found) == [
        ("PueHigh", "a", "inactive", None, None),
        ("PueHigh", "b", "inactive", None, None),
        ("RefLow", "b", "firing", at(2), None),
    ]
    assert found[0]["since"] is None
    assert found[0]["annotations"]["summary"] == "pue of a over 24h has not been judged yet."
    assert [each["since"] for each in found[1:]] == [at(0), at(2)]
    for each in found:
        assert set(SHAPE) <= set(each)
        assert json.loads(json.dumps(each, allow_nan=False)) == each


NONE = "has no value (category 1, coverage 98.5 %)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1.2", "is 1.200 (category 1, coverage 98.5 %): not above 1.3."),
        ("1.4p", "is 1.400 (category 1, coverage 98.5 %, provisional): not judged while provisional."),
        ("1.30004", f"is 1.30004 (category 1, coverage 98.5 %): above 1.3 since {at(0)}, fires after 15m."),
        ("_", f"{NONE}."),
        (
            "1.31 1.31 1.28",
            "is 1.280 (category 1, coverage 98.5 %): no longer above 1.3, but not yet clear; the worst was 1.310.",
        ),
        ("1.31 1.31", "is 1.310 (category 1, coverage 98.5 %): above 1.3 for 15m or more; the worst was 1.310."),
        ("1.31 1.31 1.28 1.31", "is 1.310 (category 1, coverage 98.5 %): above 1.3; the worst was 1.310."),
        (
            "1.31 1.31 _",
            f"{NONE}: it was above 1.3 before and stays firing; the worst was 1.310.",
        ),
    ],
)
def test_the_sentence_of_each_state(text: str, sentence: str) -> None:
    board, _ = play(text)
    assert listing(board, [PUE], ["a"])[0]["annotations"]["summary"] == f"iPUE of a over 24h {sentence}"


@pytest.mark.parametrize(
    ("value", "apart_from", "text"),
    [
        (1.31249, 1.3, "1.312"),
        (0.0, None, "0.000"),
        (0.45678, None, "0.4568"),
        (12345.6, None, "12346"),
        (-1.5, None, "-1.500"),
        (1.30004, 1.3, "1.30004"),
        (1.3, 1.3, "1.300"),
        (1e-15, None, "0.000000000"),
    ],
)
def test_numbers_are_short_but_never_look_like_the_threshold(value: float, apart_from: float, text: str) -> None:
    assert number(value, apart_from) == text


def test_a_pair_without_a_sample_is_a_missing_value() -> None:
    board, _ = advance(Board(), [PUE], "a", edge(0), {})
    assert listing(board, [PUE], ["a"])[0]["state"] == "no_data"


def test_an_edge_stepped_before_changes_nothing() -> None:
    board, _ = play("1.4 1.4")
    assert play("1.2 1.2", board=board) == (board, [])


def test_a_sample_of_another_edge_is_refused() -> None:
    with pytest.raises(ValueError, match=f"the sample is of edge {at(0)}, the step of edge {at(1)}"):
        advance(Board(), [PUE], "a", edge(1), {("kpi", "pue", "24h"): Sample(edge(0), 1.2)})


@pytest.mark.parametrize("other", ["PueHigh", "PueHighNoData"])
def test_names_are_unique_on_a_site(other: str) -> None:
    with pytest.raises(UsageError, match=f"alert name {other} is used twice on site a"):
        rules_of([PUE, replace(PUE, name=other)], "a")
    assert len(rules_of([replace(PUE, sites=("b",)), replace(PUE, name=other, sites=("a",))], "a")) == 1


TEXT = "1.31 1.4 _ _ 1.2p 1.2 1.31 1.31 1.2 _ _ _ 1.31 1.31"


@pytest.mark.parametrize("at_edge", range(len(TEXT.split())))
def test_a_restart_at_any_edge_repeats_and_loses_nothing(at_edge: int) -> None:
    words = TEXT.split()
    board, told = play(" ".join(words[:at_edge]))
    rest, more = play(" ".join(words[at_edge:]), board=restart(board), first=at_edge)
    whole, once = play(TEXT)
    assert told + more == once
    assert rest == whole
    assert listing(restart(rest), [PUE], ["a"]) == listing(whole, [PUE], ["a"])


def test_only_what_has_changed_is_written() -> None:
    before, _ = play("1.2 1.2")
    before, _ = play("1.2", board=before, site="b")
    after, _ = play("1.31 1.31", board=before, first=2)
    assert set(documents_of(after, since=before)) == {"alerts.states:a"}
    ended, _ = play("1.2", board=after, first=4)
    assert set(documents_of(ended, since=after)) == {"alerts.states:a", "alerts.history:a"}
    assert set(documents_of(ended)) == {f"alerts.{kind}:{site}" for kind in ("states", "history") for site in "ab"}
    assert documents_of(ended, since=ended) == {}


def test_a_removed_rule_ends_with_the_next_step_and_keeps_its_history() -> None:
    board, _ = play("1.4 1.4 1.2 1.4 1.4")
    board = restart(board)
    assert brief(listing(board, [], ["a"])) == [
        ("PueHigh", "a", "firing", at(4), None),
        ("PueHigh", "a", "inactive", at(1), at(2)),
    ]
    other = replace(PUE, name="Other")
    board, told = play("1.4", rules=[other], board=board, first=5)
    assert [(each.name, each.status.value, each.ends_at) for each in told] == [("PueHigh", "resolved", edge(5))]
    assert told[0].annotations["summary"] == (
        "PueHigh on a ended because PueHigh is no longer configured, not because it cleared."
    )
    assert brief(listing(board, [other], ["a"])) == [
        ("Other", "a", "pending", None, None),
        ("PueHigh", "a", "inactive", at(4), at(5)),
        ("PueHigh", "a", "inactive", at(1), at(2)),
    ]
    back, told = play("1.4", rules=[PUE], board=board, first=6)
    assert told == []
    assert brief(listing(back, [PUE], ["a"]))[0] == ("PueHigh", "a", "pending", None, None)


def test_a_changed_threshold_changes_no_state_at_load() -> None:
    board, _ = play("1.31 1.31")
    board = restart(board)
    lax = replace(PUE, above=1.5, clear=1.4)
    assert brief(listing(board, [lax], ["a"])) == [("PueHigh", "a", "firing", at(1), None)]
    _, told = play("1.31", rules=[lax], board=board, first=2)
    assert [each.status.value for each in told] == ["resolved"]


def test_the_end_carries_the_labels_of_the_beginning() -> None:
    board, fired = play("1.31 1.31")
    _, resolved = play("1.2", rules=[replace(PUE, severity="critical")], board=board, first=2)
    assert resolved[0].labels == fired[0].labels


def test_history_is_bounded_and_the_loss_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "HISTORY_LIMIT", 3)
    board, _ = play("1.4 1.4 1.2 " * 5)
    kept = restart(board).site("a")
    assert [each.fired_at for each in kept.history["PueHigh"]] == [edge(7), edge(10), edge(13)]
    assert kept.dropped == {"PueHigh": 2}


def test_what_is_open_can_be_told_again() -> None:
    board, _ = play("1.31 1.31 _ _")
    board, _ = play("1.4 1.4 1.2", board=board, site="b")
    assert [(each.site, each.name, each.starts_at) for each in open_notifications(board)] == [
        ("a", "PueHigh", edge(1)),
        ("a", "PueHighNoData", edge(3)),
    ]


def test_counts_are_one_for_the_state_and_zero_for_the_others() -> None:
    board, _ = play("1.31 1.31")
    found = counts(board, [PUE, REF], ["a", "b"])
    assert len(found) == 12
    assert {key for key, value in found.items() if value} == {
        ("a", "PueHigh", "firing"), ("b", "PueHigh", "inactive"), ("b", "RefLow", "inactive"),
    }  # fmt: skip


NAME = "alerts.states:a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "holds something else"),
        (json.dumps({"kind": "other", "version": 1}), "holds something else"),
        (json.dumps({"kind": NAME, "version": 3}), "has version 3 and this Wattwell reads version 2"),
        (json.dumps({"kind": NAME}), "has version None and this Wattwell reads version 2"),
        (json.dumps({"kind": NAME, "version": 1}), "is damaged"),
        (json.dumps({"kind": NAME, "version": 1, "at": 0, "states": {"X": {"phase": "asleep"}}, "open": []}), "asleep"),
    ],
)
def test_a_document_that_cannot_be_read_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said) as caught:
        load(["a"], {NAME: text}.get)
    assert NAME in str(caught.value)
    assert "delete the document" in str(caught.value)


def test_states_without_their_open_alert_are_damaged() -> None:
    stored = json.loads(documents_of(play("1.31 1.31")[0])[NAME])
    stored["open"] = []
    with pytest.raises(DocumentError, match=r"open alerts \[\] where the states say \['PueHigh'\]"):
        load(["a"], {NAME: json.dumps(stored)}.get)


def test_the_listing_shows_the_thresholds_of_the_rule() -> None:
    """Of an alert that has ended too; a data alert has none, and neither has one whose rule is gone."""
    board, _ = play("1.31 1.31 1.2 1.31 1.31 1.2 _ _ 1.2")
    found = listing(board, [PUE], ["a"])
    limits = {(each["name"], each["fired_at"]): (each["above"], each["below"], each["clear"]) for each in found}
    assert limits == {
        ("PueHigh", at(4)): (1.30, None, 1.27),
        ("PueHigh", at(1)): (1.30, None, 1.27),
        ("PueHighNoData", at(7)): (None, None, None),
    }
    (now,) = listing(Board(), [REF], ["b"])
    assert (now["above"], now["below"], now["clear"]) == (None, 0.5, None)
    assert {each["above"] for each in listing(board, [], ["a"])} == {None}
