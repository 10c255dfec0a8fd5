"""The content of a bundle: an index with the hash of every file, its signature, and the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from gnomon.artifact.manifest import sha256
from gnomon.audit.archive import read_archive
from gnomon.errors import BundleDamaged
from gnomon.formats import Format, decode
from gnomon.version import __version__

__all__ = [
    "INDEX",
    "LABELS",
    "LOG",
    "SIGNATURE",
    "Bundle",
    "BundleIndex",
    "BundleSignature",
    "FileDigests",
    "decode_digests",
    "event_file",
    "manifest_file",
    "order_of",
    "policy_file",
    "read_bundle",
    "signed_message",
    "to_json",
]

FORMAT = 1
"""The format of all files of a bundle that are not copies, and of the signed bytes."""

INDEX = "index.json"
SIGNATURE = "signature.json"
LOG = "log.json"
LABELS = "labels.json"

_HINT = "get the bundle again from who made it"
_INDEX = Format("index of an audit bundle", FORMAT, hint=_HINT, damaged=BundleDamaged)
_SIGNATURE = Format("signature of an audit bundle", FORMAT, hint=_HINT, damaged=BundleDamaged)
_DIGESTS = Format("list of digests", FORMAT, hint=_HINT, damaged=BundleDamaged)

T = TypeVar("T")
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class BundleIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``index.json``: what the bundle is about, and the hash of every other file.

    Attributes:
        format: the version of this file's format.
        model: the model.
        made: when it was exported.
        gnomon: the version of Gnomon that exported it.
        first: the number of its first event; 0 is the first of the history.
        epoch: the number of events of the history up to the last in the bundle.
        sha256: the hash of that last event; None without events.
        history_epoch: how many events the history had.
        files: SHA-256 by name, of all files except this one and the signature.
        missing: what the bundle should have and the storage root did not, one sentence each.
        warnings: what an auditor should know about the deployment, one sentence each.
    """

    format: int = FORMAT
    model: str
    made: Time
    gnomon: str = __version__
    first: Count
    epoch: Count
    sha256: Digest | None
    history_epoch: Count
    files: dict[str, Digest]
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class BundleSignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``signature.json``: an Ed25519 signature of :func:`signed_message`, with its OpenSSH key."""

    format: int = FORMAT
    key: str
    signature: str
    signed: Time


class FileDigests(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``log.json`` and ``labels.json``: the SHA-256 of files that stay in the storage root.

    Attributes:
        format: the version of this file's format.
        files: by their names under the storage root.
    """

    format: int = FORMAT
    files: dict[str, Digest]


class Bundle(msgspec.Struct, frozen=True):
    """A bundle whose files are those that its index lists.

    Attributes:
        index: the parsed index.
        index_sha256: the hash of its bytes, which is what is signed.
        signature: the signature, not yet checked; None without one.
        files: the content of all other files by name.
    """

    index: BundleIndex
    index_sha256: str
    signature: BundleSignature | None
    files: Mapping[str, bytes]


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, and check its form and the hash of each file.

    Raises:
        BundleDamaged: it is not a bundle, or not as it was written.
        NewerFormat: a newer version of Gnomon wrote it.
        UnreadableFile: the file cannot be read.
    """
    found = dict(read_archive(path))
    if [*found] != order_of(found):
        raise BundleDamaged("its files are not in the order in which they were written")
    content = found.pop(INDEX, None)
    if content is None:
        raise BundleDamaged(f"it has no {INDEX}")
    index = _decode(content, BundleIndex, _INDEX, INDEX)
    signed = found.pop(SIGNATURE, None)
    signature = None if signed is None else _decode(signed, BundleSignature, _SIGNATURE, SIGNATURE)
    if signature is not None and signed != to_json(signature):
        raise BundleDamaged(f"{SIGNATURE} was changed")
    _check_files(index, found)
    return Bundle(index, sha256(content), signature, found)


def decode_digests(content: bytes, name: str) -> FileDigests:
    """Return the content of ``log.json`` or ``labels.json``.

    Raises:
        BundleDamaged: it is not one.
        NewerFormat: a newer version of Gnomon wrote it.
    """
    return _decode(content, FileDigests, _DIGESTS, name)


def _decode(content: bytes, kind: type[T], format_: Format, name: str) -> T:
    try:
        return decode(content, kind, format_, name)
    except RecursionError:
        raise BundleDamaged(f"{name} is nested too deeply") from None


def _check_files(index: BundleIndex, found: Mapping[str, bytes]) -> None:
    for name, expected in index.files.items():
        if name not in found:
            raise BundleDamaged(f"{name} is missing")
        if sha256(found[name]) != expected:
            raise BundleDamaged(f"{name} was changed")
    for name in found:
        if name not in index.files:
            raise BundleDamaged(f"{name} was added")


def signed_message(model: str, index_sha256: str, signed: datetime) -> bytes:
    """Return the bytes that are signed: purpose, format, model, hash of the index, and time."""
    lines = ("gnomon audit bundle", f"format {FORMAT}", model, f"sha256 {index_sha256}")
    return "\n".join((*lines, signed.isoformat(), "")).encode()


def event_file(number: int) -> str:
    """Return the name of an event in a bundle."""
    return f"events/{number:06d}.json"


def manifest_file(digest: str) -> str:
    """Return the name of an artifact's manifest in a bundle."""
    return f"manifests/{digest}.json"


def policy_file(digest: str) -> str:
    """Return the name of a policy in a bundle."""
    return f"policies/{digest}.json"


def order_of(names: Iterable[str]) -> list[str]:
    """Return names of files in the order of a bundle: the index, its signature, all others."""
    first = {INDEX: 0, SIGNATURE: 1}
    return sorted(names, key=lambda name: (first.get(name, len(first)), name))


def to_json(content: msgspec.Struct) -> bytes:
    """Return a file's bytes."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
