"""Whether a rollout history is complete: no event missing, changed, replaced, swapped or cut off.

Each event holds the hash of the one before, so a change inside the history shows. That its *end*
was cut off shows only elsewhere: ``heads/<model>.json``, the heartbeats of slices, and
``rollout.json`` in the spool, which may be on another disk, say how many decisions there were, and
the hash of the last. All are written after the event is on disk, so read before the events they
never claim more than there is.

This is evidence against accidents and against changes by others than the owner of the storage root.
Anyone who may write everywhere under the root can rewrite a history, hashes included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gnomon import files, formats
from gnomon.errors import HistoryDamaged, StorageError
from gnomon.formats import Format, decode
from gnomon.storage import Storage

__all__ = [
    "FORMAT",
    "HistoryEnd",
    "Witness",
    "check_link",
    "check_names",
    "check_witnesses",
    "damaged",
    "event_name",
    "folder_of",
    "record",
    "witnesses",
]

FORMAT = 1

_KIND = Format("recorded end of a history", FORMAT, hint="remove it; a running server rewrites it")
_SHOWN = 5
_IN_SPOOL = "rollout.json"


class HistoryEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How far a history had come: ``heads/<model>.json``, and ``rollout.json`` in the spool.

    Attributes:
        format: the version of this file's format.
        epoch: the number of decisions.
        sha256: the hash of the last one's file; None where it is not known.
    """

    format: int = FORMAT
    epoch: int
    sha256: str | None = None


class Witness(msgspec.Struct, frozen=True):
    """A file that says how far a history had come, and what it says."""

    where: str
    head: HistoryEnd


def folder_of(model: str) -> str:
    """Where a model's events are."""
    return f"rollout/{model}"


def event_name(model: str, number: int) -> str:
    """The name of an event; the first is number 0."""
    return f"{folder_of(model)}/{number:06d}.json"


def damaged(message: str, where: str, model: str) -> HistoryDamaged:
    """The error for a history on which no decision is taken."""
    return HistoryDamaged(
        message,
        where=where,
        hint=f"restore {folder_of(model)} from a backup; without one, see docs/faults.md",
    )


def check_names(model: str, names: Sequence[str], known: int, read: int) -> None:
    """Refuse a folder with a gap, or with a file that could be taken for an event.

    Args:
        model: the model.
        names: what is in the folder.
        known: events that were there before the folder was listed.
        read: events that were there after it; those that follow each other from 0.

    Raises:
        HistoryDamaged: which number is missing, and which files come after it.
    """
    numbers = sorted(_number(model, name) for name in names if name.endswith(".json"))
    missing = sorted(set(range(known)) - set(numbers))
    gap = missing[0] if missing else read
    later = [number for number in numbers if number > gap]
    if missing or later:
        after = f"; after it there are {_listed(model, later)}" if later else ""
        raise damaged(f"{_short(model, gap)} is missing{after}", event_name(model, gap), model)


def check_link(model: str, number: int, said: str | None, before: str | None, hashed: bool) -> None:
    """Refuse an event that was not recorded after the one before it.

    Args:
        model: the model.
        number: the event's.
        said: the hash of the event before, as this one has it.
        before: that hash; None for the first event.
        hashed: whether an event up to this one is of a format that has it.

    Raises:
        HistoryDamaged: one of the two was changed, replaced or swapped.
    """
    if said == before or (said is None and not hashed):
        return
    name, earlier = _short(model, number), _short(model, max(number - 1, 0))
    if before is None:
        why = f"{name} is the first event, but says that it was recorded after another"
    elif said is None:
        why = f"{name} lacks the hash of {earlier}, which every event has since format 2"
    else:
        why = (
            f"{name} was not recorded after {earlier}: it names sha256 {said[:12]}, and that file "
            f"has {before[:12]}. One of the two was changed, replaced or swapped"
        )
    raise damaged(why, event_name(model, number), model)


def witnesses(storage: Storage, model: str, spool: Path | None = None) -> list[Witness]:
    """All that is recorded of a history's end elsewhere.

    A heartbeat that cannot be read says nothing: ``gnomon status`` names it.

    Args:
        storage: where the history is.
        model: the model.
        spool: the model's segments, if they are on this machine.

    Raises:
        UnreadableFile: ``heads/<model>.json``, or what the spool says, is damaged or of a newer
            format.
        StorageError: it cannot be read.
    """
    return [*_recorded(storage, model), *_in_spool(spool), *_reported(storage, model)]


