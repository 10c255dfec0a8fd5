"""Moving closed segments into the table."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from gnomon.errors import LogError, LogUnavailable
from gnomon.log.reader import InferenceLog
from gnomon.log.seal import Sealer, only_sealer
from gnomon.log.sealed_account import SealedAccount
from gnomon.log.segments.layout import (
    STOPPED,
    Position,
    segment_path,
    stream_folder,
    stream_segments,
)
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.bucket import BUCKETS, bucket
from tests.forking import start_python
from tests.log.rows import REQUESTS_SCHEMA, SHADOW_SCHEMA, ids_of, live, settings, shadow

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def sealer(setup: Settings) -> Sealer:
    return Sealer(setup, "flights")


@pytest.fixture
def requests(setup: Settings) -> Iterator[SegmentWriter]:
    writer = SegmentWriter(folder_of(setup), REQUESTS_SCHEMA, settings=setup)
    yield writer
    writer.close()


@pytest.fixture
def shadowing(setup: Settings) -> Iterator[SegmentWriter]:
    writer = SegmentWriter(folder_of(setup, "shadow-2"), SHADOW_SCHEMA, settings=setup)
    yield writer
    writer.close()


def folder_of(setup: Settings, stream: str = "requests") -> Path:
    return stream_folder(setup, "flights", "a", stream)


def sequences(setup: Settings, stream: str = "requests") -> list[int]:
    return [segment.sequence for segment in stream_segments(folder_of(setup, stream))]


def sealed_ids(setup: Settings) -> list[str]:
    table = LogTable(setup, "flights").load()
    return [] if table is None else ids_of(table.to_pyarrow_table().to_batches())


def all_ids(setup: Settings) -> list[str]:
    return sorted(ids_of(list(InferenceLog(setup, "flights").scan(columns=["request_id"]))))


def test_closed_segments_move_into_the_table(
    setup: Settings, sealer: Sealer, requests: SegmentWriter
) -> None:
    """The open one stays; a second pass finds nothing to do."""
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    requests.append(live(["b"]))
    assert sealer.seal() == 1
    assert sealed_ids(setup) == ["a"]
    assert sequences(setup) == [1]
    assert sealer.seal() == 0


def test_sealing_without_a_spool_creates_nothing(tmp_path: Path) -> None:
    """Sealing a model that has no spool leaves no folder behind."""
    setup = settings(tmp_path)
    Sealer(setup, "flights").seal()
    Sealer(setup, "flights").maintain()
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_gateway_left_is_sealed(setup: Settings, sealer: Sealer) -> None:
    """A slice that never returns loses nothing; its torn tail is cut."""
    writer = SegmentWriter(folder_of(setup), REQUESTS_SCHEMA, settings=setup)
    writer.append(live(["a"]))
    writer.close()
    with segment_path(folder_of(setup), 0).open("ab") as file:
        file.write(bytes(live(["torn"]).serialize())[:200])
    assert sealer.seal() == 1
    assert sealed_ids(setup) == ["a"]


def test_requests_wait_for_every_running_shadow(
    setup: Settings, sealer: Sealer, requests: SegmentWriter, shadowing: SegmentWriter
) -> None:
    """A segment is sealed when the slowest shadow of the slice has read it to its end."""
    requests.append(live(["a"]))
    middle = requests.position
    requests.append(live(["b"]))
    end = requests.position
    requests.rotate()
    requests.fsync()
    assert sealer.seal() == 0
    shadowing.append(shadow(["a"], middle))
    assert sealer.seal() == 0
    shadowing.append(shadow(["b"], end))
    slower = folder_of(setup, "shadow-3")
    slower.mkdir()
    assert sealer.seal() == 0
    (slower / STOPPED).touch()
    assert sealer.seal() == 1
    assert sorted(sealed_ids(setup)) == ["a", "b"]


def test_waiting_requests_are_sealed_beyond_the_limit(
    tmp_path: Path, requests: SegmentWriter
) -> None:
    """Beyond the setting the oldest are sealed though a shadow has not read them."""
    folder_of(settings(tmp_path), "shadow-2").mkdir()
    for name in "abcd":
        requests.append(live([name]))
        requests.rotate()
        requests.fsync()
    sizes = [
        segment.path.stat().st_size for segment in stream_segments(folder_of(settings(tmp_path)))
    ]
    bounded = settings(tmp_path, spool_bytes=sum(sizes[2:4]))
    assert Sealer(settings(tmp_path, spool_bytes=0), "flights").seal() == 0
    assert Sealer(bounded, "flights").seal() == 2
    assert sorted(sealed_ids(bounded)) == ["a", "b"]
    assert sequences(bounded) == [2, 3, 4]


def test_a_shadow_without_records_does_not_delay_sealing(
    setup: Settings, sealer: Sealer, requests: SegmentWriter, shadowing: SegmentWriter
) -> None:
    """A position in a segment's metadata counts like one in a row."""
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    assert sealer.seal() == 0
    shadowing.rotate(read_to=Position(1, 0))
    shadowing.fsync()
    sealer.seal()
    assert sealed_ids(setup) == ["a"]


