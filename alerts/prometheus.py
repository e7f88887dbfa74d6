"""The alert rules as Prometheus rules over what Wattwell exports on ``/metrics``. Pure.

Each figure is recorded once, as far as it may be judged; the alerts compare the recorded series. Prometheus has neither
a clear line nor a memory of missing figures: both come from ``ALERTS``, the series of what was firing at the evaluation
before. An alert stays until a figure that may be judged is at the clear line or beyond and ``keep_firing`` has passed
since the last breach, exactly as in :mod:`alerts.machine`. ``keep_firing_for`` would count from the clear line instead
and be forgotten with each restart of Prometheus.

What Prometheus cannot work out (a balance, the course of a year, power over a window, what is to be expected) it takes
over from Wattwell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts.machine import WITH_DATA_ALERT, data_alert_name, key_of, threshold_of
from alerts.wording import dashboard_of, labels_of
from wattwell.intervals import MINUTE, SECOND, format_duration
from wattwell.model import ANY_METER, OF_FINDINGS, PER_PART, AlertRule

INTERVAL = 30 * SECOND
"""Between two evaluations; ``ALERTS`` of the one before must not be older than Prometheus looks back (5 min)."""
DOWN = "WattwellDown"
"""Of Prometheus alone: nobody else notices that Wattwell itself is gone."""
_DOWN_FOR = 5 * MINUTE
_ROUNDING = "1e-9"
"""Two exported shares that sum to the usable share may be off by so much."""
_BY_SITE, _BY_METER, _BY_FAMILY = "by (site) ", "by (site, meter) ", "by (site, family) "
_OVERHEAD, _PARTIAL, _CARBON = "overhead_", "ppue_", "cue_"
_SERIES = {
    "pue": "wattwell_site_pue_ratio",
    "wue": "wattwell_site_wue_litres_per_kilowatt_hour",
    "ref": "wattwell_site_renewable_energy_factor_ratio",
    "ups_efficiency": "wattwell_site_ups_efficiency_ratio",
    "wue_source": "wattwell_site_wue_source_litres_per_kilowatt_hour",
    "erf": "wattwell_site_energy_reuse_factor_ratio",
    "ere": "wattwell_site_energy_reuse_effectiveness_ratio",
    "cer": "wattwell_site_cooling_efficiency_ratio",
    "cfe": "wattwell_site_carbon_free_ratio",
    "load_factor": "wattwell_site_load_factor_ratio",
    "water_reclaimed_share": "wattwell_site_reclaimed_water_ratio",
}


def rules_document(rules: Sequence[AlertRule], full: float, interval: int = INTERVAL) -> dict[str, Any]:
    """A Prometheus rule file.

    ``full``: usable share from which a figure stands; ``interval``: microseconds between two evaluations.
    """
    records: dict[str, str] = {}
    alerts: dict[str, dict[str, Any]] = {}
    for index, rule in enumerate(rules):
        figure = _figure(rule, full)
        records |= {} if figure is None else figure.records
        for alert in _alerts(rule, figure, rules[:index], alone=sum(each.name == rule.name for each in rules) == 1):
            before = alerts.get(alert["alert"])
            # Rules that share a name share all but their sites and thresholds.
            alerts[alert["alert"]] = alert if before is None else {**before, "expr": _either(before, alert)}
    alerts.setdefault(DOWN, _down())
    recorded = [{"record": name, "expr": expression} for name, expression in records.items()]
    groups = [{"name": "wattwell", "interval": format_duration(interval), "rules": [*recorded, *alerts.values()]}]
    return {"groups": groups}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """The series of what a rule watches."""

    by: str
    """``by (...) `` of the labels that tell one alert from another; empty where there is but one."""
    judged: str
    """Recorded: the figure as far as it may be judged."""
    seen: str
    """Recorded: the same, and what is withheld since its data contradict each other; it may breach, but not clear."""
    records: dict[str, str] = field(default_factory=dict)
    """Name -> expression."""
    given: str = ""
    """For the data alert: the figure where there is one, even if it may not be judged."""


def _figure(rule: AlertRule, full: float) -> _Figure | None:
    """None for what Prometheus cannot work out."""
    match rule.signal:
        case "kpi":
            return _kpi(rule, full)
        case "coverage":
            return _plain(f"site:wattwell_coverage_{rule.kpi}_{rule.window}:judged", _share("coverage", rule))
        case "power" if not rule.window:
            value = f'max by (site) (wattwell_site_power_watts{{subsystem="{rule.of}"}}) / 1000'
            return replace(_plain(f"site:wattwell_power_{rule.of}_kilowatts:judged", value), given=value)
        case "stale":
            last, limit = (
                f"max by (site, meter) (wattwell_meter_{name}_seconds)"
                for name in ("last_reading_timestamp", "reporting_limit")
            )
            silence = f"(time() - {last} > {limit})\nor\n0 * {limit}"
            return _plain("meter:wattwell_silence_seconds:judged", silence, by=_BY_METER)
        case "finding":
            excess = "max by (site, family) (wattwell_finding_excess_watts) / 1000"
            return _plain("family:wattwell_finding_excess_kilowatts:judged", excess, by=_BY_FAMILY)
        case "findings":
            return _plain("family:wattwell_findings:judged", f"max {_BY_FAMILY}(wattwell_findings)", by=_BY_FAMILY)
        case "spool":
            return _plain("wattwell_spool_readings:judged", "max(wattwell_spool_readings)", by="")
        case _:
            return None


def _plain(name: str, expression: str, by: str = _BY_SITE) -> _Figure:
    return _Figure(by=by, judged=name, seen=name, records={name: expression})


def _kpi(rule: AlertRule, full: float) -> _Figure:
    value, stem = _value(rule), f"site:wattwell_{rule.kpi}_{rule.window}"
    usable = f"{_share('coverage', rule)} + {_share('estimated', rule)}"
    judged = f"{value}\nand\n({usable}) > {_number(full)} - {_ROUNDING}"
    found = replace(_plain(f"{stem}:judged", judged), given=value)
    if rule.kpi not in ("pue", "dcie", "ere") and not rule.kpi.startswith((_OVERHEAD, _PARTIAL)):
        return found
    withheld = f'max by (site) (wattwell_kpi_withheld{{kpi="{rule.kpi}",window="{rule.window}"}})'
    seen = {f"{stem}:seen": f"{stem}:judged\nor\n{withheld}"}
    return replace(found, seen=f"{stem}:seen", records=found.records | seen, given=f"({value}\nor\n{withheld})")


def _share(name: str, rule: AlertRule) -> str:
    return f'max by (site) (wattwell_kpi_{name}_ratio{{kpi="{rule.kpi}",window="{rule.window}"}})'


def _value(rule: AlertRule) -> str:
    """A KPI in its own unit, by site."""
    kpi, window = rule.kpi, f'window="{rule.window}"'
    if kpi == "dcie":
        return f"1 / max by (site) ({_SERIES['pue']}{{{window}}})"
    if kpi == "peak_demand_kw":
        return f"max by (site) (wattwell_site_peak_demand_watts{{{window}}}) / 1000"
    for prefix, plus in ((_OVERHEAD, ""), (_PARTIAL, "1 + ")):
        if kpi.startswith(prefix):
            subsystem = f'subsystem="{kpi.removeprefix(prefix)}"'
            return f"{plus}max by (site) (wattwell_site_overhead_ratio{{{subsystem},{window}}})"
    if kpi.startswith(_CARBON):
        basis = f'basis="{kpi.removeprefix(_CARBON)}"'
        return f"max by (site) (wattwell_site_cue_grams_per_kilowatt_hour{{{basis},{window}}}) / 1000"
    return f"max by (site) ({_SERIES[kpi]}{{{window}}})"


def _alerts(
    rule: AlertRule, figure: _Figure | None, earlier: Sequence[AlertRule], *, alone: bool
) -> Iterator[dict[str, Any]]:
    """The rule's alert and its data alert; a figure that earlier rules watch too has theirs."""
    if figure is None:
        yield _taken_over(rule, rule.name, "firing", _sites(rule))
    else:
        yield _alert(rule, figure, alone=alone)
    if rule.signal not in WITH_DATA_ALERT or (places := _unwatched(rule, earlier)) is None:
        return
    name = data_alert_name(rule)
    yield _taken_over(rule, name, "no_data", places) if figure is None else _no_data(rule, figure, name, places)


