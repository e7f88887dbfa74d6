"""Points that are added together are those that are added one by one."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from collector.dialects.base import Message
from collector.dialects.plain import site_points
from collector.points import Points, PointsBuilder
from collector.scalars import DEVICE
from collector.topics import SiteBinding

AT = 1_774_746_000_000_000
RAWS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**300), 10**300),
    st.booleans(),
    st.none(),
    st.text(),
)


def columns(points: Points) -> list[object]:
    """Everything that a batch holds; the text of a float tells NaN from NaN no worse than its bits would."""
    lists = (points.meter, points.at, points.clock, points.received_at, points.value, points.form, points.unit)
    return [repr(column.tolist()) for column in lists] + [points.units, repr(points.raw), points.topics, points.names]


@given(st.dictionaries(st.sampled_from([f"m{number}" for number in range(9)]), RAWS))
def test_a_site_message_gives_the_points_of_its_entries(values: dict[str, object]) -> None:
    meters = {f"m{number}": number for number in range(8)}  # m8 is none
    payload = json.dumps({"time": AT / 1e6, "values": values}).encode()
    together = PointsBuilder()
    together.message("wattwell/s", AT, retained=False)
    site_points(
        Message("wattwell/s", payload, retained=False, received_at=AT), SiteBinding(site="s", meters=meters), together
    )
    single = PointsBuilder()
    single.message("wattwell/s", AT, retained=False)
    for name, raw in json.loads(payload)["values"].items():
        if name in meters:
            single.add(meters[name], (AT, DEVICE), raw)
        else:
            single.add_unknown("s", name, (AT, DEVICE), raw)
    assert columns(together.build()) == columns(single.build())


@given(st.lists(RAWS, max_size=5))
def test_what_is_no_finite_number_adds_nothing(raws: list[object]) -> None:
    builder = PointsBuilder()
    plain = all(type(raw) in (int, float) for raw in raws)
    assert builder.add_numbers(range(len(raws)), (AT, DEVICE), raws) is plain  # type: ignore[arg-type]
    assert len(builder) == (len(raws) if plain else 0)
    assert builder.add_numbers([0], (AT, DEVICE), [float("inf")]) is False
