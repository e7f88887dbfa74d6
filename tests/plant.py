"""A small made-up plant by the hour, whose chiller fails at an hour, and what a detector looks at of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analytics.anomaly.quality import Model
from analytics.anomaly.settings import Settings
from analytics.anomaly.walk import Walk
from tests.sites import Cells, a_site, meter
from wattwell.engine.detect import SiteDetector
from wattwell.engine.findings import Advance, Known
from wattwell.finding import Finding
from wattwell.intervals import HOUR
from wattwell.model import Maintenance, MeterEvent
from wattwell.units import QuantityKind

START = 1_640_995_200_000_000
"""2022-01-01T00:00:00Z"""
QUICK = Settings(
    learn_every=7 * 24, try_every=28 * 24, memory=70 * 24, least_history=14 * 24, long_history=60 * 24,
    drift_from=14 * 24, calibrate=14 * 24, marks=3,
)  # fmt: skip
SITE = a_site(
    {"grid": "utility_import", "it": "it_ups", "chiller": "chiller", "fan": "fan", "heat": "heat_removed"},
    meter("chw", "chw_supply", quantity=QuantityKind.TEMPERATURE, unit="degC"),
    meter("oat", "outdoor_dry_bulb", quantity=QuantityKind.TEMPERATURE, unit="degC"),
    meter("wet", "outdoor_wet_bulb", quantity=QuantityKind.TEMPERATURE, unit="degC"),
)


def plant(days: int, fails: int, mended: int, seed: int = 7) -> dict[str, np.ndarray]:
    """kWh and degrees by the hour; from day ``fails`` to ``mended`` the chiller draws four tenths more."""
    made = np.random.default_rng(seed)
    hour = np.arange(24 * days)
    season, week = 9 * np.sin(2 * np.pi * hour / 8766), 4 * np.sin(2 * np.pi * hour / (24 * 9))
    oat = 8 + season + week + 5 * np.sin(2 * np.pi * hour / 24) + made.normal(0, 0.5, len(hour))
    load = 100 + 5 * np.sin(2 * np.pi * hour / (24 * 7)) + made.normal(0, 0.5, len(hour))
    worse = np.where((hour >= 24 * fails) & (hour < 24 * mended), 1.4, 1.0)
    heat = np.maximum(load * (0.2 + 0.05 * (oat - 6)), 0.0)
    fan = 6 * load / 100 * made.normal(1, 0.02, len(hour))
    chiller = heat / 4 * worse * made.normal(1, 0.02, len(hour))
    chw = np.where(heat > 0, 7.0, oat) + made.normal(0, 0.2, len(hour))
    total = load + chiller + fan + 2
    return {
        "it": load,
        "chiller": chiller,
        "fan": fan,
        "heat": heat,
        "grid": total,
        "chw": chw,
        "oat": oat,
        "wet": oat - 4,
    }


class Store(Cells):
    """What a detector reads."""

    events_: tuple[MeterEvent, ...] = ()

    def extent(self, site: str) -> tuple[int, int] | None:
        """See ``ReadingStore.extent``."""
        found = [at[~np.isnan(value)] for (name, _), (at, value, _) in self.columns.items() if name == site]
        return (min(int(at[0]) for at in found), max(int(at[-1]) for at in found)) if found else None

    def events(self, *_: object) -> tuple[MeterEvent, ...]:
        """See ``ReadingStore.events``."""
        return self.events_


@dataclass(kw_only=True)
class Keeper:
    """Keeps what a detector finds, as the desk does."""

    values: dict[str, np.ndarray]
    detector: SiteDetector = field(init=False)
    findings: dict[str, Finding] = field(default_factory=dict)
    models: tuple[Model, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        self.store = Store()
        self.write(self.values)
        self.restart()

    def write(self, values: dict[str, np.ndarray]) -> None:
        """Puts these in the store."""
        for name, column in values.items():
            self.store.put(name, column, start=START, grid=HOUR)

    def restart(self) -> None:
        """A new process on the same store."""
        self.detector = SiteDetector(self.store, HOUR, QUICK)

    def advance(self, hours: int, since: int | None = None) -> Advance | None:
        """Up to an hour; ``since``: the hour from which values have changed."""
        known = Known(state=None, findings=tuple(self.findings.values()), feedback=(), maintenance=self.maintenance)
        changed = None if since is None else START + since * HOUR
        came = self.detector.advance(SITE, START + hours * HOUR, changed, known)
        if came is not None:
            self.findings = {key: each for key, each in self.findings.items() if key not in came.withdrawn}
            self.findings |= {each.id: each for each in came.findings}
            self.models = came.models
        return came

    def walk(self) -> Walk:
        """As far as it has come."""
        found = self.detector.kept(SITE.id)
        assert found is not None
        return found
