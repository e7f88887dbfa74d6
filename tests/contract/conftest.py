"""Every test in this folder that asks for a store runs with each store there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storing import STORES
from wattwell.store.protocol import ReadingStore


@pytest.fixture(params=sorted(STORES))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], ReadingStore]:
    return lambda: STORES[request.param](tmp_path)


@pytest.fixture
def store(opener: Callable[[], ReadingStore]) -> Iterator[ReadingStore]:
    opened = opener()
    yield opened
    opened.close()
