"""The messages between a worker and its client.

On the *data* socket (a stream), both ways: a header, then the payload. Batches go as bare Arrow
record-batch messages: both ends know the schema from the contract, so nothing else is sent.

On the *control* socket (a packet socket), worker to client: one :class:`Event` per packet, with the
client's end of a new data socket attached to ``Ready``. Client to worker: :data:`KILL`,
:data:`OUTLIVE` with one end of a tether attached, or :data:`TAKE_OVER` and a nonce. Closing the
control socket ends the worker.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

import msgspec
import pyarrow as pa

from gnomon.compat import platform
from gnomon.wire_errors import SentError

__all__ = [
    "ERROR",
    "EXPERIMENT",
    "FAILED",
    "FIXED",
    "HEADER",
    "KILL",
    "MOST_DESCRIPTORS",
    "OUTLIVE",
    "SCORE",
    "TAKE_OVER",
    "TRACE",
    "Died",
    "Event",
    "Frame",
    "Ready",
    "Refused",
    "failed",
    "pack_frame",
    "read_batch",
    "read_event",
    "read_table",
    "recv_exactly",
    "recv_frame",
    "scored_schema",
    "send_event",
    "table_payload",
    "worked",
]

HEADER = struct.Struct("<QIIII")
"""Payload bytes, sequence number, kind, and two numbers of microseconds. In an answer: the time the
worker spent, and how much of it the worker waited for a processor. In a request: the time already
spent on bad rows of the same request, and 0."""

MOST_DESCRIPTORS = 253
"""The most descriptors that the kernel attaches to one packet (``SCM_MAX_FD``)."""

ERROR = '"error"'
"""The column of a scored batch with each row's error; no output can have this name."""

SCORE, TRACE, FAILED, EXPERIMENT, FIXED = 1, 2, 3, 4, 5
KILL = b"kill"
OUTLIVE = b"outlive"
"""Tells a holder to live as long as the other end of the attached socket is open anywhere."""
TAKE_OVER = b"take over "
"""Sent by a new client: tells a holder to replace the scorer and return this nonce with it."""


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """A scorer is verified and serving; its data socket comes with this packet.

    ``nonce`` is the one sent with :data:`TAKE_OVER` by the client for which it was forked.
    """

    pid: int
    nonce: str = ""


class Died(msgspec.Struct, tag="died", frozen=True):
    """A scorer ended; the next :class:`Ready` brings its replacement."""

    pid: int
    reason: str


class Refused(SentError, tag="refused", frozen=True):
    """The artifact cannot be served; the worker has ended."""


Event = Ready | Died | Refused

_events = msgspec.json.Decoder(Event)


class Frame(NamedTuple):
    """One message on the data socket."""

    number: int
    kind: int
    micros: int
    payload: memoryview | bytes
    waited: int = 0


def worked(micros: int, waited: int) -> int:
    """Return the microseconds a call took without its wait for a processor; 0 only if it took 0."""
    return max(micros - waited, min(micros, 1))


def scored_schema(output_schema: pa.Schema) -> pa.Schema:
    """Return the schema of a scored batch: the outputs, then :data:`ERROR`, null without one."""
    return output_schema.append(pa.field(ERROR, pa.string()))


def failed(schema: pa.Schema, rows: int, error: str) -> pa.RecordBatch:
    """Return a scored batch in which every row failed for the same reason."""
    columns = [pa.nulls(rows, field.type) for field in schema][:-1]
    return pa.RecordBatch.from_arrays([*columns, pa.repeat(error, rows)], schema=schema)


def pack_frame(
    number: int, kind: int, payload: pa.Buffer | bytes, micros: int = 0, waited: int = 0
) -> bytes:
    """Return header and payload as one block of bytes."""
    return b"".join((HEADER.pack(len(payload), number, kind, micros, waited), payload))


def read_batch(payload: memoryview | bytes, schema: pa.Schema) -> pa.RecordBatch:
    """Read the record batch in a payload."""
    return pa.ipc.read_record_batch(pa.py_buffer(payload), schema)


def table_payload(table: pa.Table) -> pa.Buffer:
    """Return a table as a payload that includes its schema."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_table(payload: memoryview | bytes) -> pa.Table:
    """Read the table in a payload made by :func:`table_payload`."""
    return pa.ipc.open_stream(pa.py_buffer(payload)).read_all()


def recv_frame(sock: socket.socket) -> Frame | None:
    """Read the next frame of a blocking socket; None at its end, even in the middle of a frame."""
    header = recv_exactly(sock, HEADER.size)
    if header is None:
        return None
    length, number, kind, micros, waited = HEADER.unpack(header)
    payload = recv_exactly(sock, length)
    return None if payload is None else Frame(number, kind, micros, payload, waited)


def send_event(control: socket.socket, event: Event, data: socket.socket | None = None) -> None:
    """Send an event, with the client's end of a data socket attached if there is one.

    Raises:
        OSError: the client is gone.
    """
    descriptors = [] if data is None else [data.fileno()]
    platform.send_packet(control, msgspec.json.encode(event), descriptors)


def read_event(sock: socket.socket) -> tuple[Event | None, socket.socket | None]:
    """Read the next event of a control socket and the data socket that came with it.

    The event is None when the worker is gone.
    """
    try:
        packet, fds = platform.recv_packet(sock)
    except ConnectionError:
        return None, None
    data = socket.socket(fileno=fds[0]) if fds else None
    return (_events.decode(packet) if packet else None), data


def recv_exactly(sock: socket.socket, length: int) -> memoryview | None:
    """Read ``length`` bytes from a blocking socket; None if it ends before."""
    view = memoryview(bytearray(length))
    received = 0
    while received < length:
        try:
            read = sock.recv_into(view[received:])
        except ConnectionError:
            return None
        if read == 0:
            return None
        received += read
    return view
