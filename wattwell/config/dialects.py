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

``time: null`` says of any of them that the device's clock is not to be believed: arrival counts. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattwell.config.places import Faults, Place
from wattwell.config.schema import RawSource
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


DIALECTS = {
    "json": Dialect(value="value", paths=True, time_unit="s"),
    "plain": Dialect(value="value", fault=None, timed=False),
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
        faults.add(place / key, remedy, getattr(raw, key))
    if dialect.value is None and raw.lacks("value"):
        faults.add(place / "value", f"the {name} decoder needs to know which value is meant; add it")
    if dialect.fault is not None and raw.value is not None and (fault := dialect.fault(raw.value)):
        faults.add(place / "value", fault, raw.value)


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
