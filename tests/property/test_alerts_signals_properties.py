"""What holds for every run of signals: each beginning is told once, each end after it, and only what may be told."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from alerts.board import Board, Episode, advance, documents_of, load
from alerts.machine import Key, Sample
from alerts.notification import Notification
from wattwell.intervals import MINUTE
from wattwell.model import AlertRule

GRID = 15 * MINUTE


def rule(name: str, signal: str, of: str, window: str, **changes: object) -> AlertRule:
    of_kpi = signal in ("kpi", "coverage")
    fields: dict[str, object] = {
        "name": name, "signal": signal, "kpi": of if of_kpi else "", "of": "" if of_kpi else of, "window": window,
        "above": 1.0, "below": None, "clear": None, "hold": GRID, "keep_firing": 0, "severity": "warning", "sites": (),
    }  # fmt: skip
    return AlertRule(**(fields | changes))  # type: ignore[arg-type]


RULES = (
    rule("High", "kpi", "pue", "24h", clear=0.5),
    rule("Low", "coverage", "pue", "24h", above=None, below=1.0, hold=0),
    rule("Stale", "stale", "any", "", hold=0),
    rule("Open", "balance", "any", "24h"),
)
SIGNAL = {each.name: each.signal for each in RULES}
BASIS = {("kpi", "pue"): frozenset({"a", "b"})}
KEYS: tuple[Key, ...] = (
    ("kpi", "pue", "24h"), ("coverage", "pue", "24h"), ("stale", "a", ""), ("stale", "c", ""), ("balance", "a", "24h"),
)  # fmt: skip
Edge = tuple[Mapping[Key, float | None], frozenset[Key], frozenset[str]]
"""Values, what is held, and the names that are muted."""

_value = st.sampled_from([None, 0.2, 0.8, 1.5, 2.5])
_edge = st.tuples(
    st.fixed_dictionaries(dict.fromkeys(KEYS, _value)),
    st.frozensets(st.sampled_from(KEYS), max_size=1),
    st.frozensets(st.sampled_from(["High", "Stale", "Low"]), max_size=2),
)
series = st.lists(_edge, max_size=25)


def play(edges: list[Edge], restarts: frozenset[int] = frozenset()) -> tuple[Board, list[list[Notification]]]:
    """The board after these edges, and what was told at each; restarts read it back from its documents."""
    board, stored, told = Board(), dict[str, str](), list[list[Notification]]()
    for n, (values, held, muted) in enumerate(edges):
        if n in restarts:
            board = load(["s"], stored.get)
        at = n * GRID

        def mute(alert: Episode, names: frozenset[str] = muted) -> bool:
            return alert.name in names

        samples = {key: Sample(at, value) for key, value in values.items()}
        before = board
        board, new = advance(board, RULES, "s", at, samples, held, basis=BASIS, mute=mute)
        stored |= documents_of(board, before)
        told.append(list(new))
    return board, told


@given(series, st.frozensets(st.integers(0, 25)))
def test_a_restart_repeats_and_loses_nothing(edges: list[Edge], restarts: frozenset[int]) -> None:
    assert play(edges, restarts) == play(edges)


@given(series)
def test_each_alert_is_told_to_begin_once_and_to_end_after_that(edges: list[Edge]) -> None:
    _, told = play(edges)
    by_alert: dict[tuple[str, str], list[str]] = {}
    for new in told:
        for each in new:
            by_alert.setdefault((each.name, each.meter), []).append(each.status.value)
    for statuses in by_alert.values():
        assert statuses[0] == "firing"
        assert all(one != other for one, other in pairwise(statuses))


@given(series)
def test_nothing_begins_to_be_told_while_it_is_muted_or_inhibited(edges: list[Edge]) -> None:
    for n in range(len(edges)):
        board, told = play(edges[: n + 1])
        for each in told[-1]:
            if each.status.value == "firing":
                episode = board.site("s").open[f"{each.name}/{each.meter}" if each.meter else each.name]
                assert episode.inhibited_by is None
                assert each.name not in edges[n][2]


@given(series)
def test_what_may_be_told_is_told_at_once(edges: list[Edge]) -> None:
    board, _ = play(edges)
    for episode in board.site("s").open.values():
        assert episode.told or episode.inhibited_by is not None or episode.name in edges[-1][2]


@given(series)
def test_neither_what_is_missing_nor_what_is_held_ends_an_alert(edges: list[Edge]) -> None:
    for n, (values, held, _) in enumerate(edges):
        before, after = (play(edges[:count])[0].site("s").open for count in (n, n + 1))
        for key in before.keys() - after.keys():
            name, _, meter = key.partition("/")
            of = next(
                each for each in KEYS if SIGNAL[name.removesuffix("NoData")] == each[0] and meter in ("", each[1])
            )
            assert values[of] is not None
            assert of not in held
