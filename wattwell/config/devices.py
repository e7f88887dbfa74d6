"""Devices that are known: what each one sends, as declarative files, and what a meter takes from them.

A meter may say ``source: {device: shelly-pro-3em, id: shellypro3em-0cb815fd, point: total}`` in place of a topic. What
the device's file says of the point then holds for the meter, except where the meter says otherwise. ``max_rate`` is
never taken: the file's is the most that the device can measure, not what is plausible where it is installed.

Adding a device is adding a file to ``wattwell/devices`` (copy ``_blueprint.yaml``); no code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from wattwell.config.dialects import DIALECTS
from wattwell.config.document import compose
from wattwell.config.filters import is_filter
from wattwell.config.places import ABSENT, Faults, Place, nearest
from wattwell.config.schema import DECODERS
from wattwell.config.selectors import escaped
from wattwell.config.values import Duration, topic_filter_fault
from wattwell.errors import ConfigError, Fault
from wattwell.model import Accumulation
from wattwell.units import QuantityKind, convert, is_unit_of

ID = "{id}"
"""Stands in a topic or a value for what tells one device from another of its kind."""
_IN_UNIT = ("resolution", "rollover_at")
_OF_SOURCE = ("value", "time", "time_unit")
_WITH_DEVICE = ("device", "id", "point")
_OF_DEVICE = ("source", "quantity", "accumulation")
"""Keys that every device says, so that a meter need not."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def _named(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("write small letters, digits and hyphens")
    return text


def _filter(text: str) -> str:
    if fault := topic_filter_fault(text.replace(ID, "x")):
        raise ValueError(fault)
    return text


