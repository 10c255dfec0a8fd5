"""A cached head belongs to another client, and nothing of that client may get into the log."""

from __future__ import annotations

import json
import socket
import time

from gnomon.log import InferenceLog
from tests.conftest import Serve
from tests.packing import Pack, times


def _ask(connection: socket.socket, number: int, name: bytes | None, pause: float = 0.0) -> None:
    body = json.dumps({"x": 1.0, "id": f"e{number}"}).encode()
    id_header = b"X-Request-Id: " + name + b"\r\n" if name else b""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n" + id_header
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
    time.sleep(pause)
    connection.sendall(body)
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_client_whose_body_comes_later_keeps_its_own_name(pack: Pack, serve: Serve) -> None:
    with serve(pack(times(2))) as server:
        port = int(server.url.rpartition(":")[2])
        address = ("127.0.0.1", port)
        with socket.create_connection(address) as alice:
            for number in range(3):
                _ask(alice, number, b"alice")
        with socket.create_connection(address) as bob:
            _ask(bob, 3, b"bob", pause=0.3)
        with socket.create_connection(address) as nobody:
            _ask(nobody, 4, None, pause=0.3)
        table = InferenceLog(server.settings, "toy").table(columns=["client_id", "input_id"])
        logged = {row["input_id"]: row["client_id"] for row in table.to_pylist()}
    assert logged == {"e0": "alice", "e1": "alice", "e2": "alice", "e3": "bob", "e4": None}
