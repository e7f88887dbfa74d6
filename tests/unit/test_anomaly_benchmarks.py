"""The scorers of NAB and SKAB give published scores, and ours stay where they were."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.anomaly.novelty import novelty
from benchmarks import nab, skab
from benchmarks.nab import Series
from tests.support import DATA

needs_nab = pytest.mark.skipif(not (DATA / "nab").is_dir(), reason="the NAB corpus is not beside this checkout")
needs_skab = pytest.mark.skipif(not (DATA / "skab").is_dir(), reason="the SKAB files are not beside this checkout")

STANDARD = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11}
ONE = Series("one", np.zeros(100), ((50, 59),))


def alarms(*at: int) -> np.ndarray:
    scores = np.zeros(100)
    scores[list(at)] = 1.0
    return scores


def scored(*at: int) -> float:
    return nab.score([ONE], [alarms(*at)], STANDARD, 0.5)[0]


def test_nab_scores_by_hand() -> None:
    assert scored() == 0
    assert scored(50) == pytest.approx(100)
    assert scored(50, 51, 59) == pytest.approx(100)
    assert scored(3) == 0  # probation
    assert scored(20, 50) == pytest.approx(100 - 11 / 2)
    last = (2 / (1 + np.exp(-0.5)) - 1) / (2 / (1 + np.exp(-5)) - 1)
    assert scored(59) == pytest.approx(50 * (1 + last))
    near = 0.11 * (2 / (1 + np.exp(5 / 9)) - 1)
    assert scored(50, 60) == pytest.approx(100 + 50 * near)


def test_nab_takes_the_best_threshold() -> None:
    scores = alarms(50) * 0.8 + alarms(20) * 0.9 + alarms(30) * 0.7
    assert nab.score([ONE], [scores], STANDARD) == (pytest.approx(100 - 11 / 2), 0.8)


@needs_nab
def test_nab_reference_detector_scores_as_published() -> None:
    corpus = nab.read(DATA)
    assert len(corpus.series) == 58
    assert sum(len(series.windows) for series in corpus.series) == 116
    scores = [nab.windowed_gaussian(series.values) for series in corpus.series]
    for profile, costs in corpus.profiles.items():
        published = corpus.published["windowedGaussian"][profile]
        assert nab.score(corpus.series, scores, costs)[0] == pytest.approx(published, abs=1e-5)
        silent = [np.zeros(len(series.values)) for series in corpus.series]
        assert nab.score(corpus.series, silent, costs)[0] == corpus.published["null"][profile] == 0


@needs_nab
@pytest.mark.slow
def test_nab_score() -> None:
    corpus = nab.read(DATA)
    scores = [novelty(series.values.tolist(), series.probation) for series in corpus.series]
    assert nab.score(corpus.series, scores, corpus.profiles["standard"])[0] > 66


def test_skab_counts_by_hand() -> None:
    told, true = np.array([True, True, False, False, False]), np.array([True, False, True, False, False])
    assert skab.rates([(told, true)]) == {"f1": 0.5, "far_percent": 33.33, "mar_percent": 50.0}


@needs_skab
def test_skab_reference_method_scores_as_published_and_ours_beats_the_best() -> None:
    runs, clean = skab.read(DATA)
    assert (len(runs), len(clean)) == (34, 9405)
    true = [run.anomalous[skab.HEALTHY :] for run in runs]
    known = skab.rates(zip([skab.t2_and_q(run.sensors) for run in runs], true, strict=True))
    assert known == pytest.approx({"f1": 0.76, "far_percent": 26.62, "mar_percent": 24.92}, abs=0.05)
    ours = skab.rates(zip([skab.off(run.sensors) for run in runs], true, strict=True))
    assert ours["f1"] > 0.78
    assert ours["far_percent"] < 13.5
