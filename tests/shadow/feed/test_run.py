import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from msgspec import structs

from gnomon.errors import UnreadableFile
from gnomon.log import STOPPED, Position, SegmentWriter, shadow_schema, shadow_stream, stream_folder
from gnomon.log.seal import Sealer
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.feed.run import Run, mark_stopped
from tests.shadow.evidence import CONTRACT

SCHEMA = shadow_schema(CONTRACT)
RUN = Run(artifact="toy:a", epoch=2, since="1:100", fraction=0.5, entity_key=("id", "day"))


@pytest.fixture
def folder(settings: Settings) -> Path:
    return stream_folder(settings, "toy", "here", shadow_stream("a"))


def write(settings: Settings, folder: Path, run: Run, *read: tuple[int, int]) -> None:
    """One life of a feed that recorded one row for each place it has read to."""
    writer = SegmentWriter(folder, SCHEMA, settings=settings, metadata=run.metadata)
    for sequence, offset in read:
        row = {"source_segment": Position(sequence, offset).segment, "source_end": offset}
        writer.append(pa.RecordBatch.from_pylist([row], schema=SCHEMA))
    writer.close()


def test_a_new_run_begins_at_its_since(settings: Settings, folder: Path) -> None:
    """Nothing recorded yet, or only by an earlier run: read from where the requests are now."""
    assert RUN.resumed(folder, LogTable(settings, "toy")) == (RUN, Position(1, 100))
    write(settings, folder, RUN, (1, 200))
    again = structs.replace(RUN, epoch=4, since="3:50", fraction=1.0)
    assert again.resumed(folder, LogTable(settings, "toy")) == (again, Position(3, 50))


def test_a_run_resumes_where_it_had_read_to(settings: Settings, folder: Path) -> None:
    """A later life keeps the first one's since and sample, and goes on after its last record."""
    write(settings, folder, RUN, (1, 200), (2, 300))
    write(settings, folder, RUN)
    later = structs.replace(RUN, since="9:900")
    assert later.resumed(folder, LogTable(settings, "toy")) == (RUN, Position(2, 300))
    assert Run.last(folder) == RUN


def test_a_run_that_recorded_nothing_resumes_at_its_first_since(
    settings: Settings, folder: Path
) -> None:
    """Killed before its first record, a feed must not skip what was logged meanwhile."""
    write(settings, folder, structs.replace(RUN, epoch=1), (1, 50))
    write(settings, folder, RUN)
    later = structs.replace(RUN, since="9:900")
    assert later.resumed(folder, LogTable(settings, "toy")) == (RUN, Position(1, 100))


def test_a_run_whose_stream_is_an_older_one_resumes_after_what_is_sealed(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    """After a restore from a backup, records that are in the table are not made again."""
    write(settings, folder, RUN, (1, 200))
    shutil.copytree(folder, tmp_path / "backup")
    write(settings, folder, RUN, (2, 300))
    write(settings, folder, RUN)
    Sealer(settings, "toy").seal()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    assert RUN.resumed(folder, LogTable(settings, "toy")) == (RUN, Position(2, 300))


def test_only_shadows_that_run_hold_requests_back(settings: Settings, folder: Path) -> None:
    """The streams of stopped shadows are marked; those of running ones are not."""
    other = folder.with_name(shadow_stream("b"))
    requests = folder.with_name("requests")
    for stream in (folder, other, requests):
        stream.mkdir(parents=True)
    mark_stopped(settings, "toy", "here", ["toy:b"])
    assert (folder / STOPPED).exists()
    assert not (other / STOPPED).exists()
    assert not (requests / STOPPED).exists()
    mark_stopped(settings, "toy", "nowhere", [])


def test_a_run_begins_once_and_before_any_feed(settings: Settings, folder: Path) -> None:
    """The next gateway, or a feed with a later position, begins where the first did."""
    later = structs.replace(RUN, since="9:900", fraction=1.0)
    assert RUN.begin(folder) == RUN
    assert later.begin(folder) == RUN
    assert Run.last(folder) == RUN
    assert later.resumed(folder, LogTable(settings, "toy")) == (RUN, Position(1, 100))


def test_a_run_counts_from_its_beginning_although_an_earlier_one_has_read_further(
    settings: Settings, folder: Path
) -> None:
    """The feed of the earlier run still records while the next run begins; it may begin a segment
    and ``run.json`` after it.
    """
    write(settings, folder, structs.replace(RUN, epoch=1), (1, 50))
    RUN.begin(folder)
    structs.replace(RUN, epoch=1).keep(folder)
    write(settings, folder, structs.replace(RUN, epoch=1), (1, 400))
    assert Run.last(folder) == RUN
    assert RUN.read_to(folder) == Position(1, 100)
    assert RUN.resumed(folder, LogTable(settings, "toy")) == (RUN, Position(1, 100))


def test_a_damaged_note_of_a_run_is_not_replaced(settings: Settings, folder: Path) -> None:
    """It may say where this very run began. Once the run has a segment, that says it."""
    RUN.begin(folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(UnreadableFile):
        RUN.begin(folder)
    write(settings, folder, RUN)
    assert structs.replace(RUN, since="9:900").begin(folder) == RUN
    assert Run.last(folder) == RUN
