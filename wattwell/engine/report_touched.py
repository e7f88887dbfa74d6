"""Which issued reports must be looked at again, since what they are made of has changed: kept until somebody has.

A change of interval values is noted before the analysis that makes it, and made precise after it, so that a crash in
between is made up for. A change of a site's configuration is found by its digest, when the store is next analysed.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from alerts import documents
from wattwell.config.settings import Config
from wattwell.engine.analyse import Changed
from wattwell.engine.audit import plain, version_of
from wattwell.engine.report_plan import reach
from wattwell.intervals import Interval
from wattwell.store.protocol import DirtySet, ReadingStore

UNSURE = "reports.unsure"
"""The sites whose interval values a pass of the analysis may be changing."""
_KIND = "reports.touched"
_VERSION = 1


def document_of(site: str) -> str:
    """The name of the small document that holds what is touched at a site."""
    return f"{_KIND}/{site}"


class TouchedReports:
    """The issued reports to look at again; one thread analyses, another looks."""

    def __init__(self, config: Config, store: ReadingStore, issued: Callable[[str], Collection[str]]) -> None:
        """``issued`` gives the keys of the reports that were issued of a site."""
        self._config = config
        self._store = store
        self._issued = issued
        self._lock = threading.Lock()
        self._opened = False
        self._touched: dict[str, dict[str, int]] = {}
        """By site and key, the number of the touch: a later one is another reason to look."""
        self._numbers = itertools.count(1)
        self._digests: dict[str, str] = {}
        self._unsure: tuple[str, ...] = ()
        self._reaches: dict[tuple[str, str], Interval] = {}

    # -- keeping up, for who holds the engine's lock ----------------------------------------------------------

    def before(self, dirt: DirtySet) -> None:
        """Before ``dirt`` is analysed: should nobody come to say what has changed, all of it may have."""
        with self._lock:
            self._open()
            named = dict.fromkeys(each.key[0] for each in dirt.meters)
            changing = tuple(site for site in named if site in self._config.sites and self._issued(site))
            missed, self._unsure = self._unsure, changing
            touched = self._touch((site, key) for site in missed for key in self._issued(site))
            if touched or missed != changing:
                self._save(touched)

    def after(self, changed: Sequence[Changed]) -> None:
        """After it: the reports that speak of what has changed."""
        with self._lock:
            touched = self._touch(
                (each.site, key)
                for each in changed
                if each.site in self._config.sites
                for key in self._issued(each.site)
                if self._speaks_of(each, key)
            )
            if touched or self._unsure:
                self._unsure = ()
                self._save(touched)

    def _speaks_of(self, change: Changed, key: str) -> bool:
        asked = (change.site, key)
        if asked not in self._reaches:
            self._reaches[asked] = reach(self._config.sites[change.site], key)
        span = self._reaches[asked]
        return change.start < span.end and change.end > span.start

    # -- looking ----------------------------------------------------------------------------------------------

    def pending(self, site: str) -> Mapping[str, int]:
        """The keys to look at again, oldest touch first, each with the number of its touch."""
        with self._lock:
            self._open()
            return dict(self._touched.get(site, {}))

    def settle(self, site: str, key: str, number: int) -> None:
        """Notes that somebody has looked at a report since the touch of that number; a later touch stays."""
        with self._lock:
            touched = self._touched.get(site, {})
            if touched.get(key) == number:
                del touched[key]
                self._save([site])

    # -- what is stored ---------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._opened:
            return
        self._opened = True
        self._unsure = tuple(json.loads(self._store.load_state(UNSURE) or "[]"))
        changed = []
        for site in self._config.sites.values():
            text = self._store.load_state(document_of(site.id))
            digest, keys = ("", ()) if text is None else documents.read(text, _KIND, _VERSION, _parse)
            shown = {"site": plain(site), "grid": self._config.grid, "full": self._config.full}
            self._digests[site.id] = version_of(shown | {"provisional": self._config.provisional})
            issued = self._issued(site.id)
            self._touch((site.id, key) for key in keys if key in issued)
            if digest != self._digests[site.id]:
                self._touch((site.id, key) for key in issued)
                changed.append(site.id)
        self._unsure = tuple(site for site in self._unsure if site in self._config.sites)
        if changed:
            self._save(changed)

    def _touch(self, found: Iterable[tuple[str, str]]) -> list[str]:
        """Notes a touch of each; the sites concerned."""
        sites = dict[str, None]()
        for site, key in found:
            self._touched.setdefault(site, {})[key] = next(self._numbers)
            sites[site] = None
        return list(sites)

    def _save(self, sites: Iterable[str]) -> None:
        saved = {UNSURE: json.dumps(self._unsure)}
        for site in sites:
            content = {"configuration": self._digests[site], "keys": list(self._touched.get(site, ()))}
            saved[document_of(site)] = documents.write(_KIND, _VERSION, content)
        self._store.save_states(saved)


def _parse(document: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    configuration, keys = document["configuration"], document["keys"]
    if not isinstance(configuration, str) or not isinstance(keys, list):
        raise TypeError("configuration and keys are no text and list")
    return configuration, tuple(map(str, keys))
