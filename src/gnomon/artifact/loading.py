"""The loading of an artifact: the only place where its code starts to run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from gnomon.artifact import golden
from gnomon.artifact.artifact import Artifact, inspect
from gnomon.artifact.folder import parsing
from gnomon.artifact.manifest import GOLDEN
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.vendored_code.importing import VendoredCode
from gnomon.contract.frames import as_input, to_input
from gnomon.contract.training_table import as_table
from gnomon.errors import ArtifactCorrupt, ArtifactError, GnomonError
from gnomon.pipeline.predicting import DirectPredictor, Predictor, outputs

__all__ = ["LoadedArtifact", "load"]

logger = logging.getLogger("gnomon")


@dataclass(frozen=True)
class LoadedArtifact:
    """An artifact whose pipeline is in memory.

    Attributes:
        artifact: what was loaded.
        pipeline: the fitted pipeline.
        code: the modules that it runs.
    """

    artifact: Artifact
    pipeline: Any
    code: VendoredCode = field(repr=False)

    def predict(self, X: Any) -> pa.RecordBatch:  # noqa: N803
        """Predict rows like those of training; return the contract's output schema.

        That is ``prediction``, then a ``probability_<class>`` for each class.

        Args:
            X: as it was packed: a frame, whose columns are found by name, a Series, a list of
                dictionaries, or an array with the features in their order.

        Raises:
            ArtifactError: one of its modules was edited and imported again since it was loaded.
        """
        self.code.check_memory()
        contract = self.artifact.contract
        return outputs(self.pipeline, as_input(as_table(X, contract), contract), contract)

    def predictor(self, *, fast: bool = True) -> Callable[[Any], pa.RecordBatch]:
        """Return a function that predicts the pipeline's input as :meth:`predict`, bit for bit.

        Args:
            fast: use shortcuts that make calls faster. False: call ``predict`` and
                ``predict_proba`` themselves.

        This predicts the golden rows, so call it in the process that will predict.
        """
        contract = self.artifact.contract
        if not fast:
            return DirectPredictor(self.pipeline, contract)
        predictor = Predictor(self.pipeline, contract)
        rows = golden.inputs(self.artifact.golden(), contract)
        if not predictor.take_shortcuts(to_input(rows, contract)):
            logger.warning(
                "%s: shortcuts do not reproduce its steps; calling the steps", self.artifact.tag
            )
        return predictor

    def verify(self) -> None:
        """Run the golden rows.

        Raises:
            GoldenMismatch: the results differ from the recorded ones; names the first step and
                column.
        """
        artifact = self.artifact
        with parsing(GOLDEN, artifact.path / GOLDEN):
            golden.verify(self.pipeline, artifact.golden(), artifact.contract, artifact.tag)


def load(
    which: str | Path | Artifact, *, verify: bool = True, digest: str | None = None
) -> LoadedArtifact:
    """Load an artifact and run its golden rows.

    It is inspected first, so nothing runs that is not what was packed. Its vendored modules are
    imported from its own ``code/``, under the names they had. Where this process has imported
    modules under those names, they are used if they are the same code, to the byte; else it is
    refused, because they would run instead.

    Args:
        which: ``name:version``, ``name:latest`` or ``name`` (the newest version), the path of its
            folder, or what :func:`~gnomon.pack` or :func:`~gnomon.inspect` returned.
        verify: run the golden rows. A process that forks must leave this to its children:
            prediction may start threads, which do not survive a fork.
        digest: the digest that it must have, if another process has inspected it.

    Raises:
        ArtifactError: it must not or cannot be loaded; its subclasses say why.
        UnknownArtifact: there is none.
    """
    artifact = inspect(which)
    if digest is not None and artifact.digest != digest:
        raise ArtifactCorrupt(
            f"expected the artifact with digest {digest[:12]}, got {artifact.digest[:12]}",
            where=str(artifact.path),
            hint="it was replaced after it was inspected; a version is never packed twice",
        )
    manifest = artifact.manifest
    code = VendoredCode(artifact.path, manifest)
    code.install()
    content = artifact.read(manifest.pipeline_file)
    where = str(artifact.path / manifest.pipeline_file)
    try:
        pipeline = pipeline_bytes.load(
            content, manifest.serializer, manifest.accepted, manifest.modules, where
        )
    except GnomonError:
        raise
    except Exception as error:
        raise ArtifactError(
            f"loading the pipeline raised {type(error).__name__}: {error}",
            where=artifact.tag,
            hint="its requirements.txt lists what it needs",
        ) from error
    code.check()
    loaded = LoadedArtifact(artifact, pipeline, code)
    if verify:
        loaded.verify()
    return loaded
