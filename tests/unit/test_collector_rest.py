"""How long the collector rests after a commit, while the next messages gather."""

from __future__ import annotations

import pytest

from collector.mqtt import BATCH_MESSAGES, rest


@pytest.mark.parametrize(
    ("messages", "took", "seconds"),
    [
        (1, 0.002, 0.0),  # a broker with a window of one sends the next message when this one is acknowledged
        (2, 0.002, 0.008),
        (7, 0.002, 0.008),
        (8, 0.002, 0.0),  # more are there already, or a window of ten is full
        (BATCH_MESSAGES, 0.2, 0.0),
        (3, 600.0, 0.025),  # the store was away
    ],
)
def test_rest(messages: int, took: float, seconds: float) -> None:
    assert rest(messages, took) == pytest.approx(seconds)
