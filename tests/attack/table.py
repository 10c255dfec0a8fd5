"""The table of odd requests, and a client that sends any bytes and believes nothing."""

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
    def ends(self) -> Literal["open", "closed", "any"]:
        """What becomes of the connection."""
        return self.after or ("open" if self.status in _KEPT else "closed")

    def ways(self) -> list[bytes]:
        """The bytes; and, where they might go straight, with a query, which takes the usual way."""
        straight = expand(self.send.encode("latin-1"))
        usual = straight.replace(b"POST /predict HTTP/1.1\r\n", b"POST /predict?x HTTP/1.1\r\n", 1)
        return [straight] if usual == straight else [straight, usual]


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


def send(connection: socket.socket, pieces: list[bytes]) -> None:
    """Send; a server that has closed already is not waited for."""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            connection.sendall(piece)


def read_answers(connection: socket.socket, most: int) -> tuple[list[Answer], bool]:
    """Up to ``most`` answers, and whether the server has closed after them."""
    answers: list[Answer] = []
    with connection.makefile("rb") as stream, contextlib.suppress(ConnectionError):
        while len(answers) < most:
            line = stream.readline()
            if not line:
                return answers, True
            version, status, _ = line.split(b" ", 2)
            assert version == b"HTTP/1.1"
            headers = {}
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", "0")))
            if status != b"100":
                answers.append(Answer(int(status), headers, body))
    return answers, False
