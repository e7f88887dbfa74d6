"""What alert rules look at: samples of every signal of a site, at grid edges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from alerts.inhibition import Basis
from alerts.machine import Context, Key, Sample, sample_of
from analytics.course import Part, year_end
from analytics.evaluate import Window
from wattwell.config.settings import Config
from wattwell.engine.book import KpiBook
from wattwell.engine.exported import silence
from wattwell.engine.findings import Excess, Expectations, wait_for
from wattwell.engine.power import POWERS
from wattwell.engine.spans import ROLLING
from wattwell.intervals import DAY, SECOND, Interval, ceil_to, day_start, floor_to, local_date
from wattwell.model import ANY_METER, OF_FINDINGS, AlertRule, KpiValue, Meter

Excesses = Callable[[str, int], Mapping[str, Excess]]
"""Site and edge -> the open findings by family."""
_MONTHS_BACK = 24
"""Months before this one that the course of a year is judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one step of a site goes by."""

    first: int
    """Start of the site's first interval."""
    last_edge: int
    """The last edge of the step: the only one at which the last reading of a meter was known to be the last."""
    last_readings: Mapping[str, int] | None
    """By meter; None where history is filled in, and how long a meter was silent is not known."""
    lags: Mapping[Key, int]
    """How far each figure looks back, since its meters report less often than others."""


