"""Alert rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from wattwell.config.places import Faults, Place, nearest
from wattwell.config.reading import read
from wattwell.config.schema import RawRule
from wattwell.finding import FAMILIES
from wattwell.intervals import SECOND, parse_duration
from wattwell.model import ANY_METER, OF_FINDINGS, PER_METER, SIGNALS, AlertRule

SUBSYSTEMS = ("cooling", "power_chain", "lighting", "other")
KPIS = (
    "pue",
    "wue",
    "ref",
    "dcie",
    *(f"ppue_{subsystem}" for subsystem in SUBSYSTEMS),
    *(f"overhead_{subsystem}" for subsystem in SUBSYSTEMS),
    "ups_efficiency",
    "peak_demand_kw",
    "load_factor",
    "cue_location",
    "cue_market",
    "cfe",
    "wue_source",
    "erf",
    "ere",
    "cer",
    "water_reclaimed_share",
)
"""KPIs that a rule may watch in this release."""
HOURLY = ("cfe",)
"""KPIs made of whole hours."""
_PEAKS = ("peak_demand_kw", "load_factor")
POWERS = ("total", "it", *SUBSYSTEMS)
"""Subsystems whose power a rule may watch."""
DEFAULT_SEVERITY = "warning"
EXPECTED = ("pue",)
"""KPIs of which a rule may watch how far they are from what is expected."""
WINDOWED = ("kpi", "coverage", "balance", "expected")
"""Signals that need a window; power may have one, the others have none."""

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_LABELS = ("alertname", "name", "site", "state", "kpi", "window", "severity", "meter", "family", "subsystem")
_WATCHED = tuple(signal for signal in SIGNALS if signal != "findings")
"""How many findings are open is watched by a rule on ``finding:`` without a threshold."""
_OTHERS: Mapping[str, tuple[str, ...]] = {"power": POWERS, "spool": ("readings",), "expected": EXPECTED}
_Meters = Mapping[str, Collection[str]]


def read_rules(listed: Sequence[Any] | None, sites: _Meters, faults: Faults) -> tuple[AlertRule, ...]:
    """The alert rules; ``sites`` are the known ones, each with its meters."""
    rules: dict[str, AlertRule] = {}
    for index, item in enumerate(listed or ()):
        place = Place() / "alerts" / index
        raw = read(RawRule, item, place, faults)
        if raw is None:
            continue
        signal = _signal(raw, place, faults)
        _check_labels(raw, place, faults)
        _check_sites(raw, signal, place, sites, faults)
        limits = _limits(raw, signal, place, faults)
        if signal is not None:
            _check_watched(raw, signal, place, sites, faults)
        if raw.name is None or signal is None:
            continue
        if raw.name in rules:
            faults.add(place / "name", "another rule has this name; choose another one", raw.name)
        rules.setdefault(raw.name, _built(raw, signal, limits))
    return tuple(rules.values())


def _signal(raw: RawRule, place: Place, faults: Faults) -> str | None:
    """The one signal that a rule watches; None where that is not clear."""
    written = [signal for signal in _WATCHED if not raw.lacks(signal)]
    if not written:
        faults.add(place, f"a rule watches one thing; write one of: {' '.join(f'{signal}:' for signal in _WATCHED)}")
    for other in written[1:]:
        faults.add(place / other, f"a rule watches one thing, and this one has `{written[0]}:`; make it two rules")
    if len(written) != 1:
        return None
    counted = written[0] == "finding" and all(raw.lacks(side) for side in ("above", "below", "clear"))
    return "findings" if counted else written[0]


def _check_watched(raw: RawRule, signal: str, place: Place, sites: _Meters, faults: Faults) -> None:
    key = "finding" if signal in OF_FINDINGS else signal
    of, here = getattr(raw, key), place / key
    if signal in ("kpi", "coverage", "course"):
        _check_kpi(of, here, faults)
        if signal == "course" and of in _PEAKS:
            faults.add(here, "a peak has no course over the year; watch it with `kpi:`", of)
        if of in HOURLY and raw.window == "1h":
            faults.add(place / "window", f"{of} goes by whole hours, which 1h seldom holds; write 24h or longer", "1h")
    elif signal in PER_METER:
        watched = {meter for site, meters in sites.items() if not raw.sites or site in raw.sites for meter in meters}
        if of is not None and of != ANY_METER and of not in watched:
            faults.add(here, f"no such meter{nearest(of, watched)}; name a meter, or write any", of)
    else:
        known = _OTHERS.get(signal, (*FAMILIES, ANY_METER))
        if of is not None and of not in known:
            faults.add(here, f"not known{nearest(of, known)}; write one of: {' '.join(known)}", of)
    if signal in WINDOWED and raw.lacks("window"):
        faults.add(place / "window", "this key is required and absent; add it")
    elif raw.window is not None and signal not in (*WINDOWED, "power"):
        faults.add(place / "window", f"a rule on `{key}:` has no window; leave it out", raw.window)


def _check_kpi(kpi: str | None, place: Place, faults: Faults) -> None:
    if kpi is not None and kpi not in KPIS:
        faults.add(place, f"unknown KPI{nearest(kpi, KPIS)}; write one of: {' '.join(KPIS)}", kpi)


def _check_sites(raw: RawRule, signal: str | None, place: Place, sites: _Meters, faults: Faults) -> None:
    if signal == "spool" and raw.sites:
        faults.add(place / "sites", "the spool belongs to no site; leave `sites:` out", raw.sites)
        return
    for index, site in enumerate(raw.sites or ()):
        if site not in sites:
            faults.add(place / "sites" / index, f"no site has this id{nearest(site, sites)}; name a site", site)


def _check_labels(raw: RawRule, place: Place, faults: Faults) -> None:
    for key in ("labels", "annotations"):
        for label in getattr(raw, key) or {}:
            if not _LABEL.fullmatch(label):
                faults.add(place / key / label, "write a label of letters, digits and _, with no digit first", label)
            elif key == "labels" and label in _OWN_LABELS:
                faults.add(place / key / label, "this label is set by the alert itself; choose another name", label)
    if raw.runbook is not None and not re.match(r"https?://[^\s/]", raw.runbook):
        faults.add(place / "runbook", "write the address of a page, such as https://wiki.example/pue", raw.runbook)


def _limits(raw: RawRule, signal: str | None, place: Place, faults: Faults) -> Mapping[str, float | None]:
    """above, below and clear in the signal's unit; what is wrong with them is noted."""
    found = {side: _limit(getattr(raw, side), signal, place / side, faults) for side in ("above", "below", "clear")}
    above, below, clear = found["above"], found["below"], found["clear"]
    if signal == "findings":
        return found | {"above": 0.0}
    if raw.lacks("above") and raw.lacks("below"):
        faults.add(place, "a rule needs a threshold; write either `above:` or `below:`")
    if signal in ("stale", "spool", "finding") and below is not None:
        faults.add(place / "below", f"a rule on `{signal}:` has a threshold `above:`; write that", raw.below)
    elif above is not None and below is not None:
        faults.add(place / "below", "a rule has one threshold; write either `above:` or `below:`", raw.below)
    elif clear is not None and above is not None and clear > above:
        faults.add(place / "clear", f"must not lie above the threshold {raw.above}", raw.clear)
    elif clear is not None and below is not None and clear < below:
        faults.add(place / "clear", f"must not lie below the threshold {raw.below}", raw.clear)
    return found


