"""The check in a fresh process."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.artifact import Artifact, fresh_process
from gnomon.errors import PackRefused
from tests.artifact.conftest import reseal

pytestmark = pytest.mark.usefixtures("fresh_children")


def test_a_whole_artifact_passes(packed: Artifact) -> None:
    """It loads and verifies with nothing of this process in reach."""
    fresh_process.in_fresh_process(packed.path)


def test_the_reason_comes_back(copied: Path) -> None:
    """What the other process found wrong is the message here."""
    (copied / "code" / "preprocessing" / "constants.py").write_text("FACTOR = 3\n")
    reseal(copied)
    with pytest.raises(PackRefused, match="fresh process: step `columns"):
        fresh_process.in_fresh_process(copied)


def test_a_process_that_dies_is_a_refusal(copied: Path) -> None:
    """Code that ends the interpreter is reported with what it wrote."""
    (copied / "code" / "preprocessing" / "constants.py").write_text(
        "import os\nos.write(2, b'out of cheese')\nos._exit(9)\n"
    )
    reseal(copied)
    with pytest.raises(PackRefused, match="status 9: out of cheese"):
        fresh_process.in_fresh_process(copied)
