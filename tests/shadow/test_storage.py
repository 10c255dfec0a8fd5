import os
import subprocess
import sys
from pathlib import Path

import pytest

from gnomon.errors import SettingsError
from gnomon.settings import Settings
from gnomon.shadow.storage import Storage


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


CREATE = """
import sys
from gnomon.settings import Settings
from gnomon.shadow.storage import Storage
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
    for root in (str(tmp_path / "file" / "root"), "gopher://x"):
        with pytest.raises(SettingsError, match="cannot use the storage root"):
            Storage(Settings(root=root))
