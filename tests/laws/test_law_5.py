"""Law 5: the accounts balance."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gnomon.errors import GnomonError
from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from gnomon.testing import Server
from tests.faults.accounts import counted
from tests.laws.conftest import Deployment
from tests.load import until
from tests.packing import times

SETTINGS = {"GNOMON_DEADLINE": "1", "GNOMON_SEGMENT_SECONDS": "1"}


def test_every_row_has_one_outcome_and_every_refusal_its_reason(deployed: Deployment) -> None:
    """Good, bad, raising, killing and hanging rows: counted once each, by outcome and code, the
    same in the gateway and in the log; and the shadow accounts for every eligible row."""
    server, shadow = deployed.server, deployed.install(times(3))
    sent = [
        {"x": 1.0, "id": "good"},
        {"x": "1", "id": "wrong type"},
        {"id": "missing"},
        {"x": -1.0, "id": "raises"},
        {"x": -666.0, "id": "kills"},
        {"x": -999.0, "id": "hangs"},
        [{"x": 2.0, "id": "one"}, {"x": -1.0, "id": "two"}, {"x": 3.0, "id": "three"}],
    ]
    log = InferenceLog(server.settings, "toy")
    with server.client() as control:
        before, logged_before = control.status().accounts, balance(log).live
        control.start_shadow(shadow)
        codes = []
        for body in sent:
            try:
                control.predict(body)
            except GnomonError as error:
                codes.append(error.code)
        books = control.status().accounts
        until(
            lambda: control.status().shadows[0].scored == 3, "the shadow scores what was answered"
        )
        logged = balance(log)
        control.stop_shadow(shadow)
    assert codes == [
        "invalid_request",
        "invalid_request",
        "prediction_failed",
        "prediction_failed",
        "deadline_exceeded",
    ]
    assert counted(books) - counted(before) == {
        "received": 9,
        "answered": 3,
        "rejected": 2,
        "failed": 3,
        "timed_out": 1,
        "rejected:invalid_request": 2,
        "failed:prediction_failed": 3,
        "timed_out:deadline_exceeded": 1,
    }
    assert books.in_flight == 0
    assert logged.balanced, logged.explain()
    assert logged.live.received == books.received
    assert Counter(logged.live.outcomes) - Counter(logged_before.outcomes) == {
        "answered": 3,
        "rejected": 2,
        "failed": 3,
        "timed_out": 1,
    }


def test_a_stopped_shadow_leaves_no_rows_lagging(deployed: Deployment) -> None:
    """Rows that a shadow had not read when it was stopped or promoted do not count as lagging
    and do not delay sealing.
    """
    server, shadow = deployed.server, deployed.install(times(3, "time.sleep(3600)"))
    with server.client() as control:
        control.start_shadow(shadow)
        until(lambda: control.status().shadows[0].state == "running", "the shadow runs")
        first = segments(server)[-1]
        control.predict([{"x": 1.0, "id": f"online{n}"} for n in range(20)])
        until(lambda: control.status().shadows[0].lagging == 20, "it hangs on all of them")
        until(lambda: segments(server)[-1] > first, "the segment of these rows is closed")
        control.stop_shadow(shadow)
        log = InferenceLog(server.settings, "toy")
        accounts = balance(log)
        assert accounts.balanced, accounts.explain()
        assert [s.lagging for s in accounts.shadows if s.artifact == shadow] == [0]
        until(lambda: segments(server)[0] > first, "the segment is sealed and removed")


def segments(server: Server) -> list[Path]:
    """Return the segments of requests; the last one is open, and perhaps empty."""
    return sorted(server.settings.spool_path.glob("toy/*/requests/*.arrows"))
