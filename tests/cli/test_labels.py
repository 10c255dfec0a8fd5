"""``gnomon labels``, against a running server."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from gnomon.errors import InvalidRequest
from gnomon.log import InferenceLog
from gnomon.testing import serving
from tests.cli.conftest import Running, compared
from tests.cli.running import Shell
from tests.load import until
from tests.packing import install, times, write_service

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


CLASSES = """
import sys
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
import gnomon
from preprocessing import Times

x = np.arange(1.0, 61.0)
frame = pd.DataFrame({"x": x, "id": [f"e{i:03d}" for i in range(60)]})
y = np.select([x < 20, x < CUT], ["low", "high"], "top")
pipeline = make_pipeline(Times(), LogisticRegression()).fit(frame, y)
print(gnomon.pack(sys.argv[1], pipeline, frame, y, entity_key=("id",)).tag)
"""


def test_a_label_may_be_of_a_class_that_another_artifact_knows(
    tmp_path: Path, packed_once: Callable[[str, str, str], Path]
) -> None:
    """That of a running shadow, and of the earlier live one after a promotion."""
    home, root, deployment = tmp_path / "bentoml", tmp_path / "root", tmp_path / "deployment"
    two, three = (
        install(packed_once(times(1.0), "toy", CLASSES.replace("CUT", cut)), home)
        for cut in ("99", "40")
    )
    write_service(deployment)
    environment = {"BENTOML_HOME": str(home), "GNOMON_ROOT": str(root)}
    shell = Shell(deployment, environment)
    shell("promote", two, "--why", "the first")
    with serving(deployment, root, environment=environment) as server, server.client() as client:
        shell("shadow", "start", three, "--why", "it knows top")
        until(lambda: client.status().shadows, "the shadow runs", 120)
        answers = client.predict([{"x": float(n), "id": f"q{n}"} for n in range(1, 61)])
        until(lambda: compared(client) == 60, "the shadow has scored them", 60)
        with pytest.raises(InvalidRequest, match='one of "high", "low", "top", got "best"'):
            client.label({"request_id": answers.request_id, "row": 59, "value": "best"})
        tops = [{"request_id": answers.request_id, "row": n, "value": "top"} for n in range(40, 60)]
        assert client.label(tops).accepted == 20
        [shadow] = shell("quality", "--json").json["shadows"]
        wrong = shadow["metrics"][0]
        assert (wrong["metric"], wrong["rows"], wrong["live"]) == ("error", 20, 1.0)
        assert wrong["shadow"] < 0.5
        (deployment / "late.csv").write_text(f"request_id,row,label\n{answers.request_id},0,low\n")
        shell("labels", "import", "late.csv")
        shell("shadow", "stop", three, "--why", "seen")
        assert client.label({"request_id": answers.request_id, "row": 39, "value": "top"}).accepted
