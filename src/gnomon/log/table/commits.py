"""The commits of a table in a local folder: forced to disk, or undone after a power failure.

delta-rs writes Parquet files and commits without a sync. A commit counts once the commit and every
file it names are on disk. Until then the rows it adds are still in the spool, and the files it
removes still exist. So a commit that a power failure left incomplete is undone, and made again.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
import pyarrow as pa

from gnomon import files
from gnomon.errors import LogError

__all__ = [
    "DataFile",
    "has_commits",
    "is_unbegun",
    "newest_checkpoint",
    "replace_damaged_commits",
    "set_aside_broken_log",
    "set_aside_damaged_files",
    "sync_checkpoint",
    "sync_commits",
    "take_back_torn",
]

_LOG = "_delta_log"
_HINT = "_last_checkpoint"
_COMMIT = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint.*\.parquet")

_DAMAGED = "_damaged"
_MOST_TORN = 4
"""How many commits may precede one sync: vacuum makes two, and two sealers may be at work."""
_NOTHING = b'{"commitInfo":{"operation":"REPAIR"}}\n'

_logger = logging.getLogger("gnomon.seal")


class _File(msgspec.Struct):
    path: str
    stats: str | None = None


class DataFile(NamedTuple):
    """A file that a table names, with its bytes and its rows as they were written."""

    path: Path
    size: int
    rows: int | None


class _Hint(msgspec.Struct):
    """The content of ``_last_checkpoint``."""

    version: int


class _Action(msgspec.Struct):
    add: _File | None = None
    remove: _File | None = None
    metaData: dict[str, object] | None = None  # noqa: N815 - named in the Delta protocol
    protocol: dict[str, object] | None = None


class _Stats(msgspec.Struct):
    numRecords: int | None = None  # noqa: N815 - named in the Delta protocol


def sync_commits(table: Path, after: int) -> int:
    """Force commits after a version to disk, with the files they add; return the newest version.

    Raises:
        LogError: a commit, or a file that it names, is damaged or missing.
        OSError: the disk refuses.
    """
    if not (table / _LOG).is_dir():
        return after
    folders = {table.parent.parent, table.parent, table, table / _LOG}
    newest, added = after, dict[Path, Path]()
    for version, path in _commits(table, after):
        for action in _actions(path):
            if action.add is not None:
                added[table / unquote(action.add.path)] = path
            if action.remove is not None:  # Maintenance may have removed it.
                added.pop(table / unquote(action.remove.path), None)
        files.sync_file(path)
        newest = version
    for file, commit in added.items():
        try:
            files.sync_file(file)
        except FileNotFoundError:
            raise LogError(
                f"a file of the sealed log is missing: {file.name}",
                where=str(commit),
                hint="gnomon log repair counts its rows as lost",
            ) from None
        folders.update(parent for parent in file.parents if table in parent.parents)
    for folder in sorted(folders):
        files.sync_folder(folder)
    return newest


def newest_checkpoint(table: Path) -> int:
    """Return the version of the newest checkpoint; -1 when there is none."""
    found = [_CHECKPOINT.fullmatch(path.name) for path in (table / _LOG).glob("*.parquet")]
    return max((int(match[1]) for match in found if match), default=-1)


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
    """Move the newest commits and checkpoint aside if a power failure left them incomplete.

    Each group of commits is synced before the next, so only the last ones can be incomplete. A
    complete commit shows that all before it are complete: it stays, whatever a ledger says.

    Args:
        table: the table's folder.
        version: commits up to this one are known to be on disk.
        checkpoint: likewise for checkpoints.

    Raises:
        LogError: more is incomplete than a power failure explains.
        OSError: the disk refuses.
    """
    log = table / _LOG
    if not log.is_dir():
        return
    for path in sorted(log.glob("*.parquet")):
        found = _CHECKPOINT.fullmatch(path.name)
        if found and int(found[1]) > checkpoint and not _is_readable(path):
            _set_aside(table, path)
            _set_aside(table, log / _HINT)
    commits = reversed(list(_commits(table, version)))
    torn = [*itertools.takewhile(lambda path: not _is_whole(table, path), (p for _, p in commits))]
    if len(torn) > _MOST_TORN:
        raise LogError(
            f"the last {len(torn)} commits of the sealed log are damaged",
            where=str(log),
            hint="gnomon log repair restores what is left and says how many rows are lost",
        )
    for path in torn:
        _logger.warning("%s was not complete when power failed; its rows are sealed again", path)
        _set_aside(table, path)


def has_commits(table: Path) -> bool:
    """Return whether a table has any commits, complete or not."""
    return (table / _LOG).is_dir() and any((table / _LOG).iterdir())


def is_unbegun(table: Path) -> bool:
    """Return whether a power failure left only empty commits of a table.

    Its next sealer removes them. Until then there is no table; the ledgers say whether there was
    one.
    """
    log = table / _LOG
    return log.is_dir() and all(path.stat().st_size == 0 for _, path in _commits(table, after=-1))


def replace_damaged_commits(table: Path, version: int) -> tuple[str, ...]:
    """Replace each commit that is missing or unreadable by one that does nothing.

    So its number is not used again, and the other commits can be read again.

    Args:
        table: the table's folder.
        version: commits up to this one must exist.

    Returns:
        The new paths of the unreadable ones; for a missing one, its name with "(missing)".

    Raises:
        OSError: the disk refuses.
    """
    there = dict(_commits(table, after=-1)) if (table / _LOG).is_dir() else {}
    checkpoint = newest_checkpoint(table)
    oldest = min(there, default=checkpoint)
    replaced = []
    for number in range(oldest, max([version, checkpoint, *there]) + 1) if oldest >= 0 else ():
        path = table / _LOG / f"{number:020d}.json"
        try:
            _adds(path)
        except FileNotFoundError:
            files.create(path, _NOTHING)
            replaced.append(f"{path} (missing)")
        except LogError:
            replaced.append(str(_set_aside(table, path)))
            files.replace(path, _NOTHING)
    return tuple(replaced)


def set_aside_broken_log(table: Path, version: int) -> tuple[str, ...]:
    """Move files that prevent a table from being opened out of the way; return their new paths.

    These are checkpoints that cannot be read, and a ``_last_checkpoint`` that names one which is
    gone. Commits older than a checkpoint are removed after a while; if the checkpoint is lost too,
    or the first commit without there being one, nothing describes the table, and its complete log
    is moved. Its data files stay.

    Args:
        table: its folder.
        version: commits up to this one must exist.

    Raises:
        OSError: the disk refuses.
    """
    log = table / _LOG
    if not log.is_dir():
        return ()
    checkpoints = {path: _CHECKPOINT.fullmatch(path.name) for path in log.glob("*.parquet")}
    damaged = [path for path, found in checkpoints.items() if found and not _is_readable(path)]
    moved = [_set_aside(table, path) for path in damaged]
    newest = newest_checkpoint(table)
    if (log / _HINT).exists() and (damaged or not _is_hint_true(log / _HINT, newest)):
        moved.append(_set_aside(table, log / _HINT))
    oldest = next((version for version, _ in _commits(table, after=-1)), 0)
    if (moved and oldest > newest + 1) or _lacks_first_commit(table, newest, version):
        moved.append(_set_aside(table, log))
    return tuple(map(str, moved))


def _lacks_first_commit(table: Path, checkpoint: int, version: int) -> bool:
    """Whether the commit that says what the table is cannot be read, and no checkpoint says it."""
    if checkpoint >= 0 or (version < 0 and is_unbegun(table)):
        return False
    try:
        actions = _actions(table / _LOG / f"{0:020d}.json")
    except (LogError, OSError):
        return True
    is_described = any(one.metaData for one in actions) and any(one.protocol for one in actions)
    return not is_described  # It was cut between two lines.


def _is_hint_true(hint: Path, newest: int) -> bool:
    """Whether the checkpoint at which readers begin is there."""
    try:
        return msgspec.json.decode(hint.read_bytes(), type=_Hint).version <= newest
    except msgspec.DecodeError:
        return False


def set_aside_damaged_files(table: Path, named: Iterable[DataFile]) -> tuple[str, ...]:
    """Move data files that are not as they were written out of the way; return their new paths.

    Raises:
        OSError: the disk refuses.
    """
    damaged = [file for file in named if file.path.exists() and not _is_as_written(file)]
    return tuple(str(_set_aside(table, file.path)) for file in damaged)


def _is_as_written(file: DataFile) -> bool:
    return file.path.stat().st_size == file.size and _is_readable(file.path, file.rows)


def _set_aside(table: Path, path: Path) -> Path:
    """Move a file to a folder that neither Delta nor Gnomon reads; nothing is deleted."""
    place = files.free_place(table / _DAMAGED / path.name)
    if path.exists():
        files.make_folder(place.parent)
        path.replace(place)
        files.sync_folder(place.parent)
        files.sync_folder(path.parent)
    return place


def _commits(table: Path, after: int) -> Iterator[tuple[int, Path]]:
    """Yield the commits after a version, oldest first."""
    names = sorted(path.name for path in (table / _LOG).iterdir() if _COMMIT.fullmatch(path.name))
    for name in names:
        if (version := int(name.removesuffix(".json"))) > after:
            yield version, table / _LOG / name


def _adds(commit: Path) -> list[_File]:
    """Return the files that a commit adds.

    Raises:
        LogError: it is not a commit.
    """
    return [action.add for action in _actions(commit) if action.add is not None]


def _actions(commit: Path) -> list[_Action]:
    try:
        lines = [line for line in commit.read_bytes().split(b"\n") if line]
        actions = [msgspec.json.decode(line, type=_Action) for line in lines]
    except msgspec.DecodeError as error:
        raise LogError(f"damaged commit of the sealed log: {error}", where=str(commit)) from None
    if not actions:
        raise LogError("damaged commit of the sealed log: it is empty", where=str(commit))
    return actions


def _is_whole(table: Path, commit: Path) -> bool:
    """Return whether a commit and all files it adds can be read completely."""
    try:
        return all(
            _is_readable(table / unquote(add.path), _expected_rows(add)) for add in _adds(commit)
        )
    except (LogError, OSError):
        return False


def _expected_rows(add: _File) -> int | None:
    return msgspec.json.decode(add.stats, type=_Stats).numRecords if add.stats else None


def _is_readable(file: Path, rows: int | None = None) -> bool:
    """Return whether a Parquet file can be read completely and has ``rows`` rows."""
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            found = sum(batch.num_rows for batch in opened.iter_batches())
    except (OSError, pa.ArrowException):
        return False
    return rows in (None, found)
