"""Another release of a library in a separate environment gives other answers."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.shadow.trips import LOCAL

ROOT = Path(__file__).parents[3]

LIBRARY = """
def clock(hours):
    return {formula}
"""

SCRIPT = """
import sys
from pathlib import Path
from gnomon.artifact import inspect
from gnomon.settings import Settings
from gnomon.skew.replay import replay
from tests.forking import fork_children
from tests.packing import pack_in_process
from tests.shadow.trips import TRAINED, Trips, trips

fork_children()  # Those of this environment; the other's worker is a new interpreter of its own.
code, folder, home, other = sys.argv[1:]
tag = pack_in_process(Path(folder), Path(home), code, "trips", TRAINED)
settings = Settings.read()
logged = Trips(settings, inspect(tag), trips(120)).answer()
report = replay(logged.log, logged.artifact, settings=settings, python=other, trace=True)
print(report.to_json().decode())
"""

HOUR = 'X["at"].dt.tz_convert(ZONE).dt.hour'
CODE = "import timelib\n" + LOCAL.replace(HOUR, f"timelib.clock({HOUR})")


def environment(folder: Path, version: str, formula: str) -> Path:
    """An interpreter with everything that is installed here, and one release of a library in
    addition.
    """
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        if not (site / installed.name).exists():
            (site / installed.name).symlink_to(installed)
    (site / "timelib.py").write_text(LIBRARY.format(formula=formula))
    info = site / f"timelib-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: timelib\nVersion: {version}\n")
    (info / "RECORD").write_text("timelib.py,,\n")
    (info / "top_level.txt").write_text("timelib\n")
    return folder / "bin" / "python"


@pytest.mark.slow
def test_another_release_of_a_library_is_named_with_the_step_it_moves(tmp_path: Path) -> None:
    """timelib 1.0 gives the hour of 24 here, and 2.0 the hour of 12 there: the golden rows
    differ there, but the rows are run, the step is found, and both releases are named.
    """
    here = environment(tmp_path / "here", "1.0", "hours")
    there = environment(tmp_path / "there", "2.0", "hours % 12")
    home = tmp_path / "home"
    done = subprocess.run(
        [here, "-c", SCRIPT, CODE, tmp_path / "code", home, there],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BENTOML_HOME": str(home),
            "GNOMON_ROOT": str(tmp_path / "root"),
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    found = report["diagnosis"]
    assert (found["verdict"], found["cause"]) == ("confirmed", "library or hardware version")
    assert found["column"] == "columns/clock/hour"
    assert "timelib 1.0 here, 2.0 there" in found["sentence"]
    rung = report["ladder"][-1]
    assert rung["name"] == "R5"
    assert rung["as_left"] < rung["as_right"] == rung["rows"]
