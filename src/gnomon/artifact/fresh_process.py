"""Proof that an artifact works where nothing but Gnomon is importable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from gnomon.errors import GnomonError, PackRefused
from gnomon.settings import TRUSTED_KEYS

__all__ = ["in_fresh_process", "main"]

_START = """\
import gc, sys
gc.disable()
sys.path.append(sys.argv[1])
from gnomon.artifact.fresh_process import main
main(sys.argv[2])
"""


class Verdict(msgspec.Struct):
    """Why an artifact did not load or verify; the last line a check prints."""

    code: str
    message: str
    hint: str | None = None


def in_fresh_process(folder: Path) -> None:
    """Load and verify an artifact in a new interpreter that sees no code of the user's but its own.

    Neither the working directory nor ``PYTHONPATH`` nor the user's own packages are on its path.
    It asks for no signature: what is being packed has none yet.

    Raises:
        PackRefused: it did not load, or the golden rows differ.
    """
    source = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-c", _START, source, str(folder)],
        env={name: value for name, value in os.environ.items() if name != TRUSTED_KEYS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    last = done.stdout.splitlines()[-1:] or [""]
    try:
        verdict = msgspec.json.decode(last[0], type=Verdict)
    except msgspec.DecodeError:
        verdict = Verdict("", f"it ended with status {done.returncode}: {done.stderr[-2000:]}")
    raise PackRefused(
        f"the artifact does not work in a fresh process: {verdict.message}",
        hint=verdict.hint,
    )


def main(folder: str) -> None:
    """Load and verify one artifact; exit with 1 and a verdict on standard output if it fails."""
    from gnomon.artifact.loading import load
    from gnomon.compat.skops import import_without_estimators

    import_without_estimators()
    try:
        load(Path(folder))
    except GnomonError as error:
        verdict = Verdict(error.code, error.message, error.hint)
        print(msgspec.json.encode(verdict).decode())
        sys.exit(1)
