"""MQTT topic filters against one another (MQTT 5, 4.7). Pure."""

from __future__ import annotations


def is_filter(pattern: str) -> bool:
    """Whether a topic filter holds wildcards."""
    return any(level in {"+", "#"} for level in pattern.split("/"))


def unshared(pattern: str) -> str:
    """The filter inside ``$share/GROUP/FILTER``, or the filter itself."""
    return pattern.split("/", 2)[2] if pattern.startswith("$share/") and pattern.count("/") >= 2 else pattern


def covers(outer: str, inner: str) -> bool:
    """Whether every topic that ``inner`` (a filter, or one topic) matches is matched by ``outer`` too.

    >>> covers("dc/#", "dc/zhangbei/+"), covers("dc/+", "dc/#")
    (True, False)
    """
    wide, narrow = outer.split("/"), inner.split("/")
    for position, level in enumerate(wide):
        if level == "#":
            return position > 0 or not inner.startswith("$")
        if position >= len(narrow) or narrow[position] == "#":
            return False
        if level == "+":
            if position == 0 and inner.startswith("$"):
                return False
        elif level != narrow[position]:
            return False
    return len(wide) == len(narrow)


def overlap(one: str, other: str) -> bool:
    """Whether some topic matches both filters."""
    left, right = one.split("/"), other.split("/")
    for a, b in zip(left, right, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    if len(left) == len(right):
        return True
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[len(shorter)] == "#"
