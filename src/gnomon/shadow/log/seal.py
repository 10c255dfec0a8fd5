"""The sealer: moves closed segments into the table, and keeps the table within its limits.

A process of its own, ``python -m gnomon.shadow.log.seal --model M --lifeline FD``, that ends when
the other end of the descriptor is closed. Any number of them may run; one at a time works on a
model's spool.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import fcntl
import itertools
import logging
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gnomon.errors import GnomonError, LogError, LogUnavailable
from gnomon.printable import log_to_stderr
from gnomon.settings import Settings
from gnomon.shadow.log.layout import (
    REQUESTS,
    START,
    STOPPED,
    Position,
    Segment,
    folders,
    stream_segments,
)
from gnomon.shadow.log.segments import recover
from gnomon.shadow.log.table import LogTable, stream_key
from gnomon.shadow.log.tail import SegmentReader, SegmentUnbegun, read_position
from gnomon.worker.spawn import inherited

__all__ = ["Sealer", "main"]

_PERIOD = 2.0
_MAINTENANCE_SECONDS = 900.0
_MAINTENANCE_COMMITS = 20
_COMMIT_BYTES = 256 * 1024 * 1024
_SEGMENTS_AT_ONCE = 64
_NICENESS = 10

_logger = logging.getLogger("gnomon.seal")


class Sealer:
    """Seals one model's spool.

    A segment goes through three states: in the spool; in the table and in the spool; in the table.
    A crash between any two is made good by the next ``seal``.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        self._settings = settings
        self._spool = settings.spool_path / model
        self._table = LogTable(settings, model)
        self._commits = 0
        self._maintained = time.monotonic()

    def seal(self) -> int:
        """Seal every closed segment that nobody waits for; return how many.

        A slice's requests wait for every shadow of it that has not stopped, up to
        ``GNOMON_SPOOL_BYTES``. A stream that cannot be sealed does not keep the others.

        Raises:
            LogError: a segment is damaged, or the table cannot be reached.
        """
        sealed, errors = 0, []
        with _only_one(self._spool) as alone:
            for stream in self._streams() if alone else ():
                try:
                    while moved := self._seal_stream(stream):
                        sealed += moved
                except (LogError, LogUnavailable) as error:
                    errors.append(error)
        if errors:
            raise errors[0]
        return sealed

    def maintain(self) -> None:
        """Compact the table and hold it to the retention settings.

        Raises:
            LogError: the table cannot be reached.
        """
        with _only_one(self._spool) as alone:
            if alone:
                self._table.maintain(self._settings, dt.datetime.now(dt.UTC))
        self._commits = 0
        self._maintained = time.monotonic()

    @property
    def needs_maintenance(self) -> bool:
        """Whether there were many commits, or some and a while ago."""
        age = time.monotonic() - self._maintained
        return self._commits >= _MAINTENANCE_COMMITS or age >= _MAINTENANCE_SECONDS

    def _streams(self) -> Iterator[Path]:
        for slice_folder in folders(self._spool):
            yield from folders(slice_folder)

    def _seal_stream(self, folder: Path) -> int:
        recover(folder)
        segments = stream_segments(folder)[:-1]
        if folder.name == REQUESTS:
            segments = _due(segments, folder.parent, self._settings.spool_bytes)
        segments = segments[:_SEGMENTS_AT_ONCE]
        with contextlib.ExitStack() as opened:
            readers = []
            for segment in segments:
                with contextlib.suppress(SegmentUnbegun):
                    readers.append(opened.enter_context(SegmentReader(segment.path)))
            for group in _groups([reader for reader in readers if reader.has_rows]):
                self._commits += self._table.add(group)
        for segment in segments:
            segment.path.unlink()
        return len(segments)


def slowest_shadow(slice_folder: Path) -> Position | None:
    """How far every running shadow of a slice has read; ``None`` when none runs."""
    running = [
        folder
        for folder in slice_folder.glob("shadow-*")
        if folder.is_dir() and not (folder / STOPPED).exists()
    ]
    return min((read_position(folder) or START for folder in running), default=None)


def _due(segments: Sequence[Segment], slice_folder: Path, most: int) -> list[Segment]:
    """Those that every shadow has read; and the oldest of others that hold too many bytes."""
    slowest = slowest_shadow(slice_folder)
    if slowest is None:
        return list(segments)
    sizes = [segment.path.stat().st_size for segment in segments]
    held = list(itertools.accumulate(reversed(sizes)))[::-1]
    return [
        segment
        for segment, size, bytes_from in zip(segments, sizes, held, strict=True)
        if Position(segment.sequence, size) <= slowest or (most and bytes_from > most)
    ]


def _groups(readers: Sequence[SegmentReader]) -> Iterator[list[SegmentReader]]:
    """Runs of segments of one stream and schema, each of a size that one commit takes."""
    group: list[SegmentReader] = []
    for reader in readers:
        if group and not (
            reader.schema.equals(group[0].schema)
            and stream_key(reader.schema.metadata) == stream_key(group[0].schema.metadata)
            and sum(r.size for r in group) + reader.size <= _COMMIT_BYTES
        ):
            yield group
            group = []
        group.append(reader)
    if group:
        yield group


@contextlib.contextmanager
def _only_one(spool: Path) -> Iterator[bool]:
    """Whether this is the one sealer at work on a spool; never when there is no spool."""
    if not spool.is_dir():
        yield False
        return
    lock = os.open(spool / "seal.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def main(arguments: Sequence[str] | None = None) -> None:
    """Seal until the lifeline is cut."""
    parser = argparse.ArgumentParser(prog="python -m gnomon.shadow.log.seal", description=__doc__)
    parser.add_argument("--model", required=True, help="the model whose log to seal")
    parser.add_argument("--lifeline", type=inherited, required=True, help="descriptor to live by")
    given = parser.parse_args(arguments)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    os.nice(_NICENESS)
    log_to_stderr()
    _run(Sealer(Settings.read(), given.model), given.lifeline)


def _run(sealer: Sealer, lifeline: int) -> None:
    complaint = ""
    while True:
        try:
            sealer.seal()
            if sealer.needs_maintenance:
                sealer.maintain()
            complaint = ""
        except (GnomonError, OSError) as error:
            if str(error) != complaint:
                complaint = str(error)
                _logger.warning("%s", complaint)
        if select.select([lifeline], [], [], _PERIOD)[0]:
            return


if __name__ == "__main__":
    main()
