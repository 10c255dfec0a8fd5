"""The commits of a table in a local folder: forced to disk, or taken back when power failed.

delta-rs writes Parquet files and commits without a sync. A commit counts once it and every file it
names are on disk; until then the rows it adds are still in the spool, and the files it removes are
still there. So what a loss of power left half-written is taken back, and done again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pyarrow as pa

from gnomon import files
from gnomon.errors import LogError

__all__ = ["replace_damaged_commits", "sync_checkpoint", "sync_commits", "take_back_torn"]

_LOG = "_delta_log"
_HINT = "_last_checkpoint"
_COMMIT = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint.*\.parquet")

_NOTHING = b'{"commitInfo":{"operation":"REPAIR"}}\n'

_logger = logging.getLogger("gnomon.seal")


class _Add(msgspec.Struct):
    path: str
    stats: str | None = None


class _Action(msgspec.Struct):
    add: _Add | None = None


class _Stats(msgspec.Struct):
    numRecords: int | None = None  # noqa: N815 - as the Delta protocol has it


def sync_commits(table: Path, after: int) -> int:
    """Force every commit after a version to disk, with the files it adds; the newest's version.

    Raises:
        LogError: a commit, or a file it names, is damaged or missing.
        OSError: the disk refuses.
    """
    if not (table / _LOG).is_dir():
        return after
    folders = {table.parent.parent, table.parent, table, table / _LOG}
    newest = after
    for version, path in _commits(table, after):
        for add in _adds(path):
            file = table / unquote(add.path)
            files.sync_file(file)
            folders.update(parent for parent in file.parents if table in parent.parents)
        files.sync_file(path)
        newest = version
    for folder in sorted(folders):
        files.sync_folder(folder)
    return newest


def sync_checkpoint(table: Path) -> None:
    """Force the newest checkpoint to disk.

    Raises:
        OSError: the disk refuses.
    """
    for path in (table / _LOG).iterdir():
        if _CHECKPOINT.fullmatch(path.name) or path.name == _HINT:
            files.sync_file(path)
    files.sync_folder(table / _LOG)


def take_back_torn(table: Path, *, version: int, checkpoint: int) -> None:
    """Remove the first commit that a loss of power left incomplete, and every later one.

    Args:
        table: its folder.
        version: commits up to this one are known to be on disk, and are left alone.
        checkpoint: likewise for checkpoints. A later one is removed: commits are kept until the
            checkpoint that replaces them is on disk.

    Raises:
        OSError: the disk refuses.
    """
    log = table / _LOG
    if not log.is_dir():
        return
    for path in list(log.iterdir()):
        found = _CHECKPOINT.fullmatch(path.name)
        if found and int(found[1]) > checkpoint:
            path.unlink()
            (log / _HINT).unlink(missing_ok=True)
    commits = list(_commits(table, version))
    torn = next((n for n, (_, path) in enumerate(commits) if not _is_whole(table, path)), None)
    if torn is None:
        return
    for _, path in reversed(commits[torn:]):
        _logger.warning("%s was not complete when power failed; its rows are sealed anew", path)
        path.unlink()
    files.sync_folder(log)


def replace_damaged_commits(table: Path, version: int) -> tuple[str, ...]:
    """Put a commit that does nothing in the place of each that is missing or cannot be read.

    So its number is not used for another, and what the others say can be read again.

    Args:
        table: its folder.
        version: commits up to this one must be there.

    Returns:
        Where the unreadable ones were moved; for a missing one, its name and that it is missing.

    Raises:
        OSError: the disk refuses.
    """
    there = dict(_commits(table, after=-1)) if (table / _LOG).is_dir() else {}
    replaced = []
    for number in range(min(there, default=0), max([version, *there]) + 1) if there else ():
        path = table / _LOG / f"{number:020d}.json"
        try:
            _adds(path)
        except FileNotFoundError:
            files.create(path, _NOTHING)
            replaced.append(f"{path} (missing)")
        except LogError:
            place = table / "_damaged" / path.name
            files.replace(place, path.read_bytes())
            files.replace(path, _NOTHING)
            replaced.append(str(place))
    return tuple(replaced)


def _commits(table: Path, after: int) -> Iterator[tuple[int, Path]]:
    """Commits after a version, oldest first."""
    names = sorted(path.name for path in (table / _LOG).iterdir() if _COMMIT.fullmatch(path.name))
    for name in names:
        if (version := int(name.removesuffix(".json"))) > after:
            yield version, table / _LOG / name


def _adds(commit: Path) -> list[_Add]:
    """The files that a commit adds.

    Raises:
        LogError: it is no commit.
    """
    try:
        lines = [line for line in commit.read_bytes().split(b"\n") if line]
        actions = [msgspec.json.decode(line, type=_Action) for line in lines]
    except msgspec.DecodeError as error:
        raise LogError(f"damaged commit of the sealed log: {error}", where=str(commit)) from None
    if not actions:
        raise LogError("damaged commit of the sealed log: it is empty", where=str(commit))
    return [action.add for action in actions if action.add is not None]


def _is_whole(table: Path, commit: Path) -> bool:
    """Whether a commit and all it adds can be read to the end."""
    try:
        return all(_is_complete(table / unquote(add.path), add) for add in _adds(commit))
    except (LogError, OSError, pa.ArrowException):
        return False


def _is_complete(file: Path, add: _Add) -> bool:
    """Whether a Parquet file has the rows that its commit says; it is read to its end."""
    import pyarrow.parquet

    stats = msgspec.json.decode(add.stats, type=_Stats) if add.stats else _Stats()
    with pyarrow.parquet.ParquetFile(file) as opened:
        rows = sum(batch.num_rows for batch in opened.iter_batches())
    return stats.numRecords in (None, rows)
