"""MQTT topic filters against one another (MQTT 5, 4.7). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field


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


@dataclass(slots=True)
class _Level:
    """Where the filters that begin alike go on."""

    next: dict[str, _Level] = field(default_factory=dict)
    place: int | None = None
    """Of the filter that ends here."""

    def all(self) -> Iterator[_Level]:
        """This one and all that follow."""
        yield self
        for level in self.next.values():
            yield from level.all()


class FilterTree:
    """Many filters by their levels: finds those that :func:`covers` or :func:`overlap` mean without asking each one.

    What is found comes in the order in which it was added.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._root = _Level()
        self._patterns: list[str] = []
        for pattern in patterns:
            self.add(pattern)

    def add(self, pattern: str) -> None:
        """Adds a filter, or one topic; nothing where it is there already."""
        level = self._root
        for name in pattern.split("/"):
            level = level.next.setdefault(name, _Level())
        if level.place is None:
            level.place = len(self._patterns)
            self._patterns.append(pattern)

    def covering(self, inner: str) -> list[str]:
        """The filters that cover ``inner``."""
        reached, found = [self._root], list[_Level]()
        for position, name in enumerate(inner.split("/")):
            wild = position > 0 or not inner.startswith("$")
            found += _after(reached, {"#"} if wild else ())
            reached = [] if name == "#" else _after(reached, {name, "+"} if wild else {name})
        return self._ending([*found, *reached, *_after(reached, {"#"})])

    def overlapping(self, other: str) -> list[str]:
        """The filters that some topic matches which matches ``other`` too."""
        reached, found = [self._root], list[_Level]()
        for name in other.split("/"):
            if name == "#":
                return self._ending([*found, *(each for level in reached for each in level.all())])
            found += _after(reached, {"#"})
            if name == "+":
                reached = [after for level in reached for each, after in level.next.items() if each != "#"]
            else:
                reached = _after(reached, {name, "+"})
        return self._ending([*found, *reached, *_after(reached, {"#"})])

    def _ending(self, levels: Iterable[_Level]) -> list[str]:
        return [self._patterns[place] for place in sorted(level.place for level in levels if level.place is not None)]


def _after(levels: Iterable[_Level], names: Collection[str]) -> list[_Level]:
    return [level.next[name] for level in levels for name in names if name in level.next]