def _limit(value: float | str | None, signal: str | None, place: Place, faults: Faults) -> float | None:
    """A threshold as a number: of staleness, seconds."""
    if value is None or signal is None:
        return None if isinstance(value, str) else value
    if isinstance(value, str) != (signal == "stale"):
        says = "a duration such as 15m" if signal == "stale" else "a number, without quotes"
        faults.add(place, f"write {says}", value)
        return None
    if isinstance(value, str):
        return parse_duration(value) / SECOND
    if signal == "coverage" and not 0 <= value <= 1:
        faults.add(place, "write a share from 0 to 1", value)
    return value


def _built(raw: RawRule, signal: str, limits: Mapping[str, float | None]) -> AlertRule:
    of_kpi = signal in ("kpi", "coverage", "course", "expected")
    of = getattr(raw, "finding" if signal in OF_FINDINGS else signal) or ""
    return AlertRule(
        name=raw.name or "",
        signal=signal,
        kpi=of if of_kpi else "",
        of="" if of_kpi else of,
        window=raw.window or "",
        above=limits["above"],
        below=limits["below"],
        clear=limits["clear"],
        hold=raw.hold or 0,
        keep_firing=raw.keep_firing or 0,
        severity=raw.severity or DEFAULT_SEVERITY,
        sites=tuple(dict.fromkeys(raw.sites or ())),
        labels=dict(raw.labels or {}),
        annotations=dict(raw.annotations or {}),
        runbook=raw.runbook,
    )
