"""A KPI value taken back to its meters, readings, gaps, events and factors, as one document.

The parts of numerator and denominator add up to them; each meter's amount follows from its readings; and the head of
the audit ledger and the configuration in force pin the number down.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from analytics.balance import inputs, lay_out
from analytics.evaluate import Window
from analytics.explain import SYMBOLS, Blame, Breakdown, Term, symbols
from analytics.kpi import KPIS
from analytics.trail import Booked, DialAt, Gap
from analytics.windows import hours_within
from wattwell.engine import shapes
from wattwell.engine.audit import in_force
from wattwell.engine.dials import dials_at_ends
from wattwell.engine.queries import Document
from wattwell.engine.spans import ROLLING, parse_time, windows
from wattwell.engine.trace import Followed, follow, served
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, Interval, ceil_to, from_us, iso, parse_iso, starts, zone_of
from wattwell.ledger import GENESIS
from wattwell.model import Accumulation, Correction, KpiValue, Meter, MeterEvent, MeterKey, Reject, Site
from wattwell.store.protocol import ReadingStore

_STRETCH = 31 * DAY
"""Intervals laid out at once."""
MOST_READINGS = 40_000_000
"""So many are followed for one figure: 500 meters that report every minute over a month are 22 million, 5 seconds."""
_FAR = 2**61
_UNITS = {
    "hours": "h",
    **dict.fromkeys(("water", "source_water", "water_total", "water_reused", "water_recovered"), "L"),
    **dict.fromkeys(("carbon_location", "carbon_market"), "kg"),
    **dict.fromkeys(("import_mean", "import_peak"), "kW"),
}
"""Of quantities that are not kWh."""


def window_of(
    site: Site, name: str | None, at: str | None, span: tuple[str | None, str | None], live: int, grid: int
) -> Window:
    """The one window asked for: the calendar window that holds ``at``, or the rolling one that ends there.

    ``span`` is (from, to) and needs no name. UsageError for what names no window, or two.
    """
    start, end = (None if text is None else parse_time(text, site.zone) for text in span)
    if name is None:
        if at is not None:
            raise UsageError("--at needs --window: without it the value is that of [--from, --to)")
        return next(windows(site, None, start, end, live, grid))
    if start is not None or end is not None:
        raise UsageError("--from and --to stand alone: with --window, say which one by --at")
    until = None if at is None else parse_time(at, site.zone)
    if until is not None and name not in (*ROLLING, "ytd"):
        until += grid
    return next(windows(site, name, None, until, live, grid))


def take_apart(
    store: ReadingStore, site: Site, kpi: str, window: Interval, grid: int, stretch: int = _STRETCH
) -> Breakdown | None:
    """What a KPI's sides are made of over a window; None where the site lacks an input.

    ``stretch``: the span whose intervals are held at once; it ends with an hour.
    """
    if KPIS[kpi].missing(inputs(site)):
        return None
    made = Breakdown(site, KPIS[kpi], grid)
    high = window.start
    while high < window.end:
        low, high = high, min(ceil_to(high + stretch, HOUR), window.end)
        found = store.intervals(site.id, made.stored, low, high)
        made.add(lay_out(site, found, made.every, starts(low, high, grid), grid))
        for place, meter in enumerate(found.meters):
            made.recovered[meter] += int(found.values.recovered[found.meter == place].sum())
    return made


def explain(
    store: ReadingStore,
    site: Site,
    value: KpiValue,
    made: Breakdown | None,
    grid: int,
    issued: Document | None,
    most: int = MOST_READINGS,
) -> Document:
    """One KPI value, taken apart, as a document; ``issued`` is its entry in the audit ledger, if it has one.

    ``most``: so many readings are followed one by one; where there are more, the dials at both ends are shown alone.
    """
    window = value.interval
    document: Document = {
        "figure": shapes.kpi_document(value),
        "local": {"timezone": site.zone} | {n: _local(getattr(window, n), site.zone) for n in ("start", "end")},
        "formula": None,
        "numerator": None,
        "denominator": None,
        "peak": None,
        "hours": None,
        "intervals": {"all": window.width // grid, "usable": 0, "grid_seconds": grid / 1e6},
        "unusable": [],
        "meters": [],
        "pruned_before": iso(store.pruned()) if window.start < store.pruned() else None,
        "too_many": None,
        "ledger": _pinned(store, issued),
    }
    if made is None:
        return document
    above, below = made.terms(made.numerator), made.terms(made.denominator)
    meters = _Meters(store, made, window, most)
    document |= {
        "formula": {
            "symbols": symbols(made.kpi, made.numerator, made.denominator),
            "numbers": _numbers(value, above, below),
        },
        "numerator": _side(site, above, value.numerator),
        "denominator": _side(site, below, value.denominator),
        "unusable": [_blame(blame, grid) for blame in made.blames],
        "meters": meters.documents(),
        "too_many": None if meters.too_many is None else {"readings": meters.too_many, "limit": most},
    }
    document["intervals"]["usable"] = made.usable
    if made.kpi.hourly:
        document["hours"] = {"all": hours_within(window).width // HOUR, "usable": made.usable * grid // HOUR}
    if made.peak_at is not None:
        document["peak"] = {"start": iso(made.peak_at), "end": iso(made.peak_at + grid)}
    return document


# -- the figure -----------------------------------------------------------------------------------------------------


def _side(site: Site, terms: Sequence[Term], value: float | None) -> Document:
    """A side with its terms; ``limit`` is what a cap took away, 0 for nearly all."""
    total = _total(terms)
    limit = 0.0 if value is None else value - total
    scale = math.fsum(abs(amount) for term in terms for _, amount in term.parts)
    if abs(limit) <= 1e-9 * scale:
        limit = 0.0
    unit = _UNITS.get(terms[0].quantity, "kWh")
    return {
        "value": value,
        "unit": unit,
        "sum": None if value is None else total,
        "limit": limit,
        "terms": [_term(site, term) for term in terms],
    }


def _term(site: Site, term: Term) -> Document:
    parts = []
    for part, amount in term.parts:
        role = site.meters[part.name].role if part.kind in ("meter", "hourly") else None
        signed = term.sign * amount
        parts.append(
            {"kind": part.kind, "name": part.name, "role": role, "factor": term.sign * part.factor, "amount": signed}
        )
    symbol = SYMBOLS[term.quantity]
    return {"quantity": term.quantity, "symbol": symbol, "sign": term.sign, "amount": term.amount, "parts": parts}


def _numbers(value: KpiValue, numerator: Sequence[Term], denominator: Sequence[Term]) -> str | None:
    """The formula with its numbers in it."""
    if value.numerator is None or value.denominator is None:
        return None
    sides = []
    for terms, total in ((numerator, value.numerator), (denominator, value.denominator)):
        plain = " ".join(f"{'+' if term.sign > 0 else '-'} {term.amount:,.10g}" for term in terms).removeprefix("+ ")
        limit = "" if math.isclose(_total(terms), total, rel_tol=1e-9, abs_tol=1e-9) else " at most"
        sides.append(f"({plain} ={limit} {total:,.10g})" if len(terms) > 1 or limit else f"{total:,.10g}")
    result = "no value" if value.value is None else f"{value.value:,.10g}"
    return f"{sides[0]} / {sides[1]} = {result}"


def _total(terms: Sequence[Term]) -> float:
    return math.fsum(term.sign * term.amount for term in terms)


def _blame(blame: Blame, grid: int) -> Document:
    return {
        "from": iso(blame.start),
        "to": iso(blame.end),
        "intervals": (blame.end - blame.start) // grid,
        "meters": list(blame.meters),
        "unserved": [SYMBOLS[name] for name in blame.unserved],
        "factors": list(blame.factors),
        "cut": blame.cut,
    }


def _pinned(store: ReadingStore, issued: Document | None) -> Document:
    """What pins the number down: the ledger's head, the configuration in force, and the revision that was issued."""
    head, configured = next(iter(store.audit(None, 1)), None), in_force(store)
    return {
        "head": GENESIS if head is None else head.hash,
        "entries": 0 if head is None else head.seq,
        "configuration": None
        if configured is None
        else {
            "version": hashlib.sha256(configured.document.encode()).hexdigest(),
            "seq": configured.seq,
            "at": iso(configured.at),
        },
        "issued": None if issued is None else {n: issued[n] for n in ("revision", "value", "author", "reason")},
    }


