"""What was lately used, as much of it as there is room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """The most recently used entries, at most ``room`` of them, or of what ``size`` says of each."""

    def __init__(self, room: int, size: Callable[[_V], int] = lambda _: 1) -> None:
        self._room = room
        self._size = size
        self._used = 0
        self._entries: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        """The entry, used just now."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def __contains__(self, key: _K) -> bool:
        return key in self._entries

    def items(self) -> Iterable[tuple[_K, _V]]:
        """All entries; none is used by it."""
        return self._entries.items()

    def put(self, key: _K, value: _V) -> None:
        """Enters or replaces one; others go where it finds no room."""
        if key in self._entries:
            self._used -= self._size(self._entries.pop(key))
        self._entries[key] = value
        self._used += self._size(value)
        while self._used > self._room:
            _, gone = self._entries.popitem(last=False)
            self._used -= self._size(gone)

    def drop(self, stale: Callable[[_K], bool]) -> None:
        """Drops entries by their key."""
        for key in [key for key in self._entries if stale(key)]:
            self._used -= self._size(self._entries.pop(key))