class Signals:
    """Samples for alert rules, from interval values."""

    def __init__(
        self, config: Config, book: KpiBook, excess: Excesses, expectations: Expectations | None = None
    ) -> None:
        """``excess`` of open findings; ``expectations``: None where nothing can be expected of any site."""
        self._expectations = expectations
        self._config = config
        self._book = book
        self._excess = excess
        self._grid = config.grid

    def basis(self, site: str, keys: Collection[Key]) -> Basis:
        """The meters that the figures behind these keys are made of."""
        found = {("kpi", of): self._book.needs(site, of) for signal, of, _ in keys if signal in _OF_KPIS}
        found |= {("power", of): POWERS[of] for signal, of, _ in keys if signal == "power"}
        return {source: self._book.meters(site, names) for source, names in found.items()}

    def lags(self, site: str, keys: Collection[Key], now: int) -> tuple[int, dict[Key, int]]:
        """The shortest of the figures' periods, and how far each figure looks back beyond it."""
        sources = {key[:2] for key in keys if key[0] != "stale"}
        periods = {source: self._period(site, *source, now) for source in sources}
        # What rests on no meter, such as the balance of a site without a meter tree, waits for none and hurries none.
        fastest = min((period for period in periods.values() if period), default=0)
        lags = {source: ceil_to(max(period - fastest, 0), self._grid) for source, period in periods.items()}
        return fastest, {key: lags[key[:2]] for key in keys if key[:2] in lags}

    def _period(self, site: str, signal: str, of: str, now: int) -> int:
        if signal == "balance":
            return self._book.balance_period(site, now)
        if signal in OF_FINDINGS:
            return wait_for(self._config.sites[site].meters.values(), now)
        return self._book.period(site, POWERS[of] if signal == "power" else self._book.needs(site, of), now)

    def ready(self, steps: Iterable[tuple[str, Collection[Key], Known]]) -> None:
        """Takes from the store in one go what the last edges of many sites look at."""
        self._book.ready(
            dict.fromkeys((site, day) for site, keys, known in steps for day in self._ends_within(keys, known))
        )

    def _ends_within(self, keys: Collection[Key], known: Known) -> Iterator[int]:
        """The UTC days that the windows of figures end in, and those that they begin in the midst of."""
        spans = {
            (ROLLING.get(window, self._grid), known.lags.get((signal, of, window), 0))
            for signal, of, window in keys
            if signal not in ("stale", "course", *OF_FINDINGS)
        }
        for width, lag in spans:
            end = known.last_edge - lag
            yield floor_to(end - 1, DAY)
            if (end - width) % DAY:
                yield floor_to(end - width, DAY)

    def at(self, site: str, edge: int, keys: Collection[Key], known: Known) -> tuple[dict[Key, Sample], set[Key]]:
        """The samples of an edge, and the keys of which nothing is known that could be judged."""
        figures = [key for key in keys if key[0] not in OF_FINDINGS]
        samples, held = self._figures(site, edge, figures, known)
        for key in set(keys).difference(figures):
            samples |= self._findings(site, key, edge, known.lags.get(key, 0))
        return samples, held

    def _figures(self, site: str, edge: int, keys: Collection[Key], known: Known) -> tuple[dict[Key, Sample], set[Key]]:
        samples: dict[Key, Sample] = {}
        held: set[Key] = set()
        values: dict[tuple[str, str, int], KpiValue] = {}
        for key in keys:
            signal, of, window = key
            end = edge - known.lags.get(key, 0)
            if signal == "stale":
                for one, sample in self._stale(site, of, edge, known):
                    samples[one] = sample or Sample(edge, None)
                    held.update(() if sample else (one,))
                continue
            if signal == "course":
                if edge % DAY:
                    held.add(key)
                else:
                    samples[key] = _at(self._course(site, of, end, window), edge)
                continue
            early = end - ROLLING.get(window, self._grid) < known.first
            if signal == "balance":
                found = {} if early else self._balances(site, of, window, end)
                samples |= {one: _at(sample, edge) for one, sample in found.items()}
                continue
            if signal in ("power", "expected"):
                measure = self._power if signal == "power" else self._beyond
                samples[key] = _at(measure(site, of, end - ROLLING.get(window, self._grid), end), edge)
            else:
                if (of, window, end) not in values:
                    values[of, window, end] = self._value(site, of, window, end)
                value = values[of, window, end]
                sample = sample_of(value) if signal == "kpi" else self._coverage(value)
                samples[key] = _at(sample, edge)
            if _unknown(signal, samples[key], early=early):
                held.add(key)
        return samples, held

    def _value(self, site: str, kpi: str, window: str, end: int) -> KpiValue:
        return self._book.value(site, kpi, Window(name=window, interval=Interval(end - ROLLING[window], end)))

    def _coverage(self, value: KpiValue) -> Sample:
        """The measured share; none of a figure for which the site has no meters."""
        lacks = self._book.lacks(value.site, value.kpi)
        context = Context(label=value.label, category=value.category)
        return Sample(value.interval.end, None if lacks else value.coverage, context=context)

    def _beyond(self, site: str, kpi: str, start: int, end: int) -> Sample:
        """PUE less what is expected of it, over the intervals in which all of it is known."""
        chosen = self._config.sites[site]
        expected = None if self._expectations is None else self._expectations.overhead(chosen, start, end)
        context = Context(label=kpi.upper(), category=chosen.pue_category)
        if expected is None:
            return Sample(end, None, context=context)
        overhead, load = self._book.beside(site, start, end)
        gap = overhead - expected
        known = np.isfinite(gap)
        usable, it = float(known.mean()), float(load[known].sum())
        context = replace(context, coverage=usable)
        if usable < self._config.provisional or it <= 0:
            return Sample(end, None, context=context)
        return Sample(end, float(gap[known].sum()) / it, usable < self._config.full, context)

    def _power(self, site: str, subsystem: str, start: int, end: int) -> Sample:
        mean, usable = self._book.power(site, subsystem, Interval(start, end))
        context = Context(unit="kW", coverage=usable)
        enough = usable >= self._config.provisional
        return Sample(end, mean if enough else None, usable < self._config.full, context)

    def _balances(self, site: str, meter: str, window: str, end: int) -> dict[Key, Sample]:
        """One sample for each parent, or for the one that is named."""
        span = Window(name=window, interval=Interval(end - ROLLING[window], end))
        return {
            ("balance", found.parent, window): Sample(
                end, found.excess, found.provisional, Context(coverage=found.coverage)
            )
            for found in self._book.closures(site, span)
            if meter in (ANY_METER, found.parent)
        }

    def _findings(self, site: str, key: Key, edge: int, lag: int) -> dict[Key, Sample]:
        """One sample for each family that was ever found at the site, or for the one that is named."""
        signal, family, _ = key
        return {
            (signal, name, ""): Sample(
                edge,
                excess.kilowatts if signal == "finding" else float(excess.count),
                context=Context(label=excess.title or None, unit="kW" if signal == "finding" else ""),
            )
            for name, excess in self._excess(site, edge - lag).items()
            if family in (ANY_METER, name)
        }

    def _stale(self, site: str, of: str, edge: int, known: Known) -> Iterator[tuple[Key, Sample | None]]:
        """Each meter's silence; None where it is not known. A meter that has never reported has not gone silent."""
        for meter in self._config.sites[site].meters.values():
            if meter.virtual or of not in (ANY_METER, meter.id):
                continue
            if not meter.in_service.start <= edge < meter.in_service.end:
                continue
            key = ("stale", meter.id, "")
            if known.last_readings is None:
                yield key, None
            elif (last := known.last_readings.get(meter.id)) is not None:
                behind = last > edge and edge < known.last_edge
                yield key, None if behind else self._silence(meter, edge, last)

    def _silence(self, meter: Meter, edge: int, last: int) -> Sample:
        """Seconds since the last reading; 0 while the meter is as late as its own settings allow."""
        late = edge - last > silence(meter)
        return Sample(edge, (edge - last) / SECOND if late else 0.0)

    def _course(self, site: str, kpi: str, end: int, side: str) -> Sample:
        """The end of the year's expected interval that is kinder: ``low`` or ``high``."""
        zone = self._config.sites[site].zone
        today = local_date(end - 1, zone)
        this = today.year * 12 + today.month - 1
        so_far = self._span(site, kpi, "year", self._month(this - today.month + 1, zone), end)
        opened, closes = self._month(this, zone), self._month(this + 1, zone)
        left = [(this, (closes - end) / (closes - opened))] if end < closes else []
        left += [(number, 1.0) for number in range(this + 1, (today.year + 1) * 12)]
        past = {
            number: part
            for number in range(this - _MONTHS_BACK, this)
            if (part := self._part(self._span(site, kpi, "month", *self._month_of(number, zone)))) is not None
        }
        done = self._part(so_far)
        found = None if done is None else year_end(done, left, past)
        context = Context(label=so_far.label, unit=so_far.unit, category=so_far.category, between=found)
        value = None if found is None else found[0 if side == "low" else 1]
        return Sample(end, value, so_far.provisional, context)

    def _span(self, site: str, kpi: str, name: str, start: int, end: int) -> KpiValue:
        return self._book.value(site, kpi, Window(name=name, interval=Interval(start, end)))

    def _part(self, value: KpiValue) -> Part | None:
        """A span's part of a year; None for one whose value does not stand."""
        if value.value is None or value.denominator is None or value.usable < self._config.full:
            return None
        return Part(value.value, value.denominator / value.usable)

    def _month_of(self, number: int, zone: str) -> tuple[int, int]:
        return self._month(number, zone), self._month(number + 1, zone)

    def _month(self, number: int, zone: str) -> int:
        """The grid edge at a month's local start."""
        first = date(number // 12, number % 12 + 1, 1)
        return floor_to(day_start(first, zone), self._grid)


def powers_of(rules: Sequence[AlertRule]) -> frozenset[str]:
    """The subsystems whose power rules look at."""
    found = {rule.of for rule in rules if rule.signal == "power"}
    return frozenset(found.union(("total", "it") if any(rule.signal == "expected" for rule in rules) else ()))


def _unknown(signal: str, sample: Sample, *, early: bool) -> bool:
    """Whether nothing is known that could be judged: a window begins before all data, or no model has learnt."""
    if signal == "expected" and sample.context.coverage is None:
        return True
    return early and (signal != "kpi" or sample.value is None)


_OF_KPIS = ("kpi", "coverage", "course", "expected")


def _at(sample: Sample, edge: int) -> Sample:
    """A sample as that of an edge, which it may lag behind."""
    return sample if sample.at == edge else replace(sample, at=edge)
