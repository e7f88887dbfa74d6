"""The read-only HTTP face: JSON API, pages, health and /metrics over ``Queries``.

Handlers are plain functions, which FastAPI runs in worker threads: a slow question delays nobody else.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

import wattwell
from analytics.kpi import KPIS
from analytics.report.model import Report
from wattwell.documents import FORMATS
from wattwell.engine.queries import Document, Queries
from wattwell.errors import UnknownError, UsageError, WattwellError
from wattwell.intervals import SECOND
from wattwell.web import shapes
from wattwell.web.jsonio import MAX_ROWS, encode
from wattwell.web.limits import check_rows, rows_in, windows_apart
from wattwell.web.metrics import CONTENT_TYPE, Exporter
from wattwell.web.pages import Pages
from wattwell.web.periods import is_month
from wattwell.web.present import DEFAULT_WINDOW
from wattwell.web.rates import Rates
from wattwell.web.reports import Reports
from wattwell.web.security import Gate, security_headers
from wattwell.web.tokens import Tokens, read_tokens
from wattwell.web.turns import Busy, Turns

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.ErrorShape, "description": text}
    for status, text in (
        (400, "Wrong parameter"),
        (401, "No valid token"),
        (404, "Unknown site"),
        (429, "Too many requests"),
        (503, "The store does not answer, or too much is asked at once"),
    )
}


ReportName = Annotated[
    str, Path(description=f"2026-10, 2026 or FY2026, a dot, and one of {' '.join(FORMATS)}", examples=["2026-10.html"])
]
_EXPLAINED_AT_ONCE = 2
_COMPUTED_AT_ONCE = 4
_BUSY_SECONDS = 5


def _json(document: Any, status: int = 200) -> Response:
    return Response(encode(document), status_code=status, media_type="application/json")


def _once(request: Request) -> None:
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise UsageError(f"query parameter {name!r} is given more than once; give it once")


class _Asker:
    """Asks ``Queries`` on behalf of requests: checks the site, bounds the answer."""

    def __init__(self, queries: Queries, clock: Callable[[], float], max_rows: int) -> None:
        self._queries, self._clock, self._max_rows = queries, clock, max_rows
        self._explaining = Turns(_EXPLAINED_AT_ONCE, "figures are being explained")
        self._computing = Turns(_COMPUTED_AT_ONCE, "large questions are being answered")

    def site(self, wanted: str | None) -> Document:
        """The site asked for, or the only one there is."""
        sites = self._queries.sites()
        if wanted is None and len(sites) == 1:
            return sites[0]
        if wanted is None:
            raise UsageError(f"query parameter 'site' is required; one of {', '.join(s['id'] for s in sites)}")
        for site in sites:
            if site["id"] == wanted:
                return site
        raise UnknownError(f"unknown site {wanted!r}; one of {', '.join(s['id'] for s in sites)}")

    def known(self, wanted: str | None) -> str | None:
        """The same site id once it is known to exist; None is every site."""
        return None if wanted is None else str(self.site(wanted)["id"])

    def span(self, site: Document, start: str | None, end: str | None, each: int = 1) -> None:
        """Refuses a span that would certainly exceed the bound, before anything is computed."""
        count = rows_in(site, start, end, now=self._clock(), each=each, step=int(site["grid_seconds"]))
        check_rows(count, self._max_rows)

    def rows(self, found: list[Document]) -> Response:
        """The answer, if it is within the bound."""
        check_rows(len(found), self._max_rows)
        return _json(found)

    def large(self, ask: Callable[[], list[Document]]) -> Response:
        """The answer to a question over a span that people choose; Busy while as many as may be are being answered."""
        with self._computing.turn():
            return self.rows(ask())

    def kpi(self, asked: shapes.KpiQuery) -> Response:
        """KPI values; site ``all`` is the roll-up alone."""
        kpis = None if asked.kpi is None else [name.strip() for name in asked.kpi.split(",") if name.strip()]
        if kpis == []:
            raise UsageError(f"query parameter 'kpi' = {asked.kpi!r} names no KPI; write for example kpi=pue,wue")
        sites = self._queries.sites()
        roll_up = asked.site == "all" and all(site["id"] != "all" for site in sites)
        wanted = None if roll_up else self.known(asked.site)
        self._windows(sites, wanted, asked, each=lambda _: len(kpis or KPIS))

        def ask() -> list[Document]:
            found = self._queries.kpi(wanted, kpis, asked.window, asked.from_, asked.to)
            return [document for document in found if document["site"] == "all"] if roll_up else found

        return self.rows(ask()) if asked.from_ is None else self.large(ask)

    def explain(self, site: Document, asked: shapes.FigureQuery) -> Document:
        """An explanation; Busy while as many as may be are being made, for each takes seconds and much memory."""
        self.span(site, asked.from_, asked.to)
        with self._explaining.turn():
            return self._queries.explain(str(site["id"]), asked.kpi, asked.window, asked.at, asked.from_, asked.to)

    def balance(self, asked: shapes.BalanceQuery) -> Response:
        """Balances of the meter tree."""
        sites, wanted = self._queries.sites(), self.known(asked.site)
        self._windows(sites, wanted, asked, each=_parents)
        return self.large(lambda: self._queries.balance(wanted, asked.window, asked.from_, asked.to))

    def _windows(
        self,
        sites: list[Document],
        wanted: str | None,
        asked: shapes.KpiQuery | shapes.BalanceQuery,
        each: Callable[[Document], int],
    ) -> None:
        """Refuses too many windows, over all sites together; ``each``: rows of a site for one window."""
        count = 0
        for site in sites:
            step = windows_apart(site, asked.window)
            if step is not None and wanted in (None, site["id"]):
                count += rows_in(site, asked.from_, asked.to, now=self._clock(), each=each(site), step=step)
        check_rows(count, self._max_rows)


def _parents(site: Document) -> int:
    """How many meters have others below them; at least 1, for windows without a balance take time too."""
    return max(len({meter["parent"] for meter in site["meters"]} - {None}), 1)


def _api_routes(queries: Queries, asker: _Asker) -> APIRouter:
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(_once)], responses=_ERRORS, tags=["figures"])

    @api.get("/sites", response_model=list[shapes.SiteShape], summary="Sites and their meters")
    def sites(_: Annotated[shapes.NoQuery, Query()]) -> Response:
        return _json(queries.sites())

    @api.get("/kpi", response_model=list[shapes.KpiShape], summary="KPI values")
    def kpi(asked: Annotated[shapes.KpiQuery, Query()]) -> Response:
        return asker.kpi(asked)

    @api.get("/balance", response_model=list[shapes.BalanceShape], summary="Parent minus children of the meter tree")
    def balance(asked: Annotated[shapes.BalanceQuery, Query()]) -> Response:
        return asker.balance(asked)

    @api.get("/series", response_model=list[shapes.SeriesShape], summary="Interval values of meters")
    def series(asked: Annotated[shapes.SeriesQuery, Query()]) -> Response:
        site = asker.site(asked.site)
        if asked.meter is not None and all(meter["id"] != asked.meter for meter in site["meters"]):
            raise UsageError(f"unknown meter {asked.meter!r} at site {site['id']!r}; /api/v1/sites lists them")
        asker.span(site, asked.from_, asked.to, each=1 if asked.meter else max(len(site["meters"]), 1))
        return asker.large(lambda: queries.series(site["id"], asked.meter, asked.from_, asked.to))

    @api.get("/power", response_model=list[shapes.PowerShape], summary="Mean power by subsystem, for plots")
    def power(asked: Annotated[shapes.SpanQuery, Query()]) -> Response:
        site = asker.site(asked.site)
        asker.span(site, asked.from_, asked.to)
        return asker.large(lambda: queries.power(site["id"], asked.from_, asked.to))

    @api.get("/explain", response_model=shapes.ExplanationShape, summary="One KPI value taken back to its meters")
    def explain(asked: Annotated[shapes.ExplainQuery, Query()]) -> Response:
        site = asker.site(asked.site)
        return _json(asker.explain(site, asked))

    @api.get("/problems", response_model=list[shapes.ProblemShape], summary="What an operator should look at")
    def problems(asked: Annotated[shapes.OneSiteQuery, Query()]) -> Response:
        return asker.rows(queries.problems(asker.site(asked.site)["id"]))

    return api


def _ledger_routes(queries: Queries, asker: _Asker) -> APIRouter:
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(_once)], responses=_ERRORS, tags=["ledgers"])

    @api.get("/alerts", response_model=list[shapes.AlertShape], summary="Alert states, then their history")
    def alerts(asked: Annotated[shapes.SiteQuery, Query()]) -> Response:
        return asker.rows(queries.alerts(asker.known(asked.site)))

    @api.get("/silences", response_model=list[shapes.SilenceShape], summary="Silences and maintenance windows")
    def silences(_: Annotated[shapes.NoQuery, Query()]) -> Response:
        return asker.rows(queries.silences())

    @api.get("/findings", response_model=list[shapes.FindingShape], summary="What wastes energy or water, by money")
    def findings(asked: Annotated[shapes.FindingsQuery, Query()]) -> Response:
        site = asker.known(asked.site)
        return asker.large(lambda: queries.findings(site, asked.from_, asked.to, asked.status, asked.limit))

    @api.get("/findings/{id}", response_model=shapes.FindingDetailShape, summary="One finding with its course")
    def finding(id: str, _: Annotated[shapes.NoQuery, Query()]) -> Response:
        return _json(queries.finding(id))

    @api.get("/models", response_model=list[shapes.ModelShape], summary="What is watched, and how well it is expected")
    def models(asked: Annotated[shapes.SiteQuery, Query()]) -> Response:
        return asker.rows(queries.models(asker.known(asked.site)))

    @api.get("/events", response_model=list[shapes.EventShape], summary="The meter-event ledger")
    def events(asked: Annotated[shapes.EventQuery, Query()]) -> Response:
        site = asker.known(asked.site)
        return asker.large(lambda: queries.events(site, asked.meter, asked.from_, asked.to))

    @api.get("/rejects", response_model=list[shapes.RejectShape], summary="Rejected readings by reason")
    def rejects(asked: Annotated[shapes.SiteQuery, Query()]) -> Response:
        return asker.rows(queries.rejects(asker.known(asked.site)))

    @api.get("/unmapped", response_model=list[shapes.UnmappedShape], summary="Topics bound to no meter")
    def unmapped(_: Annotated[shapes.NoQuery, Query()]) -> Response:
        return asker.rows(queries.unmapped())

    return api


def _report_routes(queries: Queries, asker: _Asker, reports: Reports) -> APIRouter:
    api = APIRouter(prefix="/api/v1", dependencies=[Depends(_once)], responses=_ERRORS, tags=["reports"])

    @api.get("/reports", response_model=list[shapes.IssuedReportShape], summary="Issued reports, the latest first")
    def issued(asked: Annotated[shapes.SiteQuery, Query()]) -> Response:
        return asker.rows(queries.reports(asker.known(asked.site)))

    others: dict[str, dict[str, Any]] = {"text/html": {}, "application/pdf": {}, "text/csv": {}}
    told: dict[int | str, dict[str, Any]] = {
        200: {"content": others, "description": "The report, as the ending of its name says"},
        304: {"description": "If-None-Match names the report as it is"},
    }

    @api.get("/reports/{site}/{name}", response_model=Report, responses=told, summary="A report: 2026-10.pdf")
    def report(
        request: Request, site: str, name: ReportName, asked: Annotated[shapes.ReportQuery, Query()]
    ) -> Response:
        known = request.headers.get("if-none-match", "")
        return reports.file(str(asker.site(site)["id"]), name, asked.revision, known)

    return api


def _health_routes(queries: Queries, ready: Callable[[], tuple[bool, str]]) -> APIRouter:
    health = APIRouter(tags=["health"])
    exporter = Exporter(queries.snapshot)

    @health.get("/healthz", response_model=shapes.StatusShape, summary="The process answers; needs no token")
    def healthz() -> Response:
        return _json({"status": "ok"})

    unready: dict[int | str, dict[str, Any]] = {503: {"model": shapes.StatusShape, "description": "Not ready"}}

    @health.get("/readyz", response_model=shapes.StatusShape, responses=unready, summary="The service does its work")
    def readyz() -> Response:
        is_ready, reason = ready()
        return _json({"status": "ready" if is_ready else "not ready", "reason": reason}, 200 if is_ready else 503)

    @health.get("/metrics", response_class=Response, summary="Prometheus metrics")
    def metrics() -> Response:
        return Response(exporter.render(), headers={"Content-Type": CONTENT_TYPE})

    return health


def _page_routes(queries: Queries, asker: _Asker, pages: Pages, app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def home(window: str = DEFAULT_WINDOW) -> Response:
        sites = queries.sites()
        return pages.site(sites[0], sites, window) if len(sites) == 1 else pages.fleet(sites, window)

    @router.get("/sites/{site}")
    def site_page(site: str, window: str = DEFAULT_WINDOW) -> Response:
        return pages.site(asker.site(site), queries.sites(), window)

    @router.get("/sites/{site}/explain", dependencies=[Depends(_once)])
    def explain_page(site: str, asked: Annotated[shapes.FigureQuery, Query()]) -> Response:
        found = asker.site(site)
        return pages.explain(found, queries.sites(), asker.explain(found, asked))

    @router.get("/sites/{site}/findings")
    def findings_page(site: str) -> Response:
        return pages.findings(asker.site(site), queries.sites())

    @router.get("/sites/{site}/findings/{id}")
    def finding_page(site: str, id: str) -> Response:
        known, found = asker.site(site), queries.finding(id)
        if found["site"] != known["id"]:
            raise UnknownError(f"finding {id!r} is not of site {site!r}; see /sites/{site}/findings")
        return pages.finding(known, queries.sites(), found)

    @router.get("/sites/{site}/ledger")
    def ledger_page(site: str) -> Response:
        return pages.ledger(asker.site(site), queries.sites())

    @router.get("/docs")
    def docs() -> Response:
        return pages.docs(app.openapi())

    return router


def _period_routes(queries: Queries, asker: _Asker, pages: Pages, reports: Reports) -> APIRouter:
    router = APIRouter(include_in_schema=False, dependencies=[Depends(_once)])

    def period(site: str, key: str, asked: shapes.ReportQuery) -> Response:
        known = asker.site(site)
        return pages.period(known, queries.sites(), reports.document(str(known["id"]), key, asked.revision))

    @router.get("/sites/{site}/month/{key}")
    def month_page(site: str, key: str, asked: Annotated[shapes.ReportQuery, Query()]) -> Response:
        if not is_month(key):
            raise UsageError(f"{key!r} is no month; write one such as 2026-10, and years as /sites/{site}/year/2026")
        return period(site, key, asked)

    @router.get("/sites/{site}/year/{key}")
    def year_page(site: str, key: str, asked: Annotated[shapes.ReportQuery, Query()]) -> Response:
        if is_month(key):
            raise UsageError(f"{key!r} is no year; write 2026 or FY2026, and months as /sites/{site}/month/2026-10")
        return period(site, key, asked)

    return router


def _describe_fault(error: RequestValidationError) -> str:
    for fault in error.errors():
        name = str(fault["loc"][-1])
        if fault["type"] == "extra_forbidden":
            return f"unknown query parameter {name!r}; /docs lists the parameters of each question"
        return f"query parameter {name!r} = {fault.get('input')!r} is wrong: {fault['msg']}"
    return "the request is malformed; /docs lists the parameters of each question"


def _install_errors(app: FastAPI, pages: Pages, headers: Mapping[str, str]) -> None:
    def answer(request: Request, status: int, message: str) -> Response:
        if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
            return pages.error(status, message)
        return _json({"error": message}, status)

    def invalid(request: Request, error: Exception) -> Response:
        fault = _describe_fault(error) if isinstance(error, RequestValidationError) else str(error)
        return answer(request, 400, fault)

    def refused(request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, UnknownError) else 400 if isinstance(error, UsageError) else 503
        response = answer(request, status, str(error))
        if isinstance(error, Busy):
            response.headers["Retry-After"] = str(_BUSY_SECONDS)
        return response

    def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        sentences = {404: f"there is nothing at {request.url.path}; see / and /docs", 405: "this service is read-only"}
        return answer(request, status, sentences.get(status, str(error)))

    def broken(request: Request, error: Exception) -> Response:
        response = answer(request, 500, f"internal error ({type(error).__name__}); the service's log has the details")
        response.headers.update(headers)  # made outside the gate
        return response

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(WattwellError, refused)
    app.add_exception_handler(HTTPException, missing)
    app.add_exception_handler(Exception, broken)


def _openapi(app: FastAPI, description: str) -> Callable[[], dict[str, Any]]:
    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)  # wrong parameters are 400 here
            for unused in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    return build


def create_app(
    queries: Queries,
    *,
    token: str | None,
    ready: Callable[[], tuple[bool, str]],
    clock: Callable[[], float] = time.time,
    max_rows: int = MAX_ROWS,
    rates: Rates | None = None,
    public_url: str = "",
    fonts: pathlib.Path | None = None,
) -> FastAPI:
    """The application: pages, API, health and metrics.

    ``token``, a file of tokens as :func:`read_tokens` reads it, guards everything but /healthz (None: open, for
    loopback); ``ready`` tells whether the service does its work and why not; ``clock`` is seconds since the epoch,
    used to bound spans that end now; an answer holds at most ``max_rows`` objects; ``rates`` bounds how often each
    client may ask; ``public_url`` is where people find the page.
    """
    tokens = None if token is None else Tokens(read_tokens(token))
    app = FastAPI(title="Wattwell", version=wattwell.__version__, docs_url=None, redoc_url=None)
    asker = _Asker(queries, clock, max_rows)
    pages, reports = Pages(queries, lambda: int(clock() * SECOND)), Reports(queries, fonts)
    routers: Sequence[APIRouter] = (
        _page_routes(queries, asker, pages, app),
        _period_routes(queries, asker, pages, reports),
        _api_routes(queries, asker),
        _ledger_routes(queries, asker),
        _report_routes(queries, asker, reports),
        _health_routes(queries, ready),
    )
    for router in routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=str(files("wattwell.web") / "static")), name="static")
    _install_errors(app, pages, security_headers(public_url))
    app.openapi = _openapi(app, "Read-only. Times are ISO 8601 UTC with Z; unknown is null, never 0.")  # type: ignore[method-assign]
    app.add_middleware(GZipMiddleware, minimum_size=2048, compresslevel=5)
    app.add_middleware(Gate, tokens=tokens, rates=rates, public_url=public_url)
    return app
