"""Artifacts in BentoML's model store."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gnomon.artifact import Artifact, inspect, store, tags
from gnomon.artifact.manifest import Combination, Part
from gnomon.errors import ArtifactCorrupt, PackRefused, UnknownArtifact
from tests.forking import run_python

Put = Callable[..., Path]

NOW = datetime(2013, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def put(home: Path, packed: Artifact) -> Put:
    """Puts an artifact into the empty store without packing one."""

    def publish(name: str, version: str, created: datetime = NOW, **more: object) -> Path:
        with store.staging() as folder:
            fields = {"name": name, "version": version, "created": created, **more}
            msgspec.structs.replace(packed.manifest, **fields).write(folder)
            description = store.model_yaml(name, version, created, packed.manifest.environment)
            (folder / "model.yaml").write_text(description)
            return store.publish(folder, name, version, created)

    assert not home.exists()
    return publish


def test_bentoml_lists_it_and_finds_latest(put: Put) -> None:
    """`bentoml models list` shows the artifact, and `bentoml.models.get` resolves it."""
    put("flights", "a1")
    path = put("flights", "a2", NOW + timedelta(seconds=1))
    command = [str(Path(sys.executable).with_name("bentoml")), "models", "list", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = {entry["tag"]: entry for entry in msgspec.json.decode(done.stdout)}
    assert listed.keys() == {"flights:a1", "flights:a2"}
    assert listed["flights:a1"]["module"] == "gnomon.artifact"
    script = "import bentoml; model = bentoml.models.get('flights:latest'); print(model.path)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(path), done.stderr


def test_tags_are_newest_first(put: Put) -> None:
    """The time of packing decides, not the name of the version."""
    put("flights", "zz")
    put("flights", "aa", NOW + timedelta(days=1))
    put("delays", "one")
    assert tags("flights") == ["flights:aa", "flights:zz"]
    assert tags() == ["delays:one", "flights:aa", "flights:zz"]
    assert tags("nothing") == []


def test_a_combined_artifact_is_never_the_newest(put: Put) -> None:
    """It is for debugging: a name alone means a version that was trained."""
    part = Part(tag="flights:one", digest="0" * 64)
    put("flights", "one")
    put(
        "flights",
        "one-on-two",
        NOW + timedelta(days=1),
        combination=Combination(model=part, preprocessing=part),
    )
    assert tags("flights") == ["flights:one", "flights:one-on-two"]
    assert store.resolve("flights").name == "one"
    (store.models() / "flights" / "latest").unlink()
    assert store.resolve("flights:latest").name == "one"


@pytest.mark.usefixtures("home")
def test_an_empty_store_has_no_tags() -> None:
    """Even before the folder exists."""
    assert tags() == []


def test_a_tag_resolves(put: Put) -> None:
    """A tag resolves with a version, with latest, by its bare name, and by its path."""
    path = put("flights", "a1")
    for which in ("flights:a1", "flights:latest", "flights", str(path), path):
        assert store.resolve(which) == path


def test_an_empty_version_is_not_the_newest(put: Put) -> None:
    """A script whose variable for it is not set would promote whatever was packed last."""
    put("flights", "a1")
    with pytest.raises(UnknownArtifact, match="the tag of an artifact, got `flights:`"):
        store.resolve("flights:")


def test_latest_is_the_newest_packed(put: Put) -> None:
    """A pack that began earlier and ended later does not take the name back."""
    newer = put("flights", "newer", NOW + timedelta(minutes=1))
    put("flights", "older")
    assert store.resolve("flights") == newer


def test_latest_survives_the_loss_of_its_version(put: Put) -> None:
    """If that version was deleted by hand, the newest remaining one is the latest."""
    put("flights", "a1")
    put("flights", "a2", NOW + timedelta(days=1)).rename(store.home() / "gone")
    assert store.resolve("flights:latest").name == "a1"


def test_an_unknown_tag_names_the_known_ones(put: Put) -> None:
    """A wrong version lists the versions; a wrong name lists the names."""
    put("flights", "a1")
    with pytest.raises(UnknownArtifact, match="flights:a1"):
        inspect("flights:a2")
    with pytest.raises(UnknownArtifact, match="the store has flights"):
        inspect("fligths")
    with pytest.raises(UnknownArtifact):
        inspect("flights:../flights")


@pytest.mark.parametrize(
    "which",
    ["x" * 300, "x" * 300 + ":a1", "flights:" + "x" * 300, "/" + "x" * 300, "a\0b", "/a\0b"],
)
def test_a_name_that_no_file_can_have_is_unknown(put: Put, which: str) -> None:
    """It is any client's, and no fault of the server's."""
    put("flights", "a1")
    with pytest.raises(UnknownArtifact):
        store.resolve(which)


def test_a_model_of_bentoml_itself_is_no_artifact(home: Path) -> None:
    """Other models in the same store are left alone and not listed."""
    (home / "models" / "other" / "v1").mkdir(parents=True)
    (home / "models" / "other" / "v1" / "model.yaml").write_text("name: other\n")
    assert tags() == []
    with pytest.raises(UnknownArtifact):
        inspect("other:v1")


def test_a_version_is_written_once(put: Put) -> None:
    """A second artifact of the same version is refused and the first stays."""
    path = put("flights", "a1")
    content = (path / "manifest.json").read_bytes()
    with pytest.raises(PackRefused, match="already has flights:a1"):
        put("flights", "a1", NOW + timedelta(days=1))
    assert (path / "manifest.json").read_bytes() == content


PUBLISH = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from gnomon.artifact import store

number, start = int(sys.argv[1]), Path(sys.argv[2])
(start / str(number)).touch()
while len(list(start.iterdir())) < int(sys.argv[3]):
    pass
for turn in range(50):
    created = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(seconds=turn * 10 + number)
    version = f"v{turn:02}-{number}"
    with store.staging() as folder:
        (folder / "manifest.json").write_text('{"created": "%s"}' % created.isoformat())
        store.publish(folder, "flights", version, created)
    latest = (store.models() / "flights" / "latest").read_text()
    assert latest >= version, (latest, version)
"""


