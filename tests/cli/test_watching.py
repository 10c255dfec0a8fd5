from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator

import pytest

from gnomon.cli import watching
from gnomon.terminal import Terminal


def looks(*contents: str) -> Iterator[str]:
    yield from contents
    raise KeyboardInterrupt


def test_without_a_terminal_only_changed_lines_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the time; nothing is printed while nothing changes."""
    monkeypatch.setattr(watching, "REFRESH_SECONDS", 0)
    monkeypatch.setattr(watching, "out", Terminal(file=sys.stdout))
    contents = looks("rows 1\nlag 0", "rows 1\nlag 0", "rows 2\nlag 0")
    watching.watch(lambda: next(contents))
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("--")]
    assert lines == ["rows 1", "lag 0", "rows 2"]


@pytest.mark.timeout(20)
def test_q_ends_it_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key counts without Return, and the terminal is left as it was."""
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8", closefd=False) as keys, open(os.devnull, "w") as nowhere:
        monkeypatch.setattr(watching, "out", Terminal(file=nowhere, force_terminal=True))
        monkeypatch.setattr(sys, "stdin", keys)

        def look() -> str:
            os.write(ours, b"q")
            return "rows"

        watching.watch(look)
    os.close(ours)
    os.close(theirs)
