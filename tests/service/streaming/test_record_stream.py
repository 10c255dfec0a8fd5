"""Streams of records, scored by a real server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import itertools
import json
import socket
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

import gnomon
from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import GnomonError, InvalidRequest, Overloaded, ServerError
from gnomon.log import InferenceLog
from gnomon.service.client.duplex import Duplex
from gnomon.service.client.stream_calls import RowStream
from gnomon.service.http.asgi import ClientGone
from gnomon.service.http.body_budget import BodyBudget
from gnomon.service.http.media_types import ARROW, LINES
from gnomon.service.streaming.record_stream import RecordStream
from gnomon.settings import Settings
from gnomon.testing import Server
from tests.faults.accounts import Accounts
from tests.load import Load, gateways, scorers, until
from tests.packing import SCRIPT, install, serving_packed, times

pytestmark = pytest.mark.slow

CLIENT_SECONDS = 4
"""How long a client may do nothing."""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Iterator[Server]:
    """A server of the toy model, x times 2."""
    packed = packed_once(times(2), "toy", SCRIPT)
    arguments = f'"toy", body_bytes=1_000_000, client_seconds={CLIENT_SECONDS}'
    with serving_packed(packed, tmp_path_factory.mktemp("streams"), arguments) as running:
        answers(post(running, lines(good(1))))  # The log has the columns of answers from now on.
        yield running


def lines(records: list[Any]) -> bytes:
    """Records as lines; bytes as they are."""
    return b"".join(
        (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n"
        for record in records
    )


def post(server: Server, body: bytes, **headers: str) -> httpx.Response:
    """A short stream of lines, sent at once."""
    sent = {"Content-Type": LINES, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return httpx.post(f"{server.url}/predict", content=body, headers=sent, timeout=30)


def answers(response: httpx.Response) -> list[dict[str, Any]]:
    """The lines of an answer."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == LINES
    return [json.loads(line) for line in response.text.splitlines()]


def good(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Records that get an answer."""
    return [{"x": float(n), "id": f"s{n}"} for n in range(start, start + count)]


def test_each_line_is_answered_by_a_line(server: Server) -> None:
    """Answers come in order, with the request's name in the log and the artifact that answered."""
    response = post(server, lines(good(3)), X_Request_Id="bulk-1")
    answered = answers(response)
    assert [row["prediction"] for row in answered] == [0.0, 2.0, 4.0]
    assert [row["line"] for row in answered] == [1, 2, 3]
    rows = InferenceLog(server.settings, "toy").sql(
        "select request_id, row, client_id, artifact, output_prediction from log "
        "where client_id = 'bulk-1' order by row"
    )
    logged = rows.to_pylist()
    assert [(row["request_id"], row["row"], row["artifact"]) for row in answered] == [
        (row["request_id"], row["row"], row["artifact"]) for row in logged
    ]


def test_a_line_that_is_refused_has_its_error_in_its_place(server: Server) -> None:
    """The contract, JSON or the model may refuse it; the others are answered, the accounts
    balance.
    """
    accounts = Accounts(server)
    sent = [
        *good(2),
        b"",
        {"x": "text", "id": "a"},
        b"{nonsense",
        b"\xff\xfe",
        {"rows": good(1)},
        b'{"x": 1, "id": "a"}, {"x": 2, "id": "b"}',
        {"x": -1.0, "id": "a"},
        b"[1]",
        b'  {"x": 9, "id": "last", "more": 1}\r',
    ]
    rows = answers(post(server, lines(sent)[:-1]))
    assert [row["line"] for row in rows] == [1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    codes = {row["line"]: row.get("error", {}).get("code") for row in rows}
    assert codes == {
        1: None,
        2: None,
        4: "invalid_request",
        5: "malformed_body",
        6: "malformed_body",
        7: "invalid_request",
        8: "malformed_body",
        9: "prediction_failed",
        10: "invalid_request",
        11: None,
    }
    by_line = {row["line"]: row for row in rows}
    assert by_line[4]["error"]["where"] == "$.x"
    assert by_line[4]["error"]["request_id"] == by_line[4]["request_id"]
    assert by_line[11]["prediction"] == 18.0
    since = accounts.check(Load())
    assert (since["answered"], since["rejected"], since["failed"]) == (3, 6, 1)


def test_a_stream_of_nothing_but_bad_lines_is_answered(server: Server) -> None:
    """Each line is its own request in the log."""
    rows = answers(post(server, b"1\n" * 3_000))
    assert [row["line"] for row in rows] == list(range(1, 3_001))
    assert {row["error"]["code"] for row in rows} == {"invalid_request"}
    assert len({row["request_id"] for row in rows}) == 3_000


CANNOT_BEGIN: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"", {}, 422, "invalid_request"),
    (b"\n \r\n", {}, 422, "invalid_request"),
    (b"{}", {"Content-Encoding": "br"}, 415, "unknown_content_coding"),
    (b"{}", {"Content-Encoding": "zstd"}, 400, "malformed_body"),
    (b"", {"Content-Encoding": "zstd"}, 400, "malformed_body"),
    (b"{}", {"Content-Encoding": "gzip"}, 400, "malformed_body"),
    (b"", {"Content-Encoding": "gzip"}, 400, "malformed_body"),
    (b"x" * 1_100_000, {}, 413, "body_too_large"),
    (b"{}", {"Content-Type": ARROW}, 400, "malformed_body"),
    (b"", {"Content-Type": ARROW}, 400, "malformed_body"),
    (
        b"\xff" * 4 + b"\x10\0\0\0" + b"\xff" * 64,
        {"Content-Type": ARROW},
        400,
        "malformed_body",
    ),
]
"""Bodies and headers, and the error for each."""


