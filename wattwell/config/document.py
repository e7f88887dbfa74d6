"""YAML text becomes a plain document; what YAML hides (a key given twice) is a fault.

Scalars follow YAML 1.2's core schema rather than PyYAML's 1.1: ``no`` and ``on`` are texts, ``010`` is ten and
``1e-3`` is a number; dates stay texts and are read by the schema.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from wattwell.config.places import Faults, Place
from wattwell.errors import ConfigError, Fault

_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MOST_NODES = 300_000


def plain_scalar(text: str) -> Any:
    """What an unquoted YAML scalar stands for: null, a truth value, a number, or the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".n", "n"))
    return text


def flow_value(text: str) -> Any:
    """What a CSV cell stands for: a YAML value such as ``40`` or ``[0, 100]``; the text itself where it is none."""
    if text[:1] not in ("[", "{"):
        return plain_scalar(text)
    faults = Faults()
    try:
        value = compose(text, "cell", faults)
    except ConfigError:
        return text
    return text if faults else value


def compose(text: str, name: str, faults: Faults) -> Any:
    """The document in a YAML text; keys given twice are added to ``faults``, the first one counts.

    ``name`` is the file's name for messages. Raises ConfigError where the text is no YAML or is empty.
    """
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        if node is None:
            raise ConfigError([Fault(name, "", "the file is empty; write at least `sites:` with one site")])
        return _Builder(faults).build(node, Place())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name} line {mark.line + 1}, column {mark.column + 1}" if mark else name
        said = " ".join(part for part in (error.context, error.problem) if part)
        if error.context_mark and mark and error.context_mark.line != mark.line:
            said += f", begun in line {error.context_mark.line + 1}"
        raise ConfigError([Fault(where, "", f"broken YAML ({said}); correct the file there")]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        remedy = "a control character is not allowed in YAML; remove it"
        raise ConfigError([Fault(f"{name} line {line}", f"U+{ord(str(error.character)):04X}", remedy)]) from error
    except RecursionError as error:
        raise ConfigError([Fault(name, "", "the file is nested too deeply; remove the extra brackets")]) from error


class _Builder:
    """Turns a node graph into dicts, lists and scalars."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: set[int] = set()
        self._nodes = 0

    def build(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise ConfigError([Fault(str(place), "", "aliases make the file too large; write fewer of them")])
        if node.tag not in _TAGS:
            self._faults.add(place, f"the YAML tag {node.tag} is not used here; leave it out")
            return None
        if isinstance(node, yaml.ScalarNode):
            return plain_scalar(node.value) if node.style is None else node.value
        if id(node) in self._open:
            self._faults.add(place, "an alias stands inside its own anchor; write the value out")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, place)
            return [self.build(item, place / index) for index, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        document: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._faults.add(place, f"the key in line {line} is a list or a mapping; write a text as key")
                continue
            key = str(key_node.value)
            if key == "<<" and key_node.style is None:
                self._merge(value_node, place, merged)
                continue
            value = self.build(value_node, place / key)
            if key in document:
                where = f"in line {line}" if lines[key] == line else f"in lines {lines[key]} and {line}"
                self._faults.add(place / key, f"given twice, {where}; keep one of them", value)
                continue
            document[key], lines[key] = value, line
        return document | {key: value for key, value in merged.items() if key not in document}

    def _merge(self, node: yaml.Node, place: Place, merged: dict[str, Any]) -> None:
        value = self.build(node, place / "<<")
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                self._faults.add(place / "<<", "merge an anchored mapping (`<<: *name`) or a list of them", part)
                continue
            for key, item in part.items():
                merged.setdefault(key, item)
