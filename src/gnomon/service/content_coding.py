"""The decompression of request bodies, piece by piece: ``Content-Encoding``, RFC 9110, 8.4."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator

from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import BodyTooLarge, MalformedBody, UnknownContentCoding

__all__ = ["CODINGS", "Gunzip", "content_coding", "decoded"]

CODINGS = ("gzip", "zstd")
"""The supported codings, in addition to none."""

_ALIASES = {"x-gzip": "gzip"}
"""RFC 9110, 8.4.1.3."""
_PIECE_BYTES = 262_144
"""The most bytes to decompress, or to produce, at a time: about a millisecond."""
_GZIP = 31
"""``wbits`` of zlib for a gzip header and the largest window."""


def content_coding(
    headers: Iterable[tuple[bytes, bytes]], accepted: Iterable[str] = CODINGS
) -> str | None:
    """Return the coding of a body; None if it has none.

    Args:
        headers: the headers of its request.
        accepted: the supported codings.

    Raises:
        UnknownContentCoding: the body has another coding, or several.
    """
    values = [value.decode("latin-1") for name, value in headers if name == b"content-encoding"]
    named = [name.strip().lower() for value in values for name in value.split(",")]
    named = [_ALIASES.get(name, name) for name in named if name not in ("", "identity")]
    if not named:
        return None
    accepted = tuple(accepted)
    if len(named) > 1 or named[0] not in accepted:
        expected = " or ".join(f"`{name}`" for name in accepted)
        error = UnknownContentCoding(
            f"expected a body that is compressed with {expected}, or not at all, "
            f"got `{', '.join(named)[:60]}`",
            where="Content-Encoding",
            hint="compress it once, or send it uncompressed",
        )
        error.accepted = accepted
        raise error
    return named[0]


async def decoded(
    body: bytes | bytearray,
    coding: str,
    limit: int,
    grow: Callable[[int], None] = lambda size: None,
    hint: str | None = None,
) -> bytes | bytearray:
    """Decompress a body, in a thread if it is long.

    Args:
        body: the body as it was received.
        coding: one of :data:`CODINGS`.
        limit: the most decompressed bytes; decompression stops there.
        grow: called with the number of bytes held, compressed and decompressed; an exception from
            it ends the decompression.
        hint: what to do about a body that is too long.

    Raises:
        MalformedBody: the body is not of that coding, is incomplete, or has more bytes after it.
        BodyTooLarge: the body would be longer than the limit.
    """
    pieces = (_gunzip if coding == "gzip" else _unzstd)(bytes(body))
    plain = bytearray()
    soon = len(body) <= SOON_BYTES
    while piece := next(pieces, b"") if soon else await asyncio.to_thread(next, pieces, b""):
        soon = False
        plain += piece
        if len(plain) > limit:
            raise BodyTooLarge(
                f"expected a body of at most {limit:,} bytes once it is decompressed, "
                f"got more from {len(body):,} bytes of {coding}",
                hint=hint,
            )
        grow(len(body) + len(plain))
    return plain if len(plain) > SOON_BYTES else bytes(plain)


class Gunzip:
    """A gzip stream that arrives in pieces and is decompressed only as fast as it is read."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._waiting = b""

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream; to be called only after :meth:`read` has returned nothing.

        Raises:
            MalformedBody: the stream has already ended.
        """
        if data and self._stream.eof:
            raise _trailing("gzip")
        self._waiting += data

    def read(self, most: int) -> bytes:
        """Return up to ``most`` bytes; none if more of the stream is needed, or it has ended.

        Raises:
            MalformedBody: it is not a gzip stream, or there are bytes after its end.
        """
        if self._stream.eof:
            return b""
        try:
            piece = self._stream.decompress(self._waiting, most)
        except zlib.error as error:
            raise _broken("gzip", str(error)) from None
        self._waiting = self._stream.unconsumed_tail
        if self._stream.unused_data:
            raise _trailing("gzip")
        return piece

    def end(self) -> None:
        """Check that the stream is complete.

        Raises:
            MalformedBody: it is not.
        """
        if not self._stream.eof:
            raise _cut_short("gzip")


def _gunzip(body: bytes) -> Iterator[bytes]:
    stream = Gunzip()
    for start in range(0, len(body), _PIECE_BYTES):
        stream.feed(body[start : start + _PIECE_BYTES])
        while piece := stream.read(_PIECE_BYTES):
            yield piece
    stream.end()


def _unzstd(body: bytes) -> Iterator[bytes]:
    import pyarrow as pa  # Clients import this module, and need no Arrow.

    if not body:
        raise _cut_short("zstd")
    try:
        # Arrow includes zstd, so no other library is needed for it.
        stream = pa.CompressedInputStream(pa.BufferReader(body), "zstd")
        while piece := stream.read(_PIECE_BYTES):
            yield piece
    except OSError as error:
        if "Truncated" in str(error):
            raise _cut_short("zstd") from None
        raise _broken("zstd", str(error).removeprefix("ZSTD decompress failed: ")) from None


def _broken(coding: str, detail: str) -> MalformedBody:
    return MalformedBody(
        f"expected a body compressed with {coding}, as `Content-Encoding` says: {detail}",
        where="the body",
        hint=f"send it uncompressed without `Content-Encoding`, or compress it with {coding}",
    )


def _cut_short(coding: str) -> MalformedBody:
    return MalformedBody(
        f"the {coding} stream is incomplete", where="the body", hint="send the complete stream"
    )


def _trailing(coding: str) -> MalformedBody:
    return MalformedBody(
        f"there are bytes after the end of the {coding} stream",
        where="the body",
        hint="send one stream; to send several files, compress their joined content",
    )
