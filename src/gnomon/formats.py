"""The version that every JSON file of Gnomon carries as ``format``, checked in one place.

A damaged file, or one that a newer version wrote, raises an error that names it. It is never
treated as missing, and its content is never guessed. See ``docs/formats.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from gnomon.errors import GnomonError, NewerFormat, UnreadableFile
from gnomon.version import __version__

__all__ = ["Format", "check_version", "decode", "read"]

T = TypeVar("T")

RESTORE = "restore it from a backup"


class Format(NamedTuple):
    """One kind of file.

    Attributes:
        what: its name in errors, such as ``rollout event``.
        newest: the newest version of its format that this version of Gnomon reads; it reads all
            from version 1.
        hint: what to do about a damaged file.
        damaged: the error for a file that cannot be read.
        newer: the error for a file of a newer version.
        absent: the version of a file that states none; 0: such a file is damaged.
    """

    what: str
    newest: int
    hint: str = RESTORE
    damaged: type[GnomonError] = UnreadableFile
    newer: type[GnomonError] = NewerFormat
    absent: int = 0


def decode(content: bytes | str, kind: type[T], format_: Format, where: str) -> T:
    """Return the content of a file of Gnomon.

    Args:
        content: the file's bytes.
        kind: the struct to decode it as.
        format_: the format to check, with the words of its errors.
        where: the file's name.

    Raises:
        GnomonError: ``format_.newer`` for a newer version; ``format_.damaged`` for a file that is
            empty, not JSON, without a version, or not of this kind.
    """
    raw = content.encode() if isinstance(content, str) else content
    check_version(_version(raw, format_, where), format_, where)
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(format_, str(error), where) from None


def read(path: Path, kind: type[T], format_: Format) -> T | None:
    """Return the content of a local file of Gnomon; None if it does not exist.

    Raises:
        GnomonError: as :func:`decode`.
        OSError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return decode(content, kind, format_, str(path))


def check_version(version: int, format_: Format, where: str) -> None:
    """Refuse a version that this version of Gnomon does not read.

    Raises:
        GnomonError: ``format_.newer`` or ``format_.damaged``.
    """
    if version > format_.newest:
        raise format_.newer(
            f"this {format_.what} has format {version}; this version of gnomon "
            f"({__version__}) reads up to {format_.newest}",
            where=where,
            hint="upgrade gnomon here to the version that wrote it",
        )
    if version < 1:
        raise _damaged(format_, f"expected a format of 1 to {format_.newest}, got {version}", where)


class _Head(msgspec.Struct):
    format: int | None = None


def _version(content: bytes, format_: Format, where: str) -> int:
    if not content.strip(b"\0 \t\r\n"):
        size = f"{len(content)} bytes" if not content else f"{len(content)} blank bytes"
        raise _damaged(format_, f"the file is empty ({size})", where)
    try:
        version = msgspec.json.decode(content, type=_Head).format
        return format_.absent if version is None else version
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(format_, str(error), where) from None


def _damaged(format_: Format, why: str, where: str) -> GnomonError:
    return format_.damaged(f"not a {format_.what}: {why}", where=where, hint=format_.hint)
