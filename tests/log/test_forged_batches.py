"""A request body that looks like a batch of the log is never treated as one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.errors import LogError
from gnomon.log import InferenceLog, SegmentReader, SegmentWriter, stream_segments
from gnomon.log.repair.repair import repair
from gnomon.log.segments.closed_segments import record_closed
from gnomon.log.segments.ipc_messages import checksummed
from gnomon.log.segments.layout import stream_folder
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.rows import REQUESTS_SCHEMA, live, settings

DATA = Path(__file__).parent / "data"
FORGED = b"".join(checksummed(live(["forged"]).serialize()))
"""A whole batch as a client can make one: it knows the contract, and the format by its source."""

Damage = Callable[[bytearray, int, int], None]


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def logged(setup: Settings) -> list[str]:
    table = InferenceLog(setup, "flights").table(columns=["request_id"])
    return sorted(table["request_id"].to_pylist())


def segment_with(setup: Settings, body: bytes) -> Path:
    """A closed segment of six requests, the third of which has this body."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    for number in range(6):
        writer.append(live([f"request-{number}"], raw=body if number == 2 else b"{}"))
    writer.rotate()
    writer.close()
    return stream_segments(folder)[0].path


def segment_of_format_2(setup: Settings) -> Path:
    """The same in the format whose checksums a client can compute."""
    folder = stream_folder(setup, "flights", "a", "requests")
    folder.mkdir(parents=True)
    path = folder / "00000000.arrows"
    shutil.copy(DATA / "a" / "requests" / path.name, path)
    record_closed(folder, {0: path.stat().st_size})
    SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup).close()
    return path


def flip_a_bit(content: bytearray, begin: int, end: int) -> None:
    """One bit of the message's body; its head says rightly how long it is."""
    content[end - 8] ^= 1


def overwrite_the_length(content: bytearray, begin: int, end: int) -> None:
    content[begin + 4 : begin + 8] = (1 << 20).to_bytes(4, "little")


def zero_the_head(content: bytearray, begin: int, end: int) -> None:
    content[begin : begin + 200] = bytes(200)


def zero_up_to_the_forged_batch(content: bytearray, begin: int, end: int) -> None:
    """Overwrite from the batch before on, so that not even its end is known."""
    content[begin - 400 : content.index(FORGED)] = bytes(content.index(FORGED) - begin + 400)


@pytest.mark.parametrize(
    "damage", [flip_a_bit, overwrite_the_length, zero_the_head, zero_up_to_the_forged_batch]
)
@pytest.mark.parametrize("version", [2, 3])
def test_repair_recovers_no_row_from_inside_a_body(
    setup: Settings, version: int, damage: Damage
) -> None:
    """A body may contain a batch with a valid checksum, in a damaged part of the segment: repair
    keeps all batches of the server, and no others.
    """
    body = b"12345678" + FORGED + b"more"
    path = segment_with(setup, body) if version == 3 else segment_of_format_2(setup)
    with SegmentReader(path) as reader:
        ends = [end for end, _ in reader.batches()]
    content = bytearray(path.read_bytes())
    assert FORGED in content[ends[1] : ends[2]]
    damage(content, ends[1], ends[2])
    path.write_bytes(content)
    with pytest.raises(LogError, match="damaged log segment"):
        logged(setup)
    repair(setup, "flights")
    lost = {1, 2} if damage is zero_up_to_the_forged_batch else {2}
    assert logged(setup) == [f"request-{n}" for n in range(6) if n not in lost]
    assert repair(setup, "flights").is_whole
    assert balance(InferenceLog(setup, "flights")).balanced


def test_a_batch_of_another_segment_is_damage(setup: Settings) -> None:
    """Each segment has its own mark: blocks of a deleted file, which a power loss may leave in
    this one, are damage.
    """
    first = segment_with(setup, b"{}")
    with SegmentReader(first) as reader:
        ends = [reader.first, *(end for end, _ in reader.batches())]
    other = first.read_bytes()[ends[0] : ends[1]]
    folder = stream_folder(setup, "flights", "b", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    offset = writer.append(live(["request-9"], raw=b"{}"))
    writer.rotate()
    writer.close()
    path = stream_segments(folder)[0].path
    content = path.read_bytes()
    assert len(content[offset - len(other) :]) == len(other)
    path.write_bytes(content[: offset - len(other)] + other)
    with pytest.raises(LogError, match=r"damaged log segment.*b/requests/00000000"):
        logged(setup)
    repair(setup, "flights")
    assert logged(setup) == [f"request-{n}" for n in range(6)]


def test_each_segment_has_its_own_random_mark(setup: Settings) -> None:
    """It is random, and long enough not to be guessed: 96 bits."""
    segment_with(setup, b"{}")
    marks = []
    for segment in stream_segments(stream_folder(setup, "flights", "a", "requests")):
        with SegmentReader(segment.path) as reader:
            marks.append(bytes.fromhex(reader.schema.metadata[b"gnomon.mark"].decode()))
    assert len(set(marks)) == 2
    assert {len(mark) for mark in marks} == {12}
