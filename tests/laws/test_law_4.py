"""Law 4: user code runs only in workers, one artifact per process."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.log import InferenceLog
from tests.conftest import Serve
from tests.load import gateways, until
from tests.packing import Pack, times

RECORDS = """
import os, sys
if "GNOMON_ROOT" in os.environ:
    with open(os.environ["GNOMON_ROOT"] + "/imported", "a") as file:
        print(*sys.orig_argv, file=file)
"""
"""Put before a toy's code: where it is served, each process that imports it says what it is."""


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")  # A process that was forked has all of it.
def test_user_code_runs_only_in_the_worker_of_its_artifact(pack: Pack, serve: Serve) -> None:
    """Live answers 1 and its shadow 100 in one server, although both call their code
    ``preprocessing``. Only workers import it, each of one artifact, and the gateway does not
    even load scikit-learn.
    """
    one, hundred = pack(RECORDS + times(1)), pack(RECORDS + times(100))
    with serve(one) as server, server.client() as control:
        control.start_shadow(hundred)
        answer = control.predict({"x": 1.0, "id": "a"})
        until(lambda: control.status().shadows[0].scored == 1, "the shadow scores it")
        assert answer.prediction == 1.0
        log = InferenceLog(server.settings, "toy")
        rows = log.table(columns=["role", "output_prediction", "agreed"]).to_pylist()
        (gateway,) = gateways(server)
        mapped = {mapping.path for mapping in gateway.memory_maps()}
        imported = (Path(server.settings.root) / "imported").read_text().splitlines()
    assert {row["role"]: row["output_prediction"] for row in rows} == {"live": 1.0, "shadow": 100.0}
    assert [row["agreed"] for row in rows if row["role"] == "shadow"] == [False]
    assert not [path for path in mapped if "sklearn" in path or "/scipy/" in path]
    assert len(imported) == 2
    for tag in (one, hundred):
        (process,) = (line for line in imported if tag.replace(":", "/") in line)
        assert "-m gnomon.worker " in process
