"""Alerts of meters, inhibition, muting and what is told afterwards, on the board alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from alerts.board import NO_SITE, Board, Episode, advance, documents_of, load, needed
from alerts.listing import counts, listing
from alerts.machine import Context, Key, Sample
from alerts.silences import read, silence_document
from wattwell.intervals import HOUR, MINUTE, iso
from wattwell.ledger import extend
from wattwell.model import AlertRule

GRID = 15 * MINUTE
START = 1_774_746_000_000_000  # 2026-03-29T01:00Z


def rule(name: str, signal: str = "kpi", of: str = "pue", window: str = "24h", **changes: object) -> AlertRule:
    of_kpi = signal in ("kpi", "coverage", "course")
    fields: dict[str, object] = {
        "name": name, "signal": signal, "kpi": of if of_kpi else "", "of": "" if of_kpi else of, "window": window,
        "above": 1.3, "below": None, "clear": None, "hold": 0, "keep_firing": 0, "severity": "warning", "sites": (),
    }  # fmt: skip
    return AlertRule(**(fields | changes))  # type: ignore[arg-type]


PUE = rule("PueHigh")
STALE = rule("MeterStale", "stale", "any", "", above=900.0)
COVERAGE = rule("CoverageLow", "coverage", above=None, below=0.9)
BALANCE = rule("BalanceOpen", "balance", "any", above=1.0)
SPOOL = rule("SpoolGrowing", "spool", "readings", "", above=100.0)
COURSE = rule("PueYear", "course", window="")
BASIS = {("kpi", "pue"): frozenset({"grid", "it"}), ("kpi", "wue"): frozenset({"water", "it"})}


def edge(n: int) -> int:
    return START + n * GRID


class Told:
    """A site that is stepped edge by edge, and what was told of it."""

    def __init__(self, *rules: AlertRule, site: str = "a") -> None:
        self.rules, self.site, self.board, self.n = rules, site, Board(), -1
        self.silent: set[str] = set()
        self.told: list[tuple[str, str, str]] = []

    def step(self, held: Iterable[Key] = (), **values: float | None) -> list[tuple[str, str, str]]:
        """One edge: ``pue`` a KPI, ``coverage`` that of PUE, ``stale_X`` and ``balance_X`` of a meter."""
        self.n += 1
        at = edge(self.n)
        samples: dict[Key, Sample] = {}
        for name, value in values.items():
            signal, _, meter = name.partition("_")
            window = "" if signal in ("stale", "spool") else "24h"
            key = {"coverage": (signal, "pue", window), "spool": (signal, "readings", "")}.get(signal)
            kpi = (signal, meter, window) if meter else ("kpi", signal, window)
            samples[key or kpi] = Sample(at, value)
        mute = lambda alert: alert.key in self.silent  # noqa: E731 - as short as what it says
        self.board, new = advance(self.board, self.rules, self.site, at, samples, tuple(held), basis=BASIS, mute=mute)
        self.told += [(each.name, each.meter, each.status.value) for each in new]
        return [(each.name, each.meter, each.status.value) for each in new]

    def restart(self) -> None:
        """What is stored is read back."""
        self.board = load([self.site], documents_of(self.board).get)

    def listed(self) -> list[tuple[str, str | None, str]]:
        """(name, meter, state) of what is now."""
        found = listing(self.board, self.rules, [self.site])
        return [(each["name"], each["labels"].get("meter"), each["state"]) for each in found]


def test_each_meter_has_an_alert_of_its_own() -> None:
    site = Told(STALE)
    site.step(stale_grid=0.0, stale_it=0.0)
    assert site.step(stale_grid=0.0, stale_it=1200.0) == [("MeterStale", "it", "firing")]
    assert site.step(stale_grid=960.0, stale_it=2100.0) == [("MeterStale", "grid", "firing")]
    assert site.listed() == [("MeterStale", "grid", "firing"), ("MeterStale", "it", "firing")]
    assert counts(site.board, site.rules, ["a"])["a", "MeterStale", "firing"] == 2
    assert site.step(stale_grid=1860.0, stale_it=0.0) == [("MeterStale", "it", "resolved")]


def test_the_alert_of_a_meter_carries_it_in_labels_key_and_words() -> None:
    _, (told,) = advance(Board(), [STALE], "a", edge(0), {("stale", "it", ""): Sample(edge(0), 1200.0)})
    assert told.labels == {"alertname": "MeterStale", "site": "a", "severity": "warning", "meter": "it"}
    assert told.key == f"a/MeterStale/it/{edge(0)}/firing"
    assert told.annotations["summary"] == (
        "The time since the last reading of it of a is 20m: above 15m; the worst was 20m."
    )


def test_a_stale_meter_is_no_missing_value_and_a_missing_one_is_no_data_alert() -> None:
    site = Told(STALE, BALANCE, COVERAGE)
    for _ in range(3):
        site.step(stale_it=None, balance_main=None, coverage=None)
    assert site.told == []
    assert {state for _, _, state in site.listed()} == {"no_data"}


def test_what_is_held_stays_as_it_is() -> None:
    site = Told(STALE)
    site.step(stale_it=1200.0)
    site.step(stale_it=None, held=[("stale", "it", "")])
    assert site.listed() == [("MeterStale", "it", "firing")]
    assert site.told == [("MeterStale", "it", "firing")]


def test_a_meter_that_is_watched_no_more_ends_its_alert() -> None:
    site = Told(STALE)
    site.step(stale_it=1200.0, stale_grid=0.0)
    assert site.step(stale_grid=0.0) == [("MeterStale", "it", "resolved")]
    assert "it is watched no more" in listing(site.board, site.rules, ["a"])[-1]["annotations"]["summary"]


def test_the_spool_belongs_to_no_site() -> None:
    site = Told(SPOOL, PUE, site=NO_SITE)
    assert needed(site.rules, NO_SITE) == {("spool", "readings", "")}
    assert needed(site.rules, "a") == {("kpi", "pue", "24h")}
    assert site.step(spool=101.0) == [("SpoolGrowing", "", "firing")]
    (found,) = listing(site.board, site.rules, [NO_SITE])
    assert found["site"] is None
    assert found["labels"] == {"alertname": "SpoolGrowing", "severity": "warning"}


@pytest.mark.parametrize(
    ("one", "value", "said"),
    [
        (COVERAGE, Sample(START, 0.85, context=Context(label="iPUE")),
         "The coverage of iPUE of a over 24h is 85.00 %: below 90 %; the worst was 85.00 %."),
        (replace(BALANCE, of="main"), Sample(START, 2.5),
         ("What the meters below main of a count more than it over 24h is 2.500 times what accuracy explains: "
          "above 1 times what accuracy explains; the worst was 2.500 times what accuracy explains.")),
        (rule("P", "power", "power_chain", "", above=5.0), Sample(START, 7.0, context=Context(unit="kW")),
         "The power of power chain of a over the last interval is 7.000 kW: above 5; the worst was 7.000."),
        (COURSE, Sample(START, 1.31, context=Context(label="PUE", unit="1", between=(1.31, 1.36))),
         "PUE of a for the year is on course for 1.310 to 1.360: above 1.3; the worst was 1.310."),
    ],
)  # fmt: skip
def test_each_signal_has_its_words(one: AlertRule, value: Sample, said: str) -> None:
    (key,) = needed([one], "a")
    board, (told,) = advance(Board(), [one], "a", START, {key: value})
    assert told.annotations["summary"] == said
    assert load(["a"], documents_of(board).get) == board


def test_a_runbook_is_told() -> None:
    one = replace(PUE, runbook="https://wiki.example/pue")
    _, (told,) = advance(Board(), [one], "a", START, {("kpi", "pue", "24h"): Sample(START, 1.4)})
    assert told.annotations["runbook_url"] == "https://wiki.example/pue"


def test_a_data_alert_mutes_the_figures_that_rest_on_it_and_they_are_told_once_afterwards() -> None:
    site = Told(PUE, STALE)
    site.step(pue=1.2, stale_it=1200.0)
    assert site.step(pue=1.4, stale_it=2100.0) == []
    assert listing(site.board, site.rules, ["a"])[0]["state"] == "firing"
    assert listing(site.board, site.rules, ["a"])[0]["inhibited_by"] == "MeterStale/it"
    site.restart()
    assert site.step(pue=1.4, stale_it=0.0) == [("MeterStale", "it", "resolved"), ("PueHigh", "", "firing")]
    assert site.step(pue=1.4, stale_it=0.0) == []
    assert site.step(pue=1.2, stale_it=0.0) == [("PueHigh", "", "resolved")]


def test_what_was_never_told_ends_in_silence_and_what_was_told_ends_aloud() -> None:
    site = Told(PUE, STALE)
    site.step(pue=1.4, stale_it=0.0)
    site.step(pue=1.4, stale_it=1200.0)
    assert site.step(pue=1.2, stale_it=2100.0) == [("PueHigh", "", "resolved")]
    assert site.step(pue=1.4, stale_it=3000.0) == []
    assert site.step(pue=1.2, stale_it=3900.0) == []


def test_a_meter_that_a_figure_does_not_use_mutes_nothing() -> None:
    site = Told(PUE, STALE)
    assert ("PueHigh", "", "firing") in site.step(pue=1.4, stale_outdoor=1200.0)


def test_one_fault_is_one_message() -> None:
    """The IT meter fails: of the stale meter, the low coverage, two figures without a value, only the first is told."""
    below = rule("PueBelowOne", above=None, below=1.0)
    site = Told(PUE, below, COVERAGE, STALE, BALANCE)
    site.step(pue=1.4, coverage=1.0, stale_it=0.0, balance_main=0.0)
    for n in range(1, 5):
        site.step(pue=None, coverage=0.95 - n * 0.1, stale_it=n * 900.0 + 60, balance_main=None)
    assert site.told == [("PueHigh", "", "firing"), ("MeterStale", "it", "firing")]
    assert len([each for each in site.listed() if each[2] in ("firing", "no_data")]) >= 5


def test_of_two_figures_without_a_value_one_is_told() -> None:
    site = Told(PUE, rule("PueVeryHigh", above=1.6))
    site.step(pue=None)
    assert site.told == [("PueHighNoData", "", "firing")]


def test_what_is_muted_is_told_once_it_is_not() -> None:
    site = Told(PUE)
    site.silent = {"PueHigh"}
    assert site.step(pue=1.4) == []
    site.restart()
    assert site.step(pue=1.4) == []
    site.silent = set()
    assert site.step(pue=1.25) == []  # it ended before anybody heard of it
    site.silent = {"PueHigh"}
    site.step(pue=1.4)
    site.silent = set()
    assert site.step(pue=1.4) == [("PueHigh", "", "firing")]


def test_a_contradiction_fires_what_watches_for_it_and_clears_nothing() -> None:
    below = rule("PueBelowOne", above=None, below=1.0, clear=1.05)
    board, _ = advance(Board(), [PUE, below], "a", edge(0), {("kpi", "pue", "24h"): Sample(edge(0), 1.4)})
    withheld = {("kpi", "pue", "24h"): Sample(edge(1), None, withheld=0.97)}
    board, told = advance(board, [PUE, below], "a", edge(1), withheld, basis=BASIS)
    assert [(each.name, each.status.value) for each in told] == [("PueBelowOne", "firing")]
    assert set(board.site("a").open) == {"PueHigh", "PueBelowOne"}
    board, told = advance(
        board, [PUE, below], "a", edge(2), {("kpi", "pue", "24h"): Sample(edge(2), None, withheld=1.2)}, basis=BASIS
    )
    assert told == ()


def test_documents_of_before_are_read() -> None:
    """Version 1: without meter, told and inhibited_by; everything open had been told."""
    board, _ = advance(Board(), [PUE], "a", edge(0), {("kpi", "pue", "24h"): Sample(edge(0), 1.4)})
    stored = {name: json.loads(text) for name, text in documents_of(board).items()}
    for document in stored.values():
        document["version"] = 1
        for episode in document.get("open", []):
            for field in ("meter", "told", "inhibited_by"):
                del episode[field]
    again = load(["a"], {name: json.dumps(document) for name, document in stored.items()}.get)
    assert again == board
    again, told = advance(again, [PUE], "a", edge(1), {("kpi", "pue", "24h"): Sample(edge(1), 1.2)})
    assert [(each.name, each.status.value) for each in told] == [("PueHigh", "resolved")]


def test_the_list_says_what_silences_an_alert() -> None:
    board, _ = advance(Board(), [PUE], "a", edge(0), {("kpi", "pue", "24h"): Sample(edge(0), 1.4)})
    document = silence_document({"alertname": "PueHigh"}, edge(0), edge(4), "ida", "known")
    known = read(extend(None, edge(0), [("silence", document)]))

    def silenced(now: int) -> Mapping[str, object] | None:
        found: Mapping[str, object] | None = listing(board, [PUE], ["a"], known, now)[0]["silenced_by"]
        return found

    found = silenced(edge(1))
    assert found is not None
    assert (found["id"], found["author"], found["until"]) == (1, "ida", iso(edge(0) + HOUR))
    assert silenced(edge(4)) is None


def test_an_episode_is_the_same_after_its_document() -> None:
    board, _ = advance(Board(), [STALE], "a", edge(0), {("stale", "it", ""): Sample(edge(0), 1200.0)})
    (episode,) = board.site("a").open.values()
    assert Episode.from_json(json.loads(json.dumps(episode.to_json()))) == episode
