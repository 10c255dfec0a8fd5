"""The commands of the command line, as a tree."""

from __future__ import annotations

import typer.main

from gnomon.cli.app import app

TOP = typer.main.get_command(app)


def leaves(command: object, *path: str) -> list[tuple[str, ...]]:
    """Every command that does something, as the words that run it."""
    children = getattr(command, "commands", None)
    if children is None:
        return [path]
    return [leaf for name, child in children.items() for leaf in leaves(child, *path, name)]


def found(path: tuple[str, ...]) -> object:
    """The command behind these words."""
    command = TOP
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    return command


def shown_leaves(command: object, *path: str) -> list[tuple[str, ...]]:
    """Every command that does something and is not hidden, as the words that run it."""
    children = getattr(command, "commands", None)
    if children is None:
        return [path]
    shown = {name: child for name, child in children.items() if not child.hidden}
    return [leaf for name, child in shown.items() for leaf in shown_leaves(child, *path, name)]
