"""Other ways to write a source that can mean one thing only, brought to the one that everything else knows. Pure.

Said beside it, and meaning nothing more: the name and unit of the time that a dialect's messages carry anyway
(``time: Time`` of Tasmota), one kind of Sparkplug message (``DDATA``: births and deaths are heard in any case), the
wrapping of a document (``params.``, ``StatusSNS.``), and the last level of a first-generation Shelly topic. Left out:
the component that a Shelly status topic names, and ``ENERGY`` before a Tasmota total.
"""

from __future__ import annotations

from wattwell.config.schema import RawSource

_SAID_ANYWAY: dict[str, dict[str, tuple[str, ...]]] = {
    "plain": {"value": ("value",)},
    "influx": {"time": ("time", "timestamp")},
    "senml": {"time": ("time", "t", "bt"), "time_unit": ("s",), "unit": ("unit", "u", "bu")},
    "sparkplug": {"time": ("time", "timestamp"), "time_unit": ("ms",), "unit": ("unit", "engUnit")},
    "shelly": {"time": ("time", "ts", "params.ts"), "time_unit": ("s",)},
    "tasmota": {"time": ("time", "Time", "StatusSNS.Time"), "time_unit": ("s",)},
}
"""What each dialect's messages hold without being asked, by key of the source."""
_OF_A_NODE = ("NBIRTH", "NDATA", "NDEATH")
_OF_A_DEVICE = ("DBIRTH", "DDATA", "DDEATH")
_ENERGY = (
    *("Total", "Today", "Yesterday", "Period", "ImportActive", "ExportActive"),
    *("Power", "ApparentPower", "ReactivePower", "Factor", "Voltage", "Current", "Frequency"),
)


def spelled(source: RawSource) -> RawSource:
    """The source in the spelling that everything else knows; itself where it is written so already."""
    name = source.decoder or "json"
    known = _SAID_ANYWAY.get(name, {})
    written = {key: getattr(source, key) for key in source.model_fields_set}
    kept = {key: text for key, text in written.items() if text is None or text not in known.get(key, ())}
    if name == "sparkplug":
        kept["topic"] = _edge(source.topic)
    value = kept.get("value")
    if value is not None and name == "shelly":
        kept["value"] = _component(source.topic, value)
    elif value is not None and name == "tasmota":
        kept["value"] = _telemetry(value)
    return source if kept == written else RawSource(**kept).mark_broken(key for key in written if source.broken(key))


def _edge(topic: str) -> str:
    levels = topic.split("/")
    kinds = {4: _OF_A_NODE, 5: _OF_A_DEVICE}.get(len(levels), ())
    return "/".join([*levels[:2], "+", *levels[3:]]) if len(levels) > 2 and levels[2] in kinds else topic


def _component(topic: str, value: str) -> str | None:
    """A component and its key; None on a topic that holds one number."""
    last = topic.rpartition("/")[2]
    if ":" in last:
        return value if ":" in value else f"{last}.{value}"
    if last not in ("rpc", "+", "#") and value in ("value", last):
        return None
    return value.removeprefix("params.")


def _telemetry(value: str) -> str:
    path = value.removeprefix("StatusSNS.")
    return f"ENERGY.{path}" if path.partition(".")[0] in _ENERGY else path
