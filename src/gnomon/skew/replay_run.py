"""One run of logged requests through an artifact, in chunks, with the logged answers."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from gnomon.artifact import Artifact
from gnomon.contract import Contract, Decoder
from gnomon.errors import ContractError
from gnomon.log.bodies import DecodedBodies
from gnomon.offline.column_names import joint_contract
from gnomon.offline.logged import Range, Rows
from gnomon.offline.paired_rows import Pairs, about, with_columns
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.policy import Policy, Rules
from gnomon.report import Count
from gnomon.skew.consistency.reported_columns import Kind
from gnomon.skew.consistency.tally import Tally
from gnomon.skew.report_assembly import Sides, skew_limit
from gnomon.worker.messages import ERROR

__all__ = ["ReplayRun"]

AHEAD = 3
"""How many chunks are read and decoded before the worker has scored them."""


@dataclass(frozen=True, slots=True)
class _Scoring:
    """A chunk of the log that was submitted to the worker."""

    rows: Rows
    decoded: DecodedBodies
    answer: Future[pa.RecordBatch]


class ReplayRun:
    """The rows of one artifact, run through the same one or another.

    Attributes:
        is_same: whether they are run through the artifact itself.
        contract: the artifact's, with the same names for features that both have.
        tally: what is counted of the rows; the caller adds them.
        unanswered: rows without an answer, by reason.
    """

    def __init__(
        self, artifact: Artifact, through: Artifact, policy: Policy, sample_rows: int
    ) -> None:
        self._through = through
        self._policy = policy
        self.is_same = through.digest == artifact.digest
        self.contract, target = _joint(artifact, through)
        self._decoder = Decoder(through.contract, target.input_schema.names)
        self.unanswered: dict[str, Count] = {}
        self._features = _common(self.contract.input_schema, target.input_schema)
        self._outputs = _common(artifact.contract.output_schema, through.contract.output_schema)
        if not self._outputs:
            raise ContractError(
                f"{artifact.tag} and {through.tag} have no output in common",
                where=through.tag,
                hint="replay through an artifact that answers the same question",
            )
        answered = artifact.contract.compared_as
        outputs = policy.rules(pa.schema(self._outputs), outputs=answered, same=self.is_same)
        features = policy.rules(pa.schema(self._features), same=True)
        others = Rules(comparators=features.comparators)
        has_entities = bool(self.contract.entity_key)
        self.tally = Tally(outputs, others, sample_rows, has_entities)

    def pairs(
        self, source: Range, rerun: Callable[[], Rerun], scorer: ThreadPoolExecutor
    ) -> Iterator[Pairs]:
        """Yield logged rows paired with their replayed answers, by chunk, in the order of the log.

        While the worker starts and scores, this process reads and decodes the next chunks and
        compares the previous ones. The worker runs on another core and does not wait.
        """
        ahead: deque[_Scoring] = deque()
        for rows in source.chunks(raw=True):
            decoded = source.decode(rows.envelope, self._decoder)
            answer = scorer.submit(lambda batch: rerun().score(batch), decoded.batch)
            ahead.append(_Scoring(rows.without_bodies(), decoded, answer))
            if len(ahead) > AHEAD:
                yield self._pair(source, ahead.popleft())
        while ahead:
            yield self._pair(source, ahead.popleft())

    def _pair(self, source: Range, scoring: _Scoring) -> Pairs:
        """Pair logged rows with their replayed answers; null where a row has none."""
        rows, decoded = scoring.rows, scoring.decoded
        refusal = f"refused by the contract of {self._through.tag}"
        for reason in decoded.refused.values():
            self._count(refusal, reason)
        scored = scoring.answer.result()
        for error in scored.column(ERROR).drop_null().to_pylist():
            self._count(f"failed when replayed: {error.partition(':')[0]}", error)
        places = np.full(rows.num_rows, -1, dtype=np.int64)
        places[decoded.places] = np.arange(len(decoded.places))
        indices = pa.array(places, mask=places < 0)
        columns = [
            *_take_columns(decoded.batch, self._features, indices),
            *_take_columns(scored, self._outputs, indices),
        ]
        names = [field.name for field in (*self._features, *self._outputs)]
        key = source.contract.entity_key
        return Pairs(
            about(rows, source.contract, rows.inputs.select(list(key))),
            with_columns(rows.inputs, rows.outputs),
            pa.table(columns, names=names),
        )

    @property
    def unanswered_rows(self) -> int:
        """How many rows have no answer."""
        return sum(count.rows for count in self.unanswered.values())

    def _count(self, reason: str, example: str) -> None:
        previous = self.unanswered.get(reason, Count(reason=reason, rows=0, example=example))
        self.unanswered[reason] = replace(previous, rows=previous.rows + 1)

    def sides(self, source: Range, *, trace: bool, python: str | None, halves: bool) -> Sides:
        """Return the two sides of the comparison, with the command that repeats it."""
        kinds: dict[str, Kind] = {
            **{field.name: "output" for field in self._outputs},
            **{field.name: "feature" for field in self._features},
        }
        verb = "diagnose" if trace else "replay"
        words = ["gnomon", verb, source.artifact.tag, *source.options()]
        words += ["--python", python] if python else []
        if not self.is_same:
            words += ["--through", self._through.tag, *(["--halves"] if halves else [])]
        return Sides(
            kind="replay",
            left="logged",
            right="replayed",
            against=self._through.tag,
            kinds=kinds,
            keys=source.contract.entity_key,
            limit=skew_limit(self._policy) if self.is_same else _disagreement_limit(self._policy),
            command=shlex.join(words),
            replayed=self._through.tag,
            unanswered=tuple(self.unanswered.values()),
        )


def _joint(artifact: Artifact, through: Artifact) -> tuple[Contract, Contract]:
    """Return both contracts, with the same name for a feature that both have."""
    taken = {
        name
        for side in (artifact, through)
        for name in (*side.contract.output_schema.names, *step_columns(side))
    }
    return joint_contract(artifact.contract, taken), joint_contract(through.contract, taken)


def _common(left: pa.Schema, right: pa.Schema) -> list[pa.Field]:
    """Return the fields of the left that the right has under the same name and type."""
    return [f for f in left if f.name in right.names and right.field(f.name).type == f.type]


def _take_columns(
    batch: pa.RecordBatch, fields: list[pa.Field], indices: pa.Array
) -> list[pa.Array]:
    return [batch.column(field.name).take(indices) for field in fields]


def _disagreement_limit(policy: Policy) -> tuple[float, str]:
    """Return the share of rows on which two artifacts may differ, and its setting."""
    if policy.gates.max_disagreement is None:
        return 1.0, "gates.max_disagreement is not set"
    return policy.gates.max_disagreement, "gates.max_disagreement"
