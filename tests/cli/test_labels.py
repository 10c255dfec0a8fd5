"""``gnomon labels``, against a running server."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gnomon.log import InferenceLog
from tests.cli.conftest import Running
from tests.load import until

pytestmark = pytest.mark.slow


def answered(running: Running, name: str, copies: int = 1) -> Path:
    """A file of labels for every answered row, by entity and time, in this order."""
    log = InferenceLog(running.server.settings, "toy")
    frame = log.to_frame(columns=["input_id", "arrived"], role="live")
    frame = frame.sort_values("input_id").rename(columns={"input_id": "id"})
    frame["event_time"] = frame.pop("arrived") + pd.Timedelta(milliseconds=1)
    frame["value"] = range(len(frame))
    path = running.shell.folder / name
    frames = [frame.assign(source=f"copy {number}") for number in range(copies)]
    pd.concat(frames).to_csv(path, index=False)
    return path


def importing(running: Running, file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gnomon", "labels", "import", str(file), "--json"],
        cwd=running.shell.folder,
        env=running.shell.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_labels_come_by_post_and_by_file_and_the_accounts_balance(running: Running) -> None:
    """Two imports of a file at once, one of them killed and run again: each row has one label."""
    shell, file = running.shell, answered(running, "labels.csv", copies=3_000)
    log = InferenceLog(running.server.settings, "toy")
    [first, *_] = log.to_frame(columns="request_id", role="live")["request_id"]
    with running.server.client() as client:
        assert client.label({"request_id": first, "value": 0}).accepted == 1
    folder = Path(running.server.settings.root, "labels", "toy")
    before = shell("labels", "status", "--json").json  # The other test may have run already.
    parts = len(list(folder.glob("import-*")))
    killed, other = importing(running, file), importing(running, file)
    until(lambda: len(list(folder.glob("import-*"))) > parts + 2, "a part is stored", 120)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert other.wait(170) == 0
    other.communicate()
    again = shell("labels", "import", str(file), "--json").json
    assert (again["rows"], again["known"], again["stored"]) == (120_000, 120_000, 0)
    status = shell("labels", "status", "--json").json
    assert status["received"] == before["received"] + 120_000 == sum(status["fates"].values())
    assert status["fates"]["counted"] == running.rows
    assert sum(age["labelled"] for age in status["ages"]) == running.rows
    text = shell("labels", "status").out
    assert "toy: 40 of 40 answered rows have a label" in text
    assert f"{status['received']:,} labels received: 40 counted, 119,961 duplicate" in text


def test_a_row_that_is_refused_is_shown_and_fails_the_command(running: Running) -> None:
    """The others are stored."""
    file = running.shell.folder / "some.csv"
    file.write_text("key,when,y\ne1,2012-01-01T00:00:00,1\ne2,2013-01-01T00:00:00,late\n")
    words = "labels", "import", "some.csv", "--column", "entity.id=key"
    done = running.shell(
        *words, "--column", "event_time=when", "--column", "value=y", "--timezone", "UTC", expect=1
    )
    assert "2 rows: 1 stored, 1 refused" in done.out
    assert "`gnomon labels status` says how many found their row.\n" in done.out
    assert 'row 2, value: expected finite number, got "late"' in done.out
    wrong = running.shell(*words, "--column", "value", expect=2)
    assert "expected FIELD=COLUMN, got 'value'" in wrong.err


def test_a_file_withdraws_labels(running: Running) -> None:
    """As a label without a value does over HTTP; without a correction number nothing changes."""
    shell = running.shell
    (shell.folder / "withdraw.csv").write_text("request_id,label\nnobody,\n")
    shown = shell("labels", "import", "withdraw.csv").out
    assert "1 row: 0 stored, 1 without a value" in shown
    assert "--correction 1" in shown
    before = shell("labels", "status", "--json").json["received"]
    shown = shell("labels", "import", "withdraw.csv", "--correction", "7").out
    assert "1 row: 1 stored; 1 of them withdraws a label" in shown
    assert shell("labels", "status", "--json").json["received"] == before + 1