def test_a_shadow_of_another_slice_does_not_delay_sealing(
    setup: Settings, sealer: Sealer, requests: SegmentWriter
) -> None:
    """Slices share nothing."""
    stream_folder(setup, "flights", "b", "shadow-2").mkdir(parents=True)
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    assert sealer.seal() == 1


def test_sealing_keeps_how_far_a_shadow_read(
    setup: Settings, sealer: Sealer, shadowing: SegmentWriter
) -> None:
    """Its newest segment is never deleted, so a restart goes on where it was."""
    shadowing.append(shadow(["a"], Position(4, 400)))
    shadowing.rotate()
    shadowing.fsync()
    assert sealer.seal() == 1
    shadowing.close()
    again = SegmentWriter(folder_of(setup, "shadow-2"), SHADOW_SCHEMA, settings=setup)
    again.append(shadow(["b"], Position(4, 500)))
    again.close()
    sealer.seal()
    assert sequences(setup, "shadow-2") == [3]
    assert sorted(sealed_ids(setup)) == ["a", "b"]


def test_a_damaged_stream_does_not_stop_the_others(
    setup: Settings, sealer: Sealer, requests: SegmentWriter, shadowing: SegmentWriter
) -> None:
    """The error names the file; what can be sealed is."""
    requests.append(live(["a"]))
    with segment_path(folder_of(setup), 0).open("ab") as file:
        file.write(b"damage" * 9)
    requests.rotate()
    requests.fsync()
    shadowing.append(shadow(["a"], Position(9, 0)))
    shadowing.rotate()
    shadowing.fsync()
    with pytest.raises(LogError, match=r"damaged log segment.*requests/00000000\.arrows"):
        sealer.seal()
    assert sealed_ids(setup) == ["a"]
    assert sequences(setup) == [0, 1]


def test_rows_of_a_new_spool_are_not_treated_as_sealed(setup: Settings, sealer: Sealer) -> None:
    """A new disk begins at segment 0 again; its rows are new rows."""
    for name in ("a", "b"):
        writer = SegmentWriter(folder_of(setup), REQUESTS_SCHEMA, settings=setup)
        writer.append(live([name]))
        writer.close()
        sealer.seal()
        for path in folder_of(setup).iterdir():
            path.unlink()
    assert sorted(sealed_ids(setup)) == ["a", "b"]


CRASH = """
import os, pathlib, signal, sys
from gnomon.settings import Settings
from gnomon.log.seal import Sealer, only_sealer
count = int(sys.argv[2])
unlink = pathlib.Path.unlink
def die(path, missing_ok=False):
    global count
    if path.suffix == ".arrows":
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        count -= 1
    unlink(path, missing_ok)
pathlib.Path.unlink = die
Sealer(Settings(root=sys.argv[1]), "flights").seal()
"""


@pytest.mark.parametrize("deleted", [0, 1])
def test_kill_9_between_commit_and_delete_duplicates_nothing(
    setup: Settings, sealer: Sealer, requests: SegmentWriter, deleted: int
) -> None:
    """A sealer dies when the rows are in both table and spool: each is read once, before and
    after the next sealer has cleaned up.
    """
    for name in "abc":
        requests.append(live([name]))
        requests.rotate()
        requests.fsync()
    assert start_python(["-c", CRASH, setup.root, str(deleted)]).wait() == -signal.SIGKILL
    assert sorted(sealed_ids(setup)) == ["a", "b", "c"]
    assert sequences(setup) == [*range(deleted, 4)]
    assert all_ids(setup) == ["a", "b", "c"]
    requests.append(live(["d"]))
    requests.rotate()
    requests.fsync()
    assert sealer.seal() == 4 - deleted
    assert sorted(sealed_ids(setup)) == ["a", "b", "c", "d"]
    assert all_ids(setup) == ["a", "b", "c", "d"]


