"""Findings: a detector advances along the data, what it finds is kept in the store, and the desk answers for it.

What is found of a site is two documents, what is open and what has closed, stored together with the detector's own
state: a crash neither loses nor repeats a finding. What operators say of one is laid over it when it is shown.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from alerts import documents
from analytics.anomaly.quality import Model
from wattwell.config.settings import Config
from wattwell.engine import feedback
from wattwell.engine.analyse import Changed
from wattwell.engine.finding_shapes import (
    course_document,
    finding_document,
    finding_from_json,
    finding_to_json,
    watts_of,
)
from wattwell.engine.queries import Document
from wattwell.engine.spans import parse_time
from wattwell.errors import StoreError, UnknownError, UsageError
from wattwell.finding import FINDING_STATES, Feedback, Finding
from wattwell.intervals import HOUR, floor_to, iso
from wattwell.model import Float64, Maintenance, Meter, Site
from wattwell.store.protocol import DirtySet, ReadingStore

_log = logging.getLogger(__name__)
VERSION = 1
"""Of the documents."""
CLOSED_KEPT = 1000
"""Closed findings kept for each site, the latest ones."""
_NAMED = 5
"""Names of what was not judged, for each reason."""
_LONGEST_WAIT = HOUR
"""A meter that reports less often than this holds up no detector: what it says late is a change of the past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a detector goes by beside interval values."""

    state: str | None
    """Its own, as it left it; None where it begins, or where it must begin anew."""
    findings: tuple[Finding, ...]
    """On record, as detectors made them: open and closed, without what operators said."""
    feedback: tuple[Feedback, ...]
    """Known or dismissed: the same thing (family and equipment) is not found again while it holds."""
    maintenance: tuple[Maintenance, ...]
    """Intervals in these windows are neither learnt from nor judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What became of a site in one advance."""

    state: str
    """For the next one: the detector's own text."""
    findings: tuple[Finding, ...] = ()
    """New ones, and those that differ from the record; status open or closed."""
    withdrawn: tuple[str, ...] = ()
    """Ids on record that changed data have disproved."""
    unjudged: Mapping[str, str] = field(default_factory=dict)
    """By name of what is watched, why it could not be judged of late."""
    models: tuple[Model, ...] = ()
    """What is expected of each of them, and how well."""


class Detector(Protocol):
    """Finds what wastes energy or water at a site. It reads interval values by itself, and stores nothing."""

    def cold(self, site: Site, until: int, since_changed: int | None, known: Known) -> bool:
        """Whether an advance would take seconds, since it must begin where the data do."""

    def advance(self, site: Site, until: int, since_changed: int | None, known: Known) -> Advance | None:
        """Looks at the intervals before ``until``, a grid edge, that it has not seen; None where nothing came of it.

        Those from ``since_changed`` on have other values than when it saw them. Nothing at or after ``until`` may be
        read, so that history that is filled in gives what would have been found live.
        """


class Expectations(Protocol):
    """What a site should draw, from its own healthy history."""

    def overhead(self, site: Site, start: int, end: int) -> Float64 | None:
        """kWh beside the IT load on each grid interval in ``[start, end)``, given its IT load and weather; NaN where
        nothing can be expected; None where no model has learnt. Of models that were known at ``end``."""


@dataclass(frozen=True, slots=True)
class _Record:
    """The findings of one site, as detectors made them."""

    at: int | None = None
    """The edge up to which the data were looked at."""
    open: Mapping[str, Finding] = field(default_factory=dict)
    closed: Mapping[str, Finding] = field(default_factory=dict)
    unjudged: Mapping[str, str] = field(default_factory=dict)
    models: tuple[Model, ...] = ()

    def all(self) -> tuple[Finding, ...]:
        return (*self.open.values(), *self.closed.values())

    def after(self, at: int, came: Advance) -> _Record:
        """With what an advance brought; a finding that is the same stays where it is."""
        gone = {*came.withdrawn, *(finding.id for finding in came.findings)}
        opened = {key: each for key, each in self.open.items() if key not in gone}
        closed = {key: each for key, each in self.closed.items() if key not in gone}
        for finding in came.findings:
            (opened if finding.end is None else closed)[finding.id] = finding
        surplus = max(len(closed) - CLOSED_KEPT, 0)
        for key in sorted(closed, key=lambda key: closed[key].end or 0)[:surplus]:
            del closed[key]
        past = self.closed if closed == self.closed else closed
        return _Record(at, opened, past, came.unjudged, came.models)