def check_witnesses(model: str, digests: Sequence[str], found: Sequence[Witness]) -> None:
    """Refuse a history that ends before what is recorded of it, or in another event.

    Args:
        model: the model.
        digests: the hash of each event.
        found: what is recorded elsewhere, looked up before the events were read.

    Raises:
        HistoryDamaged: which events are missing or changed, and which file says so.
    """
    for witness in found:
        epoch, sha256 = witness.head.epoch, witness.head.sha256
        if epoch > len(digests):
            raise _cut_off(model, len(digests), witness)
        if epoch and sha256 is not None and digests[epoch - 1] != sha256:
            raise _replaced(model, digests[epoch - 1], witness)


def _cut_off(model: str, read: int, witness: Witness) -> HistoryDamaged:
    said = witness.head.epoch
    error = damaged(
        f"the history ends after {read} decision{'' if read == 1 else 's'}, but {witness.where} "
        f"says that there {'was 1' if said == 1 else f'were {said}'}; "
        f"missing: {_listed(model, range(read, said))}",
        event_name(model, read),
        model,
    )
    if read == 0:  # All of it: more often a disk that is not there than a folder that is damaged.
        error.hint = f"check that GNOMON_ROOT is right and its disk is mounted, or {error.hint}"
    return _shared(error, witness)


def _replaced(model: str, digest: str, witness: Witness) -> HistoryDamaged:
    number = witness.head.epoch - 1
    error = damaged(
        f"{_short(model, number)} was changed or replaced: its sha256 is {digest[:12]}, and "
        f"{witness.where} recorded {(witness.head.sha256 or '')[:12]}",
        event_name(model, number),
        model,
    )
    return _shared(error, witness)


def _shared(error: HistoryDamaged, witness: Witness) -> HistoryDamaged:
    """The same error; where the spool is the witness, with another reason that it may have."""
    if witness.where.endswith(f"/{_IN_SPOOL}"):
        error.hint = f"give each storage root a GNOMON_SPOOL of its own, or {error.hint}"
    return error


def record(storage: Storage, model: str, head: HistoryEnd, spool: Path | None = None) -> None:
    """Write down how far a history has come. To be called when its events are on disk.

    In a spool only if there is one: none is begun for this.

    Raises:
        StorageError: the storage root refuses.
        OSError: the spool refuses.
    """
    content = msgspec.json.encode(head)
    storage.write(_head_name(model), content)
    if spool is not None and spool.is_dir():
        files.replace(spool / _IN_SPOOL, content)


def _recorded(storage: Storage, model: str) -> Iterator[Witness]:
    name = _head_name(model)
    content = storage.read(name)
    if content is not None:
        yield Witness(name, decode(content, HistoryEnd, _KIND, name))


def _in_spool(spool: Path | None) -> Iterator[Witness]:
    if spool is None:
        return
    path = spool / _IN_SPOOL
    try:
        head = formats.read(path, HistoryEnd, _KIND)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", where=str(path)) from None
    if head is not None:
        yield Witness(str(path), head)


def _reported(storage: Storage, model: str) -> Iterator[Witness]:
    from gnomon.shadow import slices  # It loads pyarrow, which clients of a history do without.

    for beat in slices.read(storage, model):
        said = beat.recorded or slices.Recorded(epoch=beat.epoch)
        where = f"slices/{model}/{beat.slice}.json"
        yield Witness(where, HistoryEnd(epoch=said.epoch, sha256=said.sha256))


def _head_name(model: str) -> str:
    return f"heads/{model}.json"


def _number(model: str, name: str) -> int:
    """The number of an event's file.

    Raises:
        HistoryDamaged: it has none, or is not written as ours are.
    """
    stem = name.removeprefix(f"{folder_of(model)}/").removesuffix(".json")
    if re.fullmatch(r"[0-9]+", stem) and event_name(model, int(stem)) == name:
        return int(stem)
    raise damaged(
        f"{stem}.json is not the name of an event: expected a number of six digits, as 000000.json",
        name,
        model,
    )


def _short(model: str, number: int) -> str:
    return event_name(model, number).rpartition("/")[2]


def _listed(model: str, numbers: Sequence[int]) -> str:
    shown = [_short(model, number) for number in numbers[:_SHOWN]]
    more = len(numbers) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
