"""Law 5: the accounts balance."""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import GnomonError
from gnomon.log import InferenceLog
from gnomon.shadow.accounts.balance import balance
from tests.conftest import Serve
from tests.load import until
from tests.packing import Pack, times


def test_every_row_has_one_outcome_and_every_refusal_its_reason(pack: Pack, serve: Serve) -> None:
    """Good, bad, raising, killing and hanging rows: counted once each, by outcome and code, the
    same in the gateway and in the log; and the shadow accounts for every eligible row."""
    live, shadow = pack(times(2)), pack(times(3))
    sent = [
        {"x": 1.0, "id": "good"},
        {"x": "1", "id": "wrong type"},
        {"id": "missing"},
        {"x": -1.0, "id": "raises"},
        {"x": -666.0, "id": "kills"},
        {"x": -999.0, "id": "hangs"},
        [{"x": 2.0, "id": "one"}, {"x": -1.0, "id": "two"}, {"x": 3.0, "id": "three"}],
    ]
    with serve(live, GNOMON_DEADLINE="1") as server, server.client() as control:
        control.start_shadow(shadow)
        codes = []
        for body in sent:
            try:
                control.predict(body)
            except GnomonError as error:
                codes.append(error.code)
        books = control.status().books
        log = InferenceLog(server.settings, "toy")
        until(
            lambda: control.status().shadows[0].scored == 3, "the shadow scores what was answered"
        )
        logged = balance(log)
    assert codes == [
        "invalid_request",
        "invalid_request",
        "prediction_failed",
        "prediction_failed",
        "deadline_exceeded",
    ]
    assert (books.received, books.answered, books.rejected, books.failed, books.timed_out) == (
        9,
        3,
        2,
        3,
        1,
    )
    assert books.in_flight == 0
    assert books.reasons == {
        "rejected:invalid_request": 2,
        "failed:prediction_failed": 3,
        "timed_out:deadline_exceeded": 1,
    }
    assert logged.balanced, logged.explain()
    assert logged.live.received == books.received
    assert logged.live.outcomes == {"answered": 3, "rejected": 2, "failed": 3, "timed_out": 1}


def test_a_stopped_shadow_owes_nothing_more(pack: Pack, serve: Serve) -> None:
    """What a shadow had not read when it was stopped or promoted is no debt of its accounts, and
    keeps no request from being sealed."""
    live, shadow = pack(times(2)), pack(times(3, "time.sleep(3600)"))
    with serve(live, GNOMON_SEGMENT_SECONDS="1") as server, server.client() as control:
        control.start_shadow(shadow)
        until(lambda: control.status().shadows[0].state == "running", "the shadow runs")
        control.predict([{"x": 1.0, "id": f"online{n}"} for n in range(20)])
        until(lambda: control.status().shadows[0].lagging == 20, "it hangs on all of them")
        control.stop_shadow(shadow)
        log = InferenceLog(server.settings, "toy")
        accounts = balance(log)
        assert accounts.balanced, accounts.explain()
        assert [(s.artifact, s.lagging) for s in accounts.shadows] == [(shadow, 0)]
        until(lambda: (Path(server.settings.root) / "log").is_dir(), "the requests are sealed")
