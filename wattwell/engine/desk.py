"""The alert desk: silences and acknowledgements, entered by people and kept in the audit ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from alerts.silences import (
    KIND,
    acknowledgement_document,
    expiry_document,
    maintenance_matchers,
    silence_document,
)
from wattwell.config.settings import Config
from wattwell.engine.queries import Document
from wattwell.engine.spans import parse_time
from wattwell.engine.watch import AlertWatch
from wattwell.errors import UsageError
from wattwell.intervals import iso, parse_duration
from wattwell.store.protocol import ReadingStore

_ENDED_SHOWN = 50
"""Silences that are over and still listed, the latest ones."""


class AlertDesk:
    """Takes in and lists what people say about alerts; safe to ask from several threads."""

    def __init__(self, config: Config, store: ReadingStore, watch: AlertWatch, clock: Callable[[], int]) -> None:
        self._config = config
        self._store = store
        self._watch = watch
        self._clock = clock
        self._lock = threading.Lock()

    def silence(
        self,
        site: str | None,
        matchers: Mapping[str, str],
        start: str | None,
        end: str | None,
        lasts: str | None,
        author: str,
        reason: str,
    ) -> Document:
        """Silences the alerts with these labels, of a site or (None) of all; UsageError for bad input.

        From ``start`` (None: now) until ``end``, or for ``lasts``, a duration.
        """
        if site is not None and site not in self._config.sites:
            raise UsageError(f"site {site!r} is not configured; known: {', '.join(self._config.sites)}")
        labels = {**({} if site is None else {"site": site}), **matchers}
        if not labels:
            raise UsageError("a silence of everything is not possible: name a site, an alert or a label")
        now, zone = self._clock(), "UTC" if site is None else self._config.sites[site].zone
        first = now if start is None else parse_time(start, zone)
        last = first + _duration(lasts) if lasts is not None else None if end is None else parse_time(end, zone)
        if last is None or (end is not None and lasts is not None):
            raise UsageError("say how long: either --for 4h or --until a time")
        if last <= max(first, now):
            raise UsageError(f"the silence would be over already: it ends at {iso(last)}; name a later end")
        with self._lock:
            number = self._enter(silence_document(labels, first, last, author, reason))
            return self._watch.silences.silences[number].to_json(now)

    def maintenance(self, site: str, start: str, end: str, equipment: str | None, author: str, reason: str) -> Document:
        """Enters a maintenance window, which may lie in the past; UsageError for bad input."""
        if site not in self._config.sites:
            raise UsageError(f"site {site!r} is not configured; known: {', '.join(self._config.sites)}")
        chosen = self._config.sites[site]
        known = sorted({meter.equipment for meter in chosen.meters.values() if meter.equipment is not None})
        if equipment is not None and equipment not in known:
            raise UsageError(f"no meter of {site} has the equipment {equipment!r}; known: {', '.join(known) or 'none'}")
        first, last = parse_time(start, chosen.zone), parse_time(end, chosen.zone)
        if last <= first:
            raise UsageError(f"the window is empty: --from {start} must be before --to {end}")
        with self._lock:
            number = self._enter(silence_document(maintenance_matchers(site, equipment), first, last, author, reason))
            return self._watch.silences.silences[number].to_json(self._clock())

    def receivers(self) -> list[Document]:
        """Each receiver of notifications: receiver, waiting, delivered, lost, error (why the last attempt failed)."""
        return [
            {
                "receiver": name,
                "waiting": len(queue.waiting),
                "delivered": queue.delivered,
                "lost": queue.lost + queue.refused,
                "error": queue.error,
            }
            for name, queue in self._watch.receivers().items()
        ]

    def expire(self, number: int, author: str, reason: str) -> Document:
        """Ends a silence now; UsageError where there is none of that number that has still to end."""
        with self._lock:
            now, found = self._clock(), self._watch.silences.silences.get(number)
            if found is None or found.end <= now:
                raise UsageError(f"no silence {number} is in force or to come; see `wattwell silences`")
            self._enter(expiry_document(number, now, author, reason))
            return self._watch.silences.silences[number].to_json(now)

    def acknowledge(self, site: str | None, name: str, meter: str, author: str, reason: str) -> Document:
        """Notes who has an open alert in hand; UsageError where no such alert is open."""
        with self._lock:
            opened = self._watch.board.site(site or "").open.values()
            found = next((each for each in opened if (each.name, each.meter) == (name, meter)), None)
            if found is None:
                names = ", ".join(f"{each.name} {each.meter}".strip() for each in opened)
                what = f"{name} {meter}".strip()
                raise UsageError(f"no alert {what} is open{f' on {site}' if site else ''}; open: {names or 'none'}")
            alert = (site or "", name, meter, found.fired_at)
            self._enter(acknowledgement_document(alert, self._clock(), author, reason))
            known = self._watch.silences.acknowledged[alert]
            return {
                "site": site,
                "name": name,
                "meter": meter or None,
                "fired_at": iso(found.fired_at),
                **known.to_json(),
            }

    def silences(self) -> list[Document]:
        """Those in force and to come, then the latest that are over; the one that ends last comes first."""
        now = self._clock()
        known = sorted(self._watch.silences.all, key=lambda each: (each.end, each.id), reverse=True)
        ahead = [each.to_json(now) for each in known if each.end > now]
        return ahead + [each.to_json(now) for each in known if each.end <= now][:_ENDED_SHOWN]

    def _enter(self, document: Mapping[str, Any]) -> int:
        entries = self._store.append_audit([(KIND, document)])
        self._watch.heed(entries)
        return entries[0].seq


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