@dataclass(frozen=True, slots=True)
class Excess:
    """The open findings of one family at a site."""

    count: int
    kilowatts: float
    """Drawn beyond what is expected; what only wastes water, or is not known in power, adds nothing."""
    title: str
    """Of the one that costs most; empty where none is open."""


class FindingsDesk:
    """Keeps the findings of every site and answers for them; one thread steps, any may ask."""

    def __init__(
        self,
        config: Config,
        store: ReadingStore,
        detector: Detector | None,
        maintenance: Callable[[str], tuple[Maintenance, ...]],
        clock: Callable[[], int],
    ) -> None:
        """``detector``: None where nobody looks for findings; ``maintenance``: the windows of a site."""
        self._config = config
        self._store = store
        self._detector = detector
        self._maintenance = maintenance
        self._clock = clock
        self._lock = threading.Lock()
        self._verdicts = feedback.read(store.audit(feedback.KIND))
        self._records = {site: _load(store, site) for site in config.sites}
        self._noted = {site: due for site in config.sites if (due := store.load_state(_due_name(site)))}
        self._due = {site: int(due) for site, due in self._noted.items()}
        self._cold: dict[str, int] = {}
        self._retry: dict[str, int] = {}
        self.faults: Mapping[str, str] = {}
        """By site: why nobody looks for findings there just now."""

    # -- keeping up -------------------------------------------------------------------------------------------

    def expect(self, dirt: DirtySet) -> None:
        """Before ``dirt`` is analysed: should nobody come to say what has changed, all of it may have."""
        self._note({each.key[0]: 0 for each in dirt.meters if self._seen(each.key[0], each.low)})

    def _seen(self, site: str, at: int) -> bool:
        """Whether an instant was looked at already."""
        seen = self._records[site].at if site in self._records else None
        return seen is not None and at < seen

    def step(self, changed: Sequence[Changed] = (), *, cold: bool = True) -> None:
        """Has the detector look at every site whose data have come further, or have changed.

        ``cold``: also where that takes seconds for a site; else these wait for :meth:`catch_up`.
        """
        for each in changed:
            self._due[each.site] = min(each.start, self._due.get(each.site, each.start))
        if self._detector is not None:
            last: dict[str, int] = {}
            for (name, _), at in self._store.last_readings().items():
                last[name] = max(at, last.get(name, at))
            for name in self._config.sites:
                if name in last:
                    self._look(self._detector, name, last[name], cold=cold)
        # Whoever looks next must know, be it after a restart.
        self._note({site: due for site, due in self._due.items() if self._seen(site, due)})

    def catch_up(self) -> None:
        """Looks at one of the sites that wait."""
        if self._detector is not None and self._cold:
            site = next(iter(self._cold))
            self._look(self._detector, site, self._cold[site], cold=True)

    @property
    def waiting(self) -> int:
        """How many sites wait for :meth:`catch_up`."""
        return len(self._cold)

    def _note(self, due: Mapping[str, int]) -> None:
        """Stores from when on the data of sites have changed that were looked at before."""
        new = {site: str(at) for site, at in due.items() if self._noted.get(site) != str(at)}
        if new:
            self._store.save_states({_due_name(site): at for site, at in new.items()})
            self._noted |= new

    def _look(self, detector: Detector, name: str, last: int, *, cold: bool) -> None:
        site, before, now = self._config.sites[name], self._records[name], self._clock()
        until = floor_to(min(last, now - wait_for(site.meters.values(), now)), self._config.grid)
        until = until if before.at is None else max(until, before.at)
        earliest = self._due.get(name)
        # What has changed at the edge or after it was not looked at yet.
        since = earliest if earliest is not None and before.at is not None and earliest < before.at else None
        self._cold.pop(name, None)
        if (until == before.at and since is None) or now < self._retry.get(name, now):
            return
        known = Known(
            state=self._store.load_state(_state_name(name)),
            findings=before.all(),
            feedback=self._verdicts.in_force(name),
            maintenance=self._maintenance(name),
        )
        if not cold and detector.cold(site, until, since, known):
            self._cold[name] = last
            return
        try:
            came = detector.advance(site, until, since, known)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this site alone; it is told below
            told = f"looking for findings at {name} failed ({type(error).__name__}: {error})"
            _log.exception("%s; everything else goes on, and it is tried again in an hour", told)
            self.faults = {**self.faults, name: told}
            self._retry[name] = now + HOUR
            return
        self._keep(name, until, before, came)

    def _keep(self, site: str, until: int, before: _Record, came: Advance | None) -> None:
        # One of which nothing came is asked again after a restart, from where its state was stored.
        after = replace(before, at=until) if came is None else before.after(until, came)
        kept = {} if came is None else {**_documents(site, after, before), _state_name(site): came.state}
        kept |= {_due_name(site): ""} if site in self._noted else {}
        if kept:
            self._store.save_states(kept)
        self._noted.pop(site, None)
        self._records[site] = after
        self._due.pop(site, None)
        self._retry.pop(site, None)
        if site in self.faults:
            _log.info("findings at %s are looked for again", site)
            self.faults = {name: told for name, told in self.faults.items() if name != site}

    # -- answers ----------------------------------------------------------------------------------------------

    def findings(
        self,
        site: str | None = None,
        start: str | None = None,
        end: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Document]:
        """See :class:`~wattwell.engine.queries.Queries`."""
        if status is not None and status not in FINDING_STATES:
            raise UsageError(f"status {status!r} is not known; use one of {', '.join(FINDING_STATES)}")
        if limit is not None and limit < 1:
            raise UsageError(f"limit {limit} is too small; write 1 or more")
        found: list[Finding] = []
        for chosen in self._chosen(site):
            low = None if start is None else parse_time(start, chosen.zone)
            high = self._clock() if end is None else parse_time(end, chosen.zone)
            found += [
                each
                for each in self._shown(chosen.id)
                if each.start < high and (low is None or each.end is None or each.end > low)
            ]
        ranked = sorted((each for each in found if status in (None, each.status)), key=_rank)
        return [self._document(each) for each in ranked[:limit]]

    def finding(self, id: str) -> Document:
        """One finding with its course and what was said of it; UnknownError for one that is not known."""
        finding = self._find(id)
        return self._document(finding) | {
            "course": [course_document(each) for each in finding.course],
            "history": self._history(finding),
        }

    def judge(self, id: str, verdict: str, author: str, note: str, until: str | None = None) -> Document:
        """Enters what an operator says of a finding: a word of ``feedback.VERDICTS``; UsageError for bad input."""
        if verdict not in feedback.VERDICTS:
            raise UsageError(f"verdict {verdict!r} is not known; use one of {', '.join(feedback.VERDICTS)}")
        finding, status = self._find(id), feedback.VERDICTS[verdict]
        last = None if until is None else parse_time(until, self._config.sites[finding.site].zone)
        if last is not None and status == feedback.OPEN:
            raise UsageError("what is open again has no end; leave --until out")
        if last is not None and last <= self._clock():
            raise UsageError(f"the verdict would be over already: it ends at {iso(last)}; name a later end")
        with self._lock:
            entered = feedback.verdict_document(finding, status, last, author, note)
            entries = self._store.append_audit([(feedback.KIND, entered)])
            self._verdicts = feedback.read(entries, self._verdicts)
        return self._document(self._find(id))

    def unjudged(self, site: str) -> str | None:
        """What could not be judged in the last day of data, by reason; None where nobody looked, or all was judged."""
        by_reason: dict[str, list[str]] = {}
        for name, why in self._records[site].unjudged.items():
            by_reason.setdefault(why, []).append(name)
        parts = [f"{_listed(names)} ({why})" for why, names in by_reason.items()]
        return f"no finding can be made of {'; '.join(parts)}" if parts else None

    def models(self, site: str | None = None) -> list[Document]:
        """See :class:`~wattwell.engine.queries.Queries`."""
        chosen = [each.id for each in self._chosen(site)]
        return [{"site": name} | asdict(each) for name in chosen for each in self._records[name].models]

    def excess(self, site: str, at: int) -> dict[str, Excess]:
        """By family that was ever found at a site: the findings that were open at an instant, as known today."""
        record, now, verdicts = self._records[site], self._clock(), self._verdicts
        opened: dict[str, list[Finding]] = {each.family: [] for each in record.all()}
        for each in record.all():
            if each.detected_at <= at and (each.end is None or at < each.end):
                shown = verdicts.applied(each, now)
                if shown.status in ("open", "closed"):
                    opened[each.family].append(shown)
        return {family: _excess(sorted(found, key=_rank), at) for family, found in opened.items()}

    def counts(self) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], float]]:
        """How many findings are open and what they draw in watts, by site and family that was ever found there."""
        count: dict[tuple[str, str], int] = {}
        watts: dict[tuple[str, str], float] = {}
        for site, record in self._records.items():
            for family, excess in self.excess(site, record.at or 0).items():
                count[site, family] = excess.count
                watts[site, family] = excess.kilowatts * 1000
        return count, watts

    # -- parts ------------------------------------------------------------------------------------------------

    def _chosen(self, site: str | None) -> Sequence[Site]:
        sites = self._config.sites
        if site is not None and site not in sites:
            raise UsageError(f"site {site!r} is not configured; known: {', '.join(sites)}")
        return list(sites.values()) if site is None else [sites[site]]

    def _shown(self, site: str) -> list[Finding]:
        now, verdicts = self._clock(), self._verdicts
        return [verdicts.applied(each, now) for each in self._records[site].all()]

    def _find(self, id: str) -> Finding:
        for record in self._records.values():
            if (found := record.open.get(id) or record.closed.get(id)) is not None:
                return self._verdicts.applied(found, self._clock())
        raise UnknownError(f"no finding {id!r} is known; `wattwell findings` and /api/v1/findings list them")

    def _document(self, finding: Finding) -> Document:
        at = self._records[finding.site].at
        return finding_document(finding, self._config.sites[finding.site], finding.detected_at if at is None else at)

    def _history(self, finding: Finding) -> list[Document]:
        """What happened, by time: detected, judged, closed."""
        nobody: Document = {"until": None, "author": None, "note": None}
        told = [{"at": iso(finding.detected_at), "verdict": "detected", **nobody}]
        told += [] if finding.end is None else [{"at": iso(finding.end), "verdict": "closed", **nobody}]
        told += [said.to_json() for said in self._verdicts.of(finding.id)]
        return sorted(told, key=lambda each: str(each["at"]))


