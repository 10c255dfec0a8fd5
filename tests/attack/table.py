"""The table of unusual requests, and a strict client that can send any bytes."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

CANARY = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\ncanary"
"""The request after an odd one: it must be answered as it is, or not at all."""

_KEPT = (200, 404, 405, 415)
_REPEATED = re.compile(rb"<((?:[^<>*]|<[^<>]*>)*)\*(\d+)>", re.DOTALL)


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A row of ``requests.toml``, which says what each field means."""

    name: str
    send: str
    why: str
    status: int = 200
    took: list[str] | None = None
    after: Literal["open", "closed", "any"] | None = None

    @property
    def bodies(self) -> list[str]:
        """The bodies that are predicted for, in order."""
        if self.took is not None:
            return self.took
        return ["body"] if self.status == 200 else []

    @property
    def answers(self) -> int:
        """How many answers there are, but for the canary's."""
        return max(len(self.bodies), 1)

    @property
    def ends(self) -> Literal["open", "closed", "any"]:
        """Whether the connection is closed or stays open."""
        return self.after or ("open" if self.status in _KEPT else "closed")

    def ways(self) -> list[bytes]:
        """The bytes and, if they might skip ASGI, the same with a query, which does not."""
        plain = expand(self.send.encode("latin-1"))
        through_asgi = re.sub(rb"\A((?:\r\n)*POST /predict)( HTTP/1\.1\r\n)", rb"\1?x\2", plain)
        return [plain] if through_asgi == plain else [plain, through_asgi]


class Answer(NamedTuple):
    """One answer off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


def expand(text: bytes) -> bytes:
    """``<A*3>`` is ``AAA``; from the inside out."""
    while match := _REPEATED.search(text):
        again = expand(match[1]) * int(match[2])
        text = text[: match.start()] + again + text[match.end() :]
    return text


def cases() -> list[Case]:
    """Every row of the table."""
    table = tomllib.loads((Path(__file__).parent / "requests.toml").read_text())
    return msgspec.convert(table["case"], list[Case])


class Client:
    """Sends any bytes and reads answers strictly."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(8)
        self._connection = connection
        self._stream = connection.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._connection.close()

    def send(self, *pieces: bytes) -> None:
        """Send; a server that has closed already is not waited for."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self._connection.sendall(piece)

    def end(self) -> None:
        """Say that nothing more comes."""
        self._connection.shutdown(socket.SHUT_WR)

    def read(self, most: int = 1) -> list[Answer]:
        """Up to so many answers: fewer, if the server closes after them."""
        answers: list[Answer] = []
        with contextlib.suppress(ConnectionError):
            while len(answers) < most and (answer := self._answer()) is not None:
                answers += [answer] if answer.status != 100 else []
        return answers

    def _answer(self) -> Answer | None:
        line = self._stream.readline()
        if not line:
            return None
        version, status, _ = line.split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers = {}
        while (line := self._stream.readline()) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self._stream.read(int(headers.get("content-length", "0")))
        return Answer(int(status), headers, body)
