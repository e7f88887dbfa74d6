"""Typical weather years (EPW): where they are, one moved to the place of another, and a heat wave laid on one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

_HEAD = 8
_DRY, _DEW, _HUMIDITY, _PRESSURE = 6, 7, 8, 9


def find(part: str, folders: Sequence[Path]) -> Path:
    """The one weather file whose name contains `part`; ValueError where there is none."""
    for folder in folders:
        found = sorted(x for x in folder.glob("*.epw") if part in x.name)
        if found:
            return found[0]
    places = ", ".join(map(str, folders))
    message = f"No weather file with {part!r} in its name in {places}: give its folder with --weather."
    raise ValueError(message)


def moved(lines: Sequence[str], place: str) -> list[str]:
    """The weather at another `place`, the first line of a file: its air pressure is put to the altitude there."""
    ratio = _pressure(place) / _pressure(lines[0])
    out = [place, *lines[1:]]
    for row in range(_HEAD, len(out)):
        cells = out[row].split(",")
        cells[_PRESSURE] = f"{float(cells[_PRESSURE]) * ratio:.0f}"
        out[row] = ",".join(cells)
    return out


def _pressure(place: str) -> float:
    """Of the standard atmosphere at the altitude of a place, Pa."""
    return float(101325.0 * (1 - 2.25577e-5 * float(place.rsplit(",", maxsplit=1)[-1])) ** 5.25588)


def hotter(lines: Sequence[str], day: int, days: int, kelvin: float) -> list[str]:
    """The same year with `kelvin` added to the air from `day` on, half of it to the dew point; a day in, a day out."""
    out = list(lines)
    for hour in range(day * 24, (day + days) * 24):
        edge = min(hour - day * 24 + 1, (day + days) * 24 - hour, 24) / 24
        cells = out[_HEAD + hour].split(",")
        dry, dew = float(cells[_DRY]) + kelvin * edge, float(cells[_DEW]) + kelvin * edge / 2
        dew = min(dew, dry)
        humidity = 100 * math.exp(17.62 * dew / (243.12 + dew) - 17.62 * dry / (243.12 + dry))
        cells[_DRY], cells[_DEW], cells[_HUMIDITY] = f"{dry:.1f}", f"{dew:.1f}", f"{min(humidity, 100.0):.0f}"
        out[_HEAD + hour] = ",".join(cells)
    return out
