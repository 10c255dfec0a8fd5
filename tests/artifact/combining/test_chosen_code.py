"""Whose copy of a module a combined artifact gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from gnomon.artifact import Artifact
from gnomon.artifact.combining.chosen_code import chosen_code, copy_code
from gnomon.errors import ArtifactCorrupt, PackRefused


class Packed:
    """As much of an artifact as is asked for."""

    def __init__(self, tag: str, **modules: str) -> None:
        self.tag = tag
        self.files = {f"code/{name}.py": digest for name, digest in modules.items()}
        self.manifest: Any = self

    def code_of(self, top: str) -> dict[str, str]:
        return {f"{top}.py": digest for file, digest in self.files.items() if top in file}


def artifact(tag: str, **modules: str) -> Artifact:
    return cast(Artifact, Packed(tag, **modules))


ONE = artifact("m:1", clock="a", net="b", shared="c")
TWO = artifact("m:2", clock="x", net="y", shared="c")


def test_each_half_brings_what_it_imports() -> None:
    """Another version of the module in the other artifact is left there."""
    assert chosen_code(ONE, ["net"], TWO, ["clock"]) == (("net",), ("clock",))


def test_the_same_code_is_taken_once() -> None:
    """Both halves may import it."""
    assert chosen_code(ONE, ["net", "shared"], TWO, ["shared"]) == (("net",), ("shared",))


def test_other_code_under_one_name_is_refused() -> None:
    """The module and both artifacts are named."""
    with pytest.raises(PackRefused, match=r"m:1 and the preprocessing of m:2 import `clock`"):
        chosen_code(ONE, ["clock"], TWO, ["clock"])


def test_the_copy_is_what_was_packed(packed: Artifact, tmp_path: Path) -> None:
    """Each file is hashed as it is read."""
    copy_code(packed, ["preprocessing"], tmp_path)
    code = packed.path / "code" / "preprocessing" / "clock.py"
    copied = tmp_path / "code" / "preprocessing" / "clock.py"
    assert copied.read_bytes() == code.read_bytes()
    files = {**packed.manifest.files, "code/preprocessing/clock.py": "0" * 64}
    other = replace(packed.manifest, files=files)
    damaged = Artifact(packed.path, packed.digest, other, packed.contract)
    with pytest.raises(ArtifactCorrupt, match="clock"):
        copy_code(damaged, ["preprocessing"], tmp_path)
