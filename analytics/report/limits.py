"""Which limits on PUE hold for a site on which days, and whether a PUE meets them (tables: :mod:`wattwell.limits`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from wattwell.limits import TABLES, LimitStep, LimitTable
from wattwell.model import Site

IN_FORCE, NONE_YET, NOT_APPLICABLE, UNDETERMINED = "in force", "none yet", "not applicable", "undetermined"
DRAFT_NOTE = "A draft, not law: it stands here because the site chose it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A step that comes after the one in force."""

    since: str
    """Local date."""
    pue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedLimit:
    """What one table that the site chose says on a span of days."""

    table: str
    title: str
    source: str
    checked: str
    """The day on which the table was last compared with its source."""
    draft: bool
    applies_to: str
    start: str
    """First local day of the span."""
    end: str
    """First local day after it."""
    state: str
    """``in force``, ``none yet``, ``not applicable`` or ``undetermined``."""
    since: str | None
    """The day from which the limit holds."""
    pue: float | None
    """Highest annual PUE that meets it; None where nothing holds."""
    grades: tuple[float, ...]
    """Highest PUE of grade 1, 2, 3; empty without grades."""
    later: tuple[Later, ...]
    note: str
    """A sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A PUE against a limit."""

    verdict: str
    """``met``, ``missed``, ``no value`` or ``no limit``."""
    grade: int | None
    """1 is the best; None without grades, or beyond the last one."""
    margin: float | None
    """Limit minus PUE; below 0 where it is missed."""


def applicable(site: Site, day: date) -> tuple[AppliedLimit, ...]:
    """What each table that the site chose says on a local day."""
    return spans(site, day, day + timedelta(days=1))


def spans(site: Site, start: date, end: date) -> tuple[AppliedLimit, ...]:
    """What each chosen table says on the local days of [start, end); a table whose limit changes within comes twice."""
    return tuple(each for name in site.limits for each in _over(TABLES[name], site, start, end))


def judge(limit: AppliedLimit, pue: float | None, *, provisional: bool = False) -> Judgement:
    """Whether a PUE, which must be one over a year to count, is at most the limit; a provisional one tells nothing."""
    if limit.pue is None:
        return Judgement(verdict="no limit", grade=None, margin=None)
    if pue is None:
        return Judgement(verdict="no value", grade=None, margin=None)
    if provisional:
        return Judgement(verdict="provisional", grade=None, margin=None)
    grade = next((number for number, most in enumerate(limit.grades, start=1) if pue <= most), None)
    return Judgement(verdict="met" if pue <= limit.pue else "missed", grade=grade, margin=limit.pue - pue)


def _over(table: LimitTable, site: Site, start: date, end: date) -> Iterator[AppliedLimit]:
    state, note = _concerns(table, site)
    if state != IN_FORCE:
        yield _said(table, start, end, state=state, note=note)
        return
    started = _started(site)
    steps = tuple(step for step in table.steps if _holds_for(step, started))
    changes = [step.since for step in steps if start < step.since < end]
    for low, high in pairwise([start, *changes, end]):
        yield _held(table, steps, low, high, note)


def _held(table: LimitTable, steps: tuple[LimitStep, ...], start: date, end: date, note: str) -> AppliedLimit:
    """The last step that has begun by ``start``, and those to come."""
    begun = [step for step in steps if step.since <= start]
    later = tuple(Later(since=step.since.isoformat(), pue=step.pue) for step in steps if step.since > start)
    if not begun:
        first = f"No limit holds yet; the first one, {later[0].pue:g}, holds from {later[0].since}."
        return _said(table, start, end, state=NONE_YET, note=f"{first} {note}".strip(), later=later)
    return _said(table, start, end, state=IN_FORCE, note=note, step=begun[-1], later=later)


def _said(
    table: LimitTable,
    start: date,
    end: date,
    *,
    state: str,
    note: str,
    step: LimitStep | None = None,
    later: tuple[Later, ...] = (),
) -> AppliedLimit:
    notes = (note, table.remark if state in (IN_FORCE, NONE_YET) else "", DRAFT_NOTE if table.draft else "")
    return AppliedLimit(
        table=table.name,
        title=table.title,
        source=table.source,
        checked=table.checked.isoformat(),
        draft=table.draft,
        applies_to=table.applies_to,
        start=start.isoformat(),
        end=end.isoformat(),
        state=state,
        since=None if step is None else step.since.isoformat(),
        pue=None if step is None else step.pue,
        grades=() if step is None else table.grades,
        later=later,
        note=" ".join(each for each in notes if each),
    )


def _started(site: Site) -> date | None:
    return None if site.facility is None else site.facility.start_of_operation


def _holds_for(step: LimitStep, started: date | None) -> bool:
    if started is None:
        return True
    early = step.started_before is None or started < step.started_before
    return early and (step.started_from is None or started >= step.started_from)


def _concerns(table: LimitTable, site: Site) -> tuple[str, str]:
    """Whether a table concerns a site at all, as far as its size and start are declared, and what to say of that."""
    started, size = _started(site), _size(table, site)
    if size is False:
        return NOT_APPLICABLE, f"It holds from {table.least_power_kw:g} kW of connected power on; the site has less."
    kinds = {(step.started_from, step.started_before) for step in table.steps}
    if started is None and len(kinds) > 1:
        return UNDETERMINED, "Which limit holds depends on the start of operation; declare facility.start_of_operation."
    if not any(_holds_for(step, started) for step in table.steps):
        return NOT_APPLICABLE, f"The site started operation on {started}; this table is not for it."
    unsaid = []
    if started is None and kinds != {(None, None)}:
        unsaid.append("facility.start_of_operation")
    if size is None:
        unsaid.append("facility.connected_power_kw")
    return IN_FORCE, f"Taken to concern the site, which does not declare {' and '.join(unsaid)}." if unsaid else ""


def _size(table: LimitTable, site: Site) -> bool | None:
    """Whether the site is large enough; None where that is not known. Connected power is at least that of the IT."""
    if table.least_power_kw is None:
        return True
    whole = None if site.facility is None else site.facility.connected_power_kw
    if whole is not None:
        return whole >= table.least_power_kw
    return True if site.it_power_kw is not None and site.it_power_kw >= table.least_power_kw else None
