"""``python -m gnomon.service.lane.codec_process FD``: decodes large bodies, encodes large answers.

:class:`gnomon.service.lane.codec.Codec` starts it and sends one request at a time. It ends when the
socket closes, and the kernel ends it with its gateway. When memory runs out it is killed before any
process of live.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from gnomon.compat.platform import die_with_parent
from gnomon.contract import Contract, Decoder
from gnomon.contract.record_lines import decode_lines
from gnomon.errors import GnomonError, InvalidRequest
from gnomon.service.lane.answer_encoding import lines, many
from gnomon.service.lane.arrow_records import UnsentRecord, arrow_lines
from gnomon.service.lane.codec_messages import (
    Failed,
    Read,
    ReadBody,
    ReadRecords,
    Records,
    RefusedRecord,
    Reply,
    Request,
    WriteAnswer,
    Written,
    packed,
    recv_request,
)
from gnomon.worker import messages
from gnomon.worker.background import enter_background
from gnomon.worker.spawn import inherited

__all__ = ["main"]

OUT_OF_MEMORY_SCORE = 900
"""Only shadows are killed before this process."""

NICENESS = 5
"""A lower priority, so that small requests do not wait for large ones on a busy machine."""


def main() -> None:
    """Handle requests until the socket closes."""
    die_with_parent(os.getppid())
    enter_background(niceness=NICENESS, oom_score=OUT_OF_MEMORY_SCORE)
    # Parsed JSON has no cycles, and searching millions of lists for them takes most of the time. An
    # error has: it refers to the frames that refer to it. They are collected after the request,
    # when little else that is new is left; objects that survived once are not looked at again.
    gc.disable()
    with socket.socket(fileno=inherited(sys.argv[1])) as gateway:
        while (message := recv_request(gateway)) is not None:
            reply, answer = _done(*message)
            del message
            for block in packed(reply, b"", answer):
                gateway.sendall(block)
            del reply, answer, block
            gc.collect(0)


def _done(request: Request, contract: bytes, payload: bytes) -> tuple[Reply, bytes]:
    try:
        if isinstance(request, ReadBody):
            return _read(_decoder(contract), payload, request.most_rows)
        if isinstance(request, ReadRecords):
            return _read_records(_decoder(contract), payload, request.form)
        return _written(_decoder(contract).contract, payload, request)
    except GnomonError as error:
        return Failed.of(error), b""


def _read(decoder: Decoder, body: bytes, most_rows: int) -> tuple[Read, bytes]:
    decoded = decoder.decode(body, most_rows)
    read = Read(decoded.single, decoded.unknown, decoder.outside(decoded.rows))
    return read, decoder.batch(decoded.rows).serialize()


def _read_records(decoder: Decoder, payload: bytes, form: str) -> tuple[Records, bytes]:
    entries = payload.split(b"\n") if form == "lines" else arrow_lines(payload)
    sent = [line for line in entries if isinstance(line, bytes)]
    rows, unknown, refused = decode_lines(decoder, sent)
    accepted = [line for place, line in enumerate(sent) if place not in refused]
    body = b'{"rows":[%s]}' % b",".join(accepted) if accepted else b""
    batch = decoder.batch(rows).serialize() if rows else b""
    refusals = tuple(_refused_records(entries, refused))
    return Records(len(body), unknown, decoder.outside(rows), refusals), body + bytes(batch)


def _refused_records(
    entries: Sequence[bytes | UnsentRecord], errors: dict[int, InvalidRequest]
) -> Iterator[RefusedRecord]:
    """Yield the lines that were refused, and the rows that could not be written as lines."""
    sent = 0
    for place, line in enumerate(entries):
        error = errors.get(sent) if isinstance(line, bytes) else line.error
        record = line if isinstance(line, bytes) else line.record
        sent += isinstance(line, bytes)
        if error is not None:
            yield RefusedRecord(
                error.code, error.message, error.where, error.hint, place=place, record=record
            )


def _written(contract: Contract, payload: bytes, request: WriteAnswer) -> tuple[Written, bytes]:
    scored = messages.read_batch(payload, messages.scored_schema(contract.output_schema))
    head = (contract, request.request_id, request.artifact)
    if request.numbers is not None:
        return Written(), lines(scored, *head, request.numbers)
    return Written(), many(scored, *head)


@lru_cache(maxsize=8)
def _decoder(contract: bytes) -> Decoder:
    """Return the decoder of a contract, from a cache for the few artifacts of a server."""
    return Decoder(msgspec.json.decode(contract, type=Contract))


if __name__ == "__main__":
    main()