def _alert(rule: AlertRule, figure: _Figure, *, alone: bool) -> dict[str, Any]:
    part = "family" if rule.signal in OF_FINDINGS else "meter"
    named = (f'{part}="{rule.of}"',) if rule.signal in PER_PART and rule.of != ANY_METER else ()
    matchers = (*_sites(rule), *named)
    threshold, chosen = threshold_of(rule), _selector(matchers)
    clear = threshold if rule.clear is None else rule.clear
    beyond, within, worst = (">", "<=", "max") if rule.above is not None else ("<", ">=", "min")
    breach, cleared = f"{beyond} {_number(threshold)}", f"{figure.judged}{chosen} {within} {_number(clear)}"
    if rule.keep_firing:
        # Up to Prometheus 2 a range includes both of its ends.
        kept = format_duration(max(rule.keep_firing - SECOND, SECOND))
        cleared = (
            f"(\n      {cleared}\n    unless\n      {worst}_over_time({figure.seen}{chosen}[{kept}]) {breach}\n    )"
        )
    firing = _selector((f'alertname="{rule.name}"', 'alertstate="firing"', *matchers))
    stood = f"max {figure.by}(ALERTS{firing})"
    return {
        "alert": rule.name,
        "expr": f"{figure.seen}{chosen} {breach}\nor\n(\n    {stood}\n  unless\n    {cleared}\n)",
        **_held(rule),
        "labels": _labels(rule),
        "annotations": _annotations(rule, _summary(rule, figure, limits=alone)),
    }


