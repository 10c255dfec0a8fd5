"""The messages between a gateway and the process that decodes its large bodies.

Each is sent as a header, the message as JSON, the contract as JSON (requests only), and a
payload: a body, a record batch, or the JSON of an answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct

import msgspec
import pyarrow as pa

from gnomon.wire_errors import SentError
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
"""The lengths in bytes of the message, the contract and the payload."""


class ReadBody(msgspec.Struct, tag="read", frozen=True):
    """A request to decode the payload, a request body, by the contract."""

    most_rows: int


class ReadRecords(msgspec.Struct, tag="records", frozen=True):
    """A request to decode the payload, a part of a stream, by the contract, record by record.

    Attributes:
        form: ``lines`` of JSON, or ``arrow``, a stream of one batch.
    """

    form: str


class WriteAnswer(msgspec.Struct, tag="write", frozen=True):
    """A request to encode the payload, a scored batch, as the answer to a request of many rows.

    Attributes:
        numbers: the numbers of the rows in a stream, each answered on a separate line; else None.
    """

    request_id: str
    artifact: str
    numbers: tuple[int, ...] | None = None


class Read(msgspec.Struct, tag="rows", frozen=True):
    """A decoded body; its rows are the payload, a record batch in the contract's input schema.

    Attributes:
        single: see :class:`gnomon.contract.Decoded`.
        unknown: see :class:`gnomon.contract.Decoded`.
        outside: by feature, the number of rows accepted with a value out of domain or range.
    """

    single: bool
    unknown: tuple[str, ...]
    outside: dict[str, int]


class RefusedRecord(SentError, frozen=True, kw_only=True):
    """Why a record of a stream was refused.

    Attributes:
        place: its position among the records of its part.
        record: the record as JSON, as far as it can be represented.
    """

    place: int
    record: bytes


class Records(msgspec.Struct, tag="read records", frozen=True):
    """The decoded records of a part of a stream.

    The payload has the records that satisfy the contract, if there are any: first as a request
    body, then as a record batch in the contract's input schema.

    Attributes:
        body: the length of that request body in bytes.
        unknown: the unknown fields of these records.
        outside: by feature, the number of rows accepted with a value out of domain or range.
        refused: the other records.
    """

    body: int
    unknown: tuple[str, ...]
    outside: dict[str, int]
    refused: tuple[RefusedRecord, ...]


class Written(msgspec.Struct, tag="written", frozen=True):
    """An encoded answer, in JSON, as the payload."""


class Failed(SentError, tag="failed", frozen=True):
    """The error because of which a body was refused."""


Request = ReadBody | ReadRecords | WriteAnswer
Reply = Read | Records | Written | Failed

_request = msgspec.json.Decoder[Request](Request)
_reply = msgspec.json.Decoder[Reply](Reply)


def packed(
    message: Request | Reply, contract: bytes, payload: bytes | pa.Buffer
) -> tuple[bytes, bytes | pa.Buffer]:
    """Return a message as two blocks to send, so that a large payload is not copied."""
    encoded = msgspec.json.encode(message)
    header = _HEADER.pack(len(encoded), len(contract), len(payload))
    return header + encoded + contract, payload


async def receive_reply(reader: asyncio.StreamReader) -> tuple[Reply, bytes]:
    """Read the next reply and its payload.

    Raises:
        asyncio.IncompleteReadError: the process has ended.
    """
    message, _, payload = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    reply = _reply.decode(await reader.readexactly(message))
    return reply, await reader.readexactly(payload)


def recv_request(gateway: socket.socket) -> tuple[Request, bytes, bytes] | None:
    """Read the next request, its contract and its payload; None if the gateway has ended."""
    head = recv_exactly(gateway, _HEADER.size)
    if head is None:
        return None
    parts = [recv_exactly(gateway, size) for size in _HEADER.unpack(head)]
    message, contract, payload = (bytes(part or b"") for part in parts)
    return _request.decode(message), contract, payload
