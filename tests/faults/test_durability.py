"""Nothing is acknowledged before it is on disk, and what is on disk is for its owner only.

What a loss of power leaves cannot be seen without one. What can be seen is the order in which real
processes ask the kernel: a file's bytes are synced before it gets its name, and the folder that
holds the name before anybody is told. All run with umask 000, as in a container without care.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.tracing import Call, calls, needs_strace, strace, traced
from tests.load import until
from tests.packing import SCRIPT, times, write_service

pytestmark = [needs_strace, pytest.mark.slow]

OWNERS_ONLY = 0o077


@dataclass(frozen=True)
class Seen:
    """What processes did from start to end.

    Attributes:
        place: holds everything.
        served: the system calls of a server.
        packed: those of a process that packed an artifact.
        packed_at: the folder of that artifact.
        modes: the mode of every file, folder and socket, while the server ran.
    """

    place: Path
    served: list[Call]
    packed: list[Call]
    packed_at: Path
    modes: dict[Path, int]

    @property
    def root(self) -> Path:
        """The storage root."""
        return self.place / "root"


def run(place: Path, *command: str, folder: Path | None = None) -> str:
    """Run a command under umask 000; what it printed."""
    before = os.umask(0)  # Which is inherited; with one given, ``subprocess`` cannot fork.
    try:
        done = subprocess.run(
            command,
            cwd=folder or place,
            env={**os.environ, **variables(place)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        os.umask(before)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def variables(place: Path) -> dict[str, str]:
    return {
        "BENTOML_HOME": str(place / "bentoml"),
        "GNOMON_ROOT": str(place / "root"),
        "GNOMON_SEGMENT_SECONDS": "1",
    }


def pack(place: Path, factor: float, *before: str) -> str:
    """Pack an artifact in a process of its own; its tag."""
    code = place / f"code-{factor}"
    code.mkdir()
    (code / "preprocessing.py").write_text(times(factor))
    (code / "pack.py").write_text(SCRIPT)
    return run(place, *before, sys.executable, "pack.py", "toy", folder=code).split()[-1]


def modes_below(*folders: Path) -> dict[Path, int]:
    """The modes of folders and of all below them, sockets too; what goes meanwhile is left out."""
    modes = {}
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            try:
                if not path.is_symlink():
                    modes[path] = stat.S_IMODE(path.stat().st_mode)
            except FileNotFoundError:
                continue
    return modes


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """An artifact packed, served, put in its own shadow; the log sealed, replayed and reported."""
    place = tmp_path_factory.mktemp("power")
    tag = pack(place, 1, *strace(place / "packed.txt"))
    deployment = place / "deployment"
    write_service(deployment)
    gnomon = (sys.executable, "-m", "gnomon")
    trace = place / "served.txt"
    run(place, *gnomon, "promote", tag)
    with traced(deployment, place / "root", trace, variables(place), 0) as server:
        with server.client() as client:
            client.predict([{"x": 1.0, "id": "a"}])
            client.start_shadow(tag, same=True)
            client.predict([{"x": 2.0, "id": "b"}])
            until(lambda: client.status().shadows[0].scored > 0, "the shadow scores", 60)
        table = place / "root" / "log"
        until(lambda: any(table.rglob("*.parquet")), "the log is sealed", 60)
        run(place, *gnomon, "replay", tag, "--report", "reports/kept", folder=deployment)
        run(place, *gnomon, "replay", tag, folder=deployment)
        modes = modes_below(place / "root", place / "bentoml" / "models", deployment / "reports")
    models = place / "bentoml" / "models"
    return Seen(
        place, calls(trace), calls(place / "packed.txt"), models / tag.replace(":", "/"), modes
    )


def after(done: list[Call], path: Path, start: int) -> int | None:
    """Where a file or folder is synced, from ``start`` on."""
    positions = (n for n, call in enumerate(done[start:], start) if call.synced == str(path))
    return next(positions, None)


def renames_of(seen: Seen) -> list[tuple[int, Path, Path]]:
    """Every time the server gave a file under the root its name; the log has tests of its own."""
    others = (seen.root / "spool", seen.root / "log")
    return [
        (n, Path(call.named[0]), Path(call.named[1]))
        for n, call in enumerate(seen.served)
        if call.named is not None
        and Path(call.named[1]).is_relative_to(seen.root)
        and not any(Path(call.named[1]).is_relative_to(other) for other in others)
    ]


def test_a_decision_is_answered_after_it_is_on_disk(seen: Seen) -> None:
    """The event's bytes, its name and its folder are synced before the client gets its answer."""
    event = seen.root / "rollout/toy/000001.json"
    ((renamed, aside, _),) = [naming for naming in renames_of(seen) if naming[2] == event]
    synced = after(seen.served, aside, 0)
    folder = after(seen.served, event.parent, renamed)
    answered = next(
        n
        for n, call in enumerate(seen.served)
        if call.name in ("write", "writev", "sendmsg", "sendto")
        and "shadow_start" in call.arguments
        and ("socket:" in call.arguments or "TCP:" in call.arguments)
    )
    assert synced is not None
    assert folder is not None
    assert synced < renamed < folder < answered


