"""The archive of a bundle has one possible form, which any program for tar opens."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.audit.archive import read_archive, to_archive
from gnomon.errors import BundleDamaged, UnreadableFile

FILES = {"index.json": b"{}", "events/000000.json": b"x" * 512, "events/000001.json": b""}


def read(path: Path, content: bytes) -> dict[str, bytes]:
    path.write_bytes(content)
    return dict(read_archive(path))


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Also by the program tar, and by an auditor who has nothing else."""
    archive = to_archive(FILES.items())
    assert read(tmp_path / "a.tar", archive) == FILES
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert tar.getnames() == [*FILES]
        assert all(member.isreg() and member.mode == 0o644 for member in tar)


def test_every_flipped_bit_in_its_frame_is_found(tmp_path: Path) -> None:
    """Of headers, padding and end; the content of files is protected by the hashes of the index."""
    archive = to_archive(FILES.items())
    inside = set(range(512, 514)) | set(range(1536, 2048))
    for place in {*range(300), *range(0, len(archive), 29)} - inside:
        changed = bytearray(archive)
        changed[place] ^= 1 << place % 8
        with pytest.raises(BundleDamaged):
            read(tmp_path / "a.tar", bytes(changed))


def test_every_cut_is_found(tmp_path: Path) -> None:
    """Wherever it ends early, and where something follows."""
    archive = to_archive(FILES.items())
    for end in {*range(0, len(archive), 61), 512, len(archive) - 512, len(archive) - 1}:
        with pytest.raises(BundleDamaged):
            read(tmp_path / "a.tar", archive[:end])
    for more in (b"\0", bytes(512), archive):
        with pytest.raises(BundleDamaged, match="after its end"):
            read(tmp_path / "a.tar", archive + more)


def tar(add: Callable[[tarfile.TarInfo], None], kind: int = tarfile.USTAR_FORMAT) -> bytes:
    """An archive of Python's with one file, changed."""
    buffer, entry = io.BytesIO(), tarfile.TarInfo("index.json")
    entry.mode = 0o644
    add(entry)
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        archive.addfile(entry, io.BytesIO(bytes(max(entry.size, 0))))
    return buffer.getvalue()


TRICKS: dict[str, Callable[[tarfile.TarInfo], None]] = {
    "an absolute name": lambda e: setattr(e, "name", "/etc/passwd"),
    "a name that leaves the folder": lambda e: setattr(e, "name", "events/../../x"),
    "a hidden name": lambda e: setattr(e, "name", "events/.bashrc"),
    "a link": lambda e: (setattr(e, "type", tarfile.SYMTYPE), setattr(e, "linkname", "/"))[0],
    "a hard link": lambda e: setattr(e, "type", tarfile.LNKTYPE),
    "a device": lambda e: setattr(e, "type", tarfile.CHRTYPE),
    "a folder": lambda e: setattr(e, "type", tarfile.DIRTYPE),
    "an executable": lambda e: setattr(e, "mode", 0o4755),
    "an owner": lambda e: setattr(e, "uid", 1),
    "a time": lambda e: setattr(e, "mtime", 1),
    "a name that types": lambda e: setattr(e, "name", "\x1b[2J"),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_of_archives_are_refused(tmp_path: Path, trick: str) -> None:
    """Only plain files of known names are accepted."""
    with pytest.raises(BundleDamaged) as caught:
        read(tmp_path / "a.tar", tar(TRICKS[trick]))
    assert "\x1b" not in str(caught.value)


def test_repeated_names_sparse_files_and_bombs_are_refused(tmp_path: Path) -> None:
    """A name once; no extensions of tar; a size only up to the limit, and never read ahead."""
    with pytest.raises(BundleDamaged, match="twice"):
        read(tmp_path / "a.tar", to_archive([("index.json", b"1"), ("index.json", b"2")]))
    long = tar(lambda e: setattr(e, "name", "e" * 200), tarfile.PAX_FORMAT)
    with pytest.raises(BundleDamaged):
        read(tmp_path / "a.tar", long)
    huge = tarfile.TarInfo("index.json")
    huge.size = 2**32
    with pytest.raises(BundleDamaged, match="size"):
        read(tmp_path / "a.tar", huge.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(ValueError, match="cannot have"):
        to_archive([("/index.json", b"")])


def test_what_is_not_a_file_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    """A missing file, a folder, and a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none.tar", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UnreadableFile, match="cannot read the bundle"):
            list(read_archive(path))


@given(content=st.binary(max_size=2_000))
def test_any_bytes_are_refused_with_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Never another exception."""
    path = tmp_path_factory.getbasetemp() / "any.tar"
    with pytest.raises(BundleDamaged):
        read(path, content)
