"""A run in pieces is the run, to the last bit; the same seed is the same site, another seed another."""

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.simulate import Fault, Simulator, SiteSpec, Telemetry, Truth
from collector.simulate.faults import KINDS
from collector.simulate.truth import join
from wattwell.intervals import HOUR, MINUTE, SECOND, parse_iso

SPEC = SiteSpec(pv_kw_per_it_kw=2.5)
START = parse_iso("2026-03-28T20:00Z")  # a change to summer time lies ahead


def same_truth(one: Truth, other: Truth) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Truth))


def same_telemetry(whole: Telemetry, parts: list[Telemetry]) -> bool:
    return np.array_equal(whole.at, np.concatenate([part.at for part in parts])) and all(
        np.array_equal(values, np.concatenate([part.values[meter] for part in parts]))
        for meter, values in whole.values.items()
    )


@st.composite
def fault_lists(draw: st.DrawFn) -> list[Fault]:
    found = []
    for name in draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=4)):
        kind = KINDS[name]
        size = draw(st.floats(kind.low, min(kind.high, 100.0)))
        begin = START + draw(st.integers(-2, 20)) * HOUR
        end = draw(st.one_of(st.none(), st.integers(1, 20).map(lambda hours, begin=begin: begin + hours * HOUR)))
        found.append(Fault(name, begin, end, size))
    return found


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    step=st.sampled_from([7 * SECOND, MINUTE, 10 * MINUTE]),
    pieces=st.lists(st.one_of(st.integers(1, 5), st.integers(1, 200)), min_size=2, max_size=8),
    faults=fault_lists(),
)
def test_split_runs_equal_the_whole(seed: int, step: int, pieces: list[int], faults: list[Fault]) -> None:
    whole = Simulator(SPEC, seed=seed, start_us=START, step_us=step, faults=faults)
    parted = Simulator(SPEC, seed=seed, start_us=START, step_us=step, faults=faults)
    telemetry, truth = whole.advance(sum(pieces))
    parts = [parted.advance(piece) for piece in pieces]
    assert same_telemetry(telemetry, [part for part, _ in parts])
    assert same_truth(truth, join([part for _, part in parts]))
    assert whole.state == parted.state


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**40), faults=fault_lists(), steps=st.integers(1, 300))
def test_books_balance_whatever_is_wrong(seed: int, faults: list[Fault], steps: int) -> None:
    _, truth = Simulator(SPEC, seed=seed, start_us=START, step_us=5 * MINUTE, faults=faults).advance(steps)
    assert np.array_equal(truth.grid_import - truth.grid_export, truth.e_dc - truth.pv)
    assert float(truth.e_dc.sum()) == sum(
        float(part.sum()) for part in (truth.it, truth.ups_loss, truth.cooling, truth.lighting, truth.house)
    )
    for field in fields(Truth):
        if field.name != "step_us":
            assert (getattr(truth, field.name) >= 0).all(), field.name
    assert truth.kpis().pue > 1
    middle = START + steps // 2 * 5 * MINUTE
    if middle > START:
        first, second, both = (
            truth.kpis(START, middle),
            truth.kpis(middle, START + steps * 5 * MINUTE),
            truth.kpis(),
        )
        assert first.e_dc + second.e_dc == both.e_dc
        assert first.water + second.water == both.water


def test_the_seed_decides_everything() -> None:
    one, again, other = (Simulator(SPEC, seed=seed, start_us=START).advance(300)[0].values for seed in (11, 11, 12))
    assert all(np.array_equal(one[meter], again[meter]) for meter in one)
    assert not np.array_equal(one["ups-out"], other["ups-out"])
    assert not np.array_equal(one["oat"], other["oat"])


def test_long_runs_are_computed_in_chunks_without_a_seam() -> None:
    whole, _ = Simulator(SPEC, seed=1, start_us=START).advance(20_003)
    parted = Simulator(SPEC, seed=1, start_us=START)
    parts = [parted.advance(19_999)[0], parted.advance(4)[0]]
    assert same_telemetry(whole, parts)
