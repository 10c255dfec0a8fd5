"""The same rows with the offline features of another time: the rung of shifted as-of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa

from gnomon.models import Artifact
from gnomon.shadow.compare.comparators import compare
from gnomon.shadow.consistency.columns import only
from gnomon.shadow.consistency.rerun import Rerun
from gnomon.shadow.diagnosis.case import spread
from gnomon.shadow.diagnosis.inputs import with_feature
from gnomon.shadow.diagnosis.surroundings import History
from gnomon.shadow.diagnosis.walk import Followed
from gnomon.shadow.policy import Policy
from gnomon.shadow.report import Rung

__all__ = ["versions"]

_MOST_ROWS = 500
_SHIFTS = {
    0: "with the features the table had then",
    -1: "with those of one version before",
    1: "with those of one version later",
}


def versions(walk: Followed, artifact: Artifact, rerun: Rerun, history: History) -> Iterator[Rung]:
    """R4: rows that diverge, their features as the table had them then, before and later.

    Args:
        walk: the rows.
        artifact: whose answers are on the left.
        rerun: that artifact.
        history: gives the table at other times.
    """
    contract = artifact.contract
    rules = only(walk.rules, walk.of_kind("output"))
    logged = Policy().rules(contract.output_schema, task=contract.task, same=True)
    chosen = spread(walk.sample.diverged, _MOST_ROWS)
    about = walk.sample.pairs.about.take(pa.array(chosen))
    for step, what in _SHIFTS.items() if walk.of_kind("feature") else ():
        table, there = history(about, step)
        if not there.any():
            continue
        places = pa.array(chosen[there])
        answers = rerun.score(_given(walk, places, table.filter(pa.array(there))))
        left, right = walk.sample.pairs.left.take(places), walk.right.take(places)
        yield Rung(
            name="R4",
            what=what,
            rows=len(places),
            as_left=int(compare(answers, left, logged).agreed.sum()),
            as_right=int(compare(answers, right, rules).agreed.sum())
            if rules.comparators
            else None,
        )


def _given(walk: Followed, places: pa.Array, values: pa.Table) -> pa.RecordBatch:
    """Rows as they were asked, with the table's features in place of their own."""
    inputs = walk.inputs.take(places)
    for name in walk.of_kind("feature"):
        with suppress(pa.ArrowInvalid):  # a value the artifact cannot be given
            inputs = with_feature(inputs, name, values.column(name).combine_chunks())
    return inputs
