"""The files of an artifact's folder, read as untrusted input.

A folder may contain a FIFO that blocks its reader, a link out of the folder, a device, a file that
grows while it is read, or a million files. So names come from walking the folder, never from the
manifest, only regular files are opened, and every read has a size limit.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gnomon.errors import ArtifactCorrupt, GnomonError
from gnomon.printable import printable

__all__ = ["RESTORE", "ArtifactFolder", "parsing", "sha256"]

MOST_FILES = 20_000
"""More files than vendored code, of at most 64 MiB, would have."""

MOST_DEPTH = 32
"""The deepest nesting of folders; packages nest less than ten deep."""

MOST_DOCUMENT_BYTES = 64 * 2**20
"""The largest file that is read into memory for parsing: a manifest with all files of 64 MiB of
vendored code needs 4 MiB, a contract with a domain of a million values 30 MiB."""

MOST_SMALL_BYTES = 64 * 2**10
"""The largest file of a few lines: the seal, the signatures, BentoML's description."""

MOST_PIPELINE_BYTES = 16 * 2**30
"""The largest file of any kind. Forests of some GB exist; a sparse file of a petabyte, which takes
no disk space but a day to hash, is an attack."""

MOST_OTHER_BYTES = 512 * 2**20
"""All files except the largest: code of at most 64 MiB, contract, golden rows and profile."""

_CHUNK = 2**20
RESTORE = "pack again, or restore the folder from a backup"
"""What to do about a damaged artifact."""
_FOREIGN = "Gnomon does not pack such artifacts; find out who made it"


class ArtifactFolder:
    """One artifact's folder, walked once: the name and size in bytes of every file.

    Raises:
        ArtifactCorrupt: it contains something that is not a folder or a regular file, or too many.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: Mapping[str, int] = dict(_walk(path))
        *others, _ = [0, *sorted(self.sizes.values())]
        if sum(others) > MOST_OTHER_BYTES:
            raise ArtifactCorrupt(
                f"expected at most {MOST_OTHER_BYTES:,} bytes without the pipeline, got "
                f"{sum(others):,}",
                where=printable(str(path)),
                hint=_FOREIGN,
            )

    def read(self, name: str, most: int = MOST_DOCUMENT_BYTES) -> bytes:
        """Return the bytes of one file.

        Raises:
            ArtifactCorrupt: it is missing or unreadable, or larger than ``most`` bytes.
        """
        with self.open(name, most) as file:
            return file.read(os.fstat(file.fileno()).st_size)

    def sha256(self, name: str, most: int = MOST_PIPELINE_BYTES) -> str:
        """Return the SHA-256 of one file of at most ``most`` bytes in hex, read a MiB at a time."""
        digest = hashlib.sha256()
        with self.open(name, most) as file:
            left = self.sizes[name]
            while left >= 0 and (chunk := file.read(_CHUNK)):
                left -= len(chunk)  # a file that grows while it is read would never end
                digest.update(chunk)
        return digest.hexdigest()

    @contextmanager
    def open(self, name: str, most: int = MOST_PIPELINE_BYTES) -> Iterator[BinaryIO]:
        """Open one file for reading; read errors become :class:`ArtifactCorrupt`."""
        place = self.path / name
        if name not in self.sizes:
            raise self._unreadable(name, os.strerror(errno.ENOENT))
        try:
            with _open_regular(place) as file:
                if os.fstat(file.fileno()).st_size > most:
                    raise self._too_large(name, most)
                yield file
        except OSError as error:
            raise self._unreadable(name, error.strerror or str(error)) from None
        except MemoryError:
            raise self._unreadable(
                name, "this process does not have enough memory for it"
            ) from None

    def check_hash(self, name: str, expected: str, most: int = MOST_PIPELINE_BYTES) -> None:
        """Refuse a file that is not the one that was packed.

        Raises:
            ArtifactCorrupt: it is missing, its hash differs, or it is larger than ``most``,
                which is checked before it is read.
        """
        self._compare(name, expected, self.sha256(name, most))

    def read_checked(self, name: str, expected: str, most: int = MOST_PIPELINE_BYTES) -> bytes:
        """Return the bytes of one file after checking their hash: these same bytes are used.

        Raises:
            ArtifactCorrupt: it is missing, or its hash differs.
        """
        content = self.read(name, most)
        self._compare(name, expected, sha256(content))
        return content

    def _compare(self, name: str, expected: str, found: str) -> None:
        if found != expected:
            raise ArtifactCorrupt(
                f"{printable(name)} is not the file that was packed: expected sha256 "
                f"{printable(expected[:12])}, got {found[:12]}",
                where=printable(str(self.path / name)),
                hint=RESTORE,
            )

    def _unreadable(self, name: str, why: str) -> ArtifactCorrupt:
        return ArtifactCorrupt(
            f"cannot read {printable(name)}: {why}",
            where=printable(str(self.path / name)),
            hint=RESTORE,
        )

    def _too_large(self, name: str, most: int) -> ArtifactCorrupt:
        return ArtifactCorrupt(
            f"expected {printable(name)} to have at most {most:,} bytes, it has more",
            where=printable(str(self.path / name)),
            hint=_FOREIGN,
        )


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def parsing(what: str, where: Path | str) -> Iterator[None]:
    """Turn any error of parsing an artifact's content into :class:`ArtifactCorrupt`.

    Parsers fail in many ways: nesting beyond the stack, numbers beyond a float, dates beyond the
    calendar. A list of their errors would miss the next one.
    """
    try:
        yield
    except GnomonError:
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ArtifactCorrupt(
            f"{what} cannot be read: {kind}{printable(str(error))[:500]}",
            where=printable(str(where)),
            hint=RESTORE,
        ) from error


def _open_regular(path: Path) -> BinaryIO:
    """Open a regular file, without following a link or waiting for a writer of a FIFO."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(descriptor, "rb")


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    count = 0
    folders = [("", 0)]
    while folders:
        folder, depth = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    count += 1
                    mode = entry.stat(follow_symlinks=False)
                    _check_entry(root, name, mode.st_mode, depth, count)
                    if stat.S_ISDIR(mode.st_mode):
                        folders.append((name, depth + 1))
                    else:
                        yield name, mode.st_size
        except OSError as error:
            raise ArtifactCorrupt(
                f"cannot read the folder: {error.strerror}",
                where=printable(str(root / folder)),
                hint=RESTORE,
            ) from None


def _check_entry(root: Path, name: str, mode: int, depth: int, count: int) -> None:
    where = printable(str(root / name))
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
        raise ArtifactCorrupt(
            f"`{printable(name)}` is {kind}; an artifact has only files and folders",
            where=where,
            hint="remove it, or pack again",
        )
    if count > MOST_FILES or depth > MOST_DEPTH:
        raise ArtifactCorrupt(
            f"more than {MOST_FILES:,} files, or folders more than {MOST_DEPTH} deep",
            where=where,
            hint=_FOREIGN,
        )
