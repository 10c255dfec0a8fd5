"""One part of an artifact, taken out of it after both parts were verified together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from gnomon.artifact import golden
from gnomon.artifact.artifact import Artifact
from gnomon.artifact.combining.children import answer
from gnomon.artifact.combining.parts import Taken, Which
from gnomon.artifact.loading import LoadedArtifact, load
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.vendored_code.vendoring import find_code
from gnomon.contract.frames import to_input
from gnomon.errors import PackRefused
from gnomon.pipeline.halves import model_input, split
from gnomon.pipeline.predicting import outputs

__all__ = ["main"]


def main(folder: str, digest: str, which: Which, file: str) -> None:
    """Write one part of an artifact to a file, and print what it is.

    Args:
        folder: the artifact.
        digest: the one that was inspected.
        which: ``model`` or ``preprocessing``.
        file: where the part is written.
    """
    answer(lambda: _taken(load(Path(folder), digest=digest), which, Path(file)))


def _taken(loaded: LoadedArtifact, which: Which, file: Path) -> Taken:
    """Loading has verified the golden rows: of every step, and the answers."""
    artifact, pipeline = loaded.artifact, loaded.pipeline
    try:
        halves = split(pipeline)
    except PackRefused as error:
        error.where = artifact.tag
        raise
    rows = golden.inputs(artifact.golden(), artifact.contract)
    ready, form = model_input(halves.preprocessing, to_input(rows, artifact.contract))
    part = halves.model if which == "model" else halves.preprocessing
    content = pipeline_bytes.dump(part, artifact.manifest.serializer)
    if which == "model":
        _verify_alone(content, ready, artifact)
    file.write_bytes(content)
    return Taken(
        file=str(file), step=halves.name, form=form, imports=_imports(artifact, pipeline, part)
    )


def _verify_alone(content: bytes, ready: Any, artifact: Artifact) -> None:
    """Check that the model, stored without its preprocessing, gives the recorded answers.

    Raises:
        GoldenMismatch: it does not.
    """
    manifest = artifact.manifest
    model = pipeline_bytes.load(
        content, manifest.serializer, manifest.accepted, manifest.modules, artifact.tag
    )
    answers = pa.Table.from_batches([outputs(model, ready, artifact.contract)])
    found = answers.rename_columns([f"output/{name}" for name in answers.column_names])
    golden.check_same(artifact.golden().select(found.column_names), found, artifact.tag)


def _imports(artifact: Artifact, pipeline: Any, part: Any) -> tuple[str, ...]:
    vendored = {name.partition(".")[0] for name in artifact.manifest.modules}
    by_name = find_code(pipeline).keys()
    return tuple(sorted((vendored - by_name) | (vendored & find_code(part).keys())))
