"""What people are told of a report: its first page in words, or why it was not issued. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from alerts.machine import Status
from alerts.notification import Notification
from analytics.report.headlines import SPANS

ALERT = "WattwellReport"
"""The ``alertname`` of what is told of reports, by which a receiver tells it from alerts."""
_FINDINGS = 3
_REASONS = 10
_CHANGES = 7
"""As many as the first page has figures."""
_DASH = "\u2013"
_FINER: tuple[str, ...] = (",.6g", ",.9g", ",.12g", ",.17g")
"""How values are written that the first page's digits do not tell apart, or that are not on it."""
_SIZES = {"GWh": 1e6, "MWh": 1e3, "m3": 1e3, "t": 1e3, "%": 0.01}
"""Units of the first page in kWh, L, kg and shares."""
_WRITTEN = {"m3": "m³"}


def issued(document: Mapping[str, Any], base: str, now: int) -> Notification:
    """What is told of an issued revision; ``base``: where people find the page."""
    site, period, number = document["site"], document["period"], int(document["revision"])
    name = _name(period["name"], number)
    whose = f"{site['name']} ({site['id']})" if site["name"] != site["id"] else site["id"]
    summary = f"The report of {period['name']} for {whose} is issued."
    if number > 1:
        summary = f"{_changed(document, period['name'])} Site: {whose}."
    told = {
        "summary": summary,
        "figures": "\n".join(_line(each, document["kind"]) for each in document["headlines"]),
        "findings": _findings(document["findings"][:_FINDINGS]),
    }
    texts = {key: text for key, text in told.items() if text} | links(base, site["id"], document["kind"], period["key"])
    return _notification(Status.ISSUED, site["id"], name, period["window"], period["key"], number, texts, now)


def refused(
    site: str, name: str, window: str, key: str, revision: int, reasons: Sequence[str], base: str, now: int
) -> Notification:
    """What is told once of a report that could not be issued as ``revision``; ``name``: October 2026."""
    what = f"The report of {name} was" if revision == 1 else f"Revision {revision} of the report of {name} was"
    more = len(reasons) - _REASONS
    texts = {
        "summary": f"{what} not issued. It is tried again every day.",
        "reasons": "\n".join(
            [*(f"- {reason}" for reason in reasons[:_REASONS]), *([f"- and {more} more"] if more > 0 else [])]
        ),
        **links(base, site, "month" if window == "month" else "year", key),
    }
    texts = {key: text for key, text in texts.items() if key not in ("html", "pdf")}
    return _notification(Status.REFUSED, site, _name(name, revision), window, key, revision, texts, now)


def links(base: str, site: str, kind: str, key: str) -> dict[str, str]:
    """Where a report's page is, and the report itself; nothing without ``base``."""
    if not base:
        return {}
    place = f"{base}/api/v1/reports/{quote(site, safe='')}/{key}"
    return {"page": f"{base}/sites/{quote(site, safe='')}/{kind}/{key}", "html": f"{place}.html", "pdf": f"{place}.pdf"}


def report_of(notification: Notification) -> tuple[str, str, int]:
    """Site, key and revision of the report that a notification tells of."""
    return notification.site, notification.labels["period"], int(notification.labels["revision"])


def _notification(
    status: Status, site: str, name: str, window: str, key: str, revision: int, texts: Mapping[str, str], now: int
) -> Notification:
    labels = {"alertname": ALERT, "site": site, "window": window, "period": key, "revision": str(revision)}
    severity = "warning" if status is Status.REFUSED else "info"
    return Notification(
        site=site,
        name=name,
        status=status,
        starts_at=now,
        ends_at=now,
        labels=labels | {"severity": severity},
        annotations=texts,
    )


def _name(period: str, revision: int) -> str:
    return f"report of {period}" if revision == 1 else f"report of {period}, revision {revision}"


def _line(headline: Mapping[str, Any], kind: str) -> str:
    """One figure of the first page beside its target, the month or year before, and the same month of that year."""
    current = headline["current"]
    said = f"{headline['label']} {_with(current['shown'], headline['unit'])}"
    if current["value"] is None:
        return f"{headline['label']} not known" + (f": {current['note']}" if current["note"] else "")
    said += " (provisional)" if current["provisional"] else ""
    compared = []
    if headline["target"] is not None:
        met = "" if headline["met"] is None else ", met" if headline["met"] else ", missed"
        compared.append(f"target {_with(headline['target_shown'], headline['unit'])}{met}")
    for span, name in (("previous", f"{kind} before"), *((("year_ago", "year before"),) if kind == "month" else ())):
        if headline[span]["value"] is not None:
            compared.append(f"{name} {_with(headline[span]['shown'], headline['unit'])}")
    return said + (f"; {'; '.join(compared)}" if compared else "")


def _with(shown: str, unit: str) -> str:
    return shown if unit in ("", "1") else f"{shown} {_WRITTEN.get(unit, unit)}"


def _changed(document: Mapping[str, Any], name: str) -> str:
    """Such as: Revision 2 of October 2026: iPUE 1.234 -> 1.236. Reason: late readings or correction."""
    revision = document["revisions"][-1]
    headlines = {each["name"]: each for each in document["headlines"]}
    first = [each for each in revision["changes"] if each["name"].endswith(".current")] or revision["changes"]
    said = [_change(each, headlines) for each in first[:_CHANGES]]
    more = len(revision["changes"]) - len(said)
    listed = ", ".join(said) + (f" and {more} more figure{'s' if more > 1 else ''}" if more else "")
    return f"Revision {document['revision']} of {name}: {listed}. Reason: {revision['reason'].rstrip('.')}."


def _change(change: Mapping[str, Any], headlines: Mapping[str, Mapping[str, Any]]) -> str:
    """Old and new value, as the first page writes them where the figure stands on it; with more digits if these are
    the same."""
    headline = headlines.get(change["name"].partition(".")[0])
    unit, size, forms = change["unit"], 1.0, _FINER
    if headline is not None:
        unit = headline["unit"]
        size = _SIZES.get(unit, 1.0)
        forms = (*_as_printed(headline), *_FINER)
    sides = [None if change[side] is None else change[side] / size for side in ("old", "new")]
    texts = [[_DASH if each is None else format(each, form) for each in sides] for form in forms]
    old, new = next((pair for pair in texts if pair[0] != pair[1]), texts[-1])
    return f"{change['label']} {old} -> {_with(new, unit)}"


def _as_printed(headline: Mapping[str, Any]) -> list[str]:
    """The format of a line's first span with a value; nothing where none has one."""
    shown = [headline[span]["shown"] for span in SPANS if headline[span]["value"] is not None]
    return [f",.{len(each.partition('.')[2])}f" for each in shown[:1]]


def _findings(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    lines = [f"- {each['title']}{_worth(each)}: {each['advice']}" for each in found]
    return "\n".join(["Worth acting on:", *lines])


def _worth(finding: Mapping[str, Any]) -> str:
    """What a finding has cost so far."""
    amounts = [
        f"{finding[name]['value']:,.0f} {unit}"
        for name, unit in (("excess_kwh", "kWh"), ("excess_l", "L"))
        if finding[name] is not None
    ]
    if finding["cost"] is not None:
        amounts.append(f"{finding['cost']['value']:,.0f} {finding['cost']['currency']}")
    return f" ({', '.join(amounts)})" if amounts else ""
