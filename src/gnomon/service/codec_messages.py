"""The messages between a gateway and the process that decodes its large bodies.

Each message is a header, then the message as JSON, the contract as JSON (requests only), and the
payload: a body, a record batch, or the JSON of an answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct

import msgspec
import pyarrow as pa

from gnomon.sent_errors import SentError
from gnomon.worker.messages import recv_exactly

__all__ = [
    "Failed",
    "Read",
    "ReadBody",
    "Reply",
    "Request",
    "WriteAnswer",
    "Written",
    "packed",
    "receive_reply",
    "recv_request",
]

_HEADER = struct.Struct("<III")
"""Bytes of the message, of the contract and of the payload."""


class ReadBody(msgspec.Struct, tag="read", frozen=True):
    """Decode the payload, a request body, by the contract."""

    most_rows: int


class WriteAnswer(msgspec.Struct, tag="write", frozen=True):
    """Make the answer to a request of many rows of the payload, a scored batch."""

    request_id: str
    artifact: str


class Read(msgspec.Struct, tag="rows", frozen=True):
    """A decoded body; its rows are the payload, a record batch in the contract's input schema.

    Attributes:
        single: see :class:`gnomon.contract.Decoded`; so with the next.
        unknown: its unknown fields.
        outside: rows let through with a value out of domain or range, by feature.
    """

    single: bool
    unknown: tuple[str, ...]
    outside: dict[str, int]


class Written(msgspec.Struct, tag="written", frozen=True):
    """The answer is the payload, JSON."""


class Failed(SentError, tag="failed", frozen=True):
    """The body was refused, and why."""


Request = ReadBody | WriteAnswer
Reply = Read | Written | Failed

_request = msgspec.json.Decoder[Request](Request)
_reply = msgspec.json.Decoder[Reply](Reply)


def packed(
    message: Request | Reply, contract: bytes, payload: bytes | pa.Buffer
) -> tuple[bytes, bytes | pa.Buffer]:
    """A message as two blocks to be sent, so that a large payload is not copied."""
    encoded = msgspec.json.encode(message)
    header = _HEADER.pack(len(encoded), len(contract), len(payload))
    return header + encoded + contract, payload


async def receive_reply(reader: asyncio.StreamReader) -> tuple[Reply, bytes]:
    """The next reply and its payload.

    Raises:
        asyncio.IncompleteReadError: the process has ended.
    """
    message, _, payload = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    reply = _reply.decode(await reader.readexactly(message))
    return reply, await reader.readexactly(payload)


def recv_request(gateway: socket.socket) -> tuple[Request, bytes, bytes] | None:
    """The next request, its contract and its payload; None when the gateway has gone."""
    head = recv_exactly(gateway, _HEADER.size)
    if head is None:
        return None
    parts = [recv_exactly(gateway, size) for size in _HEADER.unpack(head)]
    message, contract, payload = (bytes(part or b"") for part in parts)
    return _request.decode(message), contract, payload
