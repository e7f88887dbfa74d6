"""What each dialect expects of a meter's ``source``: how a value is named, and what the messages carry themselves.

================  ==================================================================  =================================
decoder           ``value``                                                           time and unit
================  ==================================================================  =================================
``json``          path: keys and list positions joined by dots (``value``)            by path (``time``, ``unit``)
``plain``         none: the payload is the number                                     none; a unit may follow a blank
``influx``        ``FIELD``, or ``MEASUREMENT,TAG=VALUE,... FIELD``                   each line's; ns unless declared
``senml``         a record's name, base name included; ``NAME s`` is its sum          each record's
``sparkplug``     a metric's name                                                     each metric's
``shelly``        component and key, ``emdata:0.total_act``; none on Gen1 topics      ``ts`` of a notification; built in
``tasmota``       path (``ENERGY.Total``)                                             ``Time``, site-local; built in
================  ==================================================================  =================================

``time: null`` says of any of them that the device's clock is not to be believed: arrival counts. Other spellings that
can mean only one of these are brought to it first, see :mod:`wattwell.config.spellings`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from wattwell.config.places import ABSENT, Faults, Place
from wattwell.config.schema import RawSource
from wattwell.config.selectors import line_selector_fault, record_selector_fault
from wattwell.config.values import path_fault
from wattwell.model import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a source of one dialect looks like."""

    value: str | None
    """What ``value`` is where it is not written; None: it must be written."""
    fault: Callable[[str], str | None] | None = path_fault
    """What is wrong with a ``value``; None: the dialect has none."""
    paths: bool = False
    """Whether ``time`` and ``unit`` are paths; else the messages carry both in one known place."""
    time_unit: str | None = None
    """Unit of its numeric times where none is declared; None: there is nothing to declare."""
    timed: bool = True
    """Whether messages can carry a time."""
    fits: Callable[[str, str | None], str | None] | None = None
    """What is wrong with a topic filter and a ``value`` together; None: any two go together."""
    topic: Callable[[str], str | None] | None = None
    """What is wrong with a topic filter; None: any will do."""


_COMPONENT = re.compile(r"[a-z][a-z0-9_]*:[0-9]+(\.[A-Za-z0-9_]+)+")


def _shelly_fault(value: str) -> str | None:
    if not _COMPONENT.fullmatch(value):
        return "write a component and its key, as in emdata:0.total_act or switch:0.aenergy.total"
    if ".by_minute" in value:
        return "the same minute comes in several messages and would count more than once; use the total instead"
    return None


def _shelly_fits(topic: str, value: str | None) -> str | None:
    last = topic.rpartition("/")[2]
    if value is None and (last == "rpc" or ":" in last):
        return f"messages on {topic} hold many values; name one, as in emdata:0.total_act"
    if value is not None and ":" in last and last != value.partition(".")[0]:
        return f"messages on {topic} hold the component {last} only; name a key of it"
    return None


def _metric_fault(value: str) -> str | None:
    if value == "bdSeq" or value.startswith(("Node Control/", "Device Control/")):
        return "this metric serves the protocol and measures nothing; name one of the device's own"
    return None


def _edge_topic_fault(topic: str) -> str | None:
    levels = topic.split("/")
    rest = [level for position, level in enumerate(levels) if position != 2]
    if len(levels) not in (4, 5) or levels[0] != "spBv1.0" or any(level in ("", "+", "#") for level in rest):
        return "write spBv1.0/GROUP/+/EDGE for an edge node or spBv1.0/GROUP/+/EDGE/DEVICE, each by its name"
    if levels[2] != "+":
        kind = "node" if len(levels) == 4 else "device"
        return f"no message of a {kind} comes there; write {'/'.join([*levels[:2], '+', *levels[3:]])}"
    return None


DIALECTS = {
    "json": Dialect(value="value", paths=True, time_unit="s"),
    "plain": Dialect(value="value", fault=None, timed=False),
    "influx": Dialect(value=None, fault=line_selector_fault, time_unit="ns"),
    "senml": Dialect(value=None, fault=record_selector_fault),
    "shelly": Dialect(value="", fault=_shelly_fault, fits=_shelly_fits),
    "tasmota": Dialect(value="ENERGY.Total"),
    "sparkplug": Dialect(value=None, fault=_metric_fault, topic=_edge_topic_fault),
}
"""By the name of the decoder."""


def check_source(raw: RawSource, place: Place, faults: Faults) -> None:
    """What must hold between the keys of a source."""
    name = raw.decoder or "json"
    dialect = DIALECTS[name]
    unused = [key for key in ("time", "unit") if not dialect.paths and getattr(raw, key) is not None]
    unused += ["value"] if dialect.fault is None and raw.value is not None else []
    unused += ["time_unit"] if dialect.time_unit is None and raw.time_unit is not None else []
    for key in unused:
        remedy = f"the {name} decoder has no use for it; leave it out or use another decoder"
        if key == "unit":
            remedy = f"the {name} decoder has no use for it; write the meter's unit as `unit:` of the meter"
        faults.add(place / key, remedy, getattr(raw, key))
    if dialect.value is None and raw.lacks("value"):
        faults.add(place / "value", f"the {name} decoder needs to know which value is meant; add it")
    if dialect.topic is not None and (fault := dialect.topic(raw.topic)):
        faults.add(place / "topic", fault, raw.topic)
    if dialect.fault is not None and raw.value is not None and (fault := dialect.fault(raw.value)):
        faults.add(place / "value", fault, raw.value)
    elif dialect.fits is not None and not raw.broken("value") and (fault := dialect.fits(raw.topic, raw.value)):
        faults.add(place / "value", fault, raw.value or ABSENT)


def source_of(raw: RawSource) -> Source:
    """Where readings come from; ``time: null`` and ``unit: null`` say that the device sends none."""
    name = raw.decoder or "json"
    dialect = DIALECTS[name]
    given = raw.model_fields_set
    return Source(
        topic=raw.topic,
        decoder=name,
        value=raw.value or dialect.value or "",
        time=(raw.time if "time" in given else "time") if dialect.timed else None,
        time_unit=raw.time_unit or dialect.time_unit or "s",
        unit=(raw.unit if "unit" in given else "unit") if dialect.timed else None,
    )
