"""Whether the inputs of a chunk are still like those of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.drift import DriftBatch, DriftCounts
from gnomon.drift.column_reader import ColumnReader
from gnomon.drift.measure import frozen
from gnomon.drift.metrics import BinnedSides
from gnomon.drift.verdicts import column_verdict, worst
from gnomon.name_lists import listed
from gnomon.offline.paired_rows import one_piece, row_ids, seconds
from gnomon.policy import DriftLimits

__all__ = ["InputDrift", "InputVerdict"]

_NAMED = 3


@dataclass(frozen=True, slots=True)
class InputVerdict:
    """What is known of the inputs of a chunk.

    Attributes:
        drifted: inputs that have drifted from the reference, each with its worst metric in words.
        undecided: inputs of which too few rows are there to tell, and as how many independent rows
            these count if entities repeat.
    """

    drifted: Mapping[str, str]
    undecided: tuple[str, ...]

    def reason(self) -> str:
        """Return why an estimate is unknown; empty if it is not."""
        if self.drifted:
            named = listed([f"{name} ({why})" for name, why in self.drifted.items()], _NAMED)
            return f"inputs have drifted from the reference: {named}"
        if self.undecided:
            named = listed(self.undecided, _NAMED)
            return (
                f"too few rows to tell whether inputs have drifted: {named}; make chunks longer, "
                "or put inputs that need not be judged into [drift] ignore of the policy"
            )
        return ""


class InputDrift:
    """Counts inputs, of the reference and by time, in the bins of the artifact's training.

    Args:
        artifact: the artifact that got the inputs.
        limits: of the policy.
    """

    def __init__(self, artifact: Artifact, limits: DriftLimits) -> None:
        self._limits = limits
        self._has_entities = bool(artifact.contract.entity_key)
        reader = ColumnReader(limits, artifact.contract, 1, segments=False)
        self._bins = [
            bins
            for bins in frozen(artifact)
            if bins.kind == "input" and reader.not_judged(bins.kind, bins.name) is None
        ]
        self._reference = DriftCounts(self._bins)
        self._chunks = DriftCounts(self._bins)

    def add_reference(self, facts: pa.Table, inputs: pa.Table) -> None:
        """Count rows of the reference."""
        self._reference.add(self._batch(facts, inputs))

    def add(self, facts: pa.Table, inputs: pa.Table) -> None:
        """Count rows by their time."""
        self._chunks.add(self._batch(facts, inputs))

    def widen(self, to: int) -> None:
        """Make chunks at least this wide, in seconds."""
        while self._chunks.seconds < to and self._chunks.widen():
            pass

    def verdict(self, bucket: int) -> InputVerdict:
        """Compare the inputs of one chunk with those of the reference, by the policy's limits."""
        drifted, undecided = {}, []
        for bins in self._bins:
            key = (bins.kind, bins.name)
            now = self._chunks.columns[key].by_bucket().get(bucket)
            if now is None:
                continue
            sides = BinnedSides.of(bins, self._reference.columns[key].total(), now)
            verdict, by_metric = column_verdict(sides, self._limits) or (None, {})
            if verdict == "drifted":
                metric = worst(by_metric)
                drifted[bins.name] = f"{metric} {by_metric[metric].value:.2g}"
            elif verdict == "unknown":
                undecided.append(bins.name + (f" ({sides.counts_as})" if sides.counts_as else ""))
        return InputVerdict(drifted, tuple(undecided))

    def _batch(self, facts: pa.Table, inputs: pa.Table) -> DriftBatch:
        columns = {(b.kind, b.name): one_piece(inputs.column(b.name)) for b in self._bins}
        entities = facts.column("unit") if self._has_entities else None
        return DriftBatch(columns, seconds(facts.column("time")), row_ids(facts), entities=entities)
