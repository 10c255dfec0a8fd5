"""Ledgers and tables that do not match, and misplaced segments.

Only file times are set by the test.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from gnomon.errors import GnomonError, LogError
from gnomon.log import InferenceLog, Position, SegmentWriter, new_request_id, stream_segments
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.feed.run import Run
from tests.log.log_files import days_old, ledgers, rows, seal, write_segment
from tests.log.rows import REQUESTS_SCHEMA, SHADOW_SCHEMA, live, settings, shadow


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path, spool=str(tmp_path / "spool"))


def older(setup: Settings, content: bytes) -> None:
    """An older ledger in both of its places, as when both disks are restored from a backup."""
    for place in (*ledgers(setup), *Path(setup.spool_path, "flights").glob("sealed-*.json")):
        place.write_bytes(content)


def hours_old(setup: Settings) -> int:
    """A table that was compacted, and freed of the files that replaced, as an hour later."""
    seal(setup, 3)
    Sealer(setup, "flights").maintain()
    DeltaTable(str(Path(setup.root, "log", "flights"))).vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True
    )
    seal(setup, 1)
    return rows(setup)


def test_a_table_of_an_earlier_release_outlives_two_rounds(setup: Settings) -> None:
    """No ledger, as releases before it leave it: its checkpoints and commits stay."""
    before = days_old(setup)
    shutil.rmtree(Path(setup.root, "sealed"))
    Sealer(setup, "flights").seal()
    Sealer(setup, "flights").seal()
    assert rows(setup) == before


def test_a_table_outlives_repair_of_its_ledger(setup: Settings) -> None:
    """`gnomon log repair`, as the error says, and one more round of the sealer."""
    before = days_old(setup)
    ledgers(setup)[0].write_bytes(b"")
    repair(setup, "flights")
    Sealer(setup, "flights").seal()
    assert rows(setup) == before


def test_a_table_outlives_an_older_ledger(setup: Settings) -> None:
    """After a restore of the ledger, intact commits are not treated as torn."""
    seal(setup, 1)
    old = ledgers(setup)[0].read_bytes()
    before = hours_old(setup)
    older(setup, old)
    with contextlib.suppress(GnomonError):
        Sealer(setup, "flights").seal()
    assert rows(setup) == before


def test_a_table_outlives_repair_where_another_spool_is_idle(
    setup: Settings, tmp_path: Path
) -> None:
    """The other spool's old ledger is then the newest, and covers few commits."""
    idle = settings(tmp_path, spool=str(tmp_path / "idle"))
    write_segment(idle, slice_name="b")
    Sealer(idle, "flights").seal()
    known = ledgers(setup)
    before = hours_old(setup)
    [busy] = set(ledgers(setup)) - set(known)
    busy.write_bytes(b"")
    with contextlib.suppress(GnomonError):
        repair(setup, "flights")
    assert rows(setup) == before


def test_a_segment_of_another_stream_is_moved_away_by_repair(setup: Settings) -> None:
    """A segment of slice b, copied into slice a as number 5, would be sealed as b's fifth, and
    b's next ones would count as sealed. It is reported, and repair moves it away.
    """
    ids = write_segment(setup, slice_name="b")
    [first, *_] = stream_segments(stream_folder(setup, "flights", "b", "requests"))
    write_segment(setup)
    shutil.copy(first.path, stream_folder(setup, "flights", "a", "requests") / "00000005.arrows")
    with pytest.raises(
        LogError, match=r"belongs to another stream: .* b/requests/00000000.*00000005"
    ):
        Sealer(setup, "flights").seal()
    ids += write_segment(setup, slice_name="b")
    assert len(repair(setup, "flights").misplaced) == 1
    Sealer(setup, "flights").seal()
    request_ids = (
        InferenceLog(setup, "flights").table(columns=["request_id"])["request_id"].to_pylist()
    )
    assert set(ids) <= set(request_ids)
    assert balance(InferenceLog(setup, "flights")).balanced


def test_a_data_file_that_is_gone_is_counted_as_lost(setup: Settings) -> None:
    """The others can be read again after repair."""
    seal(setup, 3)
    next(Path(setup.root, "log", "flights").rglob("day=*/*.parquet")).unlink()
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.lost == {"a/requests": 3}
    assert rows(setup) == 6


def test_repair_balances_the_accounts_of_an_older_ledger(setup: Settings) -> None:
    """The sealer stops, because rows may be missing from such a ledger; repair recounts the
    streams.
    """
    seal(setup, 1)
    old = ledgers(setup)[0].read_bytes()
    seal(setup, 2)
    older(setup, old)
    with pytest.raises(LogError, match=r"older than the table.*log repair"):
        seal(setup, 1)
    done = repair(setup, "flights")
    assert done.table is not None
    assert done.table.recounted == ("a/requests",)
    seal(setup, 1)
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced, accounts.explain()


def test_the_accounts_report_an_older_ledger(setup: Settings) -> None:
    """If the ledger is older than the table, losses are unknown, and the accounts say so."""
    seal(setup, 2)
    old = ledgers(setup)[0].read_bytes()
    seal(setup, 2)
    older(setup, old)
    commits = sorted(Path(setup.root, "log", "flights", "_delta_log").glob("*.json"))
    commits[2].write_bytes(b'{"commitInfo":{}}\n')
    assert rows(setup) == 9
    assert not balance(InferenceLog(setup, "flights")).balanced


def shadowed(setup: Settings, batches: int) -> dict[str, Position]:
    """Requests of one row each in slice a, and a shadow that recorded them all in one segment."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    start = writer.position
    ids = [new_request_id() for _ in range(batches)]
    places = []
    for request_id in ids:
        writer.append(live([request_id]))
        places.append(writer.position)
    writer.close()
    run = Run(artifact="flights:2", epoch=1, since=str(start), fraction=1.0)
    feed = SegmentWriter(
        stream_folder(setup, "flights", "a", "shadow-2"),
        SHADOW_SCHEMA,
        settings=setup,
        metadata=run.metadata,
    )
    for request_id, place in zip(ids, places, strict=True):
        feed.append(shadow([request_id], place, epoch=1))
    feed.close()
    return dict(zip(ids, places, strict=True))


def test_a_shadow_goes_on_after_repair_of_its_newest_segment(setup: Settings) -> None:
    """The last record is damaged, and nothing was recorded after it: the shadow scores on from
    before the gap."""
    places = shadowed(setup, 8)
    folder = stream_folder(setup, "flights", "a", "shadow-2")
    assert balance(InferenceLog(setup, "flights")).balanced
    [segment] = stream_segments(folder)
    content = bytearray(segment.path.read_bytes())
    content[-16] ^= 4
    segment.path.write_bytes(content)
    run = Run(artifact="flights:2", epoch=1, since="0:0", fraction=1.0)
    with contextlib.suppress(GnomonError):  # The next life of the feed closes the segment.
        SegmentWriter(folder, SHADOW_SCHEMA, settings=setup, metadata=run.metadata)
    repair(setup, "flights")
    run, read = run.resumed(folder, LogTable(setup, "flights"))
    feed = SegmentWriter(folder, SHADOW_SCHEMA, settings=setup, metadata=run.metadata)
    requests = SegmentWriter(
        stream_folder(setup, "flights", "a", "requests"), REQUESTS_SCHEMA, settings=setup
    )
    request_id = new_request_id()
    requests.append(live([request_id]))
    for unread, place in [*places.items(), (request_id, requests.position)]:
        if place > read:
            feed.append(shadow([unread], place, epoch=1))
    requests.close()
    feed.close()
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced, f"it resumed at {read}\n{accounts.explain()}"
