"""Both clients, over real HTTP."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import msgspec
import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.api.log_query import (
    CheckHistory,
    CheckShadows,
    EstimateQuality,
    MeasureQuality,
    WantLabels,
)
from gnomon.errors import (
    BodyTooLarge,
    Busy,
    DeadlineExceeded,
    InvalidRequest,
    NotReady,
    RolloutError,
    ServerError,
    SettingsError,
    Unauthorized,
)
from tests.service.standin import TOKEN, StandIn, serving

Calling: TypeAlias = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, url: str) -> Calling:
    """``call("predict", rows)`` on a client of either kind; client options come by keyword."""

    def sync(name: str, *args: Any, to: str = url, options: Any = None, **kwargs: Any) -> Any:
        with gnomon.Client(to, **(options or {})) as client:
            return getattr(client, name)(*args, **kwargs)

    def awaited(name: str, *args: Any, to: str = url, options: Any = None, **kwargs: Any) -> Any:
        async def run() -> Any:
            async with gnomon.AsyncClient(to, **(options or {})) as client:
                return await getattr(client, name)(*args, **kwargs)

        return asyncio.run(run())

    return sync if request.param == "sync" else awaited


CONTROL = {"control_token": TOKEN}


def test_labels_are_sent_as_records(call: Calling, standin: StandIn) -> None:
    """One or many, as dicts or as a frame; what a frame has no value for is not sent."""
    time = datetime(2026, 11, 1, tzinfo=UTC)
    label = {"entity": {"carrier": "UA"}, "event_time": time, "value": "late"}
    assert call("label", label, options=CONTROL).accepted == 1
    frame = pd.DataFrame({"request_id": ["a", "b"], "value": [1.5, 2.5], "source": ["x", None]})
    assert call("label", frame, options=CONTROL).accepted == 3
    assert standin.labels == [
        {"entity": {"carrier": "UA"}, "event_time": "2026-11-01T00:00:00Z", "value": "late"},
        {"request_id": "a", "value": 1.5, "source": "x"},
        {"request_id": "b", "value": 2.5},
    ]
    assert standin.tokens[-1] == f"Bearer {TOKEN}"
    assert call("label_status", options=CONTROL).model == "flights"


def test_what_a_server_computes_is_read_as_in_python(
    call: Calling, standin: StandIn, tmp_path: Path
) -> None:
    """The same types as those of the functions that read the storage root."""
    checks = call("check_gates", "flights:two", options=CONTROL)
    assert checks.gates[0].verdict == checks.gates[0].overall == "unknown"
    assert checks.unevaluated[0].artifact == "flights:three"
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert call("measure_quality", start=start, options=CONTROL).live == "flights:one"
    replayed = call("check_gates_on_history", "flights:three", start=start, options=CONTROL)
    assert replayed.overall == "unknown"
    chunk = timedelta(minutes=90)
    assert call("estimate_quality", chunk=chunk, options=CONTROL).live == "flights:one"
    rows = call("wanted_labels", "flights:two", rows=7, options=CONTROL)
    assert rows[0]["effect"] == 0.5
    assert standin.asked == [
        CheckShadows(artifact="flights:two"),
        MeasureQuality(start=start),
        CheckHistory(artifact="flights:three", start=start),
        EstimateQuality(chunk_hours=1.5),
        WantLabels(artifact="flights:two", rows=7),
    ]
    assert call("history_at", datetime.now(UTC), options=CONTROL).live == "flights:one"
    assert call("excuses", options=CONTROL) == call("tokens", options=CONTROL) == ()
    call("export_audit", tmp_path / "a.tar", options=CONTROL)
    assert (tmp_path / "a.tar").read_bytes() == b"a tar archive"
    with pytest.raises(SettingsError, match="never overwritten"):
        call("export_audit", tmp_path / "a.tar", options=CONTROL)
    standin.busy = True
    with pytest.raises(Busy):
        call("check_gates", options=CONTROL)


def test_a_stream_that_a_client_refuses_leaves_no_thread() -> None:
    """A client with a transport cannot stream, and says so before it starts anything."""
    before = threading.active_count()
    with gnomon.Client(transport=httpx.HTTPTransport()) as client:
        for stream in (client.predict_stream, client.predict_batches):
            with pytest.raises(ServerError, match="without a `transport`"):
                list(stream([{"x": 1.0}]))
    assert threading.active_count() == before


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "127.0.0.1:3000"])
def test_a_stream_to_no_url_is_a_server_error(url: str) -> None:
    """A port that is none ended in a ValueError of the standard library."""
    with (
        gnomon.Client(url) as client,
        pytest.raises(ServerError, match="expected a URL") as caught,
    ):
        list(client.predict_stream([{"x": 1.0}]))
    assert str(caught.value.where).startswith(url)


def test_both_clients_have_the_same_methods() -> None:
    """What one can, the other can, with the same arguments."""
    for name, method in inspect.getmembers(gnomon.Client, inspect.isfunction):
        if not name.startswith("_"):
            twin = getattr(gnomon.AsyncClient, name)
            streams = inspect.isasyncgenfunction(twin)
            assert streams or inspect.iscoroutinefunction(twin)
            documented, same = inspect.signature(twin), inspect.signature(method)
            assert documented.parameters == same.parameters
            assert (
                documented.return_annotation.removeprefix("Async" * streams)
                == same.return_annotation
            )


def test_one_record_gives_one_prediction(call: Calling, standin: StandIn) -> None:
    """The prediction has probabilities, the artifact that answered and the request's name in the
    log.
    """
    answer = call("predict", {"hour": 12})
    assert (answer.prediction, answer.probabilities["late"]) == ("late", 0.75)
    assert (answer.request_id, answer.artifact) == ("r-1", "flights:one")
    assert standin.bodies == [b'{"hour":12}']


def test_many_records_give_a_row_each(call: Calling) -> None:
    """Rows come in their order; a row that failed has an error and the others are answered."""
    answer = call("predict", [{"hour": 12}, {"hour": 13}, {"hour": 14}])
    assert len(answer) == 3
    assert [row.prediction for row in answer] == ["late", None, "late"]
    assert answer[1].error.code == "prediction_failed"
    assert answer[0].error is None


def test_a_frame_is_sent_row_by_row(call: Calling, standin: StandIn) -> None:
    """Every dtype becomes JSON's own type, every kind of null becomes null."""
    frame = pd.DataFrame(
        {
            "whole": np.array([1, 2], dtype="int32"),
            "number": [0.5, np.nan],
            "text": ["a", None],
            "kind": pd.Categorical(["x", None]),
            "flag": [True, False],
            "maybe": pd.array([7, None], dtype="Int64"),
            "at": pd.to_datetime(["2024-01-01T00:00Z", None]),
        }
    )
    call("predict", frame)
    assert msgspec.json.decode(standin.bodies[0])["rows"] == [
        {
            "whole": 1,
            "number": 0.5,
            "text": "a",
            "kind": "x",
            "flag": True,
            "maybe": 7,
            "at": "2024-01-01T00:00:00+00:00",
        },
        {
            "whole": 2,
            "number": None,
            "text": None,
            "kind": None,
            "flag": False,
            "maybe": None,
            "at": None,
        },
    ]


