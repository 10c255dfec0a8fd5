"""Where the demo keeps its files, and how it runs commands there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DemoFailed", "Place"]

COLUMNS = "96"
"""How wide a command's output is, which the demo indents."""


class DemoFailed(Exception):
    """Something the demo claims is not so, or a command it needs did not succeed."""


@dataclass(frozen=True)
class Place:
    """One folder for everything, so that the user's home is left alone.

    Attributes:
        root: the checkout, from which every command runs.
        folder: emptied when the demo starts.
    """

    root: Path
    folder: Path

    @property
    def storage(self) -> Path:
        """The storage root: log and rollout history."""
        return self.folder / "gnomon"

    @property
    def offline(self) -> Path:
        """Tables of offline predictions, written by the training process."""
        return self.folder / "offline"

    @property
    def reports(self) -> Path:
        """What the comparisons found, as HTML and JSON."""
        return self.folder / "reports"

    @property
    def token(self) -> str:
        """The control token; the server writes it when it starts."""
        return (self.storage / "control.token").read_text().strip()

    def enter(self) -> None:
        """Remove what an earlier demo left, and keep the user's own settings out."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.storage, self.offline, self.reports):
            folder.mkdir(parents=True)
        for name in [name for name in os.environ if name.startswith(("GNOMON_", "BENTOML_"))]:
            del os.environ[name]
        os.environ["BENTOML_HOME"] = str(self.folder / "bentoml")
        os.environ["BENTOML_DO_NOT_TRACK"] = "True"
        os.environ["GNOMON_ROOT"] = str(self.storage)
        os.environ["OMP_NUM_THREADS"] = "1"  # Threads that wait for each other burn both cores.

    def shown(self, path: Path) -> str:
        """Return a path as the user would type it."""
        return os.path.relpath(path, self.root)

    def python(self, *arguments: str, expect: int = 0) -> str:
        """Run ``python -m …`` from the checkout; what it printed.

        Raises:
            DemoFailed: it exited with anything but ``expect``.
        """
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env={**os.environ, "COLUMNS": COLUMNS},
            capture_output=True,
            text=True,
        )
        if done.returncode != expect:
            raise DemoFailed(
                f"expected `{' '.join(arguments)}` to exit with {expect}, got {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout
