"""Print the model store as a table; unreadable artifacts are listed with their error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from gnomon.artifact import Manifest
from gnomon.cli.console import ago, columns
from gnomon.errors import ArtifactError
from gnomon.printable import printable

__all__ = ["plain", "show_artifacts"]


def show_artifacts(paths: Mapping[str, Path]) -> Table:
    """Return a table with a row for each artifact."""
    table = columns(
        "artifact", "age", "trained on", "commit", "stored as", "size", whole=("artifact",)
    )
    for tag, path in paths.items():
        table.add_row(escape(tag), *_row(path))
    return table


def plain(tag: str, path: Path) -> dict[str, object]:
    """Return an artifact's data for JSON output."""
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
        "combination": manifest.combination,
    }


def _row(path: Path) -> list[str]:
    manifest = _manifest(path)
    if isinstance(manifest, ArtifactError):
        return ["", f"[red]{escape(manifest.message)}[/]", "", "", ""]
    lineage = manifest.lineage
    return [
        ago(manifest.created),
        f"{lineage.rows:,} rows" if manifest.combination is None else "combined of two",
        escape(printable((lineage.commit or "-")[:10])) + (" +" if lineage.dirty else ""),
        manifest.serializer,
        f"{_size(path) / 1e6:.2f} MB",
    ]


def _manifest(path: Path) -> Manifest | ArtifactError:
    try:
        return Manifest.read(path)[0]
    except ArtifactError as error:
        return error


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
