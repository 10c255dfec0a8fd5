"""Folders and files that packing never creates: inspect and load end with an error that names the
problem.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gnomon.artifact import Artifact, inspect, tags
from gnomon.artifact.manifest import sha256
from gnomon.errors import ArtifactCorrupt
from tests.attack.forging import members, named, plant, reseal, seal, write_members
from tests.attack.watching import Watcher

PLENTY = 20.0
"""Seconds. None of these takes one; a machine may be busy."""


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    with Watcher() as watching:
        yield watching


def refused(watcher: Watcher, folder: Path, *errors: str, load: bool = False) -> str:
    """Inspect and load an artifact; both must fail with an error of Gnomon. Returns the message."""
    answer = watcher.ask(folder)
    for what in ("inspect", "load"):
        said, reason = answer[what]["said"]
        assert answer[what]["done"] == []
        assert answer[what]["seconds"] < PLENTY
        if what == "load" or not load:
            assert said in (errors or ("ArtifactCorrupt",)), (what, said, reason)
    return str(reason)


def fifo(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def link(folder: Path, name: str) -> None:
    shutil.copy(folder / name, folder.parent / "elsewhere")
    (folder / name).unlink()
    (folder / name).symlink_to(folder.parent / "elsewhere")


def device(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")


def door(folder: Path, name: str) -> None:
    (folder / name).unlink()
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(name)
    finally:
        os.chdir(here)


def subfolder(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    (folder / name / "within").write_text("")


def sparse(folder: Path, name: str) -> None:
    os.truncate(folder / name, 2**43)


KINDS: dict[str, Callable[[Path, str], None]] = {
    "a FIFO": fifo,
    "a link": link,
    "a device": device,
    "a socket": door,
    "a folder": subfolder,
    "a sparse file of 8 TiB": sparse,
}
PLACES = ["manifest.json", "manifest.sha256", "contract.json", "pipeline.skops", "signatures.json"]


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_read(copied: Path, kind: str, name: str, watcher: Watcher) -> None:
    """Anything else in a file's place is refused without waiting for it."""
    if name == "signatures.json":
        (copied / name).write_text('{"signatures": []}')
    KINDS[kind](copied, name)
    refused(watcher, copied)


def test_too_many_files_are_refused(copied: Path, watcher: Watcher) -> None:
    """Folders nested without end are refused too."""
    deep = copied / "code" / Path(*["a"] * 40)
    deep.mkdir(parents=True)
    refused(watcher, copied)
    shutil.rmtree(copied / "code" / "a")
    (copied / "many").mkdir()
    for number in range(20_001):
        (copied / "many" / str(number)).touch()
    assert "files" in refused(watcher, copied)


