"""The decompression of request bodies, piece by piece: ``Content-Encoding``, RFC 9110, 8.4."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import BodyTooLarge, MalformedBody, UnknownContentCoding

__all__ = ["CODINGS", "Decompressor", "content_coding", "decoded", "decompressor"]

CODINGS = ("gzip", "zstd")
"""The supported codings, in addition to none."""

_ALIASES = {"x-gzip": "gzip"}
"""RFC 9110, 8.4.1.3."""
_PIECE_BYTES = 262_144
"""The most bytes to decompress, or to produce, at a time: about a millisecond."""
_GZIP = 31
"""``wbits`` of zlib for a gzip header and the largest window."""
_ZSTD_WINDOW_LOG = 23
"""8 MiB, the largest window of this content coding (RFC 9659): what a decompressor holds."""
_ZSTD_HEAD_BYTES = 6
"""The bytes of a frame up to the size of its window."""


def content_coding(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The coding of a body; None if it has none.

    Args:
        headers: of its request.

    Raises:
        UnknownContentCoding: the body has another coding, or several.
    """
    values = [value.decode("latin-1") for name, value in headers if name == b"content-encoding"]
    codings = [name.strip().lower() for value in values for name in value.split(",")]
    codings = [_ALIASES.get(name, name) for name in codings if name not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in CODINGS:
        expected = " or ".join(f"`{name}`" for name in CODINGS)
        raise UnknownContentCoding(
            f"expected a body that is compressed with {expected}, or not at all, "
            f"got `{', '.join(codings)[:60]}`",
            where="Content-Encoding",
            hint="compress it once, or send it uncompressed",
        )
    return codings[0]


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
    pieces = _pieces(bytes(body), decompressor(coding))
    plain = bytearray()
    inline = len(body) <= SOON_BYTES
    while piece := next(pieces, b"") if inline else await asyncio.to_thread(next, pieces, b""):
        inline = False
        plain += piece
        if len(plain) > limit:
            raise BodyTooLarge(
                f"expected a body of at most {limit:,} bytes once it is decompressed, "
                f"got more from {len(body):,} bytes of {coding}",
                hint=hint,
            )
        grow(len(body) + len(plain))
    return plain if len(plain) > SOON_BYTES else bytes(plain)


_ALSO = {"gzip": "", "zstd": ", with a window of at most 8 MiB, as `zstd` does up to level 19"}
_ZSTD_SAYS = "Unable to decompress Zstandard data: "


class Decompressor(Protocol):
    """A compressed stream that comes bit by bit and is decompressed no faster than it is read."""

    @property
    def window_bytes(self) -> int:
        """Decompressed bytes that it keeps, because the following may repeat them."""

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream; to be called only after :meth:`read` has returned nothing.

        Raises:
            MalformedBody: the stream has already ended.
        """

    def read(self, most: int) -> bytes:
        """Return up to ``most`` bytes; none if more of the stream is needed, or it has ended.

        Raises:
            MalformedBody: it is not such a stream, or something follows it.
        """

    def end(self) -> None:
        """The stream has come to its end.

        Raises:
            MalformedBody: it is not complete.
        """


def decompressor(coding: str) -> Decompressor:
    """What reads a stream of one of :data:`CODINGS`."""
    return _Gunzip() if coding == "gzip" else _Unzstd()


class _Gunzip:
    window_bytes = 32_768

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._waiting = b""

    def feed(self, data: bytes) -> None:
        if data and self._stream.eof:
            raise _trailing("gzip")
        self._waiting += data

    def read(self, most: int) -> bytes:
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
        if not self._stream.eof:
            raise _cut_short("gzip")


class _Unzstd:
    """One frame: of several, small ones would cost more than they hold."""

    def __init__(self) -> None:
        from backports import zstd  # Clients import this module, and need none.

        self._error = zstd.ZstdError
        window = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
        self._frame = zstd.ZstdDecompressor(options=window)
        self._waiting = self._head = b""
        self._read = 0

    @property
    def window_bytes(self) -> int:
        return min(self._read, _zstd_window(self._head))

    def feed(self, data: bytes) -> None:
        if data and self._frame.eof:
            raise _trailing("zstd")
        self._waiting += data
        self._head += data[: _ZSTD_HEAD_BYTES - len(self._head)]

    def read(self, most: int) -> bytes:
        if self._frame.eof:
            return b""
        data, self._waiting = self._waiting, b""
        try:
            piece = self._frame.decompress(data, most)
        except self._error as error:
            raise _broken("zstd", str(error).removeprefix(_ZSTD_SAYS)) from None
        if self._frame.unused_data:
            raise _trailing("zstd")
        self._read += len(piece)
        return piece

    def end(self) -> None:
        if not self._frame.eof:
            raise _cut_short("zstd")


def _zstd_window(head: bytes) -> int:
    """Return the size of the window of a frame, from its first bytes: RFC 8878, 3.1.1.1.2.

    A frame of one segment keeps all of it; its length is at most the largest window.
    """
    has_window = len(head) > 5 and not head[4] & 0x20
    if not has_window:
        return 1 << _ZSTD_WINDOW_LOG
    base = 1 << (10 + (head[5] >> 3))
    return base + base // 8 * (head[5] & 7)


def _pieces(body: bytes, stream: Decompressor) -> Iterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        stream.feed(body[start : start + _PIECE_BYTES])
        while piece := stream.read(_PIECE_BYTES):
            yield piece
    stream.end()


def _broken(coding: str, detail: str) -> MalformedBody:
    return MalformedBody(
        f"expected a body compressed with {coding}, as `Content-Encoding` says: {detail}",
        where="the body",
        hint=f"send it uncompressed without `Content-Encoding`, or compress it with {coding}"
        + _ALSO[coding],
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
