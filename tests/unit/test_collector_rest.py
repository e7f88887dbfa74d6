"""How long the collector rests after a commit, while the next messages gather."""

from __future__ import annotations

import pytest

from collector.mqtt import BATCH_MESSAGES, rest


@pytest.mark.parametrize(
    ("messages", "took", "window", "seconds"),
    [
        (1, 0.002, 1000, 0.0),  # a broker with a window of one sends the next message when this one is acknowledged
        (2, 0.002, 16, 0.008),
        (7, 0.002, 16, 0.008),
        (8, 0.002, 16, 0.0),  # more are there already, or a window of ten is full
        (20, 0.002, 20, 0.0),
        (100, 0.002, 1000, 0.008),
        (500, 0.002, 1000, 0.0),
        (BATCH_MESSAGES, 0.2, BATCH_MESSAGES, 0.0),
        (3, 600.0, 16, 0.025),  # the store was away
    ],
)
def test_rest(messages: int, took: float, window: int, seconds: float) -> None:
    assert rest(messages, took, window) == pytest.approx(seconds)