def _no_data(rule: AlertRule, figure: _Figure, name: str, places: tuple[str, ...]) -> dict[str, Any]:
    """Every site that Wattwell computes figures for has a coverage, be it 0."""
    figures = (f'kpi="{rule.kpi}"', f'window="{rule.window}"') if rule.kpi else ()
    known = f"max by (site) (wattwell_kpi_coverage_ratio{_selector((*figures, *places))})"
    return {
        "alert": name,
        "expr": f"{known}\nunless\n{figure.given}",
        **_held(rule),
        "labels": _labels(rule),
        "annotations": _annotations(rule, f"{_subject(rule)} has no value."),
    }


def _taken_over(rule: AlertRule, name: str, state: str, places: tuple[str, ...]) -> dict[str, Any]:
    """An alert where Wattwell says so: it has held its time there already, where it is firing."""
    selector = _selector((f'name="{rule.name}"', f'state="{state}"', *places))
    words = "has no value" if state == "no_data" else f"is {_side(rule)} {_number(threshold_of(rule))}"
    return {
        "alert": name,
        "expr": f"max by (site) (wattwell_alerts{selector}) > 0",
        **(_held(rule) if state == "no_data" else {}),
        "labels": _labels(rule),
        "annotations": _annotations(rule, f"{_subject(rule)} {words}, says Wattwell."),
    }


