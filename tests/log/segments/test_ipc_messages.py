"""Finding message boundaries without decoding."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import LogError
from gnomon.log.segments.ipc_messages import messages
from tests.log.rows import live


def framed(path: Path, offset: int = 0, end: int | None = None) -> list[tuple[int, pa.Buffer]]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return list(messages(descriptor, offset, end))
    finally:
        os.close(descriptor)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40_000), min_size=1, max_size=60),
    cut=st.integers(0, 10**7),
)
def test_every_cut_gives_the_whole_messages_before_it(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cut: int
) -> None:
    """Wherever a file ends, the messages that are all there come out, and nothing else."""
    written = [live(["a"], raw=b"x" * size).serialize() for size in sizes]
    path = tmp_path_factory.mktemp("frames") / "f"
    data = b"".join(bytes(message) for message in written)
    path.write_bytes(data[: cut % (len(data) + 1)])
    framed_messages = framed(path)
    ends = [sum(message.size for message in written[: n + 1]) for n in range(len(written))]
    whole = [end for end in ends if end <= path.stat().st_size]
    assert [end for end, _ in framed_messages] == whole
    assert [bytes(message) for _, message in framed_messages] == [
        bytes(m) for m in written[: len(whole)]
    ]


def test_a_message_larger_than_a_read_comes_out_whole(tmp_path: Path) -> None:
    """A batch may be many times the size of one read."""
    small, large = live(["a"]).serialize(), live(["b"], raw=b"x" * 5_000_000).serialize()
    path = tmp_path / "f"
    path.write_bytes(bytes(small) + bytes(large) + bytes(small))
    assert [m.size for _, m in framed(path)] == [small.size, large.size, small.size]


def test_reading_goes_on_from_an_offset_to_an_end(tmp_path: Path) -> None:
    """``offset`` and ``end`` bound what is read; a message over the end is left out."""
    message = live(["a"]).serialize()
    path = tmp_path / "f"
    path.write_bytes(bytes(message) * 3)
    assert [end for end, _ in framed(path, message.size)] == [2 * message.size, 3 * message.size]
    assert [end for end, _ in framed(path, 0, 3 * message.size - 1)] == [
        message.size,
        2 * message.size,
    ]


@pytest.mark.parametrize(
    "damage",
    [b"\0\0\0\0\0\0\0\0x", b"{" * 64, b"\xff\xff\xff\xff\x08\0\0\0" + b"\xff" * 64],
    ids=["zeros then data", "text", "a flatbuffer that points outside"],
)
def test_bytes_that_are_not_a_message_are_refused(tmp_path: Path, damage: bytes) -> None:
    """The error distinguishes damage from a torn tail and names its first byte."""
    message = live(["a"]).serialize()
    path = tmp_path / "f"
    path.write_bytes(bytes(message) + damage)
    with pytest.raises(LogError, match=f"expected an Arrow message.*byte {message.size}"):
        framed(path)
