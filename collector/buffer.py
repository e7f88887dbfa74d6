"""What the network thread hands to the ingest thread: bounded in messages and in bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Buffer(Generic[Item]):
    """A queue that blocks its writer while full and gives its reader all that is there, without waiting for more."""

    def __init__(self, most_items: int, most_bytes: int) -> None:
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item, size: int) -> bool:
        """Adds an item of so many bytes when there is room; False once the buffer is closed."""
        return self.extend([(item, size)])

    def extend(self, sized: Iterable[tuple[Item, int]]) -> bool:
        """Adds items and their bytes, each when there is room; False once the buffer is closed."""
        with self._changed:
            for item, size in sized:
                if not self._has_room():
                    self._changed.notify_all()  # whoever is to make room must know of those before
                    self._changed.wait_for(lambda: self._closed or self._has_room())
                if self._closed:
                    return False
                self._items.append((item, size))
                self._bytes += size
            self._changed.notify_all()
            return not self._closed

    def _has_room(self) -> bool:
        return not self._items or (len(self._items) < self._most_items and self._bytes < self._most_bytes)

    def drain(self, most_items: int, most_bytes: int, timeout: float) -> list[Item]:
        """Everything there is, up to the limits; waits at most ``timeout`` seconds for a first item."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout)
            taken: list[Item] = []
            size = 0
            while self._items and len(taken) < most_items and size < most_bytes:
                item, item_bytes = self._items.popleft()
                taken.append(item)
                size += item_bytes
            self._bytes -= size
            if taken:
                self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Lets a blocked writer go; what is in the buffer can still be drained."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
