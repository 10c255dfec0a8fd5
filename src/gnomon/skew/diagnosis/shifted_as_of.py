"""Run rows with the table's values as of other times: the rung of shifted as-of times."""

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
    traced: TracedRows, artifact: Artifact, rerun: Rerun, history: History
) -> Iterator[Rung]:
    """Run R4: diverging rows, with the table's values as of then, earlier and later.

    Args:
        traced: the rows.
        artifact: the artifact whose answers are on the left.
        rerun: runs that artifact.
        history: looks up the table at other times.
    """
    columns = _differing(traced)
    if not columns:
        return
    contract = artifact.contract
    rules = only(traced.rules, traced.of_kind("output"))
    logged = Policy().rules(contract.output_schema, outputs=contract.compared_as, same=True)
    rows = spread(traced.sample.diverged, _MOST_ROWS)
    about = traced.sample.pairs.about.take(pa.array(rows))
    what = "features" if traced.kinds[columns[0]] == "feature" else "step columns"
    for shifted in changing(history, about):
        places = pa.array(rows[shifted.there])
        inputs, forced = _with_shifted_values(traced, places, columns, shifted)
        try:
            answers = (
                rerun.experiment(inputs, contract.output_schema.names, forced=forced)
                if forced
                else rerun.score(inputs)
            )
        except PredictionFailed:
            continue  # values that the rest of the pipeline cannot take
        left, right = traced.sample.pairs.left.take(places), traced.right.take(places)
        yield Rung(
            name="R4",
            what=f"with the {what} the table had then"
            if shifted.shift == NOW
            else f"with those of {shifted.shift.what}",
            rows=len(places),
            as_left=int(compare(answers, left, logged).agreed.sum()),
            as_right=int(compare(answers, right, rules).agreed.sum())
            if rules.comparators
            else None,
        )


def _differing(traced: TracedRows) -> list[str]:
    """Return the features that differ or, if there are none, the step columns that differ."""
    features, steps = (
        [name for name in traced.of_kind(kind) if traced.differs(name).any()]
        for kind in ("feature", "step")
    )
    return features or steps


def _with_shifted_values(
    traced: TracedRows, places: pa.Array, columns: list[str], shifted: Shifted
) -> tuple[pa.RecordBatch, dict[str, pa.Array]]:
    """Return the rows with the table's values of features, and the table's step columns."""
    inputs, forced = traced.inputs.take(places), {}
    table = shifted.right.filter(pa.array(shifted.there))
    for name in columns:
        values = table.column(name).combine_chunks()
        if traced.kinds[name] == "step":
            forced[name] = values
            continue
        with suppress(pa.ArrowInvalid):  # a value that the feature cannot have
            inputs = with_feature(inputs, name, values)
    return inputs, forced