def _local(at: int, zone: str) -> str:
    return from_us(at).astimezone(zone_of(zone)).isoformat()


# -- meters ---------------------------------------------------------------------------------------------------------


def _too_many(store: ReadingStore, meters: Sequence[Meter], window: Interval, most: int) -> int | None:
    """How many readings of these meters lie in a window, if more than ``most``."""
    if store.count_readings(window.start, window.end) <= most:
        return None
    keys = {(meter.site, meter.id) for meter in meters}
    counts = store.count_by_meter(window.start, window.end, _FAR)
    count = sum(each for (key, _), each in counts.items() if key in keys)
    return count if count > most else None


class _Meters:
    """The documents of the meters behind a figure."""

    def __init__(self, store: ReadingStore, made: Breakdown, window: Interval, most: int) -> None:
        self._store = store
        self._made = made
        self._site = made.site
        self._window = window
        self._real = [made.site.meters[meter] for meter in made.stored]
        self._raw = window.start >= store.pruned()
        self.too_many = _too_many(store, self._real, window, most) if self._raw else None
        """How many readings the window holds, where they are more than are followed."""
        self._events = store.events(made.site.id, None, window.start, window.end)
        self._held = [event for event in self._events if event.state != "withdrawn"]
        self._last = store.last_readings()
        self._until: dict[str, int] = {}
        """Until when events concern a register: the reading that ends what spans the window's end."""
        self._corrections = [each for each in store.corrections() if each.site == made.site.id]

    def documents(self) -> list[Document]:
        """One for each meter: virtual ones before their members."""
        real = self._followed() if self._raw and self.too_many is None else self._unfollowed()
        self._say_arrivals(real)
        rejects: dict[str, list[Reject]] = {}
        for reject in self._store.rejects_within(self._site.id, self._window.start, self._window.end):
            rejects.setdefault(reject.meter or "", []).append(reject)
        later = self._store.events(
            self._site.id, None, self._window.end, max(self._until.values(), default=self._window.end)
        )
        found = []
        for name in self._made.meters:
            meter = self._site.meters[name]
            document = self._common(meter)
            if meter.virtual:
                document["formula"] = [{"meter": member, "sign": sign} for sign, member in meter.formula]
            else:
                document |= self._measured(meter) | real.get(name, _UNSERVED)
                document |= self._entered(meter, later) | _rejected(rejects.get(name, ()))
            found.append(document)
        return found

    def _common(self, meter: Meter) -> Document:
        stats = self._made.stats[meter.id]
        span = served(meter, self._window, self._made.grid)
        count, measured = stats.intervals, math.fsum(stats.measured)
        return {
            "meter": meter.id,
            "role": meter.role,
            "virtual": meter.virtual,
            "quantity": meter.quantity.value,
            "unit": meter.unit,
            "value_unit": shapes.value_unit(meter),
            "in_service": None if span is None else {"from": iso(span.start), "to": iso(span.end)},
            "amount": math.fsum(stats.amounts) if stats.known else None,
            "intervals": {"all": count, "with_value": stats.known},
            "measured": measured / count if count else 0.0,
            "estimated": (stats.known - measured) / count if count else 0.0,
            "missing": (count - stats.known) / count if count else 0.0,
        }

    def _measured(self, meter: Meter) -> Document:
        """What only a real meter has."""
        last, factors = self._last.get((meter.site, meter.id)), []
        for place, (since, factor) in enumerate(meter.factors):
            until = meter.factors[place + 1][0] if place + 1 < len(meter.factors) else _FAR
            if since < self._window.end and until > self._window.start:
                factors.append({"from": _instant(since), "to": _instant(until), "value": factor})
        return {
            "accumulation": meter.accumulation.value,
            "equipment": meter.equipment,
            "last_reading": None if last is None else iso(last),
            "recovered_intervals": self._made.recovered[meter.id],
            "factors": factors,
        }

    # -- with readings ----------------------------------------------------------------------------------------

    def _followed(self) -> dict[str, Document]:
        found = {}
        for meter, followed in follow(
            self._store, self._real, self._window, self._made.grid, self._held, self._corrections
        ):
            trail = followed.trail
            found[meter.id] = {
                "readings": {
                    "accepted": trail.count,
                    "refused": trail.refused,
                    "first": _reading(trail.first),
                    "last": _reading(trail.last),
                },
                "dial": None if trail.dial is None else _dials(*trail.dial, trail.counted),
                "counted": None if meter.accumulation is Accumulation.INSTANTANEOUS else trail.counted,
                "booked": _booked(trail.booked(*followed.stored)),
                "gaps": [self._gap(meter, followed, gap) for gap in trail.gaps],
            }
            if trail.dial is not None:
                self._until[meter.id] = max(self._window.end, trail.dial[1].after[0] + 1)
        return found

    def _entered(self, meter: Meter, later: Sequence[MeterEvent]) -> Document:
        """Events and corrections that concern the window; what spans its end ends with a ``later`` event."""
        start, end = self._window.start, self._until.get(meter.id, self._window.end)
        events = [each for each in (*self._events, *later) if each.meter == meter.id and each.at < end]
        corrections = [each for each in self._corrections if each.meter == meter.id and start <= each.at < end]
        return {
            "events": [shapes.event_document(event) for event in events],
            "corrections": [_correction(correction) for correction in corrections],
        }

    def _gap(self, meter: Meter, followed: Followed, gap: Gap) -> Document:
        """A gap and why it is one: the event whose reading ends it, or where in the stream it lies."""
        ending = next((e for e in self._held if e.meter == meter.id and e.at == gap.end), None)
        last = self._last.get((self._site.id, meter.id))
        why = "no readings"
        if ending is not None:
            why = f"{ending.event} {ending.state}"
        elif last is None:
            why = "no accepted reading of this meter is stored"
        elif last <= gap.start:
            why = "after the last reading"
        elif followed.fresh and gap == followed.trail.gaps[0] and gap.treated == "missing":
            why = "before the first reading"
        return {"from": iso(gap.start), "to": iso(gap.end), "treated": gap.treated, "why": why}

    # -- without them -----------------------------------------------------------------------------------------

    def _unfollowed(self) -> dict[str, Document]:
        """Readings have been dropped or are too many: the dials at the ends of the window stand for them.

        Of a register the readings around month starts are never dropped.
        """
        near = self._store.events(self._site.id, None, self._window.start - 31 * DAY, self._window.end + 31 * DAY)
        false: dict[MeterKey, list[int]] = {}
        for event in near:
            if event.event == "transient" and event.state != "withdrawn":
                false.setdefault((event.site, event.meter), []).append(event.at)
        registers = [meter for meter in self._real if meter.accumulation is Accumulation.REGISTER]
        spans = {
            (meter.site, meter.id): span
            for meter in registers
            if (span := served(meter, self._window, self._made.grid)) is not None
        }
        found = dict.fromkeys((meter.id for meter in self._real), _UNSERVED)
        for (_, name), (start, end) in dials_at_ends(self._store, spans, false).items():
            found[name] = _UNSERVED | {"dial": _dials(start, end, None)}
            self._until[name] = max(self._window.end, end.after[0] + 1)
        return found

    def _say_arrivals(self, documents: Mapping[str, Document]) -> None:
        """Says of the first and the last reading of each meter when they arrived."""
        site = self._site.id
        shown = [
            ((site, name), reading)
            for name, document in documents.items()
            if document["readings"] is not None
            for reading in (document["readings"]["first"], document["readings"]["last"])
            if reading is not None
        ]
        arrived = self._store.arrivals([(key, parse_iso(reading["at"])) for key, reading in shown])
        for key, reading in shown:
            at = arrived.get((key, parse_iso(reading["at"])))
            reading["received_at"] = None if at is None else iso(at)


