"""Two parts joined to an artifact, whose steps and answers are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import golden, store
from gnomon.artifact.artifact import Artifact, inspect
from gnomon.artifact.combining.children import answer
from gnomon.artifact.combining.parts import Joined, JoinRequest, StoredPart
from gnomon.artifact.environment import Environment
from gnomon.artifact.folder import RESTORE
from gnomon.artifact.manifest import (
    CODE,
    CONTRACT,
    GOLDEN,
    MODEL_YAML,
    PIPELINE,
    PROFILE,
    REQUIREMENTS,
    Manifest,
    hash_files,
)
from gnomon.artifact.packing import accept_types
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.vendored_code import vendoring
from gnomon.artifact.vendored_code.importing import VendoredCode
from gnomon.contract.contract import Contract
from gnomon.errors import ArtifactCorrupt, GnomonError, PackRefused
from gnomon.pipeline.halves import joined
from gnomon.pipeline.seeds import seeds

__all__ = ["main"]


def main(folder: str, request: str) -> None:
    """Write the combined artifact to a folder that has its code already.

    Args:
        folder: the new artifact's.
        request: a :class:`~gnomon.artifact.combining.parts.JoinRequest`, as JSON.
    """
    answer(lambda: _join(Path(folder), msgspec.json.decode(request, type=JoinRequest)))


def _join(folder: Path, join: JoinRequest) -> Joined:
    of_model, of_preprocessing = (_inspect(part) for part in (join.model, join.preprocessing))
    manifest = _draft(folder, join, of_model, of_preprocessing)
    VendoredCode(folder, manifest).install()
    preprocessing = _load(join.preprocessing, of_preprocessing, manifest)
    pipeline = joined(preprocessing, join.step, _load(join.model, of_model, manifest))
    recorded = _record(pipeline, join.contract, of_model, of_preprocessing)
    content = pipeline_bytes.dump(pipeline, join.serializer)
    types = pipeline_bytes.named_types(content, join.serializer)
    trusted = sorted({*of_model.manifest.trusted, *of_preprocessing.manifest.trusted})
    accepted = accept_types(content, join.serializer, manifest.modules, trusted)
    environment = Environment.here(vendoring.distributions(_code(folder, manifest), types))
    (folder / PIPELINE[join.serializer]).write_bytes(content)
    join.contract.write(folder / CONTRACT)
    golden.write(recorded, folder / GOLDEN)
    golden.write(_profile(of_model, of_preprocessing), folder / PROFILE)
    (folder / REQUIREMENTS).write_text(environment.requirements)
    description = store.model_yaml(of_model.name, join.version, join.created, environment)
    (folder / MODEL_YAML).write_text(description)
    msgspec.structs.replace(
        manifest,
        environment=environment,
        seeds=seeds(pipeline, of_model.manifest.lineage.rows),
        types=types,
        trusted=accepted,
        files=dict(hash_files(folder)),
    ).write(folder)
    return Joined()


def _inspect(part: StoredPart) -> Artifact:
    """Inspect the artifact of a part again: its lists of trusted types are used here.

    Raises:
        ArtifactCorrupt: it was replaced since.
    """
    artifact = inspect(Path(part.folder))
    if artifact.digest != part.digest:
        raise ArtifactCorrupt(
            "it was replaced while it was combined", where=part.folder, hint=RESTORE
        )
    return artifact


def _draft(
    folder: Path, join: JoinRequest, of_model: Artifact, of_preprocessing: Artifact
) -> Manifest:
    """Return a manifest of the code, with which it is imported."""
    modules = {
        name: file
        for part, artifact in ((join.model, of_model), (join.preprocessing, of_preprocessing))
        for name, file in artifact.manifest.modules.items()
        if name.partition(".")[0] in part.code
    }
    return Manifest(
        name=of_model.name,
        version=join.version,
        created=join.created,
        serializer=join.serializer,
        environment=of_model.manifest.environment,
        lineage=of_model.manifest.lineage,
        seeds={},
        types=(),
        trusted=(),
        modules=dict(sorted(modules.items())),
        files=dict(hash_files(folder)),
        allowed={**of_preprocessing.manifest.allowed, **of_model.manifest.allowed},
        combination=join.combination,
    )


def _load(part: StoredPart, artifact: Artifact, manifest: Manifest) -> Any:
    own = artifact.manifest
    content = Path(part.file).read_bytes()
    return pipeline_bytes.load(
        content, own.serializer, own.accepted, manifest.modules, artifact.tag
    )


def _record(
    pipeline: Any, contract: Contract, of_model: Artifact, of_preprocessing: Artifact
) -> pa.Table:
    """Run the golden rows of the preprocessing, whose steps must give what was recorded of them.

    Raises:
        GoldenMismatch: a step does not.
        PackRefused: the model raised on what it was given.
    """
    recorded = of_preprocessing.golden()
    rows = golden.inputs(recorded, of_preprocessing.contract)
    try:
        again = golden.record_inputs(pipeline, rows, contract)
    except GnomonError:
        raise
    except Exception as error:  # the user's code, or scikit-learn's checks of its input
        raise PackRefused(
            f"the model of {of_model.tag} does not run on the preprocessing of "
            f"{of_preprocessing.tag}: {type(error).__name__}: {error}",
            where=of_preprocessing.tag,
            hint="only what one model can read in both forms can be exchanged",
        ) from error
    steps = [name for name in recorded.column_names if name.startswith("step/")]
    golden.check_same(recorded.select(steps), again, of_preprocessing.tag)
    return again


def _profile(of_model: Artifact, of_preprocessing: Artifact) -> pa.Table:
    """Return the training profile: of inputs and steps that of the one, of outputs the other's."""
    before, answers = of_preprocessing.profile(), of_model.profile()
    return pa.concat_tables(
        [
            before.filter(pc.not_equal(before.column("kind"), "output")),
            answers.filter(pc.equal(answers.column("kind"), "output")),
        ]
    )


def _code(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """Return the vendored top-level modules, and the file or folder of each."""
    tops = {name.partition(".")[0] for name in manifest.modules}
    places = {top: folder / CODE / top for top in tops}
    return {
        top: place if place.is_dir() else place.with_suffix(".py") for top, place in places.items()
    }