def test_a_crash_before_the_ledger_after_a_segment_without_rows_loses_nothing(
    setup: Settings, requests: SegmentWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is removed at once, as it has nothing for the table: the ledger is not taken for
    older than the table when a later segment is only in that.
    """

    def seal(name: str | None) -> None:
        if name is not None:
            requests.append(live([name]))
        requests.rotate()
        requests.fsync()
        Sealer(setup, "flights").seal()

    seal("a")
    seal(None)
    with monkeypatch.context() as patch:
        patch.setattr(SealedAccount, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            seal("b")
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced, accounts.explain()
    seal("c")
    assert sorted(sealed_ids(setup)) == ["a", "b", "c"]
    accounts = balance(InferenceLog(setup, "flights"))
    assert accounts.balanced, accounts.explain()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_sealers_seal_each_segment_once(setup: Settings, requests: SegmentWriter) -> None:
    """Gateways of one machine each have a sealer; one works at a time."""
    names = [f"{number:03}" for number in range(60)]
    for name in names:
        requests.append(live([name]))
        requests.rotate()
        requests.fsync()
    code = (
        "import sys; from gnomon.settings import Settings; "
        "from gnomon.log.seal import Sealer; "
        "Sealer(Settings(root=sys.argv[1]), 'flights').seal()"
    )
    running = [start_python(["-c", code, setup.root]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert sorted(sealed_ids(setup)) == names


MACHINE = """
import sys
from pathlib import Path
import pyarrow as pa
from gnomon.settings import Settings
from gnomon.log import SegmentWriter, stream_folder
from gnomon.log.seal import Sealer, only_sealer
from tests.log.rows import REQUESTS_SCHEMA, live
root, spool, kind = sys.argv[1:]
setup = Settings(root=root, spool=spool)
schema = REQUESTS_SCHEMA
for name in ("mixed", kind):
    schema = schema.append(pa.field(f"input_{name}", getattr(pa, kind)()))
value = {"int64": 7, "string": "x"}[kind]
writer = SegmentWriter(stream_folder(setup, "flights", kind, "requests"), schema, settings=setup)
for number in range(8):
    writer.append(live([f"{kind}-{number}"], schema, input_mixed=value))
    writer.rotate()
    writer.fsync()
    Sealer(setup, "flights").seal()
writer.close()
"""


def seal_from_two_machines(root: str, tmp_path: Path) -> None:
    """Two spools sealed into one table at once; each machine brings columns of its own types."""
    running = [
        start_python(["-c", MACHINE, root, str(tmp_path / kind), kind])
        for kind in ("int64", "string")
    ]
    assert [process.wait() for process in running] == [0, 0]
    elsewhere = Settings(root=root, spool=str(tmp_path / "none"))
    Sealer(elsewhere, "flights").maintain()
    rows = InferenceLog(elsewhere, "flights").table(columns=["request_id", "input_mixed"])
    assert sorted(zip(*rows.to_pydict().values(), strict=True)) == [
        (f"{kind}-{number}", value)
        for kind, value in (("int64", "7"), ("string", "x"))
        for number in range(8)
    ]


def test_two_machines_seal_into_one_table(tmp_path: Path) -> None:
    """Sealers that commit at the same moment lose nothing, also when both add columns."""
    seal_from_two_machines(str(tmp_path / "root"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("server", BUCKETS)
def test_the_root_may_be_a_bucket(tmp_path: Path, server: str) -> None:
    """The same on S3, with endpoint and credentials from the usual variables."""
    with bucket(server) as root:
        seal_from_two_machines(root, tmp_path)


def test_compaction_joins_small_files(
    setup: Settings, sealer: Sealer, requests: SegmentWriter
) -> None:
    """Many small commits end as one file a day, with the same rows."""
    for name in "abcdef":
        requests.append(live([name]))
        requests.rotate()
        requests.fsync()
        sealer.seal()
    before = LogTable(setup, "flights").load()
    assert before is not None
    assert len(before.file_uris()) == 6
    sealer.maintain()
    after = LogTable(setup, "flights").load()
    assert after is not None
    assert len(after.file_uris()) == 1
    assert sorted(sealed_ids(setup)) == list("abcdef")


@pytest.mark.parametrize(("days", "left"), [(0.0, 3), (5.0, 2), (0.25, 1)])
def test_retention_removes_whole_days(tmp_path: Path, days: float, left: int) -> None:
    """A day's rows go when all of the day is older than the setting."""
    setup = settings(tmp_path, retention_days=days)
    sealer = Sealer(setup, "flights")
    writer = SegmentWriter(folder_of(setup), REQUESTS_SCHEMA, settings=setup)
    arrived = [NOW, NOW - dt.timedelta(days=3), NOW - dt.timedelta(days=9)]
    writer.append(live(["now", "3", "9"], arrived=arrived))
    writer.close()
    sealer.seal()
    sealer.maintain()
    assert sorted(all_ids(setup)) == sorted(["now", "3", "9"][:left])


def test_the_oldest_rows_are_removed_above_the_size_limit(tmp_path: Path) -> None:
    """The newest rows that fit stay; the log is under the limit, and not far under."""
    limit = 200_000
    setup = settings(tmp_path, retention_bytes=limit)
    sealer = Sealer(setup, "flights")
    writer = SegmentWriter(folder_of(setup), REQUESTS_SCHEMA, settings=setup)
    start = NOW.replace(hour=0)
    for number in range(8):
        names = [f"{number}-{index}" for index in range(400)]
        arrived = [start + dt.timedelta(minutes=10 * number, seconds=i) for i in range(400)]
        raw = [os.urandom(200) for _ in names]
        writer.append(live(names, arrived=arrived, raw=raw))
        writer.rotate()
        writer.fsync()
        sealer.seal()
    writer.close()
    sealer.maintain()
    table = LogTable(setup, "flights").load()
    assert table is not None
    sizes = pa.table(table.get_add_actions(flatten=True)).column("size_bytes").to_pylist()
    assert limit / 2 < sum(sizes) <= limit
    remaining = InferenceLog(setup, "flights").table(columns=["request_id", "arrived"])
    rest = remaining.column("arrived").to_pylist()
    assert 0 < len(rest) < 8 * 400
    assert max(rest) == start + dt.timedelta(minutes=70, seconds=399)
    gone = 8 * 400 - len(rest)
    oldest = sorted(
        start + dt.timedelta(minutes=10 * number, seconds=i)
        for number in range(8)
        for i in range(400)
    )
    assert sorted(rest) == oldest[gone:]


def test_maintenance_removes_what_a_crash_left(
    setup: Settings, sealer: Sealer, requests: SegmentWriter
) -> None:
    """A data file that no commit names goes after an hour, and no younger one."""
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    sealer.seal()
    table = LogTable(setup, "flights").load()
    assert table is not None
    day = Path(table.file_uris()[0]).parent
    old, young = day / "part-old.parquet", day / "part-young.parquet"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, NOW.timestamp() - 4_000))
    sealer.maintain()
    assert not old.exists()
    assert young.exists()
    assert sealed_ids(setup) == ["a"]


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None
        time.sleep(0.05)  # Leaves it a processor.


