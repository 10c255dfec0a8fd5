"""The whole messages of a damaged segment: which bytes in it are batches that its writer wrote.

A request's body is stored as it came and may hold bytes that look like a batch, with a right
checksum. With a mark that only the segment's writer knew (format 3) they cannot be taken for one,
and every byte is looked at. Before that, what a message's head claims to be its own is not looked
into, and after a damaged head only batches that lead up to the segment's end without a gap are
taken: a body can hold none that does, as its message ends with values that no client knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gnomon.log.ipc_messages import SCHEMA_MARK, is_as_written, message_length

__all__ = ["whole_messages"]

Found = tuple[int, memoryview]
"""Where a message begins, and its bytes."""

_BEGINNING = re.compile(rb"\xff{4}[\s\S]{3}\x00")
"""Of a message with metadata of less than 16 MiB, far more than any schema of ours needs."""


def whole_messages(content: memoryview, mark: bytes | None) -> Iterator[Found]:
    """Every whole message in damaged bytes that is known to be one; what is between is lost.

    Args:
        content: of a segment, from its first batch on.
        mark: of its messages; None: they have no checksum. Then what follows a damaged head is
            lost, as nothing says where the next message begins.
    """
    if mark is None:
        yield from _chained(content, 0, None)
    elif mark == SCHEMA_MARK:
        yield from _outside_of_bodies(content)
    else:
        yield from _marked(content, mark)


def _marked(content: memoryview, mark: bytes) -> Iterator[Found]:
    """Wherever they are: only the segment's writer can have made them."""
    at = _next_beginning(content, 0)
    while at is not None:
        message = _message(content, at, mark)
        if message is not None:
            yield at, message
        at = _next_beginning(content, at + (len(message) if message is not None else 1))


def _outside_of_bodies(content: memoryview) -> Iterator[Found]:
    """From the beginning on as far as heads lead; then those that lead to the end."""
    reached = 0
    for at, message in _chained(content, 0, SCHEMA_MARK):
        yield at, message
        reached = at + len(message)
    yield from _up_to_the_end(content, reached)


def _chained(content: memoryview, at: int, mark: bytes | None) -> Iterator[Found]:
    """Messages one after the other. A damaged one is passed over when another follows where its
    head says that it ends."""
    while 0 < (size := message_length(content, at)) <= len(content) - at:
        message = _message(content, at, mark)
        if message is not None:
            yield at, message
        elif at + size < len(content) and _message(content, at + size, mark) is None:
            return
        at += size


def _up_to_the_end(content: memoryview, begin: int) -> Iterator[Found]:
    """The messages that reach the end one after the other."""
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
    """The message at a place, if it is all there and as it was written."""
    size = message_length(content, at)
    if not 0 < size <= len(content) - at:
        return None
    message = content[at : at + size]
    return message if mark is None or is_as_written(message, mark) else None


def _next_beginning(content: memoryview, at: int) -> int | None:
    found = _BEGINNING.search(content, at)
    return None if found is None else found.start()
