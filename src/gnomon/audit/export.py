"""Export the decisions about a model as a bundle, with everything that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.artifact.artifact import inspect
from gnomon.artifact.folder import ArtifactFolder
from gnomon.artifact.manifest import MANIFEST, sha256
from gnomon.artifact.signing import PublicKey, make_signature, public_key
from gnomon.audit.archive import to_archive
from gnomon.audit.bundle import (
    INDEX,
    LABELS,
    LOG,
    SIGNATURE,
    BundleIndex,
    BundleSignature,
    FileDigests,
    event_file,
    manifest_file,
    order_of,
    policy_file,
    signed_message,
    to_json,
)
from gnomon.audit.bundle_file import save_bundle
from gnomon.errors import GnomonError, HistoryDamaged, SettingsError
from gnomon.log.retention_notice import retention_warning
from gnomon.rollout.history import RolloutEvent, decode_event, open_history
from gnomon.rollout.history.integrity import event_name
from gnomon.rollout.provenance import manifest_name, policy_name
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.time_range import check_range, check_time

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["AuditExport", "export"]


@dataclass(frozen=True, slots=True)
class AuditExport:
    """A bundle that was written.

    Attributes:
        path: the file.
        index: what is in it; ``index.missing`` is what could not be.
        signer: the key that signed it; None if it is not signed.
    """

    path: Path
    index: BundleIndex
    signer: PublicKey | None


def export(
    settings: Settings,
    model: str,
    path: Path | None = None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    key: Ed25519PrivateKey | None = None,
) -> AuditExport:
    """Write a bundle of the decisions about a model.

    Args:
        settings: settings with the storage root.
        model: the model.
        path: the file to write; ``audit-<model>-<decisions>.tar`` in this folder by default.
        start: leave out decisions before the first one at or after this time; in this machine's
            time zone, if it has none. A bundle of the whole history proves more.
        end: leave out decisions from the first one at or after this time.
        key: signs the bundle. Nobody can tell who made one without a signature.

    Raises:
        HistoryDamaged, NewerFormat: the history cannot be read completely.
        SettingsError: the file exists, or no decision is in the range.
        StorageError: the storage root cannot be read, or the file not written.
    """
    for time in filter(None, (start, end)):
        check_time(time)
    start, end = (None if time is None else time.astimezone() for time in (start, end))
    check_range(start, end)
    storage = Storage(settings)
    history = open_history(settings, model)
    history.check()
    events = history.events
    first, last = _range(events, start, end)
    if first == last:
        raise SettingsError(
            f"there is no decision about `{model}` to export" + (" in this range" if events else "")
        )
    contents, missing = _collect(storage, model, range(first, last))
    warning = retention_warning(settings)
    index = BundleIndex(
        model=model,
        made=datetime.now(UTC),
        first=first,
        epoch=last,
        sha256=sha256(contents[event_file(last - 1)]),
        history_epoch=len(events),
        files={name: sha256(content) for name, content in contents.items()},
        missing=tuple(missing),
        warnings=() if warning is None else (warning,),
    )
    path = path or Path(f"audit-{model}-{last}.tar")
    _write(path, index, contents, key)
    return AuditExport(path, index, None if key is None else public_key(key))


def _range(
    events: Sequence[RolloutEvent], start: datetime | None, end: datetime | None
) -> tuple[int, int]:
    """Return the numbers of the first event and of the one after the last."""
    first = 0 if start is None else _first_at(events, start)
    last = len(events) if end is None else _first_at(events, end)
    return first, max(first, last)


def _first_at(events: Sequence[RolloutEvent], time: datetime) -> int:
    """Return the number of the first event at or after a time."""
    numbers = (number for number, event in enumerate(events) if event.at >= time)
    return next(numbers, len(events))


def _collect(storage: Storage, model: str, numbers: range) -> tuple[dict[str, bytes], list[str]]:
    """Return the content of the bundle's files by name, and what is missing."""
    contents: dict[str, bytes] = {}
    missing: dict[str, None] = {}
    for number in numbers:
        content = storage.read(event_name(model, number))
        if content is None:
            raise HistoryDamaged(
                "an event is missing since it was read", where=event_name(model, number)
            )
        contents[event_file(number)] = content
        event = decode_event(content, event_name(model, number))
        for name, found, gap in _of_event(storage, event):
            if found is not None:
                contents[name] = found
            else:
                missing[gap] = None
    contents[LOG] = _digests(storage, f"log/{model}/_delta_log", f"sealed/{model}")
    contents[LABELS] = _digests(storage, f"labels/{model}")
    return contents, list(missing)


def _of_event(storage: Storage, event: RolloutEvent) -> list[tuple[str, bytes | None, str]]:
    """Return the files that an event names, each with the sentence about it if it is missing."""
    found = []
    if event.policy_sha256 is not None:
        content = storage.read(policy_name(event.policy_sha256))
        gap = f"the policy {event.policy_sha256[:12]} is not in the storage root"
        found.append((policy_file(event.policy_sha256), content, gap))
    if event.digest is not None:
        content = storage.read(manifest_name(event.digest)) or _stored_manifest(event)
        gap = (
            f"the manifest of {event.artifact} ({event.digest[:12]}) is neither in the storage "
            "root nor in this machine's store"
        )
        found.append((manifest_file(event.digest), content, gap))
    return found


def _stored_manifest(event: RolloutEvent) -> bytes | None:
    """Return the manifest in this machine's store, for events that earlier releases recorded."""
    try:
        artifact = inspect(event.artifact)
        content = ArtifactFolder(artifact.path).read(MANIFEST)
    except GnomonError:
        return None
    return content if sha256(content) == event.digest else None


def _digests(storage: Storage, *folders: str) -> bytes:
    """Return the hashes of the files in these folders of the storage root."""
    digests = {}
    for name in (name for folder in folders for name in storage.names(folder)):
        content = storage.read(name)
        if content is not None:  # Compaction may have removed it meanwhile.
            digests[name] = sha256(content)
    return to_json(FileDigests(files=digests))


def _write(
    path: Path,
    index: BundleIndex,
    contents: dict[str, bytes],
    key: Ed25519PrivateKey | None,
) -> None:
    found = {INDEX: to_json(index), **contents}
    if key is not None:
        now = datetime.now(UTC).replace(microsecond=0)
        message = signed_message(index.model, sha256(found[INDEX]), now)
        signature = BundleSignature(
            key=public_key(key).line, signature=make_signature(key, message), signed=now
        )
        found[SIGNATURE] = to_json(signature)
    save_bundle(path, to_archive((name, found[name]) for name in order_of(found)))
