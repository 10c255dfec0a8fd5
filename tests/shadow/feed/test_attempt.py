from pathlib import Path

import pyarrow as pa
import pytest

from gnomon.log import (
    Position,
    SegmentWriter,
    shadow_schema,
    shadow_stream,
    stream_folder,
    stream_segments,
)
from gnomon.log.seal import Sealer
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.feed.attempt import Attempt, Attempts
from gnomon.shadow.feed.progress import Totals
from tests.log.rows import NOON
from tests.shadow.evidence import CONTRACT

SCHEMA = shadow_schema(CONTRACT)
HERE = Position(1, 100)


@pytest.fixture
def folder(settings: Settings) -> Path:
    folder = stream_folder(settings, "toy", "here", shadow_stream("a"))
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def table(settings: Settings) -> LogTable:
    return LogTable(settings, "toy")


def record(writer: SegmentWriter, rows: int, epoch: int, against: str | None = None) -> None:
    row = {
        "request_id": "r",
        "row": 0,
        "arrived": NOON,
        "role": "shadow",
        "epoch": epoch,
        "against": against,
        "outcome": "scored",
        "agreed": True,
        "flipped": False,
    }
    writer.append(pa.RecordBatch.from_pylist([row] * rows, schema=SCHEMA))


def test_counts_are_brought_up_to_the_last_record(
    settings: Settings, folder: Path, table: LogTable
) -> None:
    """What a dead feed appended after it wrote its attempt down is counted, and once only."""
    attempts = Attempts(folder)
    writer = SegmentWriter(folder, SCHEMA, settings=settings)
    record(writer, 3, epoch=1)
    record(writer, 5, epoch=2)
    attempts.begin(
        Attempt(epoch=2, position="1:0", until="1:9", own=str(writer.position),
                totals=Totals(scored=5, compared=5, decided=5))
    )  # fmt: skip
    record(writer, 4, epoch=2)
    writer.close()
    for _ in range(2):
        assert attempts.recounted(2, table).totals == Totals(scored=9, compared=9, decided=9)


def test_what_an_older_version_counted_is_counted_again_by_live(
    settings: Settings, folder: Path, table: LogTable
) -> None:
    """Its file does not say beside which live artifact the rows were scored; the records do."""
    attempts = Attempts(folder)
    writer = SegmentWriter(folder, SCHEMA, settings=settings)
    record(writer, 3, epoch=2, against="toy:a")
    attempts.begin(
        Attempt(epoch=2, position="1:0", until="1:9", own=str(writer.position),
                totals=Totals(scored=3, compared=3, decided=3))
    )  # fmt: skip
    record(writer, 4, epoch=2, against="toy:b")
    writer.close()
    for _ in range(2):
        totals = attempts.recounted(2, table).totals
        assert (totals.scored, totals.compared) == (7, 7)
        assert {live: counts.scored for live, counts in totals.against.items()} == {
            "toy:a": 3, "toy:b": 4,
        }  # fmt: skip


def test_without_an_attempt_the_records_are_counted(
    settings: Settings, folder: Path, table: LogTable
) -> None:
    """A new run counts from nothing; a lost file is made good by what was recorded in this run."""
    writer = SegmentWriter(folder, SCHEMA, settings=settings)
    record(writer, 3, epoch=1)
    writer.close()
    attempts = Attempts(folder)
    assert attempts.recounted(2, table).totals == Totals()
    (folder / "attempt.json").write_text("{")
    assert attempts.recounted(1, table).totals.scored == 3


def test_records_that_were_sealed_are_counted(
    settings: Settings, folder: Path, table: LogTable
) -> None:
    """What a dead feed appended last may be in the table by the time the next one counts."""
    attempts = Attempts(folder)
    writer = SegmentWriter(folder, SCHEMA, settings=settings)
    record(writer, 2, epoch=1)
    attempts.begin(
        Attempt(epoch=1, position="1:0", until="1:9", own=str(writer.position),
                totals=Totals(scored=2, compared=2, decided=2))
    )  # fmt: skip
    record(writer, 3, epoch=1)
    writer.close()
    Sealer(settings, "toy").seal()
    assert len(stream_segments(folder)) == 1
    assert attempts.recounted(1, table).totals == Totals(scored=5, compared=5, decided=5)


@pytest.mark.parametrize(
    ("tries", "suspect", "until"),
    [
        (0, None, HERE),
        (1, None, HERE),
        (2, None, Position(1, 900)),
        (1, "request", Position(1, 900)),
    ],
)
def test_batches_are_blamed_after_two_deaths(
    tries: int, suspect: str | None, until: Position
) -> None:
    """One death may come from outside; after the second, the requests are tried alone."""
    attempt = Attempt(epoch=1, position=str(HERE), until="1:900", tries=tries, suspect=suspect)
    assert attempt.blamed_until(HERE) == until


def test_what_was_read_past_is_not_blamed() -> None:
    """Records beyond the blamed batches prove that these were scored."""
    attempt = Attempt(epoch=1, position="1:0", until="1:50", tries=2)
    assert attempt.blamed_until(HERE) == HERE
