"""Check that a rollout history is complete: no event is missing, changed, replaced or swapped.

Each event contains the hash of the previous one, so a change within the history is visible. A loss
of its *end* is visible only in other places: ``heads/<model>.json``, the heartbeats of slices, and
``rollout.json`` in the spool, which may be on another disk, have the number of decisions and the
hash of the last one. All are written after the event is on disk. So, if they are read before the
events, they never record more events than exist.

This detects accidents, and changes by people who may not write all files. Anyone who can write
everywhere under the storage root can rewrite a history with its hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import HistoryDamaged, StorageError
from gnomon.formats import Format, decode
from gnomon.name_lists import listed
from gnomon.quantities import plural
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "HistoryEnd",
    "RecordedEnd",
    "check_link",
    "check_names",
    "check_recorded_ends",
    "damaged",
    "event_name",
    "folder_of",
    "record",
    "recorded_ends",
]

FORMAT = 1

_KIND = Format("recorded end of a history", FORMAT, hint="remove it; a running server rewrites it")
_SHOWN = 5
_IN_SPOOL = "rollout.json"


class HistoryEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded end of a history: ``heads/<model>.json``, and ``rollout.json`` in the spool.

    Attributes:
        format: the version of this file's format.
        epoch: the number of decisions.
        sha256: the hash of the last decision's file; None where it is not known.
    """

    format: int = FORMAT
    epoch: int
    sha256: str | None = None


class RecordedEnd(msgspec.Struct, frozen=True):
    """A file that records the end of a history, with its content."""

    where: str
    head: HistoryEnd


def folder_of(model: str) -> str:
    """Return the folder of a model's events."""
    return f"rollout/{model}"


def event_name(model: str, number: int) -> str:
    """Return the name of an event's file; the first event is number 0."""
    return f"{folder_of(model)}/{number:06d}.json"


def damaged(message: str, where: str, model: str) -> HistoryDamaged:
    """Build the error for a damaged history, for which decisions are refused."""
    return HistoryDamaged(
        message,
        where=where,
        hint=f"restore {folder_of(model)} from a backup; without one, see docs/faults.md",
    )


def check_names(model: str, names: Sequence[str], known: int, read: int) -> None:
    """Refuse a folder with a gap, or with a file that could be confused with an event.

    Args:
        model: the model.
        names: the files in the folder.
        known: how many events were known before the folder was listed.
        read: how many consecutive events from 0 were read after it.

    Raises:
        HistoryDamaged: with the missing number, and the files after it.
    """
    numbers = sorted(_number(model, name) for name in names if name.endswith(".json"))
    missing = sorted(set(range(known)) - set(numbers))
    gap = missing[0] if missing else read
    later = [number for number in numbers if number > gap]
    if missing or later:
        after = f"; after it there are {_listed(model, later)}" if later else ""
        raise damaged(f"{_short(model, gap)} is missing{after}", event_name(model, gap), model)


def check_link(
    model: str, number: int, named: str | None, actual: str | None, hashed: bool
) -> None:
    """Refuse an event that was not recorded after the previous event.

    Args:
        model: the model.
        number: the number of the event.
        named: the hash of the previous event that this event contains.
        actual: the hash of the previous event; None for the first event.
        hashed: whether this event or the previous one has a format with hashes.

    Raises:
        HistoryDamaged: one of the two was changed, replaced or swapped.
    """
    if named == actual or (named is None and not hashed):
        return
    name, earlier = _short(model, number), _short(model, max(number - 1, 0))
    if actual is None:
        reason = f"{name} is the first event, but says that it was recorded after another"
    elif named is None:
        reason = f"{name} lacks the hash of {earlier}, which every event has since format 2"
    else:
        reason = (
            f"{name} was not recorded after {earlier}: it names sha256 {named[:12]}, and that file "
            f"has {actual[:12]}. One of the two was changed, replaced or swapped"
        )
    raise damaged(reason, event_name(model, number), model)


def recorded_ends(storage: Storage, model: str, spool: Path | None = None) -> list[RecordedEnd]:
    """Read all records of a history's end in other places.

    Heartbeats that cannot be read are skipped: ``gnomon status`` lists them.

    Args:
        storage: the storage with the history.
        model: the model.
        spool: the folder of the model's segments, if it is on this machine.

    Raises:
        UnreadableFile: ``heads/<model>.json``, or the file in the spool, is damaged or has a newer
            format.
        StorageError: a file cannot be read.
    """
    return [
        *_end_at_root(storage, model),
        *_end_in_spool(spool),
        *_ends_of_slices(storage, model),
    ]