def test_processes_may_publish_at_once(home: Path, tmp_path: Path) -> None:
    """Four processes that publish the same name lose nothing, and latest is the newest of all."""
    start = tmp_path / "start"
    start.mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISH, str(number), str(start), "4"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert len(tags("flights")) == 200
    assert (home / "models" / "flights" / "latest").read_text() == "v49-3"
    assert list((home / "staging").iterdir()) == []


PACK = """
import numpy as np, pandas as pd
from sklearn.linear_model import LinearRegression
from gnomon.artifact import pack

frame = pd.DataFrame({"x": np.arange(30.0)})
print(pack("flights", LinearRegression().fit(frame, frame["x"]), frame).tag)
"""


@pytest.mark.slow
def test_whole_packs_may_run_at_once(home: Path) -> None:
    """Three processes pack under one name: three whole artifacts, one of them the latest."""
    here = Path.cwd()
    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(run_python, ["-c", PACK], cwd=here, env=os.environ) for _ in "abc"]
    done = [run.result() for run in runs]
    assert [one.returncode for one in done] == [0, 0, 0], done
    packed = [one.stdout.strip() for one in done]
    assert sorted(packed) == sorted(tags("flights"))
    assert inspect("flights:latest").tag == tags("flights")[0]
    for tag in packed:
        inspect(tag)


@pytest.mark.usefixtures("home")
def test_the_home_folder_is_bentomls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """BENTOML_HOME when it is set, ~/bentoml when it is not."""
    assert store.home() == Path(os.environ["BENTOML_HOME"])
    monkeypatch.delenv("BENTOML_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.home() == tmp_path / "bentoml"


def test_new_versions_sort_by_time_and_differ() -> None:
    """Two packs in one second have two names."""
    names: list[Any] = [store.new_version(NOW), store.new_version(NOW)]
    later = store.new_version(NOW + timedelta(seconds=1))
    assert names[0] != names[1]
    assert max(names) < later


def test_a_store_that_everybody_may_write_is_closed(put: Put, home: Path) -> None:
    """BentoML creates it writable for all under umask 000; anyone who can write there could replace
    artifacts.
    """
    folders = (home / "models", home / "models/flights")
    for folder in folders:
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    path = put("flights", "a1")
    assert {stat.S_IMODE(f.stat().st_mode) for f in (*folders, path)} == {0o700}
    for folder in folders:
        folder.chmod(0o770)  # Meant for a group: left alone.
    put("flights", "a2")
    assert {stat.S_IMODE(f.stat().st_mode) for f in folders} == {0o770}


def test_a_group_may_be_let_in(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """GNOMON_UMASK=027 lets the group read, whatever the umask of the process that packs."""
    monkeypatch.setattr("gnomon.files._umask", 0o027)
    old = os.umask(0o077)
    try:
        path = put("flights", "a1")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert stat.S_IMODE((path.parent / ".lock").stat().st_mode) == 0o640
    assert stat.S_IMODE((path / "manifest.json").stat().st_mode) == 0o640


def test_a_damaged_artifact_is_not_passed_over_for_an_older_one(put: Put, home: Path) -> None:
    """Where `latest` is missing, the newest is searched for, and an unreadable one may be it."""
    put("flights", "a1")
    newest = put("flights", "a2", NOW + timedelta(seconds=1))
    (home / "models/flights/latest").write_bytes(b"")
    (newest / "manifest.json").write_bytes(b"")
    assert store.resolve("flights:latest") == newest
    with pytest.raises(ArtifactCorrupt, match=r"manifest\.json"):
        inspect("flights:latest")
    assert store.resolve(put("flights", "a3", NOW + timedelta(seconds=2))).name == "a3"
    assert (home / "models/flights/latest").read_text() == "a3"


def test_what_a_killed_pack_left_is_removed_some_time(put: Put, home: Path) -> None:
    """The next pack removes it a day later; one that is still running keeps its folder."""
    old, fresh = home / "staging/pack-old", home / "staging/pack-fresh"
    for folder in (old, fresh):
        (folder / "code").mkdir(parents=True)
    os.utime(old, (0, 0))
    put("flights", "a1")
    assert sorted(path.name for path in (home / "staging").iterdir()) == ["pack-fresh"]


@pytest.mark.parametrize("which", [None, 3, b"flights:1", ["flights"], "", ":1"])
def test_what_names_no_artifact_is_refused(which: Any) -> None:
    """With what to give instead."""
    with pytest.raises(UnknownArtifact, match="expected the tag of an artifact, got") as refused:
        store.resolve(which)
    assert "NAME:VERSION" in str(refused.value.hint)


def test_of_a_loaded_artifact_the_artifact_is_asked_for() -> None:
    """What `gnomon.load` returns is an artifact with its pipeline."""
    with pytest.raises(UnknownArtifact) as refused:
        store.resolve(SimpleNamespace(artifact="flights:1"))
    assert refused.value.hint == "give its `.artifact`"
