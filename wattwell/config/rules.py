"""Alert rules and the places that are told of alerts."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from wattwell.config.connect import masked, split_url
from wattwell.config.files import named_file
from wattwell.config.places import Faults, Place, nearest
from wattwell.config.reading import read
from wattwell.config.schema import RawNotifier, RawRule
from wattwell.config.settings import Notifier
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import AlertRule

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
)
"""KPIs that a rule may watch in this release."""
LATER_KPIS = (
    "wue_source",
    "erf",
    "ere",
    "cer",
    "cue_location",
    "cue_market",
    "cfe",
    "water_reclaimed_share",
    "load_factor",
)
NOTIFIER_SCHEMES = ("json", "jsons", "webhook+http", "webhook+https")
DEFAULT_SEVERITY = "warning"
DEFAULT_RULES = (
    AlertRule(
        name="PueHigh",
        kpi="pue",
        window="24h",
        above=1.30,
        below=None,
        clear=1.27,
        hold=30 * MINUTE,
        keep_firing=HOUR,
        severity=DEFAULT_SEVERITY,
        sites=(),
    ),
)
"""What is watched where the configuration has no ``alerts``."""

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_LABELS = ("alertname", "name", "site", "state", "kpi", "window", "severity")


def read_rules(listed: Sequence[Any] | None, sites: Collection[str], faults: Faults) -> tuple[AlertRule, ...]:
    """The alert rules; the default one where there is no list."""
    if listed is None:
        return DEFAULT_RULES
    rules: dict[str, AlertRule] = {}
    for index, item in enumerate(listed):
        place = Place() / "alerts" / index
        raw = read(RawRule, item, place, faults)
        if raw is None:
            continue
        _check_rule(raw, place, sites, faults)
        if raw.name is None:
            continue
        if raw.name in rules:
            faults.add(place / "name", "another rule has this name; choose another one", raw.name)
        rules.setdefault(raw.name, _built(raw))
    return tuple(rules.values())


def _check_rule(raw: RawRule, place: Place, sites: Collection[str], faults: Faults) -> None:
    if raw.kpi in LATER_KPIS:
        faults.add(place / "kpi", f"not available in this release; write one of: {' '.join(KPIS)}", raw.kpi)
    elif raw.kpi is not None and raw.kpi not in KPIS:
        faults.add(place / "kpi", f"unknown KPI{nearest(raw.kpi, KPIS)}; write one of: {' '.join(KPIS)}", raw.kpi)
    _check_threshold(raw, place, faults)
    for index, site in enumerate(raw.sites or ()):
        if site not in sites:
            faults.add(place / "sites" / index, f"no site has this id{nearest(site, sites)}; name a site", site)
    for key in ("labels", "annotations"):
        for label in getattr(raw, key) or {}:
            if not _LABEL.fullmatch(label):
                faults.add(place / key / label, "write a label of letters, digits and _, with no digit first", label)
            elif key == "labels" and label in _OWN_LABELS:
                faults.add(place / key / label, "this label is set by the alert itself; choose another name", label)


def _check_threshold(raw: RawRule, place: Place, faults: Faults) -> None:
    if raw.lacks("above") and raw.lacks("below"):
        faults.add(place, "a rule needs a threshold; write either `above:` or `below:`")
    if raw.above is not None and raw.below is not None:
        faults.add(place / "below", "a rule has one threshold; write either `above:` or `below:`", raw.below)
    elif raw.clear is not None and raw.above is not None and raw.clear > raw.above:
        faults.add(place / "clear", f"must not lie above the threshold {raw.above:g}", raw.clear)
    elif raw.clear is not None and raw.below is not None and raw.clear < raw.below:
        faults.add(place / "clear", f"must not lie below the threshold {raw.below:g}", raw.clear)


def _built(raw: RawRule) -> AlertRule:
    return AlertRule(
        name=raw.name or "",
        kpi=raw.kpi or "",
        window=raw.window or "",
        above=raw.above,
        below=raw.below,
        clear=raw.clear,
        hold=raw.hold or 0,
        keep_firing=raw.keep_firing or 0,
        severity=raw.severity or DEFAULT_SEVERITY,
        sites=tuple(dict.fromkeys(raw.sites or ())),
        labels=dict(raw.labels or {}),
        annotations=dict(raw.annotations or {}),
    )


def read_notifiers(listed: Sequence[Any] | None, base: Path, faults: Faults) -> tuple[Notifier, ...]:
    """Who is told of alerts: webhooks that take JSON, in this release."""
    notifiers = []
    for index, item in enumerate(listed or ()):
        place = Place() / "notify" / index
        raw = read(RawNotifier, item, place, faults)
        if raw is None:
            continue
        token = named_file(base, raw.token_file, place / "token_file", faults)
        if raw.url is not None and _check_notifier(raw.url, place / "url", faults):
            notifiers.append(Notifier(url=raw.url, token_file=token))
    return tuple(notifiers)


def _check_notifier(url: str, place: Place, faults: Faults) -> bool:
    says = "write json://HOST/PATH, jsons://HOST/PATH, webhook+http://HOST/PATH or webhook+https://HOST/PATH"
    scheme = url.partition("://")[0]
    if "://" not in url:
        faults.add(place, f"no URL; {says}", masked(url))
    elif scheme in ("http", "https"):
        faults.add(place, f"say what is sent: write webhook+{masked(url)}", masked(url))
    elif scheme not in NOTIFIER_SCHEMES:
        faults.add(place, f"{scheme}:// is not available in this release; {says}", masked(url))
    elif (parts := split_url(url, place, faults)) is not None:
        if parts.hostname:
            return True
        faults.add(place, f"the URL names no host; {says}", masked(url))
    return False