def check_recorded_ends(model: str, digests: Sequence[str], found: Sequence[RecordedEnd]) -> None:
    """Refuse a history that ends before a recorded end, or has a different event there.

    Args:
        model: the model.
        digests: the hash of each event.
        found: the recorded ends, read before the events.

    Raises:
        HistoryDamaged: with the missing or changed events, and the file that records them.
    """
    for recorded_end in found:
        epoch, sha256 = recorded_end.head.epoch, recorded_end.head.sha256
        if epoch > len(digests):
            raise _cut_off_error(model, len(digests), recorded_end)
        if epoch and sha256 is not None and digests[epoch - 1] != sha256:
            raise _replaced_error(model, digests[epoch - 1], recorded_end)


def _cut_off_error(model: str, read: int, recorded_end: RecordedEnd) -> HistoryDamaged:
    recorded = recorded_end.head.epoch
    error = damaged(
        f"the history ends after {plural(read, 'decision')}, but {recorded_end.where} "
        f"says that there {'was 1' if recorded == 1 else f'were {recorded}'}; "
        f"missing: {_listed(model, range(read, recorded))}",
        event_name(model, read),
        model,
    )
    if read == 0:  # If all is missing, the disk is probably not mounted.
        error.hint = f"check that GNOMON_ROOT is right and its disk is mounted, or {error.hint}"
    return _with_hint_on_spool(error, recorded_end)


def _replaced_error(model: str, digest: str, recorded_end: RecordedEnd) -> HistoryDamaged:
    number = recorded_end.head.epoch - 1
    error = damaged(
        f"{_short(model, number)} was changed or replaced: its sha256 is {digest[:12]}, and "
        f"{recorded_end.where} recorded {(recorded_end.head.sha256 or '')[:12]}",
        event_name(model, number),
        model,
    )
    return _with_hint_on_spool(error, recorded_end)


def _with_hint_on_spool(error: HistoryDamaged, recorded_end: RecordedEnd) -> HistoryDamaged:
    """Return the error with, if the record is from the spool, a hint on a shared spool."""
    if recorded_end.where.endswith(f"/{_IN_SPOOL}"):
        error.hint = f"give each storage root a separate GNOMON_SPOOL, or {error.hint}"
    return error


def record(storage: Storage, model: str, head: HistoryEnd, spool: Path | None = None) -> None:
    """Record the end of a history in other places. Call it when the events are on disk.

    In the spool it is recorded only if the spool's folder exists.

    Raises:
        StorageError: the storage root cannot be written.
        OSError: the spool cannot be written.
    """
    content = msgspec.json.encode(head)
    storage.write(_head_name(model), content)
    if spool is not None and spool.is_dir():
        files.replace(spool / _IN_SPOOL, content)


def _end_at_root(storage: Storage, model: str) -> Iterator[RecordedEnd]:
    name = _head_name(model)
    content = storage.read(name)
    if content is not None:
        yield RecordedEnd(name, decode(content, HistoryEnd, _KIND, name))


def _end_in_spool(spool: Path | None) -> Iterator[RecordedEnd]:
    if spool is None:
        return
    path = spool / _IN_SPOOL
    try:
        head = formats.read(path, HistoryEnd, _KIND)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", where=str(path)) from None
    if head is not None:
        yield RecordedEnd(str(path), head)


def _ends_of_slices(storage: Storage, model: str) -> Iterator[RecordedEnd]:
    from gnomon.shadow import heartbeats  # Here, as it loads pyarrow, which clients do not need.

    for beat in heartbeats.read(storage, model):
        recorded = beat.recorded or heartbeats.RolloutPosition(epoch=beat.epoch)
        where = f"slices/{model}/{beat.slice}.json"
        yield RecordedEnd(where, HistoryEnd(epoch=recorded.epoch, sha256=recorded.sha256))


def _head_name(model: str) -> str:
    return f"heads/{model}.json"


def _number(model: str, name: str) -> int:
    """Return the number of an event's file.

    Raises:
        HistoryDamaged: the name is not that of an event.
    """
    stem = name.removeprefix(f"{folder_of(model)}/").removesuffix(".json")
    if re.fullmatch(r"[0-9]+", stem) and event_name(model, int(stem)) == name:
        return int(stem)
    raise damaged(
        f"{stem}.json is not the name of an event: expected six digits, such as 000000.json",
        name,
        model,
    )


def _short(model: str, number: int) -> str:
    return event_name(model, number).rpartition("/")[2]


def _listed(model: str, numbers: Sequence[int]) -> str:
    return listed([_short(model, number) for number in numbers], _SHOWN)
