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
    "ReadRecords",
    "Records",
    "RefusedRecord",
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


class ReadRecords(msgspec.Struct, tag="records", frozen=True):
    """Decode the payload, a part of a stream, by the contract: each record by itself.

    Attributes:
        form: ``lines``, of JSON each, or ``arrow``, a stream of one batch.
    """

    form: str


class WriteAnswer(msgspec.Struct, tag="write", frozen=True):
    """Make the answer to a request of many rows of the payload, a scored batch.

    Attributes:
        numbers: of the rows in a stream: then each is answered on a line of its own.
    """

    request_id: str
    artifact: str
    numbers: tuple[int, ...] | None = None


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


class RefusedRecord(SentError, frozen=True, kw_only=True):
    """Why a record of a stream was refused.

    Attributes:
        place: among the records of its part.
        record: as JSON, as far as it is any.
    """

    place: int
    record: bytes


class Records(msgspec.Struct, tag="read records", frozen=True):
    """The records of a part of a stream.

    The payload is a request body of those that keep to the contract, if there are any, and then
    their rows, a record batch in the contract's input schema.

    Attributes:
        body: how long that request body is, in bytes.
        unknown: their unknown fields.
        outside: rows let through with a value out of domain or range, by feature.
        refused: the others.
    """

    body: int
    unknown: tuple[str, ...]
    outside: dict[str, int]
    refused: tuple[RefusedRecord, ...]


class Written(msgspec.Struct, tag="written", frozen=True):
    """The answer is the payload, JSON."""


class Failed(SentError, tag="failed", frozen=True):
    """The body was refused, and why."""


Request = ReadBody | ReadRecords | WriteAnswer
Reply = Read | Records | Written | Failed

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