def _rank(finding: Finding) -> tuple[int, float, float, float, str]:
    """Open ones first; then by money, energy and water, the most first."""
    order = ("open", "known", "closed", "dismissed").index(finding.status)
    kwh, litres = (0.0 if each is None else each.value for each in (finding.excess_kwh, finding.excess_l))
    return order, -(finding.cost or 0.0), -kwh, -litres, finding.id


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _excess(found: Sequence[Finding], at: int) -> Excess:
    watts = [watts_of(each, at) for each in found]
    return Excess(len(found), sum(each for each in watts if each is not None) / 1000, found[0].title if found else "")


def wait_for(meters: Iterable[Meter], now: int) -> int:
    """How long a detector waits for an interval's readings: the longest period, but of meters that seldom report."""
    serving = (m.period for m in meters if not m.virtual and m.in_service.start <= now < m.in_service.end)
    return max((period for period in serving if period <= _LONGEST_WAIT), default=0)


# -- documents --------------------------------------------------------------------------------------------------


def _state_name(site: str) -> str:
    return f"detector/{site}"


def _open_name(site: str) -> str:
    return f"findings/{site}"


def _closed_name(site: str) -> str:
    return f"findings.closed/{site}"


def _due_name(site: str) -> str:
    return f"findings.due/{site}"


