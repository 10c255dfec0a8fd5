"""The complete messages of a damaged segment: the bytes that are batches of its writer.

A request's body is stored as it was received and may contain bytes that look like a batch with a
correct checksum. With a mark that only the segment's writer knows (format 3) they cannot be
mistaken for one, and every byte is searched. In earlier formats the inside of a message, as long as
its head says, is not searched. After a damaged head, only batches that reach the segment's end
without a gap are taken: a body cannot contain these, because its message ends with values that no
client knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gnomon.log.segments.ipc_messages import SCHEMA_MARK, is_as_written, message_length

__all__ = ["whole_messages"]

Found = tuple[int, memoryview]
"""The offset of a message, and its bytes."""

_BEGINNING = re.compile(rb"\xff{4}[\s\S]{3}\x00")
"""The beginning of a message with metadata under 16 MiB, far more than any schema here needs."""


def whole_messages(content: memoryview, mark: bytes | None) -> Iterator[Found]:
    """Yield the messages in damaged bytes that are certainly genuine; the rest is lost.

    Args:
        content: the bytes of a segment from its first batch on.
        mark: of its messages; None: they have no checksum. Then everything after a damaged head
            is lost, as nothing says where the next message begins.
    """
    if mark is None:
        yield from _chained(content, 0, None)
    elif mark == SCHEMA_MARK:
        yield from _outside_of_bodies(content)
    else:
        yield from _marked(content, mark)


def _marked(content: memoryview, mark: bytes) -> Iterator[Found]:
    """Yield messages at any offset: only the segment's writer can have made them."""
    at = _next_beginning(content, 0)
    while at is not None:
        message = _message(content, at, mark)
        if message is not None:
            yield at, message
        at = _next_beginning(content, at + (len(message) if message is not None else 1))


def _outside_of_bodies(content: memoryview) -> Iterator[Found]:
    """Yield messages from the beginning as far as heads lead, then those that reach the end."""
    reached = 0
    for at, message in _chained(content, 0, SCHEMA_MARK):
        yield at, message
        reached = at + len(message)
    yield from _up_to_the_end(content, reached)


def _chained(content: memoryview, at: int, mark: bytes | None) -> Iterator[Found]:
    """Yield consecutive messages; skip a damaged one if another follows where its head says."""
    while 0 < (size := message_length(content, at)) <= len(content) - at:
        message = _message(content, at, mark)
        if message is not None:
            yield at, message
        elif at + size < len(content) and _message(content, at + size, mark) is None:
            return
        at += size


def _up_to_the_end(content: memoryview, begin: int) -> Iterator[Found]:
    """Yield the consecutive messages that reach the end."""
    beginnings = [match.start() for match in _BEGINNING.finditer(content, begin)]
    found: list[Found] = []
    first = len(content)
    for at in reversed(beginnings):
        if at + message_length(content, at) == first:
            message = _message(content, at, SCHEMA_MARK)
            if message is not None:
                found.append((at, message))
                first = at
    yield from reversed(found)


def _message(content: memoryview, at: int, mark: bytes | None) -> memoryview | None:
    """Return the message at an offset, if it is complete and as it was written."""
    size = message_length(content, at)
    if not 0 < size <= len(content) - at:
        return None
    message = content[at : at + size]
    return message if mark is None or is_as_written(message, mark) else None


def _next_beginning(content: memoryview, at: int) -> int | None:
    found = _BEGINNING.search(content, at)
    return None if found is None else found.start()
