"""Topic filters against one another."""

from __future__ import annotations

import pytest

from wattwell.config.filters import covers, overlap


@pytest.mark.parametrize(
    ("one", "other", "meets", "covered"),
    [
        ("a/#", "a", True, True),
        ("a/#", "a/b/c", True, True),
        ("a/+", "a/b", True, True),
        ("a/+", "a/b/c", False, False),
        ("a/+/c", "a/b/+", True, False),
        ("a/b", "a/#", True, False),
        ("a", "a/#", True, False),
        ("+", "#", True, False),
        ("a/+", "b/+", False, False),
    ],
)
def test_topic_filters(one: str, other: str, meets: bool, covered: bool) -> None:
    assert overlap(one, other) is meets
    assert overlap(other, one) is meets
    assert covers(one, other) is covered


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("#", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("a/#", "a", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/+/c", "a/b/c", True),
        ("a/b", "a/+", False),
        ("+/#", "a/#", True),
    ],
)
def test_covers(outer: str, inner: str, expected: bool) -> None:
    assert covers(outer, inner) is expected
