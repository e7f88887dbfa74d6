"""Readings and rejects on the control socket: the same bits on the other side."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import T0, readings_of
from wattwell.app.service import ROLES, roles_of
from wattwell.app.wire import pack_readings, pack_rejects, unpack_readings, unpack_rejects
from wattwell.errors import UsageError
from wattwell.model import Readings, Reject


def test_readings_arrive_bit_for_bit() -> None:
    rows = [(("s", "ä"), T0, 0.1 + 0.2), (("s", "b"), T0 + 1, float("nan")), (("other", "b"), -(2**62), -0.0)]
    sent = readings_of(rows, keys=[("s", "silent")])
    came = unpack_readings(pack_readings(sent))
    assert came.keys == sent.keys
    for name in ("meter", "at", "received_at", "value", "arrival_time"):
        mine, theirs = getattr(sent, name), getattr(came, name)
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()


def test_no_readings_and_no_meters() -> None:
    nothing = np.empty(0, dtype=np.int64)
    came = unpack_readings(
        pack_readings(
            Readings(
                keys=(),
                meter=nothing.astype(np.int32),
                at=nothing,
                received_at=nothing,
                value=np.empty(0),
                arrival_time=np.empty(0, dtype=np.bool_),
            )
        )
    )
    assert (came.keys, len(came)) == ((), 0)


def test_rejects() -> None:
    sent = [
        Reject(site=None, meter=None, topic="t", at=None, received_at=T0, reason="point.unknown", value="\u2028"),
        Reject(site="s", meter="m", topic=None, at=T0, received_at=T0, reason="value.range", value="1e309"),
    ]
    assert unpack_rejects(pack_rejects(sent)) == sent


def test_roles() -> None:
    assert roles_of("all") == ROLES
    assert roles_of("web, analytics,web") == ("web", "analytics")
    for text in ("", " , ", "cook,web"):
        with pytest.raises(UsageError, match="is not known; use all, or some of collector"):
            roles_of(text)