def _documents(site: str, record: _Record, before: _Record) -> dict[str, str]:
    """The documents that differ from what was stored."""
    name = _open_name(site)
    watched = {"unjudged": dict(record.unjudged), "models": [asdict(each) for each in record.models]}
    shown = {"at": record.at, "findings": _written(record.open)} | watched
    found = {name: documents.write(name, VERSION, shown)}
    if record.closed is not before.closed:
        name = _closed_name(site)
        found[name] = documents.write(name, VERSION, {"findings": _written(record.closed)})
    return found


def _written(findings: Mapping[str, Finding]) -> list[dict[str, Any]]:
    return [finding_to_json(each) for each in findings.values()]


def _load(store: ReadingStore, site: str) -> _Record:
    """The record of a site; DocumentError for one that cannot be read."""
    opened, closed = store.load_state(_open_name(site)), store.load_state(_closed_name(site))
    record = _Record() if opened is None else documents.read(opened, _open_name(site), VERSION, _open_parsed)
    if closed is not None:
        record = replace(record, closed=documents.read(closed, _closed_name(site), VERSION, _parsed))
    return record


def _open_parsed(document: Mapping[str, Any]) -> _Record:
    models = tuple(Model(**each) for each in document.get("models", ()))
    return _Record(document["at"], _parsed(document), {}, dict(document.get("unjudged", {})), models)


def _parsed(document: Mapping[str, Any]) -> dict[str, Finding]:
    return {each.id: each for each in map(finding_from_json, document["findings"])}
