"""The same rows with the table's values at another time: the rung of shifted as-of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.compare.comparators import compare
from gnomon.errors import PredictionFailed
from gnomon.offline.rerun import Rerun
from gnomon.offline.shifts import NOW, History, Shifted, changing
from gnomon.policy import Policy
from gnomon.report import Rung
from gnomon.skew.consistency.reported_columns import only
from gnomon.skew.diagnosis.case import spread
from gnomon.skew.diagnosis.replaced_inputs import with_feature
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["versions"]

_MOST_ROWS = 500


def versions(
    walk: TracedRows, artifact: Artifact, rerun: Rerun, history: History
) -> Iterator[Rung]:
    """R4: rows that diverge, what differs of them as the table had it then, before and later.

    Args:
        walk: the rows.
        artifact: whose answers are on the left.
        rerun: that artifact.
        history: gives the table at other times.
    """
    columns = _differing(walk)
    if not columns:
        return
    contract = artifact.contract
    rules = only(walk.rules, walk.of_kind("output"))
    logged = Policy().rules(contract.output_schema, outputs=contract.compared_as, same=True)
    chosen = spread(walk.sample.diverged, _MOST_ROWS)
    about = walk.sample.pairs.about.take(pa.array(chosen))
    what = "features" if walk.kinds[columns[0]] == "feature" else "step columns"
    for found in changing(history, about):
        places = pa.array(chosen[found.there])
        inputs, forced = _given(walk, places, columns, found)
        try:
            answers = (
                rerun.experiment(inputs, contract.output_schema.names, forced=forced)
                if forced
                else rerun.score(inputs)
            )
        except PredictionFailed:
            continue  # values that the rest of the pipeline cannot be given
        left, right = walk.sample.pairs.left.take(places), walk.right.take(places)
        yield Rung(
            name="R4",
            what=f"with the {what} the table had then"
            if found.shift == NOW
            else f"with those of {found.shift.what}",
            rows=len(places),
            as_left=int(compare(answers, left, logged).agreed.sum()),
            as_right=int(compare(answers, right, rules).agreed.sum())
            if rules.comparators
            else None,
        )


def _differing(walk: TracedRows) -> list[str]:
    """The features that differ; where none does, the step columns."""
    features, steps = (
        [name for name in walk.of_kind(kind) if walk.differs(name).any()]
        for kind in ("feature", "step")
    )
    return features or steps


def _given(
    walk: TracedRows, places: pa.Array, columns: list[str], found: Shifted
) -> tuple[pa.RecordBatch, dict[str, pa.Array]]:
    """Rows as they were asked, with the table's values in place of their own: of features, and of
    step columns."""
    inputs, forced = walk.inputs.take(places), {}
    table = found.right.filter(pa.array(found.there))
    for name in columns:
        values = table.column(name).combine_chunks()
        if walk.kinds[name] == "step":
            forced[name] = values
            continue
        with suppress(pa.ArrowInvalid):  # a value the artifact cannot be given
            inputs = with_feature(inputs, name, values)
    return inputs, forced
