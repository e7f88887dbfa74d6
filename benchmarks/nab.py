"""The Numenta Anomaly Benchmark (NAB v1.1) by its own scoring; prints JSON.

    python benchmarks/nab.py --data DIR        (DIR/nab holds nab_v1.1_data_labels.tar.gz)

``analytics.anomaly.novelty`` reads each of the 58 series from its beginning, told only how long NAB's probation is
(15 % of the series, at most 750 samples). Settings and threshold were chosen on every second series by name, the first,
third and so on; ``other_half`` is what they give on the rest. NAB's published figures are at the threshold that is best
over the whole corpus, which is ``optimised``; ``fixed`` is the detector's own threshold.

The scorer is checked with the detector whose result can be had from its description (a Gaussian over a window of 6,400
samples, scores rounded to the twelve digits of the result files), beside what NAB publishes for it.

Source: A. Lavin and S. Ahmad, Evaluating Real-time Anomaly Detection Algorithms, IEEE ICMLA 2015.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import erfc

from analytics.anomaly.novelty import NOVEL, novelty

ARCHIVE = "nab_v1.1_data_labels.tar.gz"
PUBLISHED = ("ARTime", "numenta", "contextOSE", "knncad", "randomCutForest", "windowedGaussian")
NOWHERE = -1
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One file: values, and windows as first and last index."""

    name: str
    values: Floats
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """Samples that are not scored."""
        return int(min(0.15 * len(self.values), 750))


@dataclass(frozen=True, slots=True)
class Corpus:
    """All of NAB: the series by name, the weights of each profile, and published scores by detector and profile."""

    series: tuple[Series, ...]
    profiles: Mapping[str, Mapping[str, float]]
    published: Mapping[str, Mapping[str, float]]


def read(data: Path) -> Corpus:
    """Read from the archive as it is."""
    with tarfile.open(data / "nab" / ARCHIVE) as archive:
        files = {item.name.removeprefix("./"): archive.extractfile(item) for item in archive.getmembers()}
        held = {name: file.read() for name, file in files.items() if file is not None}
    windows = json.loads(held["labels/combined_windows.json"])
    series = []
    for name in sorted(windows):
        table = pd.read_csv(io.BytesIO(held[f"data/{name}"]), parse_dates=["timestamp"])
        times = table["timestamp"].to_numpy()
        edges = np.array(windows[name], dtype="datetime64[us]").reshape(-1, 2)
        spans = tuple((int(np.argmax(times == start)), int(np.argmax(times == end))) for start, end in edges)
        series.append(Series(name, table["value"].to_numpy(dtype=np.float64), spans))
    profiles = {name: profile["CostMatrix"] for name, profile in json.loads(held["config/profiles.json"]).items()}
    return Corpus(tuple(series), profiles, json.loads(held["results/final_results.json"]))


def weights(series: Series, costs: Mapping[str, float]) -> tuple[Floats, NDArray[np.int_]]:
    """What an alarm at each sample is worth, and the number of the window it lies in.

    Inside a window 1 at its beginning, falling to 0 at its end, of which only the earliest counts; outside a loss, less
    soon after a window.
    """
    index = np.arange(len(series.values))
    worth = np.full(len(index), -costs["fpWeight"])
    inside = np.full(len(index), NOWHERE)
    for number, (start, end) in enumerate(series.windows):
        width = end - start + 1
        within = index[start : end + 1]
        inside[within] = number
        worth[within] = costs["tpWeight"] * _sigmoid(-(end - within + 1) / width) / _sigmoid(np.array(-1.0))
        past = (index[end + 1 :] - end) / (width - 1)
        worth[end + 1 :] = costs["fpWeight"] * np.where(past >= 3, -1.0, _sigmoid(past))
    return worth, inside


def _sigmoid(position: Floats) -> Floats:
    return 2 / (1 + np.exp(5 * position)) - 1


