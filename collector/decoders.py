"""Payload bytes to points, by the dialect that a meter's source names. Pure: no socket, clock, file or log.

No input makes it raise. A message that some meter's dialect cannot read yields one reject, ``payload.invalid``; what
other dialects read of it counts all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.dialects.base import Decoder, Message, PayloadError
from collector.dialects.influx import influx_points
from collector.dialects.plain import json_points, plain_points, site_points
from collector.dialects.senml import senml_points
from collector.dialects.shelly import shelly_points
from collector.dialects.tasmota import tasmota_points
from collector.points import PointsBuilder
from collector.scalars import listed, shown
from collector.topics import Route
from wattwell.model import Reject

DECODERS: Mapping[str, Decoder] = {
    "json": json_points,
    "plain": plain_points,
    "influx": influx_points,
    "senml": senml_points,
    "shelly": shelly_points,
    "tasmota": tasmota_points,
}
"""By the name used in the configuration."""


def decode(
    message: Message, route: Route, out: PointsBuilder, decoders: Mapping[str, Decoder] = DECODERS
) -> Reject | None:
    """Adds the points of a message to ``out``; gives a reject when it, or a part of it, cannot be read."""
    out.message(message.topic, message.received_at, retained=message.retained)
    if message.size >= 0:
        return _invalid(message, route, f"{message.size} bytes, larger than mqtt.max_payload")
    reject: Reject | None = None
    for name, bindings in route.bindings.items():
        try:
            decoders[name](message, bindings, out)
        except PayloadError as error:
            reject = _invalid(message, route, shown(error.part or message.payload))
    if route.site is not None:
        try:
            site_points(message, route.site, out)
        except PayloadError:
            reject = _invalid(message, route, shown(message.payload))
    return reject


def _invalid(message: Message, route: Route, text: str) -> Reject:
    site, meter = route.owner()
    return Reject(
        site=site,
        meter=meter,
        topic=listed(message.topic),
        at=None,
        received_at=message.received_at,
        reason="payload.invalid",
        value=text,
    )