Name = Annotated[str, AfterValidator(_named)]
TopicPattern = Annotated[str, AfterValidator(_filter)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(_Part):
    """One value that a device sends."""

    description: str
    quantity: QuantityKind
    accumulation: Accumulation
    unit: str
    topic: TopicPattern | None = None
    """Where it differs from the device's."""
    value: str | None = None
    time: str | None = None
    """Path of the time in a ``json`` document."""
    time_unit: str | None = None
    resolution: float | None = None
    rollover_at: float | None = None
    sentinels: list[float] | None = None
    period: Duration | None = None
    max_rate: float | None = None
    """The most that the device can measure, kW or L/s."""

    @model_validator(mode="after")
    def _consistent(self) -> Point:
        if not is_unit_of(self.unit, self.quantity):
            raise ValueError(f"{self.unit} is no unit of {self.quantity}")
        counts = self.accumulation is not Accumulation.INSTANTANEOUS
        if counts != (self.quantity in (QuantityKind.ENERGY, QuantityKind.WATER)):
            raise ValueError("energy and water are counted (register or delta), all else is instantaneous")
        if counts != (self.max_rate is not None):
            raise ValueError("what is counted needs max_rate, and nothing else has one")
        return self


class Expected(_Part):
    """A reading that a sample message yields."""

    point: Name
    value: float
    """In the point's unit."""
    time: str | None = None
    """ISO 8601; None: the message carries no time."""


class Sample(_Part):
    """A message as the device sends it."""

    id: str
    """What ``{id}`` stands for in it."""
    topic: str
    payload: str | None = None
    payload_hex: str | None = None
    """Of a message that is no text."""
    readings: list[Expected]
    """Every reading that the device's points yield from it, in the order of the points."""

    @property
    def data(self) -> bytes:
        """The payload as sent."""
        return bytes.fromhex(self.payload_hex) if self.payload_hex is not None else (self.payload or "").encode()


class Device(_Part):
    """A kind of device."""

    name: Name
    title: str
    maker: str
    documented: str
    """The page or manual in which its messages are described."""
    decoder: str
    topic: TopicPattern
    id: str
    """What ``{id}`` is, in words."""
    models: list[str] = Field(default_factory=list)
    """How ids or topics of such devices begin from the factory; none: they tell nothing."""
    points: dict[Name, Point]
    samples: list[Sample]

    @model_validator(mode="after")
    def _consistent(self) -> Device:
        if self.decoder not in DECODERS:
            raise ValueError(f"unknown decoder {self.decoder}")
        for name, point in self.points.items():
            if ID not in f"{self.topic_of(point)} {point.value}":
                raise ValueError(f"neither topic nor value of the point {name} holds {ID}")
        return self

    def topic_of(self, point: Point) -> str:
        """The topic pattern of a point."""
        return point.topic or self.topic

    def source(self, point: Point, identity: str) -> dict[str, Any]:
        """The ``source`` of a meter at a point of one such device."""
        keys: dict[str, Any] = {"topic": self.topic_of(point).replace(ID, identity), "decoder": self.decoder}
        keys |= {key: getattr(point, key) for key in _OF_SOURCE if key in point.model_fields_set}
        if point.value is not None:
            keys["value"] = point.value.replace(ID, escaped(identity) if self.decoder == "influx" else identity)
        return keys

    def takes(self, point: Point, identity: str) -> bool:
        """Whether an id can stand where the point's topic and value have it: of one device, and no wildcard."""
        if ID in self.topic_of(point) and (is_filter(identity) or topic_filter_fault(identity)):
            return False
        fault, value = DIALECTS[self.decoder].fault, self.source(point, identity).get("value")
        return fault is None or value is None or fault(value) is None

    def is_typical(self, identity: str, text: str) -> bool:
        """Whether an id, or another text that names the device's kind, begins as this kind's do."""
        return any(one.startswith(model) for model in self.models for one in (identity.rpartition("/")[2], text))


def read_device(text: str, file: str) -> Device:
    """The device in a file's text. Raises ConfigError where it is none."""
    faults = Faults()
    document = compose(text, file, faults)
    if faults:
        raise ConfigError(faults.in_order(document))
    try:
        device = Device.model_validate(document)
    except ValidationError as error:
        found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise ConfigError([Fault(f"{file} {where}", "", says) for where, says in found]) from error
    if f"{device.name}.yaml" != file:
        raise ConfigError([Fault(f"{file} name", device.name, "name the device like its file")])
    return device


@cache
def shipped_devices() -> Mapping[str, Device]:
    """Every device that comes with the program, by name. Reads the files once."""
    folder = resources.files("wattwell") / "devices"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml") and file.name[0] != "_")
    devices = [read_device((folder / file).read_text(encoding="utf-8"), file) for file in files]
    return {device.name: device for device in devices}


@dataclass(frozen=True, slots=True)
class Filled:
    """A meter's document with what its device says, or without its source where that was at fault."""

    document: Any
    broken: tuple[str, ...] = ()
    """Keys that are absent because of that fault."""


def fill(document: Any, place: Place, faults: Faults) -> Filled:
    """A meter as written, completed from the device that its source names; a document without one as it is."""
    source = document.get("source") if isinstance(document, dict) else None
    if not isinstance(source, dict) or not any(key in source for key in _WITH_DEVICE):
        return Filled(document)
    before = len(faults)
    device = _device(source, place / "source", faults)
    point = None if device is None else _point(source, device, place / "source", faults)
    identity = _text(source, "id", place / "source", faults)
    if device is not None and point is not None and identity is not None and not device.takes(point, identity):
        faults.add(place / "source" / "id", f"this cannot tell one device from others; write {device.id}", identity)
    if len(faults) > before or device is None or point is None or identity is None:
        return Filled({key: value for key, value in document.items() if key != "source"}, _OF_DEVICE)
    return Filled({**_said(point, document.get("unit")), **document, "source": device.source(point, identity) | source})


def _said(point: Point, unit: Any) -> dict[str, Any]:
    """What a point says, as a meter would be written; what is in the point's unit, in that of the meter."""
    said: dict[str, Any] = {"quantity": str(point.quantity), "accumulation": str(point.accumulation)}
    own = unit if isinstance(unit, str) and is_unit_of(unit, point.quantity) else point.unit
    said["unit"] = own
    for key in _IN_UNIT:
        value = getattr(point, key)
        if value is not None:
            said[key] = convert(value, point.quantity, point.unit, own)
    if point.sentinels is not None:
        said["sentinels"] = point.sentinels
    if point.period is not None:
        said["period"] = f"{point.period}us"
    return said


def _text(source: dict[str, Any], key: str, place: Place, faults: Faults) -> str | None:
    value = source.get(key, ABSENT)
    if isinstance(value, str) and value:
        return value
    if value is ABSENT:
        faults.add(place / key, "device, id and point go together, and this one is absent; add it")
    else:
        faults.add(place / key, "write a text; put a number in quotes", value)
    return None


def _device(source: dict[str, Any], place: Place, faults: Faults) -> Device | None:
    name = _text(source, "device", place, faults)
    if name is None or name in shipped_devices():
        return None if name is None else shipped_devices()[name]
    remedy = f"unknown device{nearest(name, shipped_devices())}; `wattwell devices` lists those that are known"
    faults.add(place / "device", remedy, name)
    return None


def _point(source: dict[str, Any], device: Device, place: Place, faults: Faults) -> Point | None:
    name = _text(source, "point", place, faults)
    if name is None or name in device.points:
        return None if name is None else device.points[name]
    remedy = f"{device.name} has no such point{nearest(name, device.points)}; write one of: {' '.join(device.points)}"
    faults.add(place / "point", remedy, name)
    return None
