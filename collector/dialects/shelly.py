"""Shelly devices. Pure.

First generation: one number a topic (``shellies/ID/emeter/0/total``); the topic's last level tells the unit, and a
meter's source names no ``value``. Counters called ``energy`` are watt-minutes, of which each is exactly 60 J.

Second generation and later (Plus, Pro, Gen3, Gen4): ``PREFIX/events/rpc`` carries notifications, whose ``params.ts`` is
the device's time and whose components hold only what has changed; ``PREFIX/status/COMPONENT`` carries one component
without a time (``aenergy.minute_ts`` is the time of ``by_minute``, not of the total), so arrival counts there. A value
is called ``COMPONENT.KEY`` on both: ``emdata:0.total_act``, ``switch:0.aenergy.total``.

A notification that does not speak of a value is no fault of the reading: most do not. Where a whole component is sent
(a status topic, NotifyFullStatus) a value that it lacks is rejected, so that a misspelt key does not stay silent. Of
NotifyEvent nothing is read: the interval records of EMData carry no names, and their number differs by firmware; the
register ``total_act`` counts the same energy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.dialects.base import NO_TIME, Message, PayloadError, document_of, text_of
from collector.dialects.plain import find
from collector.points import PointsBuilder
from collector.scalars import MISSING, NUMBER, Missing, text_number, time_of
from collector.topics import Binding

_TOPIC_UNITS: Mapping[str, str] = {
    "total": "Wh",
    "total_returned": "Wh",
    "power": "W",
    "reactive_power": "var",
    "voltage": "V",
    "current": "A",
    "pf": "1",
    "temperature": "degC",
    "temperature_f": "degF",
    "humidity": "%",
}
"""Unit by the last level of a first-generation topic."""
_WATT_MINUTES = ("energy", "returned_energy")
_JOULES = 60
_KEY_UNITS: Mapping[str, str] = {
    "total": "Wh",  # of aenergy and ret_aenergy
    "total_act": "Wh",
    "total_act_ret": "Wh",
    "total_act_energy": "Wh",
    "total_act_ret_energy": "Wh",
    "apower": "W",
    "act_power": "W",
    "total_act_power": "W",
    "aprt_power": "VA",
    "total_aprt_power": "VA",
    "voltage": "V",
    "current": "A",
    "total_current": "A",
    "freq": "Hz",
    "pf": "1",
    "tC": "degC",
    "tF": "degF",
    "rh": "%",
}
"""Unit by the last key of a component's value, without the phase before it."""
_PHASES = ("a_", "b_", "c_", "n_")
_PARTIAL = ("NotifyStatus", "NotifyEvent")
_WHOLE = "NotifyFullStatus"


def unit_of(key: str) -> str | None:
    """The unit of a component's key; None for one that is not known here.

    >>> unit_of("a_total_act_energy"), unit_of("apower")
    ('Wh', 'W')
    """
    return _KEY_UNITS.get(key[2:] if key.startswith(_PHASES) else key)


def shelly_points(message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    """The points of a first-generation number, or of a later generation's document."""
    named = [bound for bound in bindings if bound.selector]
    if len(named) < len(bindings):
        value, unit = _number(message)
        for bound in bindings:
            if not bound.selector:
                out.add(bound.meter, NO_TIME, value, unit)
    if named:
        _components(message, named, out)


def _number(message: Message) -> tuple[object, str | None]:
    text = text_of(message.payload).strip()
    if not text:
        raise PayloadError("empty")
    level = message.topic.rpartition("/")[2]
    if level not in _WATT_MINUTES:
        return text, _TOPIC_UNITS.get(level)
    number, form = text_number(text)
    return (number * _JOULES if form == NUMBER else text), "J"


def _components(message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    parts, sent, whole = components_of(message)
    for bound in bindings:
        component, keys = bound.value[0], bound.value[1:]
        value = find(parts[component], keys) if component in parts else MISSING
        if isinstance(value, Missing) and not (whole and component in parts):
            continue
        time = NO_TIME if bound.time is None else time_of(sent)
        out.add(bound.meter, time, value, unit_of(keys[-1]))


def components_of(message: Message) -> tuple[Mapping[str, object], object, bool]:
    """Components by name, the time sent with them, and whether each of them is whole."""
    document = document_of(message.payload)
    if not isinstance(document, dict):
        raise PayloadError("no object")
    head, _, last = message.topic.rpartition("/")
    if head.endswith("/status") and "method" not in document:
        return {last: document}, MISSING, True
    method, params = document.get("method"), document.get("params")
    if method not in (*_PARTIAL, _WHOLE) or not isinstance(params, dict):
        raise PayloadError("no notification")
    return params, params.get("ts", MISSING), method == _WHOLE
