"""Files that are on disk when the call returns, and readable by their owner only."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gnomon import files
from gnomon.files import refuse_special


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is synced, linked, renamed and made, in order."""
    made: list[str] = []
    for name in ("fsync", "link", "replace", "mkdir"):
        real = getattr(os, name)

        def recorded(
            *args: object, _name: str = name, _real: object = real, **kw: object
        ) -> object:
            target = args[0]
            if _name == "fsync":
                target = os.readlink(f"/proc/self/fd/{target}")
            made.append(f"{_name} {Path(str(target)).name.split('.new')[0].split('.')[-1]}")
            return _real(*args, **kw)  # type: ignore[operator]

        monkeypatch.setattr(os, name, recorded)
    return made


def test_a_created_file_is_synced_before_its_name_and_its_name_before_the_return(
    tmp_path: Path, calls: list[str]
) -> None:
    """First the bytes, then the name, then the folder that holds the name."""
    folder = tmp_path / "root"
    folder.mkdir()
    calls.clear()
    assert files.create(folder / "one", b"1")
    assert [call.split()[0] for call in calls] == ["fsync", "link", "fsync"]
    assert calls[-1] == "fsync root"


def test_only_one_creates(tmp_path: Path) -> None:
    """The second call reports it and changes nothing."""
    assert files.create(tmp_path / "one", b"1")
    assert not files.create(tmp_path / "one", b"2")
    assert (tmp_path / "one").read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["one"]


def test_a_replaced_file_is_synced_before_it_takes_the_name(
    tmp_path: Path, calls: list[str]
) -> None:
    """A crash leaves the old content or the new."""
    files.replace(tmp_path / "one", b"1")
    calls.clear()
    files.replace(tmp_path / "one", b"2")
    assert [call.split()[0] for call in calls] == ["fsync", "replace", "fsync"]
    assert (tmp_path / "one").read_bytes() == b"2"


def test_each_folder_made_is_synced_in_its_parent(tmp_path: Path, calls: list[str]) -> None:
    """A folder that a power cut takes back takes its files with it."""
    files.make_folder(tmp_path / "a" / "b")
    assert calls == ["mkdir a", f"fsync {tmp_path.name}", "mkdir b", "fsync a"]
    files.make_folder(tmp_path / "a" / "b")
    assert len(calls) == 4


def test_a_file_in_a_folders_place_is_refused(tmp_path: Path) -> None:
    """It is an error; the file is not used as the folder."""
    (tmp_path / "a").write_text("")
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        files.make_folder(tmp_path / "a")


def test_what_is_made_is_its_owners_whatever_the_umask(tmp_path: Path) -> None:
    """Log and history hold personal data."""
    before = os.umask(0)
    try:
        files.create(tmp_path / "a" / "one", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "one").stat().st_mode) == 0o600


def test_a_folder_keeps_the_group_of_the_one_it_is_in(tmp_path: Path) -> None:
    """A storage root that a group shares has the set-group-id bit."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2750)
    files.make_folder(tmp_path / "shared" / "a" / "b")
    for folder in ("a", "a/b"):
        assert (tmp_path / "shared" / folder).stat().st_mode & stat.S_ISGID


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves neither the file nor its temporary file."""

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        files.create(tmp_path / "one", b"1")
    assert os.listdir(tmp_path) == []


MAKE = """
import os, sys
from pathlib import Path
from gnomon import files
os.umask(int(sys.argv[2], 8))
files.create(Path(sys.argv[1]) / "a/b/one", b"1")
"""


@pytest.mark.parametrize(
    ("setting", "process", "folder", "file"),
    [
        (None, "000", 0o700, 0o600),
        (None, "022", 0o700, 0o600),
        ("027", "000", 0o750, 0o640),
        ("027", "077", 0o750, 0o640),
        ("007", "022", 0o770, 0o660),
        ("nonsense", "000", 0o700, 0o600),
    ],
)
def test_modes_are_those_of_the_setting_whatever_the_umask_of_the_process(
    tmp_path: Path, setting: str | None, process: str, folder: int, file: int
) -> None:
    """This holds also in a process that never applied it, such as one that only packs."""
    environment = {k: v for k, v in os.environ.items() if k != "GNOMON_UMASK"}
    if setting is not None:
        environment["GNOMON_UMASK"] = setting
    subprocess.run(
        [sys.executable, "-c", MAKE, str(tmp_path), process], env=environment, check=True
    )
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/one")]
    assert modes == [folder, folder, file]


APPLY = """
import os, subprocess, sys
from gnomon.files import apply_umask
apply_umask(0o027)
open(sys.argv[1], "w").close()
subprocess.run(["touch", sys.argv[2]], check=True)
"""


def test_an_applied_umask_holds_for_libraries_and_children(tmp_path: Path) -> None:
    """Delta tables, metrics and user code write files without asking Gnomon."""
    own, childs = tmp_path / "own", tmp_path / "childs"
    subprocess.run([sys.executable, "-c", APPLY, str(own), str(childs)], check=True)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (own, childs)} == {0o640}


def test_a_removed_file_is_gone_on_disk(tmp_path: Path, calls: list[str]) -> None:
    """The folder is synced; one that is not there is as good as removed."""
    (tmp_path / "one").touch()
    files.remove(tmp_path / "one")
    assert calls == [f"fsync {tmp_path.name}"]
    files.remove(tmp_path / "one")
    assert len(calls) == 1


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    """Opening a pipe would wait for its other end; a folder is left to its reader."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="it is a pipe, not a file"):
        refuse_special(tmp_path / "fifo")
    with pytest.raises(OSError, match="it is a device, not a file"):
        refuse_special(Path("/dev/null"))
    refuse_special(tmp_path)
    refuse_special(tmp_path / "file")
