"""The second candidate's code differs from the deployment's in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.skew import CODE, SERVED, TRAINED, copy_code


def test_one_line_of_one_file_differs(tmp_path: Path) -> None:
    """The copy has the deployment's files, and one line in one of them is another."""
    changed = copy_code(tmp_path)
    assert changed == tmp_path / "preprocessing" / "local_time.py"
    for original in sorted(CODE.glob("*.py")):
        old = original.read_text().splitlines(keepends=True)
        new = (tmp_path / "preprocessing" / original.name).read_text().splitlines(keepends=True)
        differing = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        assert differing == ([(TRAINED, SERVED)] if original.name == changed.name else [])


def test_a_line_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """If the deployment's code changed, the substitution fails instead of packing
    unchanged code.
    """
    copy_code(tmp_path)
    with pytest.raises(ValueError, match="got 0 times"):
        copy_code(tmp_path / "again", code=tmp_path / "preprocessing")


def test_the_copy_takes_the_hour_from_utc(tmp_path: Path) -> None:
    """A process that finds the copy first reads noon UTC as twelve, and the weekday as before."""
    copy_code(tmp_path)
    code = (
        "import pandas as pd\n"
        "from preprocessing import LocalTime\n"
        "times = pd.DataFrame({'t': pd.to_datetime(['2013-04-08T02:00:00Z'], utc=True)})\n"
        "print(LocalTime().transform(times)[0].tolist())\n"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[2.0, 6.0]"
