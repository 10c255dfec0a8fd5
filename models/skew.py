"""A second candidate: the same weights, served by code that reads the clock in Greenwich.

``python -m models.skew flights:boosting-1 --version boosting-1-utc`` copies ``preprocessing/``,
changes one line of the copy, and packs the trained pipeline again from a process that finds the
copy first. Nothing in the artifact is wrong by itself: its hashes hold and its golden rows come
out. It is only not the code the model was trained with.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["SERVED", "TRAINED", "copy_code", "skew"]

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "preprocessing"

TRAINED = "        hour = local.dt.hour\n"
SERVED = "        hour = times.dt.hour\n"


def skew(tag: str, version: str, folder: Path) -> None:
    """Pack the weights of ``tag`` again, with the changed code, in a process of its own.

    Args:
        tag: a packed ``boosting`` artifact.
        version: the version of the new one.
        folder: where the copy of ``preprocessing/`` is put.

    Raises:
        ValueError: the line to change is not there exactly once.
        subprocess.CalledProcessError: packing failed; it has said why.
    """
    copy_code(folder)
    subprocess.run(
        [sys.executable, "-P", "-m", "models.repack", tag, "--version", version],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.resolve()), str(ROOT)])},
        check=True,
    )


def copy_code(folder: Path, code: Path = CODE) -> Path:
    """Copy ``preprocessing/`` into a folder and substitute the one line.

    Returns:
        The changed file.

    Raises:
        ValueError: the line is not there exactly once.
    """
    copy = folder / "preprocessing"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(code, copy, ignore=shutil.ignore_patterns("__pycache__"))
    changed = copy / "local_time.py"
    text = changed.read_text()
    if text.count(TRAINED) != 1:
        raise ValueError(
            f"expected {TRAINED.strip()!r} once in {changed}, got {text.count(TRAINED)} times"
        )
    changed.write_text(text.replace(TRAINED, SERVED))
    return changed


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.skew", description=__doc__)
    parser.add_argument("tag")
    parser.add_argument("--version", required=True)
    parser.add_argument("--folder", type=Path, default=Path(".gnomon/skewed"))
    asked = parser.parse_args()
    skew(asked.tag, asked.version, asked.folder)


if __name__ == "__main__":
    main()
