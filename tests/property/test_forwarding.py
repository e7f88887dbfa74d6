"""Whatever happens to the servers and to us, the remote store ends with every reading exactly once."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forwarding import SAFE, World
from tests.support import T0, readings_of
from wattwell.intervals import SECOND

METERS = (("s", "a"), ("s", "b"))
READING = st.tuples(
    st.sampled_from(METERS),
    st.sampled_from([T0 + offset for offset in (0, 1, 400, 1000, 1400, SECOND)]),
    st.sampled_from((1.0, 2.0, 3.0, math.nan)),
)
COMMIT = st.lists(READING, min_size=1, max_size=6)
ACTION = st.one_of(
    st.tuples(st.just("commit and send"), COMMIT),
    st.tuples(st.just("commit"), COMMIT),
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("wait and send"), st.sampled_from((1.0, 9.0, 30.0, 61.0))),
    st.tuples(st.just("kill server"), st.none()),
    st.tuples(st.just("server away"), st.none()),
    st.tuples(st.just("break off"), st.integers(0, 3)),
    st.tuples(st.just("kill us"), st.none()),
)


def act(world: World, action: str, what: Any) -> None:
    """One thing that happens."""
    server = world.server
    if action.startswith("commit"):
        world.store.commit(readings_of(what), [])
    elif action.startswith("wait"):
        server.now += what
    if action.endswith("send"):
        world.send()
    elif action == "kill server":
        server.kill()
    elif action == "server away":
        server.up = False
    elif action == "break off":
        server.break_after = what
    elif action == "kill us":
        world.restart()


@settings(max_examples=80, deadline=None)
@given(actions=st.lists(ACTION, min_size=8, max_size=24))
def test_every_reading_ends_in_the_remote_store_exactly_once(actions: list[tuple[str, Any]]) -> None:
    world = World()
    try:
        for action, what in actions:
            act(world, action, what)
        world.server.up, world.server.break_after = True, None
        for _ in range(8):
            world.server.now += SAFE
            assert world.send()
        assert world.forwarder.state().waiting == 0
        world.server.kill()  # whatever it still held in memory only is gone, and nobody sends it again
        held = world.server.held()
        expected = world.expected()
        assert {identity: held.get(identity) for identity in expected} == {i: {v} for i, v in expected.items()}
        assert all(len(values) == 1 for values in held.values())  # a superseded sample has one value too
    finally:
        world.store.close()
