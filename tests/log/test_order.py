"""The order of steps: a file is removed only after its replacement is on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gnomon.log import SegmentWriter
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.settings import Settings
from tests.log.rows import REQUESTS_SCHEMA, live, settings


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Each sync, rename and removal of this process, in order."""
    taken: list[tuple[str, Path]] = []
    real = {
        name: getattr(os, name) for name in ("fsync", "fdatasync", "unlink", "rename", "replace")
    }

    def recorded(name: str) -> object:
        def step(target: object, *rest: object, **keywords: object) -> object:
            done = real[name](target, *rest, **keywords)
            place = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else target
            taken.append((name, Path(str(rest[0] if rest else place))))
            return done

        return step

    for name in real:
        monkeypatch.setattr(os, name, recorded(name))
    return taken


def synced(steps: list[tuple[str, Path]], before: int) -> set[Path]:
    """What was synced before a step."""
    return {path for name, path in steps[:before] if name in ("fsync", "fdatasync")}


def first_removal(steps: list[tuple[str, Path]]) -> int:
    """The step at which the first segment is removed."""
    return next(
        n for n, (name, path) in enumerate(steps) if name == "unlink" and path.suffix == ".arrows"
    )


def test_a_segment_is_removed_after_its_rows_are_on_disk_in_the_table(
    tmp_path: Path, steps: list[tuple[str, Path]]
) -> None:
    """Data files, the commit, the ledger, and every folder that names them."""
    setup = settings(tmp_path)
    writer = SegmentWriter(
        stream_folder(setup, "flights", "a", "requests"), REQUESTS_SCHEMA, settings=setup
    )
    writer.append(live(["a", "b"]))
    writer.rotate()
    writer.close()
    Sealer(setup, "flights").seal()
    root = Path(setup.root)
    done = synced(steps, first_removal(steps))
    table = root / "log" / "flights"
    for path in [*table.rglob("*.parquet"), *table.rglob("_delta_log/*.json")]:
        assert path in done
        assert path.parent in done
    assert {table, table.parent, root} <= done
    [ledger] = (root / "sealed" / "flights").iterdir()
    last = max(n for n, (name, path) in enumerate(steps) if (name, path) == ("replace", ledger))
    assert last < first_removal(steps)
    assert ledger.parent in synced(steps[last:], first_removal(steps) - last)


def test_a_segment_is_closed_after_its_bytes_and_its_successor_are_on_disk(
    tmp_path: Path, steps: list[tuple[str, Path]]
) -> None:
    """A segment in the list of closed segments is complete on disk."""
    folder = tmp_path / "requests"
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=Settings(root="unused"))
    writer.append(live(["a"]))
    writer.rotate()
    writer.fsync()
    [closing] = [n for n, (name, path) in enumerate(steps) if path.name == "closed.json"]
    assert folder / "00000000.arrows" in synced(steps, closing)
    assert folder in synced(steps[closing:], len(steps))
    writer.close()


def test_compaction_removes_files_after_the_new_ones_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, Path]]
) -> None:
    """Commits before a checkpoint are removed after the checkpoint is on disk."""
    setup = settings(tmp_path)
    folder = stream_folder(setup, "flights", "a", "requests")
    for name in "abc":
        writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
        writer.append(live([name]))
        writer.rotate()
        writer.close()
        Sealer(setup, "flights").seal()
    sealer = Sealer(setup, "flights")
    freed: list[set[Path]] = []
    monkeypatch.setattr(
        sealer._maintenance, "free", lambda: freed.append(synced(steps, len(steps)))
    )
    sealer.maintain()
    table = Path(setup.root, "log", "flights")
    log = table / "_delta_log"
    newest = set((sealer._table.load() or pytest.fail("no table")).file_uris())
    for path in [*map(Path, newest), *log.iterdir(), log, table]:
        assert path in freed[0]
