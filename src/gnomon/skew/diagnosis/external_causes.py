"""Causes outside the columns: another environment, or another version of the artifact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from gnomon.artifact import Artifact, Environment
from gnomon.compare.comparators import compare
from gnomon.errors import PredictionFailed
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.policy import Rules
from gnomon.skew.diagnosis.case import CONFIRMED, Mask
from gnomon.skew.diagnosis.other_environment import OtherEnvironment
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["ExternalCause", "ExternalCauses", "since_packed"]


@dataclass(frozen=True, slots=True)
class ExternalCause:
    """An environment or an artifact that gives the other side's answers.

    Attributes:
        column: the first step column that differs; None if it is the model, or not known.
        same: diverging rows whose answers it reproduces.
    """

    cause: str
    column: str | None
    sentence: str
    action: str
    same: int


@dataclass(frozen=True, slots=True)
class ExternalCauses:
    """Runs traced rows through other code.

    Attributes:
        rules: the rules of the outputs.
    """

    traced: TracedRows
    artifact: Artifact
    rerun: Rerun
    names: tuple[str, str]
    rules: Rules

    def environment(self, other: OtherEnvironment) -> ExternalCause | None:
        """Return the environment as cause if it alone gives one side's answers."""
        answers = other.rerun.score(self.traced.inputs)
        same = max(
            int(self._agree(answers, side).sum()) for side in (self.traced.right, self.traced.left)
        )
        here = self.rerun.score(self.traced.inputs)
        diverged = self.traced.sample.diverged
        parted = int((~compare(here, answers, self.rules).agreed & diverged).sum())
        if min(same, parted) < CONFIRMED * diverged.sum():
            return None
        column = self._first(other)
        step = (column or "").rpartition("/")[0]
        return ExternalCause(
            cause="library or hardware version",
            column=column,
            sentence=f"{'Step ' + step if step else 'The model'} gives another result with "
            f"{other.name} ({other.difference or 'the same packages'}).",
            action="Serve with the versions in the artifact's requirements.txt, or pack it again "
            "with those that serve.",
            same=same,
        )

    def version(self, others: Iterable[tuple[Artifact, Rerun]]) -> ExternalCause | None:
        """Return the first other version of the artifact that gives the other side's answers."""
        diverged = self.traced.sample.diverged
        for other, rerun in others:
            own, candidate = self.artifact.contract, other.contract
            if (own.input_schema, own.output_schema) != (
                candidate.input_schema,
                candidate.output_schema,
            ):
                continue
            same = int(self._agree(rerun.score(self.traced.inputs), self.traced.right).sum())
            if same < CONFIRMED * diverged.sum():
                continue
            own_manifest, other_manifest = self.artifact.manifest, other.manifest
            seeds = (
                own_manifest.lineage.data == other_manifest.lineage.data
                and own_manifest.seeds != other_manifest.seeds
            )
            return ExternalCause(
                cause="seed" if seeds else "another version",
                column=None,
                sentence=f"The {self.names[1]} answers are those of {other.tag}"
                + (", fitted on the same data with other seeds." if seeds else "."),
                action=f"Compare with predictions of {self.artifact.tag}, or serve {other.tag}.",
                same=same,
            )
        return None

    def _agree(self, answers: pa.RecordBatch, side: pa.Table) -> Mask:
        return compare(answers, side, self.rules).agreed & self.traced.sample.diverged

    def _first(self, other: OtherEnvironment) -> str | None:
        names = step_columns(self.artifact)
        try:
            here = self.rerun.trace(self.traced.inputs, names)
            there = other.rerun.trace(self.traced.inputs, names)
        except PredictionFailed:
            return None
        return next((n for n in names if not here.column(n).equals(there.column(n))), None)


def since_packed(artifact: Artifact) -> Iterator[str]:
    """List packages whose version here differs from when an artifact was packed."""
    packed = artifact.manifest.environment
    here = Environment.here(packed.packages)
    changed = [
        f"{name} {old}, now {here.packages.get(name, 'none')}"
        for name, old in packed.packages.items()
        if here.packages.get(name) != old
    ]
    if changed:
        yield f"It was packed with {', '.join(changed)}."