def test_an_error_before_the_first_answer_has_the_usual_shape(server: Server) -> None:
    """This holds as long as nothing was answered."""
    accounts = Accounts(server)
    for body, headers, status, code in CANNOT_BEGIN:
        response = post(server, body, **headers)
        actual = (response.status_code, response.json()["error"]["code"])
        assert actual == (status, code), (body[:40], headers)
    assert accounts.check(Load())["rejected"] == len(CANNOT_BEGIN)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_compressed_stream_is_read_as_it_comes(server: Server, coding: str) -> None:
    """One that breaks off ends with the error, after what was answered."""
    plain = lines(good(30_000))
    body = bytes(pa.compress(plain, codec=coding, asbytes=True))
    rows = answers(post(server, body, Content_Encoding=coding))
    assert len(rows) == 30_000
    cut = answers(post(server, body[: len(body) // 2], Content_Encoding=coding))
    assert 1 < len(cut) < 30_000
    assert cut[-1]["error"]["code"] == "malformed_body"
    assert "line" not in cut[-1]


def batches(frame: pd.DataFrame, rows: int = 1_000, **options: Any) -> bytes:
    """A frame as an Arrow stream."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return bytes(sink.getvalue())


def test_an_arrow_stream_is_answered_by_one(server: Server) -> None:
    """A batch for each, with the same values as JSON gets, errors in their place."""
    frame = pd.DataFrame(
        {
            "x": [1.5, np.nan, np.inf, -1.0, 3.0] * 40,
            "id": pd.Categorical(["a", "b", "c", "d", "e"] * 40),
        }
    )
    response = post(server, batches(frame, 50), Content_Type=ARROW)
    assert response.headers["content-type"] == ARROW
    reader = pa.ipc.open_stream(response.content)
    table = reader.read_all()
    assert table.num_rows == 200
    assert [batch.num_rows for batch in table.to_batches()] == [50] * 4
    assert table.column_names == [
        *("request_id", "row", "artifact", "prediction", "error_code", "error")
    ]
    assert table.column("prediction")[:5].to_pylist() == [3.0, None, None, None, 6.0]
    assert table.column("error_code")[:5].to_pylist() == [
        *(None, "invalid_request", "invalid_request", "prediction_failed", None)
    ]
    assert "got inf" in table.column("error")[2].as_py()
    assert table.column("row")[:5].to_pylist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("body", "code", "match"),
    [
        (batches(pd.DataFrame({"x": [b"1"], "id": ["a"]})), "invalid_request", "binary"),
        (batches(pd.DataFrame({"x": range(20_000), "id": "a"}), 20_000), "body_too_large", "rows"),
        (
            batches(
                pd.DataFrame({"x": [1.0], "id": "a"}),
                options=pa.ipc.IpcWriteOptions(compression="lz4"),
            ),
            "malformed_body",
            "compressed",
        ),
        (batches(pd.DataFrame({"x": [1.0], "id": "a"}))[:-20], "malformed_body", "incomplete"),
    ],
)
def test_a_batch_that_cannot_be_read_is_refused(
    server: Server, body: bytes, code: str, match: str
) -> None:
    """The error says what to do."""
    error = post(server, body, Content_Type=ARROW).json()["error"]
    assert (error["code"], match in error["message"]) == (code, True), error


def test_forged_batches_do_not_stop_the_server(server: Server) -> None:
    """Whatever byte is changed: an answer or an error, and the server goes on."""
    body = batches(pd.DataFrame({"x": [1.0, 2.0], "id": ["a", "bc"]}))
    for place in range(0, len(body), 37):
        forged = body[:place] + bytes([body[place] ^ 0xFF]) + body[place + 1 :]
        response = post(server, forged, Content_Type=ARROW)
        assert response.status_code in (200, 400, 413, 422, 503), response.text
    assert post(server, body, Content_Type=ARROW).status_code == 200


def test_a_client_has_an_answer_before_it_sends_the_next_row(server: Server) -> None:
    """Nothing waits for a batch to be full."""

    async def talk() -> list[bytes]:
        duplex = Duplex(f"{server.url}/predict", {"content-type": LINES}, 10)
        await duplex.open()
        parts = []
        for record in good(5):
            await duplex.send(lines([record]))
            parts.append(await duplex.receive())
        await duplex.end()
        assert await duplex.receive() == b""
        await duplex.close()
        return parts

    assert [json.loads(line)["prediction"] for line in asyncio.run(talk())] == [
        *(0.0, 2.0, 4.0, 6.0, 8.0)
    ]


def test_rows_of_every_kind_are_streamed_by_the_client(server: Server, tmp_path: Path) -> None:
    """Records, frames, tables, batches and files, whole or in parts, with progress."""
    frame = pd.DataFrame(good(5_000))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    pq.write_table(table, tmp_path / "rows.parquet")
    sources: list[Any] = [
        frame,
        table,
        good(5_000),
        iter(good(5_000)),
        iter([good(3_000), good(2_000, 3_000)]),
        pd.read_csv(tmp_path / "rows.csv", chunksize=700),
        pq.ParquetFile(tmp_path / "rows.parquet"),
        tmp_path / "rows.parquet",
        str(tmp_path / "rows.parquet"),
        table.to_reader(max_chunksize=900),
        itertools.chain(good(100), [frame[100:]]),
    ]
    with server.client() as client:
        for rows in sources:
            progress: list[int] = []
            answered = client.predict_stream(rows, progress=progress.append)
            predictions = [row.prediction for row in answered]
            assert predictions == [2.0 * n for n in range(5_000)], type(rows)
            assert sum(progress) == 5_000
        renamed = client.predict_stream([[2.5, "a"], [4.0, "b"]])
        assert [row.prediction for row in renamed] == [5.0, 8.0]
        with pytest.raises(InvalidRequest, match="expected rows, got builtins"):
            next(client.predict_stream(3))
        [refused] = client.predict_stream(iter([{"x": "a", "id": "b"}]))
        assert refused.error is not None
        batches = client.predict_batches(tmp_path / "rows.parquet")
        answers = [value for batch in batches for value in batch.column("prediction").to_pylist()]
        assert answers == [2.0 * n for n in range(5_000)]


def test_a_path_that_holds_no_rows_is_refused_with_its_reason(
    server: Server, tmp_path: Path
) -> None:
    """Text is taken as a path: another ending, a missing file and another format are named."""
    (tmp_path / "other.parquet").write_text("x,id\n1,a\n")
    with server.client() as client:
        for path, reason in (
            (tmp_path / "rows.csv", "read_csv"),
            ("a text", "expected rows, or the path of a Parquet file, got `a text`"),
            (tmp_path / "none.parquet", "No such file"),
            (tmp_path / "other.parquet", "Parquet"),
            (tmp_path, "path of a Parquet file"),
        ):
            with pytest.raises(InvalidRequest, match=reason):
                list(client.predict_stream(path))


def test_the_asynchronous_client_streams_too(server: Server, tmp_path: Path) -> None:
    """It takes iterators of both kinds."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for record in good(3_000):
            yield record

    async def ask(source: Any) -> list[Any]:
        async with gnomon.AsyncClient(server.url) as client:
            return [row.prediction async for row in client.predict_stream(source)]

    answers = asyncio.run(ask(good(3_000)))
    pq.write_table(pa.Table.from_pylist(good(3_000)), tmp_path / "rows.parquet")
    assert asyncio.run(ask(rows())) == answers
    assert asyncio.run(ask(tmp_path / "rows.parquet")) == answers


def test_a_stream_that_is_refused_raises_what_the_server_said(server: Server) -> None:
    """It raises that even if much is still to be sent."""
    with gnomon.Client("http://127.0.0.1:9") as client, pytest.raises(ServerError, match="running"):
        list(client.predict_stream(good(1)))
    with gnomon.Client(f"{server.url}/nowhere") as client, pytest.raises(Exception, match="route"):
        list(client.predict_stream(itertools.cycle(good(1_000))))
    with (
        gnomon.Client(server.url, transport=httpx.HTTPTransport()) as client,
        pytest.raises(ServerError, match="transport"),
    ):
        list(client.predict_stream(good(1)))


def test_the_memory_of_a_gateway_does_not_grow_with_the_stream(server: Server) -> None:
    """It does not grow however fast the client sends, and although it reads slowly."""
    [gateway] = gateways(server)
    with server.client() as client:
        for _ in client.predict_stream(good(20_000)):
            pass
        before = gateway.memory_info().rss
        most = before
        for number, _ in enumerate(client.predict_stream(itertools.chain(*[good(20_000)] * 6))):
            if number % 10_000 == 0:
                time.sleep(0.05)
                most = max(most, gateway.memory_info().rss)
    assert most - before < 40_000_000


def test_many_streams_wait_for_each_other(server: Server) -> None:
    """None is shed, however many rows there are together."""

    def ask(number: int) -> int:
        with gnomon.Client(server.url) as client:
            rows = client.predict_stream(good(1_000))
            return sum(row.error is None for row in rows)

    with ThreadPoolExecutor(20) as pool:
        assert [*pool.map(ask, range(20))] == [1_000] * 20


def test_others_are_answered_while_a_bomb_is_decompressed(server: Server) -> None:
    """A body of a megabyte that becomes hundreds of them does not block the event loop and is
    refused.
    """
    body = gzip.compress(b"\n" * 240_000_000, 1)
    with ThreadPoolExecutor(1) as pool:
        bomb = pool.submit(post, server, body, Content_Encoding="gzip")
        waits = []
        while not bomb.done():
            started_at = time.perf_counter()
            assert post(server, lines(good(1))).status_code == 200
            waits.append(time.perf_counter() - started_at)
    assert bomb.result().status_code == 413
    assert "at most 200 times" in bomb.result().json()["error"]["message"]
    assert len(waits) > 2  # It takes seconds; of a held loop, one answer comes after all of them.


def test_a_client_that_sends_all_before_it_reads_is_answered(server: Server) -> None:
    """It sends more than the kernel buffers: answers wait in a file."""
    note = "n" * 300
    body = lines([{"x": float(n), "id": "a", "note": note} for n in range(20_000)])
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: {LINES}\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(30)
        client.connect((host, int(port)))
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = bytearray()
        while data := client.recv(1 << 20):
            received += data
            if received.endswith(b"\r\n0\r\n\r\n"):
                break
    assert received.count(b'"prediction"') == 20_000


def test_a_client_that_disconnects_holds_no_memory(server: Server) -> None:
    """What it had sent is accounted for, and nothing is held for it."""
    accounts = Accounts(server)

    async def leave() -> None:
        duplex = Duplex(f"{server.url}/predict", {"content-type": LINES}, 10)
        await duplex.open()
        await duplex.send(lines(good(5_000)) + b'{"x": 1')
        await duplex.receive()
        await duplex.close()

    for _ in range(3):
        asyncio.run(leave())
    [gateway] = gateways(server)
    until(lambda: len(gateway.net_connections()) < 5, "its connections are closed")
    assert accounts.check(Load())["rejected"] == 0


def test_a_client_that_stops_sending_gets_a_408(server: Server) -> None:
    """After what it sent was answered: 408, as the last line."""

    async def stop() -> list[dict[str, Any]]:
        duplex = Duplex(f"{server.url}/predict", {"content-type": LINES}, 20)
        await duplex.open()
        await duplex.send(lines(good(2)))
        received = b""
        while data := await duplex.receive():
            received += data
        await duplex.close()
        return [json.loads(line) for line in received.splitlines()]

    rows = asyncio.run(stop())
    assert [row.get("line") for row in rows] == [1, 2, None]
    assert rows[-1]["error"]["code"] == "request_timeout"


def test_a_client_that_is_busy_with_answers_is_waited_for(server: Server) -> None:
    """It takes answers for longer than a client may do nothing, and only then sends more."""
    rows = 30_000
    first, last = lines([{"x": float(n), "id": "a"} for n in range(rows)]), lines(good(1))
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: {LINES}\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(30)
        client.connect((host, int(port)))
        client.sendall(f"{head}Content-Length: {len(first + last)}\r\n\r\n".encode() + first)
        received, started_at = bytearray(), time.monotonic()
        while received.count(b'"line"') < rows:
            data = client.recv(16_384)
            assert data
            received += data
            time.sleep(0.02)
        assert time.monotonic() - started_at > CLIENT_SECONDS + 0.5
        client.sendall(last)
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += client.recv(1 << 20)
    assert b"request_timeout" not in received
    assert received.count(b'"prediction"') == rows + 1


@pytest.fixture
def other(server: Server, packed_once: Callable[[str, str, str], Path]) -> str:
    """Another artifact of the server's model, x times 3."""
    home = Path(server.settings.root).parent / "bentoml"
    return install(packed_once(times(3), "toy", SCRIPT), home)


def test_a_promotion_during_a_stream_loses_no_row(server: Server, other: str) -> None:
    """Each row is answered by the artifact that it names"""
    accounts, factors = Accounts(server), {other: 3.0}
    with server.client() as control, ThreadPoolExecutor(1) as pool:
        live = control.status().live
        assert live is not None
        factors[live.artifact] = 2.0
        rows = control.predict_stream(itertools.chain(*[good(10_000)] * 3))
        for number, row in enumerate(rows):
            assert row.error is None
            assert row.line == number + 1
            assert row.prediction == factors[row.artifact] * (number % 10_000)
            if number == 7_000:
                pool.submit(control.promote, other, force=True)
            if number == 17_000:
                pool.submit(control.rollback)
        assert number == 29_999
    assert accounts.check(Load())["answered"] == 30_000


def test_a_shadow_scores_the_rows_of_a_stream(server: Server, other: str) -> None:
    """All of them, from the bodies that are logged, and none that was refused."""
    with server.client() as control:
        control.start_shadow(other, 1.0)
        rows = control.predict_stream([*good(3_000), {"x": "bad", "id": "a"}, *good(10)])
        assert sum(row.error is None for row in rows) == 3_010

        def scored() -> bool:
            [shadow] = control.status().shadows
            return shadow.eligible == shadow.scored == 3_010

        until(scored, "all rows are scored")
        control.stop_shadow(other)


def test_a_worker_that_dies_loses_no_row_of_a_stream(server: Server) -> None:
    """It is replaced, and its rows are scored again."""
    accounts = Accounts(server)
    running = scorers(server)
    with server.client() as client:
        rows = client.predict_stream(itertools.chain(*[good(10_000)] * 3))
        answered = [next(rows) for _ in range(5_000)]
        for worker in running:
            worker.kill()
        answered += rows
    assert {row.error for row in answered} == {None}
    assert accounts.check(Load())["answered"] == 30_000


def test_an_unfinished_line_of_answers_is_an_error() -> None:
    """All rows may be answered, and the server end within one line more."""
    stream = RowStream(["x"], None, "http://127.0.0.1:1")
    stream.encode([{"x": 1.0}])
    stream.answers(b'{"line":1,"request_id":"a","row":0,"artifact":"a:1","prediction":1}\n{"er')
    with pytest.raises(ServerError, match="expected 1 answers, got 1 and the beginning of a line"):
        stream.end()


def test_what_decompressors_keep_is_bounded() -> None:
    """A few hundred bytes fill a window of 8 MiB, which stays as long as the stream: so a thousand
    of them cannot fill the memory. A stream that comes too late waits, then is refused."""
    window = 2**23
    options = {int(zstd.CompressionParameter.window_log): 23}
    writer = zstd.ZstdCompressor(options=options)
    body = writer.compress(b"\n" * window) + writer.flush(zstd.ZstdCompressor.FLUSH_BLOCK)
    assert len(body) < 1_000
    windows = BodyBudget(2 * window + SOON_BYTES)
    requests: Any = SimpleNamespace(
        held=BodyBudget(1), windows=windows, streams=SimpleNamespace(rows=100)
    )
    headers = [(b"content-type", LINES.encode()), (b"content-encoding", b"zstd")]

    async def stream() -> None:
        messages = iter([{"type": "http.request", "body": body, "more_body": True}])

        async def receive() -> Any:
            return next(messages, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            raise AssertionError(message)

        settings = Settings(deadline=0.1)
        await RecordStream({"headers": headers}, receive, send, requests, settings, None).run()

    async def main() -> None:
        kept = [asyncio.create_task(stream()) for _ in range(2)]
        while windows.bytes < 2 * (window - SOON_BYTES):
            assert not any(task.done() for task in kept)
            await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await stream()
        for task in kept:
            task.cancel()
        await asyncio.gather(*kept, return_exceptions=True)
        assert windows.bytes == 0

    asyncio.run(main())


@pytest.mark.parametrize("last", ["silence", "disconnect", "too long", "too much"])
def test_a_stream_that_fails_is_freed_at_once(last: str) -> None:
    """Also the bytes that it received: a stream may have 16 MiB, and a complete garbage collection
    may be thousands of streams away."""
    requests: Any = SimpleNamespace(
        held=BodyBudget(200_000 if last == "too much" else 10**9),
        windows=BodyBudget(1),
        streams=SimpleNamespace(rows=100),
    )
    settings = Settings(client_seconds=0.05, deadline=0.05, body_bytes=500_000)
    size = 600_000 if last == "too long" else 400_000

    async def fail() -> weakref.ref[RecordStream]:
        messages = iter([{"type": "http.request", "body": b"a" * size, "more_body": True}])

        async def receive() -> Any:
            if (message := next(messages, None)) is not None:
                return message
            if last == "disconnect":
                return {"type": "http.disconnect"}
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            raise AssertionError(message)

        headers = [(b"content-type", LINES.encode())]
        stream = RecordStream({"headers": headers}, receive, send, requests, settings, None)
        with contextlib.suppress(GnomonError, ClientGone):
            await stream.run()
        return weakref.ref(stream)

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(fail())() is None
    finally:
        gc.enable()
