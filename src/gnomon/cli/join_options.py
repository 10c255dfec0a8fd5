"""Options for joining a table with the log."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Keys", "KnownAt"]

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="COLUMN",
        help="A key to join on; repeat it for several. Default: the contract's entity key.",
    ),
]

KnownAt = Annotated[
    str | None,
    typer.Option(
        "--known-at",
        metavar="COLUMN",
        help="The table's column of the time at which a row's values were known. A key may then "
        "have several rows: each request is joined with the latest known at its time.",
    ),
]