MANIFESTS: dict[str, bytes] = {
    "format 1e999": b'{"format": 1e999}',
    "format of many digits": b'{"format": ' + b"9" * 5000 + b"}",
    "no object": b"[]",
    "not UTF-8": b'{"format": 1, "name": "\xff"}',
    "nested": b'{"format": 1, "lineage": ' + b'{"given":' * 100_000,
    "nested lists": b'{"format": 1, "x": ' + b"[" * 1_000_000,
    "empty": b"",
    "NUL": b'{"format": 1\0}',
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_that_is_none_is_refused(copied: Path, kind: str, watcher: Watcher) -> None:
    """It is refused although its hash is right."""
    seal(copied, MANIFESTS[kind])
    refused(watcher, copied, "ArtifactCorrupt", "ArtifactIncompatible")


def test_a_manifest_of_a_gigabyte_is_refused(copied: Path, watcher: Watcher) -> None:
    """Before it is read."""
    os.truncate(copied / "manifest.json", 2**30)
    assert "bytes" in refused(watcher, copied)


FIELDS: dict[str, dict[str, Any]] = {
    "a million files": {"files": {f"f{number}": "0" * 64 for number in range(500_000)}},
    "a file outside": {"files": {"../../etc/passwd": "0" * 64}},
    "an absolute file": {"files": {"/etc/passwd": "0" * 64}},
    "a file with NUL": {"files": {"a\0b": "0" * 64}},
    "a file by two names": {"files": {"code/../manifest.json": "0" * 64}},
    "no files": {"files": {}},
    "a name that is a path": {"name": "../../toy"},
    "a version that is a path": {"version": "../1"},
    "no name": {"name": ""},
    "a date without a zone": {"created": "2026-01-01T00:00:00"},
    "a date that is none": {"created": "yesterday"},
    "a date out of the calendar": {"created": "99999-01-01T00:00:00Z"},
    "no versions": {
        "environment": {
            "python": "",
            "implementation": "",
            "system": "",
            "machine": "",
            "packages": {},
        }
    },
    "versions that are none": {
        "environment": {
            "python": "\x1b[2J" * 100,
            "implementation": "",
            "system": "",
            "machine": "",
            "packages": {"scikit-learn": "." * 1000},
        }
    },
    "a module of scikit-learn": {"modules": {"sklearn.pipeline": "preprocessing/clock.py"}},
    "a module of Python": {"modules": {"json": "preprocessing/clock.py"}},
    "a module of Gnomon": {"modules": {"gnomon.artifact.artifact": "preprocessing/clock.py"}},
    "sitecustomize": {"modules": {"sitecustomize": "preprocessing/clock.py"}},
    "a module of another file": {"modules": {"helper": "preprocessing/clock.py"}},
    "a module outside": {"modules": {"helper": "../../../tmp/helper.py"}},
    "a module that is no name": {"modules": {"": "", "a b": "a b.py"}},
}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_manifest_that_says_what_cannot_be_is_refused(
    copied: Path, kind: str, watcher: Watcher
) -> None:
    """Each field with a value that leaves the folder or has a wrong type."""
    reseal(copied, **FIELDS[kind])
    refused(watcher, copied, "ArtifactCorrupt", "ArtifactIncompatible")


CONTRACTS: dict[str, dict[str, Any]] = {
    "an age beyond time": {"max_age": "P999999999999D"},
    "a zone outside": {"timezone": "../../etc/passwd"},
    "an endless number": {"minimum": 1e400},
    "a number of many digits": {"maximum": 10**4000},
    "a dtype that is code": {"dtype": "__import__('os')"},
}


@pytest.mark.parametrize("kind", CONTRACTS)
def test_a_contract_that_says_what_cannot_be_is_refused(
    copied: Path, kind: str, watcher: Watcher
) -> None:
    """It is refused although its hash is right."""
    path = copied / "contract.json"
    contract = json.loads(path.read_bytes())
    feature = "departs" if set(CONTRACTS[kind]) & {"max_age", "timezone"} else "wind"
    next(f for f in contract["features"] if f["name"] == feature).update(CONTRACTS[kind])
    path.write_text(json.dumps(contract).replace("Infinity", "1e999"))
    reseal(copied)
    refused(watcher, copied)


@pytest.mark.parametrize("name", ["contract.json", "checks.json", "pipeline.skops"])
def test_nesting_without_end_is_refused(copied: Path, name: str, watcher: Watcher) -> None:
    """Deeper than the stack of the process that parses it."""
    nested = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    if name == "pipeline.skops":
        write_members(copied, {"schema.json": nested})
    else:
        (copied / name).write_bytes(b'{"format": 1, "features": ' + nested + b"}")
    reseal(copied)
    if name == "checks.json":
        with pytest.raises(ArtifactCorrupt):
            inspect(copied).checks()
    else:
        refused(watcher, copied)


@pytest.mark.parametrize("levels", [300, 600])
def test_nodes_in_nodes_without_end_are_refused(
    copied: Path, watcher: Watcher, levels: int
) -> None:
    """JSON that can be parsed, but is nested deeper than skops can follow, which depends on the
    Python version.
    """
    node = named("ListNode", "builtins", "list", content=[])
    for _ in range(levels):
        node = named("ListNode", "builtins", "list", content=[node])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20 * levels)  # for the encoder, not for what reads it
    try:
        plant(copied, node)
    finally:
        sys.setrecursionlimit(limit)
    reseal(copied)
    harmless = ("fine",) if levels == 300 and sys.version_info >= (3, 12) else ()
    refused(watcher, copied, "ArtifactError", "ArtifactCorrupt", *harmless, load=True)


