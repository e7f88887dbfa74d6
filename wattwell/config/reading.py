"""One mapping of the document becomes one raw part; what is wrong in it is noted and left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wattwell.config.places import ABSENT, Faults, Part, Place, closest, nearest
from wattwell.config.schema import Raw
from wattwell.config.values import is_unicode

R = TypeVar("R", bound=Raw)

_SHAPES = {
    "model_type": "write keys and values here, such as `key: value`",
    "dict_type": "write keys and values here, such as `key: value`",
    "list_type": "write a list here, such as [a, b]",
    "float_type": "write a number, without quotes",
    "string_type": "write a text; put a number in quotes",
}


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that a part knows, as they are written."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def read(model: type[R], raw: Any, place: Place, faults: Faults, *, broken: Iterable[str] = ()) -> R | None:
    """The part as far as it is right, or None where it is no mapping; every fault is added to ``faults``.

    ``broken`` are keys known to be absent because of another fault, which is told already.
    """
    if not isinstance(raw, dict):
        faults.add(place, f"write keys and values here; the keys are: {' '.join(keys_of(model))}", raw)
        return None
    kept = {key: value for key, value in raw.items() if isinstance(key, str) and is_unicode(key)}
    for key in raw:
        if key not in kept:
            faults.add(place, "keys must be texts; put this one in quotes", key)
    try:
        part = model.model_validate(kept)
    except ValidationError as error:
        details = error.errors(include_url=False)
        for detail in details:
            _note(detail, model, kept, place, faults)
        wrong = {str(detail["loc"][0]) for detail in details if detail["loc"]}
        part = model.model_validate({key: value for key, value in kept.items() if key not in wrong})
        meant = {closest(key, keys_of(model)) for key in wrong if key not in keys_of(model)}
        part.mark_broken(wrong | {key for key in meant if key is not None})
    part.mark_broken(broken)
    for key in model.required:
        if part.lacks(key):
            faults.add(place / key, "this key is required and absent; add it")
    return part


def _note(detail: ErrorDetails, model: type[Raw], raw: dict[str, Any], place: Place, faults: Faults) -> None:
    value: Any = raw
    owner: type[BaseModel] | None = model
    for step in detail["loc"]:
        if isinstance(value, dict) and (step in value or detail["type"] == "missing"):
            value = value.get(step, ABSENT)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            break  # the schema goes deeper than what was written, or names a mapping's key
        place = place / step
    if detail["type"] == "extra_forbidden":
        owner = _owner(model, detail["loc"][:-1])
    faults.add(place, _remedy(detail, owner), value)


def _owner(model: type[BaseModel], steps: tuple[Part, ...]) -> type[BaseModel] | None:
    """The part that the steps lead to."""
    found: type[BaseModel] | None = model
    for step in steps:
        if found is None or isinstance(step, int):
            continue
        field = next((field for name, field in found.model_fields.items() if (field.alias or name) == step), None)
        found = _model_in(field.annotation) if field else None
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _remedy(detail: ErrorDetails, owner: type[BaseModel] | None) -> str:
    kind = detail["type"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind == "extra_forbidden" and owner is not None:
        known = keys_of(owner)
        return f"unknown key{nearest(str(detail['loc'][-1]), known)}; known here: {' '.join(known)}"
    if kind == "missing":
        return "this key is required and absent; add it"
    return _SHAPES.get(kind, f"not valid here ({detail['msg']})")
