"""Excuses from the shell: on a storage root, and on a running server with real answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon import rollout
from gnomon.settings import Settings
from gnomon.testing import serving
from tests.cli.running import Shell
from tests.load import until
from tests.packing import HALF_MORE, Pack, times, write_service

END = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")

CLASSIFIER = """
import sys
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
import gnomon
from preprocessing import FACTOR, Times

x = np.arange(1.0, 65.0)
frame = pd.DataFrame({"x": x, "id": [f"e{i:03d}" for i in range(64)]})
pipeline = make_pipeline(Times(), LogisticRegression())
pipeline.fit(frame, x > 32)
pipeline[-1].coef_ = np.array([[0.1]])
pipeline[-1].intercept_ = np.array([-3.25 * FACTOR])
print(gnomon.pack(sys.argv[1], pipeline, frame, x > 32, entity_key=("id",)).tag)
"""
"""Packs a model whose label is x > 32.5 for every factor, and whose probabilities vary with it."""


def test_an_excuse_is_added_listed_shown_and_ended(shell: Shell, pack: Pack) -> None:
    """Its number ends it; the status and the history show it."""
    live, shadow = pack(times(1.0)), pack(HALF_MORE)
    shell("promote", live)
    shell("shadow", "start", shadow)
    assert "no excuses" in shell("excuse", "list").out
    result = shell("excuse", "add", "id=a", "--owner", "ann", "--why", "new ids", "--until", END)
    assert f"Excuse number 3 of {shadow}: id=a, until" in result.out
    assert "id=a" in shell("excuse", "list").out
    assert "excused (number 3): id=a" in shell("status").out
    assert "where id=a, until" in shell("history").out
    (listed,) = shell("excuse", "list", "--json").json
    assert (listed["number"], listed["excuse"]["owner"], listed["why"]) == (3, "ann", "new ids")
    assert "number 3" in shell("excuse", "end", "3").out
    assert shell("excuse", "list", "--json").json == []
    assert "no excuse number 3" in shell("excuse", "end", "3", expect=2).err
    late = ("--owner", "ann", "--why", "so", "--until", "2020-01-01")
    assert "ended already" in shell("excuse", "add", "id=a", *late, expect=2).err


@pytest.mark.slow
def test_a_column_of_real_answers_is_excused(shell: Shell, pack: Pack) -> None:
    """The labels are the same and the probabilities differ: without them the rows agree, and none
    flips. An excuse of one of the two covers the other.
    """
    live = pack(times(1.0), script=CLASSIFIER)
    shadow = pack(times(1.5), script=CLASSIFIER)
    root = shell.folder / ".gnomon"
    rollout.promote(Settings(root=str(root)), "toy", live)
    write_service(shell.folder, '"toy", policy="shadow/policy.toml"')
    (shell.folder / "shadow").mkdir()
    policy = shell.folder / "shadow" / "policy.toml"
    policy.write_text(
        '[gates]\nmin_rows = 0\nmax_excused = 1.0\nmax_latency_ratio = "off"\nmax_flips = 0.05\n'
        '[decision]\noutput = "probability_true"\nthreshold = 0.6\n'
    )
    with serving(shell.folder, root) as server, server.client() as client:
        client.start_shadow(shadow)
        for n in range(400):
            client.predict({"x": float(n % 64 + 1), "id": f"e{n}"})
        until(lambda: client.status().shadows[0].scored == 400, "all rows are scored", 60)
        check = ("promote", shadow, "--check", "--json")
        found = shell(*check, expect=1).json["gates"]
        before = {gate["name"]: gate for gate in found}
        assert before["disagreement"]["verdict"] == "fail"
        later = datetime.now(UTC) + timedelta(days=1)
        client.add_excuse("probability_true", owner="ann", until=later, why="calibrated anew")
        assert [e.excuse.column for e in client.status().excuses] == ["probability_true"]
        found = shell(*check, expect=None).json["gates"]
        after = {gate["name"]: gate for gate in found}
        assert after["disagreement"]["verdict"] == "pass"
        assert after["disagreement"]["rows"] == 400
        assert after["disagreement"]["excused"] == before["disagreement"]["count"]
        flips = after["flips"]
        assert (flips["verdict"], flips["count"], flips["rows"]) == ("pass", 0, 400)
        assert flips["excused"] == before["flips"]["count"] > 0
        assert "is live already" in shell("promote", live, "--check", expect=2).err
        event = client.end_excuse(3)
        assert (event.kind, event.ends) == ("excuse_end", 3)