def test_every_file_is_synced_before_its_name_and_its_folder_after(seen: Seen) -> None:
    """Heartbeats, the control token, the recorded end of the history: all files except the log."""
    renames = renames_of(seen)
    kinds = {target.relative_to(seen.root).parts[0] for _, _, target in renames}
    assert {"rollout", "slices", "heads", "control.token"} <= kinds
    beats = [(n, aside, target) for n, aside, target in renames if "slices" in target.parts]
    # The last heartbeats are written while the server ends.
    for n, aside, target in [*(f for f in renames if f not in beats), *beats[:-2]]:
        synced = after(seen.served, aside, 0)
        assert synced is not None, target
        assert synced < n, target
        assert after(seen.served, target.parent, n) is not None, target


def test_new_folders_are_on_disk_too(seen: Seen) -> None:
    """The parent of each folder that was made for a file is synced after it was made."""
    created = [
        (n, Path(call.paths[0]))
        for n, call in enumerate(seen.served)
        if call.name.startswith("mkdir") and call.paths
    ]
    own_folders = [
        (n, path)
        for n, path in created
        if path.is_relative_to(seen.root)
        and path.relative_to(seen.root).parts[0] in ("rollout", "slices", "heads")
    ]
    assert own_folders
    for n, path in own_folders:
        assert after(seen.served, path.parent, n) is not None, path


def test_an_artifact_is_on_disk_before_it_appears(seen: Seen) -> None:
    """Every file and folder of it, its name and ``latest`` are synced before ``pack`` returns."""
    done, path = seen.packed, seen.packed_at
    ((renamed, staged),) = [
        (n, Path(call.named[0]))
        for n, call in enumerate(done)
        if call.named is not None and call.named[1] == str(path)
    ]
    for file in (path, *path.rglob("*")):
        if "__pycache__" in file.parts:
            continue
        synced = after(done, staged / file.relative_to(path), 0)
        assert synced is not None, file
        assert synced < renamed, file
    latest = next(
        n
        for n, call in enumerate(done)
        if call.named is not None and call.named[1] == str(path.parent / "latest")
    )
    printed = next(
        n
        for n, call in enumerate(done)
        if call.name == "write" and f"toy:{path.name}" in call.arguments
    )
    appeared, pointed = after(done, path.parent, renamed), after(done, path.parent, latest)
    assert appeared is not None
    assert pointed is not None
    assert renamed < appeared < latest < pointed < printed
    assert after(done, path.parent.parent, 0) is not None


def test_files_are_accessible_to_their_owner_only(seen: Seen) -> None:
    """The root, the spool, the sealed log, artifacts, reports, lock files: all under umask 000."""
    kinds = {path.name for path in seen.modes} | {path.suffix for path in seen.modes}
    expected = {
        ".parquet", ".arrows", ".html", ".json", "golden.arrow", "control.token", "seal.lock",
        "_delta_log", "rollout", "kept.html", "kept.json", "latest",
    }  # fmt: skip
    assert expected <= kinds, expected - kinds
    open_to_others = {
        str(path): oct(mode) for path, mode in seen.modes.items() if mode & OWNERS_ONLY
    }
    assert open_to_others == {}