def _reading(point: tuple[int, float] | None) -> Document | None:
    return None if point is None else {"at": iso(point[0]), "value": point[1], "received_at": None}


def _dials(start: DialAt, end: DialAt, counted: float | None) -> Document:
    """Both ends of a register; ``by_events`` is what was counted beyond the difference: see METERING."""
    difference = end.value - start.value
    beyond = None if counted is None else counted - difference
    if beyond is not None and abs(beyond) <= 1e-9 * max(abs(start.value), abs(end.value)):
        beyond = 0.0
    return {"start": _shown(start), "end": _shown(end), "difference": difference, "by_events": beyond}


def _shown(dial: DialAt) -> Document:
    between = [{"at": iso(at), "value": value} for at, value in dict.fromkeys((dial.before, dial.after))]
    exact = [each for each in between if each["at"] == iso(dial.at)]
    return {"at": iso(dial.at), "value": dial.value, "between": exact or between}


def _booked(booked: Booked) -> Document:
    return {
        "read": booked.read,
        "scaled": booked.scaled,
        "scaled_intervals": booked.scaled_intervals,
        "left_out": booked.left_out,
    }


def _correction(correction: Correction) -> Document:
    names = ("event", "final", "first", "author", "reason")
    return {"at": iso(correction.at)} | {name: getattr(correction, name) for name in names}


def _rejected(rejects: Sequence[Reject]) -> Document:
    conflicts = [
        {"at": None if each.at is None else iso(each.at), "value": each.value}
        for each in rejects
        if each.reason == "conflict"
    ]
    counts = Counter(each.reason for each in rejects if each.reason != "conflict")
    return {"rejected": dict(sorted(counts.items())), "conflicts": conflicts}


def _instant(at: int) -> str | None:
    return None if abs(at) >= _FAR else iso(at)


_UNSERVED: Document = {"readings": None, "dial": None, "counted": None, "booked": None, "gaps": []}
"""What is said of a meter whose readings are not followed."""