def test_an_archive_that_grows_is_refused(copied: Path, watcher: Watcher) -> None:
    """A MB that would become a GB: packing never compresses."""
    with (
        zipfile.ZipFile(copied / "pipeline.skops", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("schema.json", "w") as member,
    ):
        for _ in range(256):
            member.write(b" " * 2**20)
    reseal(copied)
    assert "compressed" in refused(watcher, copied)


def test_members_that_lie_about_their_size_are_refused(copied: Path, watcher: Watcher) -> None:
    """The list of members says more than the file has."""
    content = (copied / "pipeline.skops").read_bytes()
    size = len(members(copied)["schema.json"]).to_bytes(4, "little")
    (copied / "pipeline.skops").write_bytes(content.replace(size, b"\xf0\xff\xff\x7f"))
    reseal(copied)
    refused(watcher, copied)


def test_one_member_read_a_thousand_times_is_refused(copied: Path, watcher: Watcher) -> None:
    """Each reading is a copy in memory."""
    write_members(copied, {**members(copied), "big.bin": bytes(2**20)})
    again = [named("BytesNode", "builtins", "bytes", file="big.bin") for _ in range(5_000)]
    plant(copied, named("ListNode", "builtins", "list", content=again))
    reseal(copied, types=[*inspect_types(copied), "builtins.bytes"])
    assert "repeatedly" in refused(watcher, copied, load=True)


def array(shape: str, descr: str = "'<f8'") -> bytes:
    """An ``.npy`` file of this shape, and of no data."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "content",
    [array("(10**11,)"), array("(100000000000,)"), array("(-1, -8)"), array("(9999999,)", "'V0'")],
    ids=["an expression", "too many", "negative", "of no bytes"],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_an_array_that_is_smaller_than_it_says_is_refused(
    copied: Path, content: bytes, suffix: str, watcher: Watcher
) -> None:
    """numpy would reserve the memory first."""
    kind = named("NdArrayNode", "numpy", "ndarray", type="numpy", file="evil.npy")
    if suffix == "npz":
        kind = named("SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", type="scipy")
        kind["file"] = "evil.npz"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("data.npy", content)
        content = buffer.getvalue()
    write_members(copied, {**members(copied), f"evil.{suffix}": content})
    plant(copied, kind)
    trusted = [*inspect_types(copied), "scipy.sparse._csr.csr_matrix"]
    reseal(copied, trusted=trusted, types=trusted)
    refused(watcher, copied, load=True)


def inspect_types(folder: Path) -> list[str]:
    listed: list[str] = json.loads((folder / "manifest.json").read_bytes())["types"]
    return listed


def test_a_sparse_matrix_that_grows_is_refused(copied: Path, watcher: Watcher) -> None:
    """scipy's own archive inside is compressed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, data=np.zeros(2**27, dtype="u1"))
    write_members(copied, {**members(copied), "evil.npz": buffer.getvalue()})
    plant(
        copied,
        named("SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", type="scipy", file="evil.npz"),
    )
    trusted = [*inspect_types(copied), "scipy.sparse._csr.csr_matrix"]
    reseal(copied, trusted=trusted, types=trusted)
    assert "would become" in refused(watcher, copied, load=True)


def compressed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def tables() -> dict[str, bytes]:
    endless = pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 500_000, pa.int8()), ["x" * 100_000])
    return {
        "compressed": compressed(pa.table({"input/x": np.zeros(2**22)})),
        "nulls without end": written(pa.table({"input/x": endless})),
        "a dictionary that grows": written(pa.table({"input/x": long})),
        "views": written(pa.table({"input/x": pa.array(["x" * 100] * 9, pa.string_view())})),
        "no rows": written(pa.table({"input/x": pa.array([], pa.float64())})),
        "other columns": written(pa.table({"elsewhere": [1.0]})),
        "no table": b"ARROW1\0\0" + b"\xff" * 100,
        "nothing": b"",
    }


@pytest.mark.parametrize("kind", tables())
def test_golden_rows_that_are_none_are_refused(copied: Path, kind: str, watcher: Watcher) -> None:
    """Load says so; nothing is reserved for what is not there."""
    (copied / "golden.arrow").write_bytes(tables()[kind])
    reseal(copied)
    refused(watcher, copied, "ArtifactCorrupt", "GoldenMismatch", load=True)


def test_requirements_install_nothing_else(copied: Path, watcher: Watcher) -> None:
    """The file may be passed to pip."""
    path = copied / "requirements.txt"
    path.write_text("--index-url http://127.0.0.1:9\n" + path.read_text())
    reseal(copied)
    assert "name==version" in refused(watcher, copied)


def test_a_link_in_the_store_is_refused(packed: Artifact, home: Path, tmp_path: Path) -> None:
    """What lies outside the store is not in it."""
    (home / "models" / "flights").mkdir(parents=True)
    outside = Path(shutil.copytree(packed.path, tmp_path / "outside"))
    (home / "models" / "flights" / packed.version).symlink_to(outside)
    with pytest.raises(ArtifactCorrupt, match="a link"):
        inspect(packed.tag)


def test_an_artifact_is_found_under_its_own_tag_only(packed: Artifact, home: Path) -> None:
    """An old version in the place of a new one would bring back its faults."""
    shutil.copytree(packed.path, home / "models" / "flights" / "newer")
    with pytest.raises(ArtifactCorrupt, match="is for flights:newer, but contains"):
        inspect("flights:newer")


def test_a_damaged_artifact_hides_no_other(packed: Artifact, home: Path) -> None:
    """It is listed, and the other artifacts can still be inspected."""
    store = home / "models" / "flights"
    shutil.copytree(packed.path, store / packed.version)
    for version, content in MANIFESTS.items():
        name = version.replace(" ", "-").lower()
        (store / name).mkdir()
        (store / name / "manifest.json").write_bytes(content)
        (store / name / "manifest.sha256").write_text(f"{sha256(content)}  manifest.json\n")
    (store / "fifo").mkdir()
    os.mkfifo(store / "fifo" / "manifest.json")
    (store / "fifo" / "manifest.sha256").write_text("")
    assert len(tags("flights")) == len(MANIFESTS) + 2
    assert inspect(packed.tag).tag == packed.tag
