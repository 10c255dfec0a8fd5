"""``gnomon artifacts``: what the model store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson
from gnomon.errors import ArtifactError

if TYPE_CHECKING:
    from gnomon.models import Manifest

__all__ = ["command"]


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only artifacts of this name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the artifacts in the model store, newest first. Nothing of them is executed."""
    from rich.markup import escape

    from gnomon.cli.console import columns, out, print_json
    from gnomon.models import resolve, tags

    found = {tag: resolve(tag) for tag in tags(name)}
    if as_json:
        print_json([_plain(tag, path) for tag, path in found.items()])
    elif not found:
        out.print("the store has no artifact yet; gnomon.pack makes one")
    else:
        table = columns("artifact", "age", "trained on", "commit", "stored as", "size")
        for tag, path in found.items():
            table.add_row(escape(tag), *_row(path))
        out.print(table)


def _row(path: Path) -> list[str]:
    """The cells of an artifact, or why it cannot be read."""
    from rich.markup import escape

    from gnomon.cli.console import ago

    manifest = _manifest(path)
    if isinstance(manifest, ArtifactError):
        return ["", f"[red]{escape(manifest.message)}[/]", "", "", ""]
    lineage = manifest.lineage
    return [
        ago(manifest.created),
        f"{lineage.rows:,} rows",
        (lineage.commit or "-")[:10] + (" +" if lineage.dirty else ""),
        manifest.serializer,
        f"{_size(path) / 1e6:.1f} MB",
    ]


def _plain(tag: str, path: Path) -> dict[str, object]:
    manifest = _manifest(path)
    if isinstance(manifest, ArtifactError):
        return {"artifact": tag, "path": str(path), **manifest.body()}
    return {
        "artifact": tag,
        "path": str(path),
        "bytes": _size(path),
        "created": manifest.created,
        "serializer": manifest.serializer,
        "lineage": manifest.lineage,
    }


def _manifest(path: Path) -> Manifest | ArtifactError:
    from gnomon.models import Manifest

    try:
        return Manifest.read(path)[0]
    except ArtifactError as error:
        return error


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
