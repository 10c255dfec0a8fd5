"""``gnomon artifacts``: list the model store."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson

__all__ = ["command"]


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only artifacts of this name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the artifacts in the model store, newest first. None of their code is executed."""
    from gnomon.artifact import resolve, tags
    from gnomon.cli.console import out, print_json
    from gnomon.cli.show.artifacts import plain, show_artifacts

    paths = {tag: resolve(tag) for tag in tags(name)}
    if as_json:
        print_json([plain(tag, path) for tag, path in paths.items()])
    elif paths:
        out.print(show_artifacts(paths))
    else:
        named = "" if name is None else f" of {name}"
        out.print(f"the store has no artifact{named}; gnomon.pack makes one", markup=False)
