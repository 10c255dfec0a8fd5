"""The arrays in a skops file: whether they are as large as they say.

numpy reserves memory for the shape in an array's header before it reads the array, and scipy
unpacks sparse matrices, so a small file could ask for all the memory there is.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from math import prod
from typing import BinaryIO

from gnomon.errors import ArtifactCorrupt
from gnomon.models.skops_file import nodes, open_archive, read_schema

__all__ = ["check_arrays"]

MOST_RATIO = 64
"""How much larger a sparse matrix may be than it is packed. Counts of words are about five times as
large; a matrix of ones in a row fifty times."""

LEAST_ALLOWANCE = 16 * 2**20
"""Bytes that a sparse matrix may have whatever its ratio."""

_HEADER_BYTES = 12_000
"""numpy reads no header of more than 10,000 bytes, as parsing a longer one may crash Python."""


def check_arrays(file: BinaryIO) -> None:
    """Refuse a skops file whose arrays would need more memory than the file has bytes.

    Raises:
        ArtifactCorrupt: naming the member.
    """
    with open_archive(file) as archive:
        read = 0
        for name in _files(read_schema(archive)):
            read += archive.getinfo(name).file_size
            if read > 2 * file.seek(0, 2):
                raise _corrupt(name, "members are read again and again")
            if name.endswith(".npz"):
                _check_sparse(archive, name)
            elif name.endswith(".npy"):
                with archive.open(name) as member:
                    _check_array(name, member.read(_HEADER_BYTES), archive.getinfo(name).file_size)


def _files(schema: dict[str, object]) -> Iterator[str]:
    """The members that loading reads, each as often: an object of a known id is read once."""
    known = set()
    for node in nodes(schema):
        if "file" not in node or node["__loader__"] == "JsonNode":
            continue
        if not isinstance(node["file"], str):
            raise _corrupt(repr(node["file"])[:80], "not the name of a member")
        if node.get("__id__") is None or node["__id__"] not in known:
            known.add(node.get("__id__"))
            yield node["file"]


def _check_sparse(archive: zipfile.ZipFile, name: str) -> None:
    """scipy's own archive in ours: arrays, deflated."""
    packed = archive.read(name)
    with zipfile.ZipFile(io.BytesIO(packed)) as inner:
        total = sum(info.file_size for info in inner.infolist())
        if total > max(LEAST_ALLOWANCE, MOST_RATIO * len(packed)):
            raise _corrupt(name, f"{len(packed):,} bytes would become {total:,}")
        for info in inner.infolist():
            with inner.open(info) as member:
                _check_array(name, member.read(_HEADER_BYTES), info.file_size)


def _check_array(name: str, start: bytes, size: int) -> None:
    """Compare the shape in the header of a ``.npy`` file with the bytes that follow it."""
    from numpy.lib import format as npy

    head = io.BytesIO(start)
    version = npy.read_magic(head)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(head)
    if dtype.hasobject:
        raise _corrupt(name, "an array of pickled objects")
    count = prod(shape)
    if min(shape, default=0) < 0 or count > size or head.tell() + count * dtype.itemsize != size:
        raise _corrupt(name, f"a shape of {shape} does not fit its {size:,} bytes")


def _corrupt(name: str, what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the pipeline cannot be read as skops: {name}: {what}",
        hint="do not load it; find out who made it",
    )
