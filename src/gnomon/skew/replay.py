"""Run logged requests again, offline, through the same worker code."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from gnomon.artifact import Artifact
from gnomon.contract import Contract, Decoder
from gnomon.errors import ContractError
from gnomon.log import InferenceLog
from gnomon.log.bodies import DecodedBodies
from gnomon.log.snapshot import Role
from gnomon.offline.column_names import joint_contract
from gnomon.offline.logged import Range, Rows
from gnomon.offline.paired_rows import Pairs, about, with_columns
from gnomon.offline.rerun import LazyRerun, Rerun, refuse_unknown_names, step_columns
from gnomon.policy import Policy, Rules
from gnomon.report import Count, Report
from gnomon.settings import Settings
from gnomon.skew.consistency.reported_columns import Kind
from gnomon.skew.consistency.tally import Tally
from gnomon.skew.diagnosis.diagnose import NOTHING_TO_RUN, diagnose
from gnomon.skew.diagnosis.other_environment import run_in_environment
from gnomon.skew.diagnosis.traced_rows import sampled, trace_sample
from gnomon.skew.report_assembly import Sides, compose, skew_limit
from gnomon.worker.messages import ERROR

__all__ = ["replay"]

AHEAD = 3
"""How many chunks are read and decoded before the worker has scored them."""


def replay(
    log: InferenceLog,
    artifact: Artifact,
    *,
    through: Artifact | None = None,
    policy: Policy | None = None,
    role: Role = "live",
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    sample_rows: int = 10_000,
    settings: Settings | None = None,
    python: str | None = None,
    trace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Run the requests that an artifact answered again, and compare with the logged answers.

    Request bodies are decoded by the contract and scored in a worker, as they were online. Through
    the same artifact, inputs and outputs must equal the logged ones (the policy's ``[skew]``);
    through another, the report shows what it would have changed (``[compare]``). A row that the
    contract refuses or that the pipeline fails on diverges. Memory grows with entities, not rows.

    Args:
        artifact: the artifact whose logged requests are run again.
        through: the artifact to run them through; the same one when not given.
        policy: the tolerances, and how many rows may differ.
        role: whether ``artifact`` answered as ``live`` or as ``shadow``.
        start: rows that arrived from this time on.
        end: rows that arrived before this time.
        limit: stop after this many rows.
        sample_rows: diverging rows, and as many agreeing ones, to keep for plots and examples.
        settings: settings of the worker.
        python: the interpreter of another environment to run them in; this one when not given.
        trace: trace a sample of the diverging rows to find the cause.
        progress: called with the number of logged rows run since the last call.

    Raises:
        LogError: there is no log of the model.
        ContractError: the two artifacts have no output in common.
        PolicyError: the policy names a column that the artifact does not have.
    """
    policy, settings = policy or Policy(), settings or Settings.read()
    refuse_unknown_names(policy, through or artifact)
    replay_run = _Replay(artifact, through or artifact, policy, sample_rows)
    with ExitStack() as stack:
        snapshot = stack.enter_context(log.snapshot())
        source = Range(snapshot, artifact, role, start, end, limit, joint=replay_run.contract)
        target = through or artifact
        other_environment = run_in_environment(python, target, settings, stack) if python else None
        workers = stack.enter_context(ExitStack())  # closed after the scorer that uses them
        ready = LazyRerun(workers, target, settings)
        rerun = (lambda: other_environment.rerun) if other_environment else ready
        scorer = ThreadPoolExecutor(1, "score")
        stack.callback(scorer.shutdown, cancel_futures=True)
        for pairs in replay_run.pairs(source, rerun, scorer):
            replay_run.tally.add(pairs)
            if progress:
                progress(pairs.num_rows)
        traced = diagnosed = None
        if trace and replay_run.tally.main.disagreed:
            own_rerun = (ready if replay_run.is_same else LazyRerun(workers, artifact, settings))()
            sample = sampled(replay_run.tally.diverging, replay_run.tally.agreeing)
            traced = trace_sample(
                sample, source, own_rerun, policy, other_environment=other_environment
            )
            diagnosed = NOTHING_TO_RUN
        if traced:
            diagnosed = diagnose(
                traced,
                artifact,
                own_rerun,
                names=("logged", "replayed"),
                confidence=policy.gates.confidence,
                other_environment=other_environment,
            )
    return compose(
        replay_run.tally,
        source,
        replay_run.sides(source, trace=trace, python=python),
        policy,
        traced=traced,
        diagnosed=diagnosed,
    )


@dataclass(frozen=True, slots=True)
class _Scoring:
    """A chunk of the log that was submitted to the worker."""

    rows: Rows
    decoded: DecodedBodies
    answer: Future[pa.RecordBatch]


class _Replay:
    """The rows of one artifact, run through the same one or another."""

    def __init__(
        self, artifact: Artifact, through: Artifact, policy: Policy, sample_rows: int
    ) -> None:
        self._through = through
        self._policy = policy
        self.is_same = through.digest == artifact.digest
        self.contract, target = _joint(artifact, through)
        self._decoder = Decoder(through.contract, target.input_schema.names)
        self._unanswered: dict[str, Count] = {}
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

    def _count(self, reason: str, example: str) -> None:
        previous = self._unanswered.get(reason, Count(reason=reason, rows=0, example=example))
        self._unanswered[reason] = replace(previous, rows=previous.rows + 1)

    def sides(self, source: Range, *, trace: bool, python: str | None) -> Sides:
        """Return the two sides of the comparison, with the command that repeats it."""
        kinds: dict[str, Kind] = {
            **{field.name: "output" for field in self._outputs},
            **{field.name: "feature" for field in self._features},
        }
        verb = "diagnose" if trace else "replay"
        words = ["gnomon", verb, source.artifact.tag, *source.options()]
        words += ["--python", python] if python else []
        if not self.is_same:
            words += ["--through", self._through.tag]
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
            unanswered=tuple(self._unanswered.values()),
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
