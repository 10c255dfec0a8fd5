"""Runs ``gnomon`` as a user does: in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from tests.forking import run_python


@dataclass(frozen=True)
class Done:
    """What a command printed and exited with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What ``--json`` printed."""
        return msgspec.json.decode(self.out)


@dataclass(frozen=True)
class Shell:
    """A folder and an environment to run commands in."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(self, *words: str, expect: int | None = 0, **environment: str) -> Done:
        """Run ``gnomon`` with these words; it must exit with ``expect`` (None: with any code),
        without a traceback."""
        done = run_python(
            ["-m", "gnomon", *words], cwd=self.folder, env={**self.variables, **environment}
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert expect is None or done.returncode == expect, done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment: this process's but for Gnomon's settings, and the shell's own."""
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("GNOMON_", "COLUMNS"))
        }
        return {**inherited, **self.environment}


def offline(path: Path, rows: int, factor: float) -> Path:
    """A table of the toy model's correct predictions."""
    numbers = range(1, rows + 1)
    frame = pd.DataFrame(
        {"id": [f"e{n}" for n in numbers], "prediction": [factor * n for n in numbers]}
    )
    frame.to_csv(path, index=False)
    return path