def test_numpy_and_pandas_values_in_a_record_are_sent_as_json(
    call: Calling, standin: StandIn
) -> None:
    """A row taken out of a frame by hand can be sent as it is."""
    call(
        "predict",
        {
            "a": np.int64(3),
            "b": np.float32(0.5),
            "c": np.bool_(True),
            "d": pd.Timestamp("2024-01-01", tz="UTC"),
            "e": datetime(2024, 1, 1, tzinfo=UTC),
            "f": float("nan"),
            "g": np.array([0.5, 2.0], "float32"),
            "h": np.array([["x"], ["y"]]),
            "i": pd.Interval(0.5, 2),
        },
    )
    assert msgspec.json.decode(standin.bodies[0]) == {
        "a": 3,
        "b": 0.5,
        "c": True,
        "d": "2024-01-01T00:00:00+00:00",
        "e": "2024-01-01T00:00:00Z",
        "f": None,
        "g": [0.5, 2.0],
        "h": [["x"], ["y"]],
        "i": "(0.5, 2.0]",
    }


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ({"x": float("inf")}, "$.x"),
        ([{"x": 1.0}, {"x": -float("inf")}], "$.rows[1].x"),
        (pd.DataFrame({"x": [np.inf]}), "$.rows[0].x"),
        ({"x": object()}, "$"),
        (pd.DataFrame({"x": [np.array([1.0, np.nan])]}), "$"),
    ],
)
def test_a_value_json_cannot_hold_is_not_sent(
    call: Calling, standin: StandIn, rows: Any, where: str
) -> None:
    """Infinity would arrive as null, so it is refused here, with its place."""
    with pytest.raises(InvalidRequest) as caught:
        call("predict", rows)
    assert caught.value.where == where
    assert standin.bodies == []


