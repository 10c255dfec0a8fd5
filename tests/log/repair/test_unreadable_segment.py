"""Segments whose beginning is damaged, so that no row of them can be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.cli.show.repair import explain
from gnomon.errors import LogError
from gnomon.log import InferenceLog, Position, SegmentWriter, new_request_id, stream_segments
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.sealed_stream import WholeTail
from gnomon.log.segments.layout import stream_folder
from gnomon.log.segments.recovery import recover
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.feed.run import Run
from tests.log.log_files import logged, write_segments
from tests.log.rows import REQUESTS_SCHEMA, SHADOW_SCHEMA, live, settings, shadow

Damage = Callable[[bytes], bytes]
RUN = Run(artifact="flights:2", epoch=1, since="0:0", fraction=1.0)


def zeroed(content: bytes) -> bytes:
    return bytes(512) + content[512:]


def flipped(content: bytes) -> bytes:
    at = content.index(b"gnomon.mark")
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def emptied(content: bytes) -> bytes:
    return b""


def random(content: bytes) -> bytes:
    return bytes(range(256)) * (len(content) // 256)


def cut(content: bytes) -> bytes:
    return content[:100]


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def damage(path: Path, how: Damage) -> bytes:
    content = how(path.read_bytes())
    path.write_bytes(content)
    return content


@pytest.mark.slow
@pytest.mark.parametrize("how", [zeroed, flipped, emptied, random, cut])
def test_the_segment_is_set_aside_and_all_others_are_read(setup: Settings, how: Damage) -> None:
    """The lost requests are named as far as they can be known."""
    ids = write_segments(setup, segments=3, rows=4)
    folder = stream_folder(setup, "flights", "a", "requests")
    content = damage(path := folder / "00000001.arrows", how)
    for reading in (lambda: logged(setup), lambda: Sealer(setup, "flights").seal()):
        with pytest.raises(LogError, match=r"damaged log segment.*00000001\.arrows.*sets it aside"):
            reading()
    done = repair(setup, "flights")
    [lost] = done.segments
    assert lost.unreadable
    assert done.lost_rows
    assert lost.set_aside.read_bytes() == content
    assert not path.exists()
    expected = [] if how in (emptied, random, cut) else sorted(ids[4:8])
    assert list(lost.request_ids) == expected
    text = "\n".join(explain(done))
    assert "its beginning is damaged, so nothing is kept" in text
    assert ("at least 4 lost requests have their id" in text) is bool(expected)
    assert "other lost requests cannot be identified" in text
    assert logged(setup) == sorted(ids[:4] + ids[8:])
    assert repair(setup, "flights").is_whole
    Sealer(setup, "flights").seal()
    assert logged(setup) == sorted(ids[:4] + ids[8:])
    more = write_segments(setup, segments=1, rows=2)
    Sealer(setup, "flights").seal()
    assert logged(setup) == sorted(ids[:4] + ids[8:] + more)
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced, accounts.explain()
    assert re.search(r"lost to damage: [0-9,]+ bytes of a/requests/00000001", accounts.explain())


def scored(setup: Settings, batches: int, per_segment: int) -> tuple[Path, Path]:
    """Requests of one row each, and a shadow that recorded all of them; their folders."""
    requests = stream_folder(setup, "flights", "a", "requests")
    folder = stream_folder(setup, "flights", "a", "shadow-2")
    writer = SegmentWriter(requests, REQUESTS_SCHEMA, settings=setup)
    RUN.keep(folder)
    feed = SegmentWriter(folder, SHADOW_SCHEMA, settings=setup, metadata=RUN.metadata)
    for number in range(batches):
        if number and number % per_segment == 0:
            writer.rotate()
            feed.rotate()
        writer.append(live([request_id := new_request_id()]))
        feed.append(shadow([request_id], writer.position, epoch=1))
    writer.rotate()
    for stream in (writer, feed):
        stream.close()
    return requests, folder


def score_on(setup: Settings, folder: Path) -> Position:
    """A next life of the shadow, which records what is not; where it went on from."""
    table = LogTable(setup, "flights")
    run, read = RUN.resumed(folder, table)
    assert run == RUN
    feed = SegmentWriter(folder, SHADOW_SCHEMA, settings=setup, metadata=run.metadata)
    tail = WholeTail(folder.with_name("requests"), read, table)
    while batches := tail.poll():
        for place, batch in batches:
            ids = batch["request_id"].to_pylist()
            feed.append(shadow(ids, place, epoch=1)) if ids else None
    tail.close()
    feed.close()
    return read


@pytest.mark.parametrize("which", ["requests", "shadow"])
def test_the_accounts_of_a_shadow_balance_without_the_segment(setup: Settings, which: str) -> None:
    """What its own lost segment recorded is known to be lost.

    Without a segment of requests, what it recorded of them is compared with nothing.
    """
    requests, own = scored(setup, batches=9, per_segment=3)
    assert balance(InferenceLog(setup, "flights")).balanced
    damage((requests if which == "requests" else own) / "00000001.arrows", zeroed)
    repair(setup, "flights")
    score_on(setup, own)
    for _ in range(2):
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced, accounts.explain()
        [books] = accounts.shadows
        assert (books.eligible, books.scored, books.lagging) == (6, 6, 0)
        Sealer(setup, "flights").seal()


@pytest.mark.parametrize("sealed", [True, False])
def test_a_shadow_goes_on_where_its_newest_segment_is_lost(setup: Settings, sealed: bool) -> None:
    """It goes on from the segment before, or from the sealed rows: it scores again what the lost
    segment had and nothing else, even if no other segment is left.
    """
    requests, own = scored(setup, batches=9, per_segment=3)
    last = 2 if sealed else 1  # The lost segment is empty, or has what came from the third.
    end = Position(last, (requests / f"0000000{last}.arrows").stat().st_size)
    if sealed:
        Sealer(setup, "flights").seal()
        assert len(stream_segments(own)) == 1
    newest = stream_segments(own)[-1].path
    damage(newest, zeroed)
    with pytest.raises(LogError):
        recover(own)  # As the sealer does; it closes the segment.
    repair(setup, "flights")
    assert not newest.exists()
    assert score_on(setup, own) == end
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced, accounts.explain()
    [books] = accounts.shadows
    assert (books.eligible, books.scored, books.lagging) == (9, 9, 0)


@pytest.mark.parametrize("how", [zeroed, cut])
def test_damage_is_found_where_the_list_of_closed_segments_is_gone(
    setup: Settings, how: Damage
) -> None:
    """Deleted, or moved aside by a repair that ended before it rebuilt the list."""
    ids = write_segments(setup, segments=3, rows=4)
    folder = stream_folder(setup, "flights", "a", "requests")
    damage(folder / "00000001.arrows", how)
    (folder / "closed.json").unlink()
    assert len(repair(setup, "flights").segments) == 1
    assert logged(setup) == sorted(ids[:4] + ids[8:])
    assert repair(setup, "flights").is_whole
