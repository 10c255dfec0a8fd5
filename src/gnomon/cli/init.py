"""``gnomon init``: write a working deployment as a starting point."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from gnomon.errors import GnomonError

__all__ = ["command"]

SUFFIX = ".tmpl"
"""The ending of every file of the skeleton, so that tools do not treat them as package code."""

CONTENTS = {
    "models/train.py": "trains a small model and packs it",
    "models/send.py": "sends a thousand requests, for a shadow to score",
    "preprocessing/": "your transformers; every artifact carries a copy",
    "service/": "the service to run",
    "shadow/policy.toml": "what a candidate must meet to be promoted",
    "shadow/replay.py": "replays a day of requests; schedule it nightly",
}


def command(
    folder: Annotated[Path, typer.Argument(help="Where to write it; created if missing.")],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="The model's name. Default: the folder's."),
    ] = None,
) -> None:
    """Write a working deployment to start from.

    It trains a small model on a data set that comes with scikit-learn. No file is overwritten.
    """
    from gnomon.cli.console import out

    # Of a link that leads in a circle, ``Path.resolve`` raises what is no OSError.
    model = _name(name or os.path.basename(os.path.realpath(folder)))
    skeleton = dict(_skeleton(files("gnomon.cli") / "skeleton"))
    existing = [path for path in skeleton if (folder / path).exists()]
    if existing:
        raise GnomonError(
            f"the folder already has {', '.join(sorted(existing))}",
            where=str(folder),
            hint="choose another folder; nothing was written",
        )
    for path, text in skeleton.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.replace("__model__", model))
    out.print(f"Made a deployment of the model [bold]{model}[/] in {folder}:")
    for path, what in CONTENTS.items():
        out.print(f"  {path:<20} {what}", highlight=False)
    out.print(f"\nNext:\n  cd {folder}\n  python -m models.train\n  gnomon serve", highlight=False)


def _skeleton(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    """Yield every file of the skeleton: its path in the deployment, and its text."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _skeleton(entry, f"{below}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            name = entry.name.removesuffix(SUFFIX)
            # Named .gitignore, it would apply to this repository.
            yield below + name.replace("gitignore", ".gitignore"), entry.read_text()


def _name(text: str) -> str:
    """Derive a model name from a folder's name: lower-case, with only characters of a tag."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:63]
    if not name:
        raise GnomonError(f"cannot derive a model name from {text!r}", hint="give one: --name")
    return name
