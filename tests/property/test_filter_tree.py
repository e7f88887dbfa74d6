"""Many topic filters at once are found as one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattwell.config.filters import FilterTree, covers, overlap

LEVELS = st.sampled_from(["a", "b", "", "+", "$s"])
FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(LEVELS, min_size=1, max_size=4),
    st.sampled_from([(), ("#",)]),
) | st.just("#")


@given(st.lists(FILTERS, max_size=12), FILTERS)
def test_a_tree_of_filters_agrees_with_each_of_them(patterns: list[str], other: str) -> None:
    tree, once = FilterTree(patterns), list(dict.fromkeys(patterns))
    assert tree.covering(other) == [pattern for pattern in once if covers(pattern, other)]
    assert tree.overlapping(other) == [pattern for pattern in once if overlap(pattern, other)]