def test_an_error_comes_back_as_the_class_the_server_raised(call: Calling) -> None:
    """It has its message, its hint, and the request's name as a note."""
    with pytest.raises(BodyTooLarge, match="at most 100,000 bytes") as caught:
        call("predict", {"x": "y" * 100_000})
    assert "GNOMON_BODY_BYTES" in str(caught.value.hint)
    assert caught.value.__notes__ == ["request r-1"]


def test_a_rollout_runs_through_the_client(call: Calling) -> None:
    """Shadow, stop, promote, roll back, status and history, typed."""
    by = {**CONTROL, "by": "ada"}
    started = call("start_shadow", "flights:two", 0.25, why="try", options=by)
    assert (started.kind, started.fraction, started.by, started.why) == (
        "shadow_start", 0.25, "ada", "try",
    )  # fmt: skip
    assert call("status", options=CONTROL).shadows[0].disagreement == 0.025
    assert call("stop_shadow", "flights:two", options=CONTROL).kind == "shadow_stop"
    assert call("promote", "flights:two", force=True, options=CONTROL).forced
    assert call("status", options=CONTROL).live.artifact == "flights:two"
    assert call("rollback", why="worse", options=CONTROL).artifact == "flights:one"
    assert len(call("history", options=CONTROL)) == 5
    with pytest.raises(RolloutError, match="no previous"):
        call("rollback", options=CONTROL) and call("rollback", options=CONTROL)


def test_each_token_goes_only_where_it_belongs(call: Calling, standin: StandIn) -> None:
    """Predictions never carry the control token."""
    tokens = {"control_token": TOKEN, "predict_token": "open"}
    call("predict", {}, options=tokens)
    call("status", options=tokens)
    call("predict", {}, options=CONTROL)
    assert standin.tokens == ["Bearer open", f"Bearer {TOKEN}", None]


def test_a_control_call_without_the_token_says_where_it_is(call: Calling) -> None:
    """The server's own hint comes through."""
    with pytest.raises(Unauthorized, match=r"control\.token"):
        call("status")


def test_a_server_that_is_not_there_is_a_server_error(call: Calling) -> None:
    """The error has the address that was tried."""
    with pytest.raises(ServerError, match="gnomon serve") as caught:
        call("predict", {}, to="http://127.0.0.1:9")
    assert caught.value.where == "http://127.0.0.1:9"


def test_an_answer_that_is_not_gnomons_is_a_server_error(call: Calling, url: str) -> None:
    """A proxy's page, or another service on that port."""
    with pytest.raises(ServerError, match="expected a Gnomon answer"):
        call("predict", {}, to=f"{url}/strange")


def test_a_slow_answer_ends_at_the_timeout(call: Calling) -> None:
    """The error says it was time, not the network."""

    async def never(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(never) as slow, pytest.raises(DeadlineExceeded, match="in time"):
        call("predict", {}, to=slow, options={"timeout": 0.2})


def test_waiting_ends_when_the_server_is_ready(call: Calling, standin: StandIn) -> None:
    """It ends at once if the server is ready, or with the reason after the given time."""
    call("wait_ready", 0.0)
    standin.ready = False
    with pytest.raises(NotReady, match="HTTP 503"):
        call("wait_ready", 0.3)
    with pytest.raises(NotReady, match="gnomon serve"):
        call("wait_ready", 0.0, to="http://127.0.0.1:9")


def test_a_token_may_be_the_content_of_its_file(call: Calling) -> None:
    """Whose last line has an end."""
    assert call("whoami", options={"control_token": f"{TOKEN}\n"})


@pytest.mark.parametrize("token", ["s\u00e9cret-word", "secret-word\nother"])
def test_what_is_no_token_is_refused_without_repeating_it(url: str, token: str) -> None:
    """It may be a secret, and errors end in logs and notebooks."""
    for name in ("control_token", "predict_token"):
        with pytest.raises(SettingsError, match="printable ASCII") as caught:
            gnomon.Client(url, **{name: token})
        assert "word" not in str(caught.value)
        assert caught.value.where == name
