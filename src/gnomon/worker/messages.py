"""The messages between a worker and its client.

On the *data* socket (a stream), both ways: a header, then the payload. Batches go as bare Arrow
record-batch messages: both ends know the schema from the contract, so nothing else is sent.

On the *control* socket (whole packets), worker to client: one :class:`Event` a packet, with the
client's end of a new data socket attached to ``Ready``. Client to worker: :data:`KILL`,
:data:`OUTLIVE` with one end of a tether attached, :data:`TAKE_OVER` and a nonce, or nothing;
closing it ends the worker.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

import msgspec
import pyarrow as pa

from gnomon.compat import platform
from gnomon.sent_errors import SentError

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
"""Payload bytes, sequence number, kind; of answers, microseconds that the worker spent, and how
many of them it waited for a processor; of a part of a request that is to be scored, microseconds
that were spent on parts of it with bad rows."""

MOST_DESCRIPTORS = 253
"""What the kernel attaches to one packet (``SCM_MAX_FD``)."""

ERROR = '"error"'
"""The column of a scored batch with each row's error: no output can be called so."""

SCORE, TRACE, FAILED, EXPERIMENT, FIXED = 1, 2, 3, 4, 5
KILL = b"kill"
OUTLIVE = b"outlive"
"""To a holder: live as long as the other end of the attached socket is open anywhere."""
TAKE_OVER = b"take over "
"""To a holder, by a client that is new to it: replace the scorer, and say this nonce with it."""


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """A scorer is verified and serving; its data socket comes with this packet.

    ``nonce`` is that of the client that had it forked by :data:`TAKE_OVER`.
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
    """Microseconds that a call had a processor; at least one, where it took any."""
    return max(micros - waited, min(micros, 1))


def scored_schema(output_schema: pa.Schema) -> pa.Schema:
    """What a scored batch looks like: the outputs, then :data:`ERROR`, null where all went well."""
    return output_schema.append(pa.field(ERROR, pa.string()))


def failed(schema: pa.Schema, rows: int, error: str) -> pa.RecordBatch:
    """A scored batch in which every row failed for the same reason."""
    columns = [pa.nulls(rows, field.type) for field in schema][:-1]
    return pa.RecordBatch.from_arrays([*columns, pa.repeat(error, rows)], schema=schema)


def pack_frame(
    number: int, kind: int, payload: pa.Buffer | bytes, micros: int = 0, waited: int = 0
) -> bytes:
    """Header and payload as one block of bytes."""
    return b"".join((HEADER.pack(len(payload), number, kind, micros, waited), payload))


def read_batch(payload: memoryview | bytes, schema: pa.Schema) -> pa.RecordBatch:
    """The record batch in a payload."""
    return pa.ipc.read_record_batch(pa.py_buffer(payload), schema)


def table_payload(table: pa.Table) -> pa.Buffer:
    """A table as a payload that carries its own schema."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_table(payload: memoryview | bytes) -> pa.Table:
    """The table in a payload made by :func:`table_payload`."""
    return pa.ipc.open_stream(pa.py_buffer(payload)).read_all()


def recv_frame(sock: socket.socket) -> Frame | None:
    """The next frame of a blocking socket; None at its end, even in the middle of a frame."""
    header = recv_exactly(sock, HEADER.size)
    if header is None:
        return None
    length, number, kind, micros, waited = HEADER.unpack(header)
    payload = recv_exactly(sock, length)
    return None if payload is None else Frame(number, kind, micros, payload, waited)


def send_event(control: socket.socket, event: Event, data: socket.socket | None = None) -> None:
    """Send an event, and with it the client's end of a data socket.

    Raises:
        OSError: the client is gone.
    """
    descriptors = [] if data is None else [data.fileno()]
    platform.send_packet(control, msgspec.json.encode(event), descriptors)


def read_event(sock: socket.socket) -> tuple[Event | None, socket.socket | None]:
    """The next event of a control socket and the data socket that came with it.

    The event is None when the worker is gone.
    """
    try:
        packet, fds = platform.recv_packet(sock)
    except ConnectionError:
        return None, None
    data = socket.socket(fileno=fds[0]) if fds else None
    return (_events.decode(packet) if packet else None), data


def recv_exactly(sock: socket.socket, length: int) -> memoryview | None:
    """So many bytes of a blocking socket; None if it ends before."""
    view = memoryview(bytearray(length))
    got = 0
    while got < length:
        try:
            read = sock.recv_into(view[got:])
        except ConnectionError:
            return None
        if read == 0:
            return None
        got += read
    return view