def _either(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return f"{one['expr']}\nor\n{other['expr']}"


def _down() -> dict[str, Any]:
    return {
        "alert": DOWN,
        "expr": "absent(wattwell_spool_readings)",
        "for": format_duration(_DOWN_FOR),
        "labels": {"severity": "critical"},
        "annotations": {"summary": "Prometheus gets no metrics from Wattwell: no other alert here can be relied on."},
    }


def _held(rule: AlertRule) -> dict[str, str]:
    return {"for": format_duration(rule.hold)} if rule.hold else {}


def _labels(rule: AlertRule) -> dict[str, str]:
    """Those that Wattwell itself gives; site and meter come with the figure."""
    return {name: _literal(text) for name, text in labels_of(rule, "").items() if name != "alertname"}


def _annotations(rule: AlertRule, summary: str) -> dict[str, str]:
    runbook = {} if rule.runbook is None else {"runbook_url": _literal(rule.runbook)}
    boards = dashboard_of(rule, "" if rule.signal == "spool" else "{{ $labels.site }}")
    return {"summary": summary, **runbook, **boards, **{n: _literal(text) for n, text in rule.annotations.items()}}


def _literal(text: str) -> str:
    """A text that no template may change."""
    return text.replace("{{", '{{ "{{" }}')


def _summary(rule: AlertRule, figure: _Figure, *, limits: bool) -> str:
    """``limits``: whether the rule's thresholds are those of every site."""
    labels = {_BY_SITE: ("site",), _BY_METER: ("site", "meter"), _BY_FAMILY: ("site", "family"), "": ()}[figure.by]
    selector = ",".join(f"{name}='%s'" for name in labels)
    arguments = "".join(f" $labels.{name}" for name in labels)
    asked = f'printf "{figure.seen}{{{selector}}}"{arguments} | query' if labels else f'query "{figure.seen}"'
    value = "{{ with " + asked + ' }}{{ . | first | value | printf "%.5g" }}{{ else }}no value now{{ end }}'
    clear = "" if rule.clear is None else f", clears at {_number(rule.clear)}"
    beyond = f" ({_side(rule)} {_number(threshold_of(rule))}{clear})" if limits else ""
    return f"{_subject(rule)}: {value}{beyond}."


def _subject(rule: AlertRule) -> str:
    site, over = "{{ $labels.site }}", f" over {rule.window}" if rule.window else ""
    family = "{{ $labels.family }}"
    found = {
        "coverage": f"Coverage of {rule.kpi} of {site}{over}",
        "power": f"Power of {rule.of} of {site}{over}, kW",
        "stale": f"Seconds since the last reading of {{{{ $labels.meter }}}} of {site}",
        "balance": f"What the meters below a meter of {site} count more than it{over}",
        "spool": "Readings that wait for the store",
        "course": f"{rule.kpi} of {site} for the year",
        "expected": f"What {rule.kpi} of {site}{over} is above what weather and load let expect",
        "finding": f"Drawn beyond what is expected by the open findings of {family} at {site}, kW",
        "findings": f"Open findings of {family} at {site}",
    }
    return found.get(rule.signal, f"{rule.kpi} of {site}{over}")


def _side(rule: AlertRule) -> str:
    return "above" if rule.above is not None else "below"


def _sites(rule: AlertRule) -> tuple[str, ...]:
    """The matcher of a rule's sites; none for one that watches every site."""
    return (_among(rule.sites),) if rule.sites else ()


def _unwatched(rule: AlertRule, earlier: Iterable[AlertRule]) -> tuple[str, ...] | None:
    """The matcher of those sites where no earlier rule watches the same figure; None where there are none."""
    alike = [other.sites for other in earlier if key_of(other) == key_of(rule)]
    watched = sorted({site for sites in alike for site in sites})
    if not all(alike):
        return None
    if not rule.sites:
        return (_among(watched, "!"),) if watched else ()
    left = [site for site in rule.sites if site not in watched]
    return (_among(left),) if left else None


def _among(sites: Sequence[str], unless: str = "=") -> str:
    """A matcher of site ids, of which only the dot means something in a pattern."""
    if len(sites) == 1:
        return f'site{"!=" if unless == "!" else "="}"{sites[0]}"'
    return f'site{unless}~"{"|".join(site.replace(".", "[.]") for site in sites)}"'


def _selector(matchers: Iterable[str]) -> str:
    inside = ",".join(matchers)
    return f"{{{inside}}}" if inside else ""


def _number(value: float) -> str:
    """As PromQL reads it back to the same value."""
    return repr(value).removesuffix(".0")
