"""Bodies that are slow to decode delay only their own client."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from gnomon.log import SegmentReader, stream_segments
from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.faults.clients import GOOD, post
from tests.faults.conftest import ServeIn
from tests.load import Load, gateways, load, record, until, wait_for_more

FAULT = "pass"
SETTINGS = {"GNOMON_DEADLINE": "20"}

BYTES = 12_000_000
LISTS = b'{"x":[' + b"[]," * (BYTES // 3) + b"[]]}"
KEYS = b"{" + b"".join(map(b'"k%d":1,'.__mod__, range(BYTES // 12))) + GOOD[1:]
ROWS = b'{"rows":[' + b"{}," * (BYTES // 3) + b"{}]}"
DIGITS = b'{"x":' + b"1" * BYTES + b"}"
NOT_A_NUMBER = b'{"x":[' + b"[]," * 80_000 + b"NaN]}"


@dataclass
class Others:
    """A client that asks small requests all the time; ``answered`` holds the status of each."""

    url: str
    answered: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(timeout=30, verify=False) as client:
            while not self.stop.is_set():
                answer = client.post(f"{self.url}/predict", content=GOOD)
                self.answered.append(answer.status_code)


def codec(server: Server) -> psutil.Process:
    """The process that reads large bodies."""

    def found() -> list[psutil.Process]:
        [gateway] = gateways(server)
        return [p for p in gateway.children() if "gnomon.service.lane.codec_process" in p.cmdline()]

    until(lambda: len(found()) == 1, "it runs")
    return found()[0]


def ask(server: Server, body: bytes) -> httpx.Response:
    """One request, however long it takes."""
    return post(f"{server.url}/predict", content=body, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(LISTS, 422, "invalid_request", id="millions of lists"),
        pytest.param(ROWS, 413, "body_too_large", id="millions of rows"),
        pytest.param(KEYS, 200, None, id="a million unknown fields"),
    ],
)
def test_other_clients_are_answered_while_a_large_body_is_decoded(
    body: bytes, status: int, code: str | None, shared: Server
) -> None:
    """A body that takes long to parse does not delay other clients, and is answered and logged
    as usual.
    """
    accounts, others = Accounts(shared), Others(shared.url)
    codec(shared)
    thread = threading.Thread(target=others.run)
    thread.start()
    try:
        until(lambda: len(others.answered) > 20, "others are answered")
        before = len(others.answered)
        answer = ask(shared, body)
        meanwhile = len(others.answered) - before
    finally:
        others.stop.set()
        thread.join()
    assert answer.status_code == status
    assert (answer.json()["error"]["code"] if code else None) == code
    assert set(others.answered) == {200}
    # Read on the event loop, such a body lets none through but those already under way.
    assert meanwhile > 15
    accounts.check(Load())


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        pytest.param(DIGITS, 422, "expected numbers of 64 bits", id="digits"),
        pytest.param(NOT_A_NUMBER, 400, "NaN is not a JSON number", id="NaN at the end"),
        pytest.param(b" " * BYTES, 400, "expected JSON, got an empty body", id="spaces"),
        pytest.param(b'{"x":' + b"[" * BYTES, 400, "nested too deeply", id="deep"),
        pytest.param(GOOD[:-1] + b"\xff}" + b" " * BYTES, 400, "the body is not", id="not UTF-8"),
    ],
)
def test_a_large_body_gets_the_same_error_as_a_short_one(
    body: bytes, status: int, says: str, shared: Server
) -> None:
    """A long body gets the same error as a short one of its kind."""
    answer = ask(shared, body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert len(answer.content) < 1000


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b'"z":"' + b"\\u0041" * 160_000 + b'"', id="escapes"),
        pytest.param(b",".join(b'"\\u0041%d":1' % n for n in range(60_000)), id="escaped names"),
        pytest.param(b'"%s":1' % (b"k" * 1_000_000), id="one name"),
        pytest.param(b",".join([b'"x":4.0'] * 100_000), id="one feature, again and again"),
        pytest.param(b",".join([b'"k":1'] * 150_000), id="one name, again and again"),
        pytest.param(b'"z":0.' + b"3" * 1_000_000, id="digits of a fraction"),
        pytest.param(b'"z":[' + b",".join([b"[" * 500 + b"]" * 500] * 500) + b"]", id="deep"),
    ],
)
def test_a_large_valid_body_is_answered(fields: bytes, shared: Server) -> None:
    """A megabyte of other fields does not change the answer."""
    answer = ask(shared, b"{" + fields + b"," + GOOD[1:])
    assert answer.json()["prediction"] == 8.0


def test_names_made_of_the_body_stay_short(shared: Server) -> None:
    """An unknown field with a name of megabytes is shortened in messages and metrics."""
    name = "k" * 1_000_000
    accepted = ask(shared, b'{"%s":1,' % name.encode() + GOOD[1:])
    refused = ask(shared, b'{"%s":1}' % name.encode())
    odd = ask(shared, b'{"%s":[1e999]}' % name[:100_000].encode())
    assert accepted.status_code == 200
    assert (refused.status_code, odd.status_code) == (422, 422)
    assert len(refused.content) < 1000
    assert len(odd.content) < 1000
    assert len(httpx.get(f"{shared.url}/metrics").content) < 200_000


def test_ten_thousand_rows_are_answered_as_each_alone(shared: Server) -> None:
    """10,000 rows, some of which fail: each has the answer that it would have alone."""
    values = [-1.0 if n % 1000 == 7 else float(n % 50) for n in range(10_000)]
    body = json.dumps({"rows": [{"x": x, "id": "a", "extra": 1} for x in values]}).encode()
    rows = ask(shared, body).json()["rows"]
    assert len(rows) == len(values)
    for x, row in zip(values, rows, strict=True):
        if x < 0:
            assert row["error"]["code"] == "prediction_failed"
        else:
            assert row == {"prediction": x * 2}


def first_of_segments(server: Server) -> set[str]:
    """The requests in the first batch of each segment that is not sealed yet."""
    [stream] = server.settings.spool_path.glob("*/*/requests")
    request_ids: set[str] = set()
    for segment in stream_segments(stream):
        with SegmentReader(segment.path) as reader:
            for _, batch in itertools.islice(reader.batches(), 1):
                request_ids |= set(batch.column("request_id").to_pylist())
    return request_ids


def test_a_large_record_does_not_delay_the_log(shared: Server) -> None:
    """A large record is written to a separate file and becomes the next segment; short records
    go into the open one.
    """
    _, large, small = (ask(shared, body).json()["request_id"] for body in (GOOD, KEYS, GOOD))
    begins = first_of_segments(shared)
    assert large in begins
    assert small not in begins


@pytest.mark.slow
@pytest.mark.parametrize("end", [psutil.Process.kill, psutil.Process.suspend])
def test_a_dead_or_hanging_codec_process_is_replaced(
    end: Callable[[psutil.Process], None], shared: Server
) -> None:
    """The process that decodes large bodies is killed or stopped: small requests are not
    affected, and another process decodes the next large one. A stopped one costs its request a
    504.
    """
    accounts, gone = Accounts(shared), codec(shared)
    body = json.dumps({"rows": [{"x": 1.0, "id": "a"}] * 9_000}).encode()
    end(gone)
    assert ask(shared, GOOD).status_code == 200
    first, second = ask(shared, body), ask(shared, body)
    assert first.status_code in (200, 503, 504)
    assert second.status_code == 200
    assert codec(shared).pid != gone.pid
    accounts.check(Load())


def large(number: int) -> dict[str, object]:
    """A record that becomes a separate log segment because of a long unknown field."""
    return {**record(number), "note": "n" * 4_500_000}


@pytest.mark.slow
def test_a_large_record_survives_the_death_of_the_gateway(
    serve_in: ServeIn, tmp_path: Path
) -> None:
    """Killed repeatedly while large and small records are written and sealed: acknowledged
    requests are in the log once, and no file of an unfinished one remains.
    """
    settings = {"GNOMON_SEGMENT_SECONDS": "0.5", **SETTINGS}
    with serve_in(tmp_path, FAULT, settings) as server:
        accounts = Accounts(server)
        with load(server, 2) as small, load(server, 2, large, rate=10) as seen:
            for _ in range(3):
                wait_for_more(seen, 4, "large records are answered", 60)
                wait_for_more(small, 10, "small ones too", 60)
                [gateway] = gateways(server)
                gateway.kill()
        until(lambda: ask(server, GOOD).status_code == 200, "another gateway answers")
        accounts.check(seen, restarted=True)
        accounts.check(small, restarted=True)
        [stream] = server.settings.spool_path.glob("*/*/requests")
        assert not [*stream.glob(".large-*")]
