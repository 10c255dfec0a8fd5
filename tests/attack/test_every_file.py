"""Every file of an artifact, replaced by everything else that could be in its place.

Hashes are made right again, as by a forger. Whoever reads the artifact, to show it, to load it or
to measure drift by it, gets one clear error of Gnomon's, soon and in bounded memory.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from gnomon.artifact import Artifact
from tests.attack.forging import reseal, seal
from tests.attack.watching import Watcher
from tests.packing import SCRIPT, times

Forgery = Callable[[Path], None]
FILES = (
    "manifest.json", "contract.json", "golden.arrow", "profile.arrow", "checks.json",
    "pipeline.skops", "requirements.txt", "model.yaml", "code/preprocessing/constants.py",
)  # fmt: skip
MOST_MB = 500


def put(content: bytes) -> Forgery:
    return lambda path: _write(path, content)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "within").touch()


def huge(path: Path) -> None:
    os.truncate(path, 4 * 2**30)


def each_value(path: Path) -> None:
    """Every value of a JSON document by one that is a number and none."""
    content: Any = json.loads(path.read_bytes()) if path.suffix == ".json" else {}

    def change(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: change(one) for key, one in value.items()}
        return [change(one) for one in value] if isinstance(value, list) else float("nan")

    path.write_text(json.dumps(change(content)))


def columns(change: Callable[[pa.Table], pa.Table]) -> Forgery:
    """A table with its columns, and other values."""

    def forge(path: Path) -> None:
        if path.suffix != ".arrow":
            return each_value(path)
        with pa.ipc.open_file(path) as reader:
            table = change(reader.read_all())
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
        return None

    return forge


def nulls(table: pa.Table) -> pa.Table:
    fields = [field.with_nullable(True) for field in table.schema]
    values = [pa.nulls(table.num_rows, field.type) for field in fields]
    return pa.table(values, schema=pa.schema(fields, table.schema.metadata))


def texts(table: pa.Table) -> pa.Table:
    return pa.table({name: pa.array(["NaN"] * table.num_rows) for name in table.column_names})


def repeated(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table] * 3)


def no_rows(table: pa.Table) -> pa.Table:
    return table.slice(0, 0)


FORGERIES: dict[str, Forgery] = {
    "empty": put(b""), "a FIFO": fifo, "a link": link, "a folder": folder, "huge": huge,
    "random": put(bytes(range(256)) * 4000), "null": put(b"null"), "a list": put(b"[]"),
    "a text": put(b'"x"'), "an empty object": put(b"{}"), "1e999": put(b'{"format": 1e999}'),
    "nested": put(b"[" * 2_000_000), "nested objects": put(b'{"format":' * 500_000),
    "NaN": put(b"NaN"), "every value": each_value, "nulls": columns(nulls),
    "texts": columns(texts), "repeated": columns(repeated), "no rows": columns(no_rows),
}  # fmt: skip


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    with Watcher(everything=True) as watching:
        yield watching


def check(watcher: Watcher, folder: Path, what: str) -> list[str]:
    """What is not as it should be."""
    before = watcher.memory()
    answer = watcher.ask(folder)
    wrong = []
    for reading, told in answer.items():
        said, reason = told["said"]
        if said.startswith("RAISED") or told["done"] or told["seconds"] > 20 or "\n" in reason:
            wrong.append(f"{what}: {reading}: {told}")
    if watcher.memory() - before > MOST_MB * 2**20:
        wrong.append(f"{what}: it took {watcher.memory() >> 20} MB")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_forged_file_is_an_error_that_says_so(
    packed: Artifact, tmp_path: Path, watcher: Watcher, name: str
) -> None:
    """If the file does not affect what is served, nothing changes."""
    wrong = []
    for kind, forge in FORGERIES.items():
        if (name, kind) == ("pipeline.skops", "huge"):
            continue  # Forests of some GB are real: it is hashed.
        copy = Path(shutil.copytree(packed.path, tmp_path / "copy"))
        forge(copy / name)
        if name == "manifest.json" and (copy / name).is_file() and kind not in ("huge", "a link"):
            seal(copy, (copy / name).read_bytes())
        elif name != "manifest.json" and kind not in ("huge", "a link", "a FIFO", "a folder"):
            reseal(copy)
        wrong += check(watcher, copy, f"{name}, {kind}")
        shutil.rmtree(copy)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_a_file_of_another_artifact_is_an_error_or_fits(
    packed: Artifact,
    packed_once: Callable[[str, str, str], Path],
    tmp_path: Path,
    watcher: Watcher,
) -> None:
    """Each file is intact, but from another pipeline, contract and training."""
    other, wrong = packed_once(times(2), "toy", SCRIPT), []
    for name in FILES:
        if (other / name).is_file():
            copy = Path(shutil.copytree(packed.path, tmp_path / "copy"))
            shutil.copyfile(other / name, copy / name)
            if name != "manifest.json":
                reseal(copy)
            wrong += check(watcher, copy, f"{name} of another")
            shutil.rmtree(copy)
    assert not wrong, "\n".join(wrong)
