"""The rows whose labels would decide soonest: those on which the answers differ most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.bottom_k import BottomK
from gnomon.contract.contract import Contract
from gnomon.log import InferenceLog, input_column
from gnomon.log.sampling import hash_to_unit_interval
from gnomon.policy import Metric
from gnomon.rollout.quality.losses import row_losses
from gnomon.rollout.quality.paired_rows import PairedRows, PairedRun, paired_rows
from gnomon.rollout.quality.question import Question

__all__ = ["wanted_rows"]

_PLACES = ("request_id", "row", "arrived")
_TIES = 1e-9
"""Among rows of the same effect, hashes decide: none is preferred for its age or its place."""


def wanted_rows(
    log: InferenceLog,
    run: PairedRun,
    asked: Question,
    labels: pa.Table,
    metric: Metric,
    rows: int,
) -> pa.Table:
    """Return rows without a label, those with the largest possible effect first.

    The *effect* of a label is how much the row's difference of losses depends on it: the most that
    the shadow's loss minus live's can be, less the least. Where both answers are the same it is 0,
    whatever the label is, and the row is not returned.

    Args:
        log: the model's log.
        run: the artifacts and their rows.
        asked: what both answer.
        labels: the known labels.
        metric: the loss.
        rows: at most this many.

    Returns:
        ``request_id``, ``row``, ``arrived``, a column for each feature of the entity key and for
        the event time, if the contract has them, ``live_prediction``, ``shadow_prediction``,
        ``effect``, and ``value``, which is null: to be filled in and imported. With a [decision] in
        the policy, before ``effect``, the output that decides, of both, and ``live_decision`` and
        ``shadow_decision``, yes or no.
    """
    key = _named_by(run.shadow_contract)
    best = BottomK[pa.Table](rows, lambda table, places: table.take(pa.array(places)), _concat)
    for paired in paired_rows(log, run, labels, key):
        effect = _effects(paired, run, asked, metric)
        without = np.asarray(pc.is_null(paired.rows.column("label")))
        chosen = np.flatnonzero(without & (effect > 0))
        if len(chosen):
            table = _described(paired, key, asked, effect).take(pa.array(chosen))
            best.offer(_TIES * _draws(table) - effect[chosen], table)
    found = best.kept()
    return _described_nothing(key, asked) if found is None else found


def _named_by(contract: Contract) -> list[str]:
    """Return the features that may name a label's row: the entity key and the event time."""
    names = [*contract.entity_key, *filter(None, [contract.event_time])]
    return [name for name in dict.fromkeys(names) if name not in _PLACES]


def _draws(rows: pa.Table) -> npt.NDArray[np.float64]:
    ids = pc.binary_join_element_wise(
        rows.column("request_id"), pc.cast(rows.column("row"), pa.string()), "/"
    )
    return hash_to_unit_interval(ids.to_pylist())


def _effects(
    paired: PairedRows, run: PairedRun, asked: Question, metric: Metric
) -> npt.NDArray[np.float64]:
    """Return the effect of each row's label; 0 where an answer is missing."""
    losses = row_losses(
        metric,
        asked,
        asked.answers(run.live_contract, paired.live),
        asked.answers(run.shadow_contract, paired.shadow),
        asked.truth(paired.rows.column("label")),
    )
    return np.nan_to_num(losses.most - losses.least)


def _described(
    paired: PairedRows, key: Sequence[str], asked: Question, effect: npt.NDArray[np.float64]
) -> pa.Table:
    columns = {name: paired.rows.column(name) for name in _PLACES}
    nothing = pa.nulls(len(effect), pa.string())
    for name in key:
        column = input_column(name)
        there = column in paired.rows.schema.names
        columns[name] = paired.rows.column(column) if there else nothing
    sides = {"live": paired.live, "shadow": paired.shadow}
    for output in _outputs(asked):
        columns |= {f"{name}_{output}": side[output] for name, side in sides.items()}
    if asked.output is not None:
        for name, side in sides.items():
            yes = pc.greater_equal(side[asked.output], asked.threshold)
            columns[f"{name}_decision"] = pc.if_else(yes, "yes", "no")
    columns["effect"] = pa.array(effect)
    columns["value"] = nothing
    return pa.table(columns)


def _outputs(asked: Question) -> list[str]:
    """Return the outputs that tell why a label is wanted: the prediction, and what decides."""
    return list(dict.fromkeys(["prediction", *filter(None, [asked.output])]))


def _described_nothing(key: Sequence[str], asked: Question) -> pa.Table:
    said = [*_outputs(asked), *([] if asked.output is None else ["decision"])]
    names = [*_PLACES, *key, *(f"{side}_{name}" for name in said for side in ("live", "shadow"))]
    return pa.table({name: pa.array([], pa.string()) for name in [*names, "effect", "value"]})


def _concat(parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive").combine_chunks()
