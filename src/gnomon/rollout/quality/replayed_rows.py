"""Logged rows of live, run through a candidate as if it had been a shadow then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.compare.comparators import compare
from gnomon.contract import Decoder
from gnomon.labels.key_finder import row_key
from gnomon.log import Snapshot, input_column
from gnomon.log.bodies import DecodedBodies
from gnomon.log.sampling import units_of
from gnomon.offline.column_names import joint_contract
from gnomon.offline.logged import Range, Rows
from gnomon.offline.paired_rows import one_piece
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.policy import Policy
from gnomon.rollout.quality.measure import ComparedArtifacts
from gnomon.rollout.quality.paired_rows import PairedRows, PairedRun
from gnomon.worker.messages import ERROR

__all__ = ["ReplayedRows", "replayed_rows"]


@dataclass(frozen=True, slots=True)
class ReplayedRows:
    """Some logged rows, replayed.

    Attributes:
        records: what a shadow's feed would have recorded of each row, as far as gates read it.
        paired: the rows that the candidate scored, beside live's answers, with their labels.
    """

    records: pa.RecordBatch
    paired: PairedRows


def replayed_rows(
    snapshot: Snapshot,
    sides: ComparedArtifacts,
    run: PairedRun,
    labels: pa.Table,
    policy: Policy,
    rerun: Callable[[], Rerun],
    features: Sequence[str] = (),
) -> Iterator[ReplayedRows]:
    """Yield the rows that live answered, with the candidate's answers to the same bodies.

    Memory grows with the labels, not with the log.

    Args:
        snapshot: the log.
        sides: live, and the candidate as the shadow.
        run: the range of rows.
        labels: the known labels, see `gnomon.rollout.quality.paired_rows.LABELS`.
        policy: the rules by which answers agree.
        rerun: returns the candidate's worker.
        features: features whose values are needed, as live read them.
    """
    contract = sides.shadow.contract
    source = Range(snapshot, sides.live, "live", run.start, run.end)
    decoder = Decoder(contract, _joint_names(sides.live, sides.shadow))
    replay = _Replay(sides, labels, policy, features)
    for rows in source.chunks(raw=True):
        decoded = source.decode(rows.envelope, decoder)
        yield replay.rows(rows.without_bodies(), decoded, rerun().score(decoded.batch))


class _Replay:
    def __init__(
        self, sides: ComparedArtifacts, labels: pa.Table, policy: Policy, features: Sequence[str]
    ) -> None:
        live, shadow = sides.live.contract, sides.shadow.contract
        self._key = [name for name in shadow.entity_key if name in live.input_schema.names]
        if len(self._key) < len(shadow.entity_key):
            self._key = []
        self._features = dict.fromkeys([*self._key, *features])
        self._names = live.input_schema.names
        self._outputs = shadow.output_schema
        shared = [field for field in self._outputs if field.name in live.output_schema.names]
        self._rules = policy.rules(pa.schema(shared), outputs=shadow.compared_as)
        self._labels = labels
        self._labelled = row_key(labels.column("request_id"), labels.column("row"))

    def rows(self, rows: Rows, decoded: DecodedBodies, answers: pa.RecordBatch) -> ReplayedRows:
        """Put the answers beside the logged rows; a row that was refused or failed has none."""
        scored = np.asarray(answers.column(ERROR).is_null())
        places = decoded.places[scored]
        failed = np.ones(rows.num_rows, bool)
        failed[places] = False
        common = self._common(rows)
        live = {name: one_piece(rows.outputs.column(name)) for name in rows.outputs.column_names}
        good = answers.filter(pa.array(scored))
        shadow = {name: good.column(name) for name in self._outputs.names}
        chosen = pa.array(places)
        key = [input_column(name) for name in self._key]
        paired = PairedRows(
            common.take(chosen),
            units_of(common, common.column("request_id"), key).take(chosen),
            {name: values.take(chosen) for name, values in live.items()},
            shadow,
        )
        return ReplayedRows(self._records(common, failed, places, paired), paired)

    def _common(self, rows: Rows) -> pa.RecordBatch:
        columns = {n: one_piece(rows.envelope.column(n)) for n in ("request_id", "row", "arrived")}
        keys = row_key(columns["request_id"], columns["row"])
        place = pc.index_in(keys, value_set=self._labelled)
        for name in ("label", "known_at"):
            columns[name] = one_piece(self._labels.column(name).take(place))
        for name in self._features:
            position = self._names.index(name)  # Names in the rows may be joint ones.
            columns[input_column(name)] = one_piece(rows.inputs.column(position))
        return pa.RecordBatch.from_pydict(columns)

    def _records(
        self, common: pa.RecordBatch, failed: Any, places: Any, paired: PairedRows
    ) -> pa.RecordBatch:
        """Return each row's outcome and comparison."""
        names = list(self._rules.comparators)
        back = np.full(common.num_rows, -1)
        back[places] = np.arange(len(places))
        indices = pa.array(back, mask=back < 0)
        columns = {name: common.column(name) for name in common.schema.names}
        columns["outcome"] = pa.array(np.where(failed, "failed", "scored"))
        columns["error_code"] = pa.nulls(common.num_rows, pa.string())
        for name, kind in (("agreed", pa.bool_()), ("flipped", pa.bool_()),
                           ("difference", pa.float64())):  # fmt: skip
            columns[name] = pa.nulls(common.num_rows, kind)
        if names:
            sides = [
                pa.table({name: side[name] for name in names})
                for side in (paired.live, paired.shadow)
            ]
            result = compare(sides[0], sides[1], self._rules)
            columns["agreed"] = pa.array(result.agreed).take(indices)
            columns["difference"] = pa.array(result.difference, from_pandas=True).take(indices)
            if self._rules.decides:
                columns["flipped"] = pa.array(result.flipped).take(indices)
        return pa.RecordBatch.from_pydict(columns)


def _joint_names(live: Artifact, candidate: Artifact) -> list[str]:
    """Return names of the candidate's features that no output or step column has."""
    taken = {
        name
        for side in (live, candidate)
        for name in (*side.contract.output_schema.names, *step_columns(side))
    }
    names: list[str] = joint_contract(candidate.contract, taken).input_schema.names
    return names
