"""Toy artifacts and rows for workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.contract import from_frame
from tests.forking import forked_children, fresh_children
from tests.packing import SCRIPT, install

__all__ = ["Toy", "forked_children", "fresh_children", "rows", "toy"]

Toy = Callable[[str], Artifact]
"""Packs user code, once a run, and gives the inspected artifact."""


@pytest.fixture(scope="module")
def toy(
    packed_once: Callable[[str, str, str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Toy:
    """Artifacts in a store that the tests of a module share."""
    home = tmp_path_factory.mktemp("store")

    def packed(source: str) -> Artifact:
        tag = install(packed_once(source, "toy", SCRIPT), home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BENTOML_HOME", str(home))
            return inspect(tag)

    return packed


def rows(artifact: Artifact, values: list[float], prefix: str = "e") -> pa.RecordBatch:
    """Decoded rows of the toy contract; those named ``online`` meet its fault."""
    frame = pd.DataFrame({"x": values, "id": [f"{prefix}{n}" for n in range(len(values))]})
    return from_frame(frame, artifact.contract)
