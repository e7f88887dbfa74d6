"""One self-contained HTML file: style and figures are inside, nothing is fetched, no script runs."""

from __future__ import annotations

import re
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wattwell.documents.blocks import Paper
from wattwell.documents.figures.sheet import VARIABLES

_COLORS = re.compile("|".join(VARIABLES))


def html(paper: Paper) -> bytes:
    """The report for a browser, legible in light and dark, on a phone and printed."""
    environment = Environment(
        loader=PackageLoader("wattwell.documents"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["themed"] = themed
    style = (files("wattwell.documents") / "templates" / "report.css").read_text(encoding="utf-8")
    template = environment.get_template("report.html")
    return template.render(paper=paper, style=Markup(style)).encode()  # noqa: S704 - our own file


def themed(svg: str) -> Markup:
    """A figure of ours with the page's colours in place of those of print, so that it follows light and dark."""
    return Markup(_COLORS.sub(lambda found: VARIABLES[found[0]], svg))  # noqa: S704 - drawn here, no text of others
