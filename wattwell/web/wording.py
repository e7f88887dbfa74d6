"""The words in which an explanation of a figure is told, for the command line and the page alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wattwell.intervals import format_duration, from_us, parse_iso, zone_of

Document = Mapping[str, Any]


def number(value: float) -> str:
    """Ten digits, with thousands separators."""
    return f"{value:,.10g}"


def count(many: int, what: str) -> str:
    """``1 reading``, ``2 readings``."""
    plural = f"{what[:-1]}ies" if what.endswith("ry") else f"{what}s"
    return f"{many:,} {what if many == 1 else plural}"


def clock(text: str, zone: str, finest: str = "auto") -> str:
    """A time as the clocks of a zone show it, and their offset: ``2026-10-01 00:00+02:00``.

    ``finest``: ``auto`` or ``seconds``, which leaves out what is below.
    """
    try:
        local = from_us(parse_iso(text)).astimezone(zone_of(zone))
    except OverflowError:  # a device's time at the very end of the calendar
        return text
    return local.isoformat(" ", finest if local.second or local.microsecond else "minutes")


def dial(value: float | None, unit: str) -> str:
    """A dial or an amount with its unit."""
    return "nothing" if value is None else f"{number(value)} {unit}"


def summary(kind: str, document: Document) -> str:
    """An entry of the audit ledger in a line."""
    d = document
    if kind == "configuration":
        meters = sum(len(site["meters"]) for site in d["sites"].values())
        return f"{d['program']}; {count(len(d['sites']), 'site')}, {count(meters, 'meter')}"
    if kind == "event":
        return f"{d['site']}/{d['meter']} {d['event']} at {d['at']}: {number(d['booked'])} {d['unit']} {d['state']}"
    if kind == "correction":
        return f"{d['site']}/{d['meter']} {d['event']} at {d['at']} by {d['author']}: {d['reason']}"
    if kind == "readings":
        files = ", ".join(file["name"] for file in d["files"])
        by = "" if d["author"] is None else f" by {d['author']}"
        return f"{d['site']}: {d['readings']} readings from {files}{by}" + ("" if d["complete"] else ", not complete")
    if kind == "silence":
        return f"{_silence(d)} by {d['author']}: {d['reason']}"
    if kind == "finding":
        until = "" if d["until"] is None else f" until {d['until']}"
        what = f"{d['site']} finding {d['finding']} ({d['family']})"
        return f"{what}: {d['verdict']}{until} by {d['author']}: {d['note']}"
    was = f" (was {d['old_value']})" if "old_value" in d else ""
    return (
        f"{d['site']} {d['label']} {d['start']} to {d['end']}: {d['value']}{was}, revision {d['revision']} "
        f"by {d['author']}: {d['reason']}"
    )


class Telling:
    """Tells one explanation (see ``Queries.explain``), with times in the zone of its site."""

    def __init__(self, found: Document) -> None:
        self.found = found
        self._zone = str(found["local"]["timezone"])

    def at(self, text: str) -> str:
        """A time as the site's clocks show it."""
        return clock(text, self._zone)

    # -- the figure -------------------------------------------------------------------------------------------

    def value(self) -> str:
        """The figure with its unit and mark."""
        figure = self.found["figure"]
        if figure["value"] is None:
            return "no value"
        unit = "" if figure["unit"] == "1" else f" {figure['unit']}"
        return f"{number(figure['value'])}{unit}{' (provisional)' if figure['provisional'] else ''}"

    def window(self) -> str:
        """Which window, from when to when."""
        figure = self.found["figure"]
        named = f"{figure['window'].replace('_', ' ')}, " if figure["window"] else ""
        return f"{named}{self.at(figure['start'])} to {self.at(figure['end'])} ({self._zone})"

    def about(self) -> str:
        """What must stand beside the figure: how much of the window it rests on, category and basis."""
        figure, intervals = self.found["figure"], self.found["intervals"]
        told = [
            f"{intervals['usable']:,} of {count(intervals['all'], 'interval')} usable ({figure['usable']:.1%})",
            f"{figure['coverage']:.1%} measured",
            f"{figure['estimated']:.1%} estimated",
        ]
        if figure["category"] is not None:
            told.append(f"PUE category {figure['category']}")
        if figure["basis"] is not None:
            told.append(f"basis {figure['basis'].replace('_', ' ')}")
        return ", ".join(told)

    def caveats(self) -> Iterator[str]:
        """What holds for all meters below."""
        found = self.found
        if found["peak"]:
            yield f"The highest interval is {self.at(found['peak']['start'])} to {self.at(found['peak']['end'])}."
        if found["hours"]:
            yield (
                f"Whole UTC hours count, those in which every interval has a value: {found['hours']['usable']:,} of "
                f"{count(found['hours']['all'], 'hour')}. In each, on-site renewable energy covers E_DC as far as it "
                "goes, and what is left of E_DC has the carbon-free share of the grid (grid_carbon_free_share)."
            )
        if found["pruned_before"]:
            yield (
                f"Raw readings before {self.at(found['pruned_before'])} have been dropped (raw_retention): "
                "interval values stand for them, and the dials that are left around month starts."
            )
        if found["too_many"]:
            yield (
                f"The window holds {number(found['too_many']['readings'])} readings of these meters, more than are "
                f"followed one by one ({number(found['too_many']['limit'])}): of registers the dials at both ends "
                "are shown, but no gaps and no other readings; ask for a shorter window, such as one of its months."
            )

    def part(self, part: Document) -> str:
        """One summand of a side, besides its amount."""
        if part["kind"] == "certificate":
            return f"certificate {part['name']}, as an even power over its period"
        if part["kind"] == "exported":
            return f"left the site in the interval in which it was made ({part['name']})"
        if part["kind"] == "surplus":
            return f"was above E_DC in its hour ({part['name']})"
        if part["kind"] == "matched":
            return f"covered on site ({part['name']}), counts {number(part['factor'])} times"
        if part["kind"] == "matched_hourly":
            return f"covered on site ({part['name']}), taken off by the factor of each hour"
        if part["kind"] == "length":
            return "length of an interval"
        if part["kind"] == "hourly":
            factor = "" if abs(part["factor"]) == 1 else f"{number(part['factor'])} times "
            return f"{part['name']} ({part['role'] or 'no role'}), counts {factor}by the factor of each hour"
        factor = "" if abs(part["factor"]) == 1 else f", counts {number(part['factor'])} times"
        return f"{part['name']} ({part['role'] or 'no role'}){factor}"

    def blame(self, span: Document) -> str:
        """Why a span does not count."""
        why = [f"no value of {', '.join(span['meters'])}"] if span["meters"] else []
        why += [f"no meter of {name} is in service" for name in span["unserved"]]
        why += [f"the factor {name} has no value for the hour" for name in span["factors"]]
        why += ["its hour is not whole in the window"] if span["cut"] else []
        return "; ".join(why) or "no value"

    def ledger(self) -> Iterator[str]:
        """What pins the figure down."""
        ledger = self.found["ledger"]
        if ledger["issued"] is not None:
            issued = ledger["issued"]
            value = "no value" if issued["value"] is None else number(issued["value"])
            yield f"Issued as revision {issued['revision']} by {issued['author']} ({issued['reason']}): {value}"
        configured = ledger["configuration"]
        if configured is not None:
            yield f"Configuration {configured['version']}, entry {configured['seq']} of {self.at(configured['at'])}"
        yield f"Audit ledger of {count(ledger['entries'], 'entry')}, head {ledger['head']}"

    # -- meters -----------------------------------------------------------------------------------------------

    def kind(self, meter: Document) -> str:
        """What a meter is."""
        kind = "virtual" if meter["virtual"] else f"{meter['accumulation']} in {meter['unit']}"
        return f"{meter['role'] or 'no role'}, {meter['quantity']}, {kind}"

    def whole(self, meter: Document) -> Iterator[str]:
        """A meter's amount and how it is known."""
        if meter["in_service"] is None:
            yield "It is not in service in this window."
            return
        many = count(meter["intervals"]["all"], "interval")
        if meter["amount"] is None:
            yield f"Over the whole window: unknown, for none of {many} has a value."
        else:
            yield (
                f"Over the whole window: {number(meter['amount'])} {meter['value_unit']} in "
                f"{meter['intervals']['with_value']:,} of {many} with a value; {meter['measured']:.1%} measured, "
                f"{meter['estimated']:.1%} estimated, {meter['missing']:.1%} missing."
            )
        if meter["virtual"]:
            signed = (f"{'+' if each['sign'] > 0 else '-'} {each['meter']}" for each in meter["formula"])
            yield f"It is {' '.join(signed).removeprefix('+ ')}, interval by interval."

    def reads(self, dial: Document) -> str:
        """The readings that a dial at an instant lies between; empty where it is itself one."""
        shown = [f"{number(each['value'])} at {self.at(each['at'])}" for each in dial["between"]]
        return "" if len(shown) == 1 else f"between {' and '.join(shown)}"

    def difference(self, meter: Document) -> str:
        """The two dials of a register against each other."""
        dial, unit = meter["dial"], meter["unit"]
        beyond = dial["by_events"]
        told = f"; {beyond:+,.10g} {unit} was counted beyond it, by the events below" if beyond else ""
        return f"a difference of {number(dial['difference'])} {unit} on the dial{told}."

    def readings(self, meter: Document) -> Iterator[str]:
        """How many readings, the first and the last, and what they come to."""
        if meter["virtual"] or meter["in_service"] is None:
            return
        readings, unit = meter["readings"], meter["unit"]
        if meter["last_reading"] is None:
            yield "No accepted reading of this meter is stored: it has not reported yet, or what it sent was refused."
        elif readings is None:
            dropped, many = self.found["pruned_before"], self.found["too_many"]
            yield (
                "Its readings were not followed one by one."
                if many
                else "Its readings in the window have been dropped."
                if dropped
                else "It has no readings."
            )
        elif readings["first"] is None:
            yield "No reading was accepted in the window."
        else:
            ends = " and ".join(
                self._reading(place, each, unit)
                for place, each in (("first", readings["first"]), ("last", readings["last"]))
            )
            yield f"{count(readings['accepted'], 'reading')} accepted in the window, {ends}."
        if readings and readings["refused"]:
            yield f"{count(readings['refused'], 'reading')} refused for the value; the time before still counts."
        if meter["booked"] is not None and meter["last_reading"] is not None:
            yield self._booked(meter)

    def _reading(self, place: str, reading: Document, unit: str) -> str:
        told = f"the {place} {number(reading['value'])} {unit} at {self.at(reading['at'])}"
        arrived = reading["received_at"]
        return told if arrived is None else f"{told}, arrived {clock(arrived, self._zone, 'seconds')}"

    def _booked(self, meter: Document) -> str:
        booked, unit = meter["booked"], meter["value_unit"]
        counted = "" if meter["counted"] is None else f"{number(meter['counted'])} {meter['unit']} counted, "
        parts = [f"{counted}{number(booked['read'])} {unit} after multiplier and sign"]
        if booked["scaled_intervals"]:
            scaled = count(booked["scaled_intervals"], "interval")
            parts.append(f"{booked['scaled']:+,.10g} {unit} by scaling up {scaled} of which at most a tenth is missing")
        if booked["left_out"]:
            parts.append(f"{-booked['left_out']:+,.10g} {unit} read in intervals of which more is missing")
        total = "" if meter["amount"] is None else f" = {number(meter['amount'])} {unit}"
        return f"From the readings: {', '.join(parts)}{total}."

    def factors(self, meter: Document) -> Iterator[str]:
        """What a meter's own unit was multiplied with, if not 1."""
        for factor in meter["factors"]:
            if factor["value"] != 1 or len(meter["factors"]) > 1:
                since = "" if factor["from"] is None else f" from {self.at(factor['from'])}"
                until = "" if factor["to"] is None else f" until {self.at(factor['to'])}"
                yield f"Multiplier x sign is {number(factor['value'])}{since}{until}."

    def notes(self, meter: Document) -> Iterator[str]:
        """What operators entered, and what was rejected."""
        for each in meter["corrections"]:
            yield f"Correction {each['event']} at {self.at(each['at'])} by {each['author']}: {each['reason']}."
        if meter["rejected"]:
            counts = ", ".join(f"{many:,} {reason}" for reason, many in meter["rejected"].items())
            yield f"Rejected readings in the window: {counts}."

    def conflict(self, meter: Document, conflict: Document) -> str:
        """A reading that another one at the same time took the place of."""
        at = "" if conflict["at"] is None else f" at {self.at(conflict['at'])}"
        return f"Conflict{at}: {conflict['value']} {meter['unit']} was overruled by a later arrival."

    def length(self, gap: Document) -> str:
        """How long a gap is."""
        return format_duration(parse_iso(gap["to"]) - parse_iso(gap["from"]))

    def treated(self, gap: Document) -> str:
        """What became of the time of a gap, and why it is one."""
        treated = "recovered, for only its spread is unknown" if gap["treated"] == "recovered" else gap["treated"]
        return f"{treated} ({gap['why']})"


def _silence(d: Document) -> str:
    if d["action"] == "silence":
        return f"{', '.join(f'{k}={v}' for k, v in d['matchers'].items())} silenced {d['from']} to {d['until']}"
    if d["action"] == "expire":
        return f"silence {d['id']} ended at {d['at']}"
    return f"{d['site']} {d['alert']} {d['meter']}".strip() + f" of {d['fired_at']} acknowledged"
