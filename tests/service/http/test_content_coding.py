"""Compressed bodies are decompressed within their limits."""

from __future__ import annotations

import asyncio
import tracemalloc

import pyarrow as pa
import pytest
from backports import zstd

from gnomon.errors import BodyTooLarge, GnomonError, MalformedBody, UnknownContentCoding
from gnomon.service.http.content_coding import CODINGS, content_coding, decoded, decompressor

LIMIT = 1_000_000
TEXT = b'{"x": 1.5, "id": "a"}' * 20_000


def compressed(body: bytes, coding: str) -> bytes:
    """The body in a coding."""
    return bytes(pa.compress(body, codec=coding, asbytes=True))


def plain(body: bytes, coding: str, limit: int = LIMIT) -> bytes:
    """The body without it."""
    return bytes(asyncio.run(decoded(body, coding, limit)))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("body", [b"", b"{}", TEXT, bytes(LIMIT)])
def test_a_body_comes_out_as_it_was(coding: str, body: bytes) -> None:
    """Bodies have every length up to the limit itself."""
    assert plain(compressed(body, coding), coding) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_stopped_as_it_grows(coding: str) -> None:
    """Both sizes are said, and what is decompressed is never much more than the limit."""
    bomb = compressed(bytes(200_000_000), coding)
    tracemalloc.start()
    with pytest.raises(BodyTooLarge, match=f"1,000,000 bytes.*from {len(bomb):,} bytes"):
        plain(bomb, coding)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * LIMIT


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "change",
    [
        lambda body: b"",
        lambda body: body[:5],
        lambda body: body[:-1],
        lambda body: body[: len(body) // 2],
        lambda body: body + b"more",
        lambda body: body[:9] + bytes([body[9] ^ 255, body[10] ^ 255]) + body[11:],
        lambda body: TEXT,
    ],
    ids=["empty", "a head", "cut by one", "half", "trailing", "flipped", "not compressed"],
)
def test_a_damaged_stream_is_malformed(coding: str, change: object) -> None:
    """Any damage in any place is reported as that."""
    body = compressed(TEXT, coding)
    with pytest.raises(MalformedBody, match=coding) as caught:
        plain(change(body), coding)  # type: ignore[operator]
    assert caught.value.hint


@pytest.mark.parametrize("coding", CODINGS)
def test_any_cut_and_any_flipped_byte_is_an_error_or_the_same(coding: str) -> None:
    """A damaged stream gives an error of Gnomon or the same body, and nothing else."""
    body = compressed(TEXT[:500], coding)
    for place in range(len(body)):
        flipped = body[:place] + bytes([body[place] ^ 0x55]) + body[place + 1 :]
        for damaged in (body[:place], flipped):
            try:
                came = plain(damaged, coding)
            except GnomonError:
                continue
            assert came == TEXT[:500] or coding == "zstd"  # Arrow's frames have no checksum.


def test_a_window_of_zstd_is_bounded() -> None:
    """A stream says how much memory its reader takes; RFC 9659 allows 8 MiB."""
    window = zstd.CompressionParameter.window_log
    for log, works in ((23, True), (24, False)):
        writer = zstd.ZstdCompressor(options={window: log})
        body = writer.compress(TEXT) + writer.flush()  # the length is not said
        if works:
            assert plain(body, "zstd") == TEXT
        else:
            with pytest.raises(MalformedBody, match="too much memory") as caught:
                plain(body, "zstd")
            assert "8 MiB" in str(caught.value.hint)


def test_what_is_held_is_counted() -> None:
    """``grow`` is called with the compressed bytes and with the result, and may raise."""
    seen: list[int] = []
    body = compressed(bytes(LIMIT), "gzip")
    asyncio.run(decoded(body, "gzip", LIMIT, seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == len(body) + LIMIT


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([], None),
        ([b""], None),
        ([b"identity"], None),
        ([b"identity, gzip"], "gzip"),
        ([b"GZip "], "gzip"),
        ([b"x-gzip"], "gzip"),
        ([b"zstd"], "zstd"),
    ],
)
def test_codings_have_names(values: list[bytes], coding: str | None) -> None:
    """Their case does not matter; ``identity`` is none."""
    assert content_coding([(b"content-encoding", value) for value in values]) == coding


@pytest.mark.parametrize("values", [[b"br"], [b"deflate"], [b"gzip, gzip"], [b"gzip", b"zstd"]])
def test_other_codings_are_refused_with_those_there_are(values: list[bytes]) -> None:
    """Several codings are refused too, as their sizes multiply."""
    with pytest.raises(UnknownContentCoding, match="`gzip` or `zstd`, or not at all, got"):
        content_coding([(b"content-encoding", value) for value in values])


@pytest.mark.parametrize("coding", CODINGS)
def test_a_stream_is_read_in_bits(coding: str) -> None:
    """The input may be cut anywhere, and no more is read at once than is asked for."""
    body, came = compressed(TEXT, coding), bytearray()
    stream = decompressor(coding)
    for place in range(0, len(body), 7):
        stream.feed(body[place : place + 7])
        while piece := stream.read(1_000):
            assert len(piece) <= 1_000
            came += piece
    stream.end()
    assert came == TEXT
