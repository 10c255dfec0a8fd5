import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.errors import SettingsError, StorageError
from gnomon.settings import Settings
from gnomon.storage import Storage


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Objects come back as they went in, listed by name; a missing one is None."""
    storage = Storage(Settings(root=str(tmp_path / "new" / "root")))
    storage.write("a/two.json", b"2")
    storage.write("a/one.json", b"1")
    storage.write("a/one.json", b"11")
    assert storage.read("a/one.json") == b"11"
    assert storage.read("a/three.json") is None
    assert storage.names("a") == ["a/one.json", "a/two.json"]
    storage.remove("a/one.json")
    storage.remove("a/one.json")
    assert storage.names("a") == ["a/two.json"]
    assert storage.names("nothing") == []


def test_an_object_is_created_once(tmp_path: Path) -> None:
    """A second create changes nothing and says so."""
    storage = Storage(Settings(root=str(tmp_path)))
    assert storage.create("event", b"first")
    assert not storage.create("event", b"second")
    assert storage.read("event") == b"first"


def test_a_link_to_nothing_is_an_error_and_not_a_missing_object(tmp_path: Path) -> None:
    """Nothing can be created under its name, so reading says why."""
    storage = Storage(Settings(root=str(tmp_path)))
    (tmp_path / "event").symlink_to(tmp_path / "gone")
    assert not storage.create("event", b"first")
    with pytest.raises(StorageError, match="cannot read event: it is a link to a file that is not"):
        storage.read("event")


CREATE = """
import sys
from gnomon.settings import Settings
from gnomon.storage import Storage
storage = Storage(Settings(root=sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(storage.create(f"events/{n}", sys.argv[2].encode()) for n in range(50)))
"""


def test_of_many_processes_one_creates(tmp_path: Path) -> None:
    """Four processes race for fifty names: each name has exactly one winner."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(tmp_path), str(n)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
        )
        for n in range(4)
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    wins = [int(racer.communicate()[0]) for racer in racers]
    storage = Storage(Settings(root=str(tmp_path)))
    kept = [storage.read(name) for name in storage.names("events")]
    assert sum(wins) == 50
    assert wins == [kept.count(str(n).encode()) for n in range(4)]


def test_a_root_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A file where the root should be, or an unknown scheme, is a settings error."""
    (tmp_path / "file").write_text("")
    for root in (str(tmp_path / "file" / "root"), "gopher://x", f"file://{tmp_path}"):
        with pytest.raises(SettingsError, match="cannot use the storage root"):
            Storage(Settings(root=root))


def test_files_are_for_their_owner_and_hidden_ones_are_no_objects(tmp_path: Path) -> None:
    """This holds for any umask; files written aside or left by a file manager are not listed."""
    old = os.umask(0)
    try:
        storage = Storage(Settings(root=str(tmp_path / "root")))
        storage.write("a/b/one.json", b"1")
        storage.create("a/b/two.json", b"2")
    finally:
        os.umask(old)
    made = [tmp_path / "root", *(tmp_path / "root").rglob("*")]
    assert {stat.S_IMODE(p.stat().st_mode) for p in made if p.is_dir()} == {0o700}
    assert {stat.S_IMODE(p.stat().st_mode) for p in made if p.is_file()} == {0o600}
    (tmp_path / "root/a/.DS_Store").touch()
    (tmp_path / "root/a/b/.one.json.1a2b3c4d.new").touch()
    assert storage.names("a") == ["a/b/one.json", "a/b/two.json"]


def test_what_writers_that_died_left_is_removed(tmp_path: Path) -> None:
    """After an hour, so that one that is at work keeps its file; nothing else is touched."""
    storage = Storage(Settings(root=str(tmp_path)))
    storage.write("rollout/toy/000000.json", b"1")
    left = [
        tmp_path / ".control.token.1a2b3c4d.new",
        tmp_path / "rollout/toy/.000001.json.1a2b3c4d.new",
        tmp_path / "rollout/toy/.keep.new.json",
        tmp_path / "spool/.mine.new",
    ]
    fresh = tmp_path / "rollout/toy/.000002.json.1a2b3c4d.new"
    (tmp_path / "spool").mkdir()
    for path in (*left, fresh):
        path.touch()
    for path in (*left, tmp_path / "rollout/toy/000000.json"):
        os.utime(path, (0, 0))
    storage.sweep()
    kept = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert kept == sorted([".keep.new.json", ".mine.new", fresh.name, "000000.json"])


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", "", "a/./b", "a\0b"])
def test_no_name_leads_out_of_the_root(tmp_path: Path, name: str) -> None:
    """No read or write leaves it: names are made of tags, and tags come from outside."""
    storage = Storage(Settings(root=str(tmp_path / "root")))
    (tmp_path / "x").write_text("secret")
    for use in (storage.read, storage.names, storage.remove, lambda n: storage.write(n, b"")):
        with pytest.raises(StorageError, match="a name under the storage root"):
            use(name)
    assert (tmp_path / "x").read_text() == "secret"


def test_what_cannot_be_read_is_not_absent(tmp_path: Path) -> None:
    """A folder in an object's place, or a file in a folder's: an error with the operating
    system's reason.
    """
    storage = Storage(Settings(root=str(tmp_path)))
    (tmp_path / "a/one.json").mkdir(parents=True)
    (tmp_path / "b").write_text("")
    for use, reason in (
        (lambda: storage.read("a/one.json"), "Is a directory"),
        (lambda: storage.write("a/one.json", b""), "Is a directory"),
        (lambda: storage.read("b/one.json"), "Not a directory"),
        (lambda: storage.create("b/one.json", b""), "Not a directory|expected a folder"),
    ):
        with pytest.raises(StorageError, match=rf"cannot .* [ab]/one\.json: .*({reason})"):
            use()
