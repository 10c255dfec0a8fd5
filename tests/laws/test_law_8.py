"""Law 8: evidence or it did not happen."""

from __future__ import annotations

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.log import InferenceLog
from gnomon.skew.replay import replay
from tests.conftest import Serve
from tests.load import until
from tests.packing import Pack, times


def test_verdicts_name_their_rows_and_say_unknown_without_any(pack: Pack, serve: Serve) -> None:
    """On an empty log gates have no data and a replay is unknown; with rows they carry counts, an
    interval and the requests they rest on.
    """
    live, shadow = pack(times(1)), pack(times(2))
    with serve(live) as server, server.client() as control:
        control.start_shadow(shadow)
        nothing = rollout.check(server.settings, "toy", shadow)
        assert nothing.verdict == "no_data"
        log = InferenceLog(server.settings, "toy")
        assert replay(log, inspect(live)).verdict == "unknown"

        answer = control.predict({"x": 5.0, "id": "a"})
        for n in range(1, 200):
            control.predict({"x": float(n), "id": f"e{n}"})
        until(lambda: control.status().shadows[0].scored == 200, "the shadow scores")
        found = rollout.check(server.settings, "toy", shadow)
        report = replay(log, inspect(live), through=inspect(shadow))
    disagreement = next(gate for gate in found.gates if gate.name == "disagreement")
    assert disagreement.verdict == "fail"
    assert (disagreement.count, disagreement.rows) == (200, 200)
    assert disagreement.interval is not None
    assert 0.9 < disagreement.interval.low <= disagreement.interval.high <= 1.0
    assert disagreement.examples
    assert report.verdict == "diverged"
    assert answer.request_id in report.to_json().decode()
