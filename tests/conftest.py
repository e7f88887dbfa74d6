"""Fixtures that several test folders use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Mosquitto, mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto broker on a free port that anybody may use; it forgets everything when it ends."""
    with mosquitto(tmp_path / "mosquitto") as running:
        yield running