def score(
    series: Sequence[Series], scores: Sequence[Floats], costs: Mapping[str, float], threshold: float | None = None
) -> tuple[float, float]:
    """Normalised score, 0 for silence and 100 for all windows at once, and its threshold: as given, or the best."""
    told, worth, windows, before = [], [], [], 0
    for each, values in zip(series, scores, strict=True):
        value, inside = weights(each, costs)
        told.append(values[each.probation :])
        worth.append(value[each.probation :])
        windows.append(np.where(inside == NOWHERE, NOWHERE, inside + before)[each.probation :])
        before += len(each.windows)
    nothing = -before * costs["fnWeight"]
    raw, at = _best(np.concatenate(told), np.concatenate(worth), np.concatenate(windows), costs, nothing, threshold)
    return 100 * (raw - nothing) / (before * costs["tpWeight"] - nothing), at


def _best(
    told: Floats,
    worth: Floats,
    windows: NDArray[np.int_],
    costs: Mapping[str, float],
    nothing: float,
    threshold: float | None,
) -> tuple[float, float]:
    """The highest sum over all thresholds, from above all scores downwards, or the sum at the one given."""
    order = np.argsort(-told, kind="stable")
    order = order[told[order] >= threshold] if threshold is not None else order[told[order] > 0]
    found: dict[int, float] = {}
    current, best, at = nothing, nothing, math.inf
    values = told[order]
    last = np.append(values[1:] != values[:-1], True)[: len(values)].tolist()
    for value, final, gain, window in zip(
        values.tolist(), last, worth[order].tolist(), windows[order].tolist(), strict=True
    ):
        if window == NOWHERE:
            current += gain
        elif gain > found.get(window, -costs["fnWeight"]):
            current += gain - found.get(window, -costs["fnWeight"])
            found[window] = gain
        if final and current > best:
            best, at = current, value
    return (best, at) if threshold is None else (current, threshold)


def windowed_gaussian(values: Floats, span: int = 6400, step: int = 100) -> Floats:
    """NAB's reference detector: how improbable a value is in the Gaussian of the window before it."""
    index = np.arange(len(values))
    start = np.where(index <= span, 0, (index - span) // step * step)
    end = np.where(index <= span, index, start + span)
    centred = (values - values.mean()).astype(np.longdouble)
    sums = [np.concatenate([[0], np.cumsum(column)]) for column in (centred, centred**2)]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, square = ((column[end] - column[start]) / (end - start) for column in sums)
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        deviation[deviation < 1e-9] = 0.000001
        z = np.abs(centred - mean) / deviation
    result: Floats = 1 - 0.5 * erfc(np.nan_to_num(z.astype(np.float64)) / math.sqrt(2))
    result[0] = 0.0
    return np.round(result, 12)


def halves(corpus: Corpus, scores: Sequence[Floats]) -> dict[str, Any]:
    """The half on which settings were chosen, and the other one at the threshold that is best on it."""
    costs = corpus.profiles["standard"]
    chosen, at = score(corpus.series[::2], scores[::2], costs)
    other, _ = score(corpus.series[1::2], scores[1::2], costs, at)
    return {"threshold": at, "chosen_on": chosen, "other_half": other}


def main() -> int:
    """Prints the scores of each profile."""
    parser = argparse.ArgumentParser(description="the Numenta Anomaly Benchmark")
    parser.add_argument("--data", type=Path, required=True)
    corpus = read(parser.parse_args().data)
    began = time.process_time()
    scores = [novelty(series.values.tolist(), series.probation) for series in corpus.series]
    took = time.process_time() - began
    gaussian = [windowed_gaussian(series.values) for series in corpus.series]
    result: dict[str, Any] = {"benchmark": "nab", "series": len(corpus.series), "cpu_seconds": round(took, 1)}
    for profile, costs in corpus.profiles.items():
        optimised, at = score(corpus.series, scores, costs)
        result[profile] = {
            "optimised": optimised,
            "threshold": at,
            "fixed": score(corpus.series, scores, costs, NOVEL)[0],
            "windowed_gaussian": score(corpus.series, gaussian, costs)[0],
            "published": {name: corpus.published[name][profile] for name in PUBLISHED},
        }
    result["halves"] = halves(corpus, scores)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
