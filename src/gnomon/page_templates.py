"""The templates of HTML pages, and how every page escapes its values."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from gnomon.printable import printable_value

__all__ = ["page_environment", "template_source"]


def page_environment(package: str) -> Environment:
    """Return the templates in the ``templates/`` folder of a package.

    Text is escaped, invisible characters included, and a missing name is an error.
    """
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        finalize=printable_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template_source(pages: Environment, name: str) -> str:
    """Return a template unrendered, for a style or a script between two tags."""
    assert pages.loader is not None
    return pages.loader.get_source(pages, name)[0]
