"""Render a report as one self-contained HTML page."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from gnomon.page_templates import page_environment, template_source
from gnomon.report.document import Document

__all__ = ["document_page"]


def document_page(document: Document) -> str:
    """Render a document as an HTML page, without links to other files or addresses."""
    pages = _environment()
    style = Markup(template_source(pages, "style.css"))
    page = pages.get_template("report.html").render(document=document, style=style)
    return page.lstrip()  # The macros leave blank lines at the start.


@cache
def _environment() -> Environment:
    environment = page_environment("gnomon.report")
    environment.filters["ticks"] = _ticks
    environment.tests["block"] = lambda block, kind: type(block).__name__ == kind
    return environment


def _ticks(text: str) -> Markup:
    """Mark `names` in backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("".join(f"<code>{p}</code>" if index % 2 else p for index, p in enumerate(parts)))
