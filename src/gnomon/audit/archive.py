"""The file of a bundle: an uncompressed tar archive, of which each byte is determined.

Any program for tar opens it. The reader here accepts exactly what the writer here writes: plain
files in one order, each with one possible header, padding of zeros, and nothing after the end. So
every changed byte is found, and there are no links, no absolute or repeated names, no sparse files
and nothing that grows when it is unpacked.

The header is that of POSIX.1-1988, ustar:
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from gnomon.errors import BundleDamaged, UnreadableFile
from gnomon.files import refuse_special
from gnomon.printable import printable

__all__ = ["MOST_FILE_BYTES", "read_archive", "to_archive"]

MOST_FILE_BYTES = 64 * 1024 * 1024
"""The largest file of a bundle: a manifest may have 16 MiB, an event some hundred KiB."""
MOST_FILES = 1_000_000

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9]+)?(/[A-Za-z0-9_-]+(\.[a-z0-9]+)?)*")


def to_archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an archive of these files, in this order.

    Raises:
        ValueError: a name or a content that a bundle cannot have.
    """
    archive = io.BytesIO()
    for name, content in files:
        if not _NAME.fullmatch(name) or len(content) > MOST_FILE_BYTES:
            raise ValueError(f"a bundle cannot have {len(content)} bytes as {name}")
        archive.write(_header(name, len(content)) + content + _padding(len(content)))
    archive.write(_END)
    return archive.getvalue()


def read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a bundle; the archive is checked to its last byte when this ends.

    Raises:
        BundleDamaged: it is not exactly what :func:`to_archive` writes.
        UnreadableFile: the file cannot be read.
    """
    try:
        refuse_special(path)
        with path.open("rb") as file:
            yield from _read(file)
    except OSError as error:
        raise UnreadableFile(f"cannot read the bundle: {error.strerror}", where=str(path)) from None


def _read(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    names: set[str] = set()
    while (block := _take(file, _BLOCK, "a header")) != _END[:_BLOCK]:
        name, size = _parsed(block)
        if name in names or len(names) >= MOST_FILES:
            raise BundleDamaged(f"it has {name} twice, or more than {MOST_FILES:,} files")
        names.add(name)
        content = _take(file, size, name)
        if _take(file, len(_padding(size)), name) != _padding(size):
            raise BundleDamaged(f"there is something between {name} and the next file")
        yield name, content
    if file.read(_BLOCK + 1) != _END[_BLOCK:]:
        raise BundleDamaged("there is something after its end, or its end is missing")


def _parsed(block: bytes) -> tuple[str, int]:
    """Return the name and size in a header, which must be the only one possible for them."""
    name = block[:100].rstrip(b"\0").decode("latin-1")
    prefix = block[345:500].rstrip(b"\0").decode("latin-1")
    name = f"{prefix}/{name}" if prefix else name
    digits = block[124:135]
    size = int(digits, 8) if re.fullmatch(rb"[0-7]{11}", digits) else -1
    shown = printable(name)[:100]
    if not 0 <= size <= MOST_FILE_BYTES:
        raise BundleDamaged(f"not an audit bundle: the header of `{shown}` has no valid size")
    if not _NAME.fullmatch(name) or block != _header(name, size):
        raise BundleDamaged(f"not as it was written: the header of `{shown}` was changed")
    return name, size


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry.tobuf(tarfile.USTAR_FORMAT, "ascii")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _take(file: BinaryIO, size: int, what: str) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise BundleDamaged(f"it is cut off in {what}")
    return content
