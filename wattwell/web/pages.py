"""The HTML pages: drawn on the server with the figures of the moment, which the page's script then keeps up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

import wattwell
from wattwell.documents import FORMATS, words
from wattwell.documents.advice import advice
from wattwell.documents.sections.operation import resolved, threshold
from wattwell.documents.sections.rows import amounts_of
from wattwell.engine.queries import Document, Queries
from wattwell.errors import UsageError
from wattwell.web import finding_words, period_words, periods, present
from wattwell.web.jsonio import encode_for_script
from wattwell.web.wording import Telling, clock, count, dial, number, summary

_MOST = 50
"""Gaps, events and the like that are written out for each meter; the JSON document has them all."""
_LATEST = 100
"""Entries of each ledger that its page shows."""
_ISSUED = 6
"""Issued reports that the page of a site lists."""
_OPENED = 12
"""Meters that are unfolded at once."""


def environment() -> Environment:
    """The templates of this package; everything is escaped, an undefined name is an error."""
    made = Environment(
        loader=PackageLoader("wattwell.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["version"] = wattwell.__version__
    told = (number, count, dial, clock, summary, advice, amounts_of, resolved, threshold)
    made.globals |= {each.__name__: each for each in told}
    made.globals["words"] = words
    return made


def check_window(window: str) -> None:
    """UsageError for a window that the pages do not offer."""
    names = [name for name, _ in present.WINDOWS]
    if window not in names:
        raise UsageError(f"window {window!r} is not offered here; write one of {', '.join(names)}")


class Pages:
    """Renders pages over ``Queries``."""

    def __init__(self, queries: Queries, now: Callable[[], int]) -> None:
        """``now``: microseconds UTC, for a site that has no readings yet."""
        self._queries = queries
        self._now = now
        self._templates = environment()

    def _html(self, template: str, status: int = 200, **context: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**context), status_code=status)

    def site(self, site: Document, sites: list[Document], window: str = present.DEFAULT_WINDOW) -> Response:
        """The page of one site; ``window`` is the one that its cards open with."""
        check_window(window)
        documents = self._queries.kpi(site["id"], window=window)
        by_name = {document["kpi"]: document for document in documents}
        figures = present.shown_figures(documents)
        boot = {
            "site": site,
            "window": window,
            "windows": present.WINDOWS,
            "figures": [asdict(figure) for figure in present.FIGURES],
            "kpi": documents,
            "alerts": self._queries.alerts(site["id"]),
            "problems": self._queries.problems(site["id"]),
            "balance": self._queries.balance(site["id"]),
            "findings": self._queries.findings(site["id"], status="open"),
        }
        return self._html(
            "site.html",
            site=site,
            several=len(sites) > 1,
            windows=present.WINDOWS,
            window=window,
            balanced=bool(boot["balance"]),
            cards=[(figure, present.card(figure, by_name.get(figure.kpi), site["targets"])) for figure in figures],
            why={name: urlencode(present.question(document)) for name, document in by_name.items()},
            issued=self._queries.reports(site["id"])[:_ISSUED],
            offered=list(periods.offered(site["id"], periods.current_month(site, self._now()))),
            link=periods.link,
            formats=FORMATS,
            boot=encode_for_script(boot),
        )

    def period(self, site: Document, sites: list[Document], report: Document) -> Response:
        """A month or year of a site; ``report`` as of ``Queries.report``."""
        period, fiscal = report["period"], period_words.fiscal_key(report)
        latest = periods.current_month(site, self._now())
        return self._html(
            "period.html",
            site=site,
            several=len(sites) > 1,
            report=report,
            period=period,
            tell=period_words,
            finding=finding_words,
            compared=period_words.compared(period, fiscal is not None),
            flows=dict(period_words.flows(report)),
            bands=period_words.bands(report["weather"]),
            meters=period_words.worst_first(report["meters"]),
            before=periods.link(site["id"], periods.shifted(period["key"], -1)),
            after=periods.link(site["id"], periods.shifted(period["key"], 1)) if period["over"] else None,
            latest=periods.link(site["id"], latest),
            years=self._years(site["id"], period["key"], fiscal),
            link=periods.link,
            formats=FORMATS,
            boot=encode_for_script(period_words.drawn(report)),
        )

    @staticmethod
    def _years(site: str, key: str, fiscal: str | None) -> list[periods.Link]:
        """The years that a month lies in."""
        keys = [key[:4], *([] if fiscal is None else [fiscal])] if periods.is_month(key) else []
        return [periods.link(site, each) for each in keys]

    def explain(self, site: Document, sites: list[Document], found: Document) -> Response:
        """One figure taken back to its register readings; ``found`` is the document of ``Queries.explain``."""
        figure, offered = found["figure"], [name for name, _ in present.WINDOWS]
        return self._html(
            "explain.html",
            site=site,
            several=len(sites) > 1,
            offered=figure["window"] in offered,
            found=found,
            tell=Telling(found),
            sections={meter["meter"]: f"meter-{place}" for place, meter in enumerate(found["meters"], start=1)},
            query=urlencode({"site": site["id"], **present.question(figure)}),
            most=_MOST,
            opened=_OPENED,
        )

    def findings(self, site: Document, sites: list[Document]) -> Response:
        """Every finding of a site, open ones first, then by money."""
        found = self._queries.findings(site["id"])
        return self._html(
            "findings.html",
            site=site,
            several=len(sites) > 1,
            found=found[:_LATEST],
            count_found=len(found),
            models=self._queries.models(site["id"]),
            tell=finding_words,
        )

    def finding(self, site: Document, sites: list[Document], found: Document) -> Response:
        """One finding: what, why, how much, what to do, and a plot of it; ``found`` as of ``Queries.finding``."""
        boot = {"timezone": site["timezone"], "finding": found}
        return self._html(
            "finding.html",
            site=site,
            several=len(sites) > 1,
            found=found,
            tell=finding_words,
            boot=encode_for_script(boot),
        )

    def ledger(self, site: Document, sites: list[Document]) -> Response:
        """A site's latest events and rejected readings, and the latest entries of the audit ledger."""
        events, entries = self._queries.events(site["id"]), self._queries.audit(None, _LATEST)
        return self._html(
            "ledger.html",
            site=site,
            several=len(sites) > 1,
            units={meter["id"]: meter["unit"] for meter in site["meters"]},
            events=sorted(events, key=lambda event: str(event["at"]), reverse=True)[:_LATEST],
            count_events=len(events),
            rejects=self._queries.rejects(site["id"])[:_LATEST],
            entries=entries[::-1],
            latest=_LATEST,
        )

    def fleet(self, sites: list[Document], window: str = present.DEFAULT_WINDOW) -> Response:
        """The page of all sites; ``window`` is the one that it opens with."""
        check_window(window)
        boot = {
            "sites": sites,
            "window": window,
            "figures": [asdict(figure) for figure in present.FIGURES],
            "kpi": self._queries.kpi(kpis=("pue", "wue", "ref"), window=window),
            "alerts": self._queries.alerts(),
        }
        return self._html(
            "fleet.html",
            sites=sites,
            windows=present.WINDOWS,
            window=window,
            boot=encode_for_script(boot),
        )

    def docs(self, schema: dict[str, Any]) -> Response:
        """A plain rendering of the OpenAPI document that needs no network."""
        return self._html("docs.html", schema=schema, operations=_operations(schema), shapes=_shapes(schema))

    def error(self, status: int, message: str) -> Response:
        """A page that says what went wrong."""
        return self._html("error.html", status, code=status, phrase=HTTPStatus(status).phrase, message=message)


def _type_name(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].removesuffix("Shape")
    if "anyOf" in schema:
        return " or ".join(_type_name(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type_name(schema['items'])}"
    return str(schema.get("type", "any"))


def _operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            content = operation["responses"]["200"].get("content", {}).get("application/json", {})
            parameters = [
                {
                    "name": parameter["name"],
                    "type": _type_name(parameter["schema"]).removesuffix(" or null"),
                    "description": parameter.get("description") or parameter["schema"].get("description", ""),
                }
                for parameter in operation.get("parameters", [])
            ]
            found.append(
                {
                    "path": path,
                    "method": method.upper(),
                    "summary": operation["summary"],
                    "parameters": parameters,
                    "answer": _type_name(content["schema"]) if content.get("schema") else "text",
                }
            )
    return found


def _shapes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name.removesuffix("Shape"),
            "description": shape.get("description", ""),
            "fields": [
                {"name": field, "type": _type_name(kind), "description": kind.get("description", "")}
                for field, kind in shape["properties"].items()
            ],
        }
        for name, shape in schema["components"]["schemas"].items()
    ]