def test_the_sealing_process_ends_when_its_gateway_closes_its_socket(
    setup: Settings, requests: SegmentWriter
) -> None:
    """It ignores the signals that a stopping server sends to all, and ends with its gateway."""
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    gateway_end, sealer_end = socket.socketpair()
    parent_socket = f"--parent-socket={sealer_end.fileno()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "gnomon.log.seal", "--model=flights", parent_socket],
        pass_fds=[sealer_end.fileno()],
        env={**os.environ, "GNOMON_ROOT": setup.root},
    )
    sealer_end.close()
    until(lambda: sequences(setup) == [1], process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    requests.append(live(["b"]))
    requests.rotate()
    requests.fsync()
    until(lambda: sequences(setup) == [2], process)
    gateway_end.close()
    assert process.wait() == 0
    assert sorted(sealed_ids(setup)) == ["a", "b"]


def test_an_empty_first_commit_is_not_a_table(
    setup: Settings, sealer: Sealer, requests: SegmentWriter
) -> None:
    """Its rows are read from the segments, before and after the next sealer removes the commit.

    If a ledger has recorded sealed rows, it is a reported loss.
    """
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    commit = Path(setup.root, "log/flights/_delta_log") / f"{0:020d}.json"
    commit.parent.mkdir(parents=True)
    commit.touch()
    assert all_ids(setup) == ["a"]
    sealer.seal()
    assert all_ids(setup) == sealed_ids(setup) == ["a"]
    for each in commit.parent.glob("*.json"):
        each.write_bytes(b"")
    with pytest.raises(LogError, match="the sealed log is gone: 1 row of"):
        all_ids(setup)


def test_a_manual_seal_waits_for_a_running_sealer(setup: Settings, requests: SegmentWriter) -> None:
    """``gnomon log seal`` waits instead of reporting that there was nothing to seal."""
    requests.append(live(["a"]))
    requests.rotate()
    requests.fsync()
    manual = Sealer(setup, "flights", wait=0.1)
    with only_sealer(setup.spool_path / "flights"):
        assert Sealer(setup, "flights").seal() == 0
        with pytest.raises(LogUnavailable, match=r"another sealer.*gnomon status"):
            manual.seal()
    assert manual.seal() == 1
