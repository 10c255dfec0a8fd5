"""Closed segments and sealed ledgers of a log, for tests of what is read and sealed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from gnomon.log import InferenceLog, SegmentWriter, new_request_id
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.settings import Settings
from tests.log.rows import REQUESTS_SCHEMA, live


def write_segment(setup: Settings, rows: int = 3, slice_name: str = "a") -> list[str]:
    """Write a closed segment of one batch; the ids of its requests."""
    folder = stream_folder(setup, "flights", slice_name, "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    ids = [new_request_id() for _ in range(rows)]
    writer.append(live(ids))
    writer.rotate()
    writer.close()
    return ids


def seal(setup: Settings, times: int) -> None:
    """Write and seal a segment, as often as asked."""
    for _ in range(times):
        write_segment(setup)
        Sealer(setup, "flights").seal()


def age(setup: Settings, hours: float) -> None:
    """Set the times of every file of the table back."""
    then = time.time() - hours * 3600
    for path in Path(setup.root, "log").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def ledgers(setup: Settings) -> list[Path]:
    """The ledgers under the storage root."""
    return sorted(Path(setup.root, "sealed", "flights").iterdir())


def rows(setup: Settings) -> int:
    """How many rows a reader finds."""
    return InferenceLog(setup, "flights").table(columns=["request_id"]).num_rows


def days_old(setup: Settings) -> int:
    """A table whose first commits were cleaned up after a checkpoint, as after a day or two."""
    seal(setup, 3)
    Sealer(setup, "flights").maintain()
    age(setup, 72)
    seal(setup, 3)
    Sealer(setup, "flights").maintain()
    return rows(setup)


def logged(setup: Settings) -> list[str]:
    """The request ids that a reader finds."""
    table = InferenceLog(setup, "flights").table(columns=["request_id"])
    return sorted(table["request_id"].to_pylist())


def write_segments(setup: Settings, segments: int, rows: int, **values: Any) -> list[str]:
    """Closed segments of one-row batches, then an open one; their request ids."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    ids = [new_request_id() for _ in range(segments * rows)]
    for number, request_id in enumerate(ids):
        if number and number % rows == 0:
            writer.rotate()
        writer.append(live([request_id], **values))
    writer.rotate()
    writer.close()
    return ids


def write_lettered_segments(setup: Settings, *segments: str) -> Path:
    """A closed segment for each word, with a row for each letter; the stream's folder."""
    folder = stream_folder(setup, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    for ids in segments:
        writer.append(live(list(ids)))
        writer.rotate()
    writer.close()
    return folder


def exchange(first: Path, second: Path) -> None:
    """Give each file the other's name."""
    aside = first.with_name("x")
    os.rename(first, aside)
    os.rename(second, first)
    os.rename(aside, second)
