"""The command's help, version and usage errors."""

from __future__ import annotations

import re

import pytest
import typer.main

import gnomon
from gnomon.cli.app import app
from tests.cli.commands import shown_leaves
from tests.cli.running import Shell

TOP = typer.main.get_command(app)
VERBS = sorted(TOP.commands)  # type: ignore[attr-defined]


def test_help_names_every_verb_in_a_line(shell: Shell) -> None:
    """Complete sentences that are not cut off at the width of a terminal."""
    text = shell("--help", COLUMNS="80").out
    for verb in VERBS:
        assert re.search(rf"^  {verb} +[A-Z].*\.$", text, re.MULTILINE), verb
    assert "..." not in text.partition("Commands:")[2]


def test_no_arguments_show_the_help(shell: Shell) -> None:
    """A usage error by its exit code."""
    done = shell(expect=2)
    assert "Usage: gnomon" in done.out + done.err


@pytest.mark.parametrize("path", shown_leaves(TOP), ids=" ".join)
def test_every_command_says_what_it_does(path: tuple[str, ...]) -> None:
    """Each has a sentence, and each of its options and arguments has words for people."""
    command = TOP
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert command.help
    for parameter in command.params:
        if parameter.name not in ("help", "port"):
            assert getattr(parameter, "help", None), f"{path} {parameter.name}"


def test_the_version_is_the_packages(shell: Shell) -> None:
    """It is the version of the installed distribution."""
    assert shell("--version").out == f"gnomon {gnomon.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [("promte",), ("promote",), ("promote", "a:1", "--fource"), ("replay", "a", "--role", "x")],
)
def test_a_wrong_command_line_is_a_usage_error(shell: Shell, words: tuple[str, ...]) -> None:
    """Exit code 2, and what is wrong."""
    assert "Usage:" in shell(*words, expect=2).err
