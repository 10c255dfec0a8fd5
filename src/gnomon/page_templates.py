"""The templates of HTML pages: how every page of Gnomon escapes what it is given."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from gnomon.printable import printable_value

__all__ = ["page_environment", "template_source"]


def page_environment(package: str) -> Environment:
    """The pages in ``templates/`` of a package.

    Text is escaped, with no invisible character left in it, and a name that is missing is an error.
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
    """A template as it is written, for a style or a script between two tags."""
    assert pages.loader is not None
    return pages.loader.get_source(pages, name)[0]
