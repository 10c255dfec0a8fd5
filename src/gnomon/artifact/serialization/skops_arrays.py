"""The check that the arrays in a skops file have the sizes they claim.

numpy allocates memory for the shape in an array's header before it reads the array, and scipy
unpacks sparse matrices, so a small file could use up all memory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from math import prod
from typing import Any, BinaryIO

from gnomon.artifact.serialization.skops_file import nodes, open_archive, read_schema
from gnomon.errors import ArtifactCorrupt

__all__ = ["check_arrays"]

MOST_RATIO = 64
"""How many times larger than its packed form a sparse matrix may be. Word counts are about five
times as large, a matrix with ones in a row fifty times."""

LEAST_ALLOWANCE = 16 * 2**20
"""How many bytes a sparse matrix may always have, whatever its ratio."""

_HEADER_BYTES = 12_000
"""numpy reads headers of at most 10,000 bytes, as parsing a longer one may crash Python."""


def check_arrays(file: BinaryIO) -> None:
    """Refuse a skops file whose arrays would need more memory than the file has bytes.

    Raises:
        ArtifactCorrupt: it names the member.
    """
    with open_archive(file) as archive:
        read, schema = 0, read_schema(archive)
        for name in _files(schema):
            read += archive.getinfo(name).file_size
            if read > 2 * file.seek(0, 2):
                raise _corrupt(name, "members are read repeatedly")
            if name.endswith(".npz"):
                _check_sparse(archive, name)
            elif name.endswith(".npy"):
                with archive.open(name) as member:
                    _check_array(name, member.read(_HEADER_BYTES), archive.getinfo(name).file_size)
        _check_trees(archive, schema)


def _check_trees(archive: zipfile.ZipFile, schema: dict[str, Any]) -> None:
    """Refuse invalid trees: prediction would never end in one whose nodes form a cycle.

    scikit-learn numbers children after their parents, and does not check what a file says.
    """
    import numpy as np

    for node in nodes(schema):
        if node["__loader__"] != "TreeNode":
            continue
        state = node["content"]["content"]
        name = state["nodes"]["file"]
        found = np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
        features = int(json.loads(node["__reduce__"]["args"]["content"][0]["content"]))
        left, right, feature = (found[k] for k in ("left_child", "right_child", "feature"))
        inner = np.flatnonzero(left != -1)
        ordered = all(
            ((side[inner] > inner) & (side[inner] < len(found))).all() for side in (left, right)
        )
        inside = ((feature[inner] >= 0) & (feature[inner] < features)).all()
        if not (ordered and inside and json.loads(state["node_count"]["content"]) == len(found)):
            raise _corrupt(name, "the nodes do not form a tree")


def _files(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the members that loading reads, as often as it does: objects with an id only once."""
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
    """Check a sparse matrix: scipy stores it as a compressed archive of arrays."""
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
