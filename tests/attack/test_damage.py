"""Damage of every kind to every file of a real artifact: an error of Gnomon's, or the same content.

A child inspects and loads each damaged copy, in bounded time and memory, with a hook on what
Python does: it may write nothing, run nothing and connect to nothing.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gnomon.artifact import Artifact
from tests.attack.forging import members, reseal, seal, write_members
from tests.attack.watching import Watcher

ROUNDS = 6
"""Of each kind of damage, on each file, sealed and not; each takes a twentieth of a second."""

Damage = Callable[[bytes, random.Random], bytes]


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    with Watcher() as watching:
        yield watching


def flip(content: bytes, draw: random.Random) -> bytes:
    """Some bits."""
    changed = bytearray(content or b"\0")
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(content: bytes, draw: random.Random) -> bytes:
    """Off its end, or its start."""
    at = draw.randrange(len(content) + 1)
    return content[:at] if draw.random() < 0.7 else content[at:]


def duplicate(content: bytes, draw: random.Random) -> bytes:
    """Repeat a piece."""
    start = draw.randrange(len(content) + 1)
    piece = content[start : start + draw.randint(1, 2_000)]
    return content[:start] + piece * draw.randint(2, 50) + content[start:]


def swap(content: bytes, draw: random.Random) -> bytes:
    """Two pieces."""
    size = draw.randint(1, 64)
    a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:a] + content[b : b + size] + content[a + size : b] + content[a : a + size]


def nest(content: bytes, draw: random.Random) -> bytes:
    """Nest a value in more brackets than a stack has room for."""
    depth = draw.choice([10, 1_000, 60_000])
    at = draw.randrange(len(content) + 1)
    return content[:at] + b'{"a":' * depth + b"[" * depth + content[at:]


def swell(content: bytes, draw: random.Random) -> bytes:
    """A number in it, beyond every bound."""
    digits = [i for i, byte in enumerate(content) if 48 <= byte <= 57] or [0]
    at = draw.choice(digits)
    large = draw.choice([b"1e999", b"9" * 400, b"-1", b"18446744073709551616", b"\xff\xff\xff\x7f"])
    return content[:at] + large + content[at + 1 :]


DAMAGES: list[Damage] = [flip, cut, duplicate, swap, nest, swell]
FILES = [
    *("manifest.json", "contract.json", "golden.arrow", "profile.arrow", "checks.json"),
    *("pipeline.skops", "schema.json", "an array", "requirements.txt", "model.yaml"),
    "code/preprocessing/constants.py",
]


def damage(folder: Path, name: str, how: Damage, draw: random.Random) -> None:
    """Change one file, or one member of the pipeline."""
    if name in ("schema.json", "an array"):
        content = members(folder)
        arrays = sorted(member for member in content if member != "schema.json")
        chosen = name if name in content else draw.choice(arrays)
        content[chosen] = how(content[chosen], draw)
        write_members(folder, content)
    else:
        path = folder / name
        path.write_bytes(how(path.read_bytes(), draw))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("sealed", [True, False], ids=["resealed", "damaged"])
def test_damage_is_an_error_or_makes_no_difference(
    packed: Artifact, tmp_path: Path, name: str, sealed: bool, watcher: Watcher
) -> None:
    """Never another exception, a hang or unbounded memory, and no code runs."""
    draw = random.Random(f"{name} {sealed}")
    for number in range(ROUNDS if sealed else 1):
        for how in DAMAGES:
            folder = Path(shutil.copytree(packed.path, tmp_path / f"{how.__name__}-{number}"))
            damage(folder, name, how, draw)
            if sealed and name == "manifest.json":
                seal(folder, (folder / name).read_bytes())
            elif sealed:
                reseal(folder)
            answer = watcher.ask(folder)
            for what in ("inspect", "load"):
                said, reason = answer[what]["said"]
                assert not said.startswith("RAISED"), (how.__name__, number, what, said, reason)
                assert answer[what]["done"] == [], (how.__name__, number, what)
                assert answer[what]["seconds"] < 20
            changed = any(
                (packed.path / file).read_bytes() != (folder / file).read_bytes()
                for file in packed.manifest.files
            )
            if changed and not sealed:
                assert answer["load"]["said"][0] == "ArtifactCorrupt", (how.__name__, number)
            shutil.rmtree(folder)
