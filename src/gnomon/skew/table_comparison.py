"""Compare the log with an external table of offline predictions and features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.offline.column_names import joint_contract
from gnomon.offline.logged import Range, Rows
from gnomon.offline.offline_table import OfflineTable
from gnomon.offline.paired_rows import with_columns
from gnomon.offline.rerun import LazyRerun, Rerun, refuse_unknown_names, step_columns
from gnomon.policy import Policy
from gnomon.report import Report
from gnomon.settings import Settings
from gnomon.skew.diagnosis.diagnose import NOTHING_TO_RUN, diagnose
from gnomon.skew.diagnosis.other_environment import other_versions, run_in_environment
from gnomon.skew.diagnosis.traced_rows import sampled, trace_sample
from gnomon.skew.join import NAMES, Join
from gnomon.skew.report_assembly import compose

__all__ = ["compare_offline"]


def compare_offline(
    log: InferenceLog,
    artifact: Artifact,
    table: Path | str,
    *,
    on: str | Sequence[str] = (),
    policy: Policy | None = None,
    role: Role = "live",
    start: datetime | None = None,
    end: datetime | None = None,
    sample_rows: int = 10_000,
    settings: Settings | None = None,
    label: str | None = None,
    known_at: str | None = None,
    python: str | None = None,
    versions: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Compare an artifact's online answers with the offline answers in a table.

    The table has key columns and any of: outputs (``prediction``, ``probability_<class>``),
    features by name, and transformed columns as ``step/column``. Its order does not matter. It is
    held in memory; the log is read batch by batch.

    When the outputs diverge (or the table has none), a sample of rows is run again from its logged
    bodies through the artifact's own code in a worker, and traced step by step to the first
    column that differs.

    Args:
        on: key columns; the contract's entity key when not given.
        policy: the tolerances, and how many rows may differ.
        role: whether the artifact answered as ``live`` or as ``shadow``.
        start: rows that arrived from this time on.
        end: rows that arrived before this time.
        sample_rows: diverging rows, and as many agreeing ones, to follow step by step.
        settings: settings of the worker.
        label: the table's column of the label (ground truth), to detect leakage.
        known_at: the table's column of the time at which a row's values were known.
        python: the interpreter of another environment, to run the sample in too.
        versions: also try the other versions of the artifact in the store.
        progress: called with the number of logged rows read since the last call.

    Raises:
        TableError: the table cannot be read, joined or compared.
        PolicyError: the policy names a column that the artifact does not have.
        LogError: there is no log of the model.
    """
    policy, settings = policy or Policy(), settings or Settings.read()
    refuse_unknown_names(policy, artifact)
    steps = step_columns(artifact)
    contract = joint_contract(artifact.contract, steps)
    offline = OfflineTable.read(
        Path(table),
        on=on or contract.entity_key,
        contract=contract,
        steps=steps,
        label=label,
        known_at=known_at,
    )
    join = Join(offline, contract)
    tally = join.tally(policy, sample_rows)
    with ExitStack() as stack:
        snapshot = stack.enter_context(log.snapshot())
        source = Range(snapshot, artifact, role, start, end, joint=contract)
        rerun = LazyRerun(stack, artifact, settings)
        for rows in source.chunks(raw=join.traces):
            tally.add(join.pairs(_with_steps(rows, source, rerun(), join) if join.traces else rows))
            if progress:
                progress(rows.num_rows)
        join.refuse_no_match()
        traced = diagnosed = None
        if tally.main.disagreed:
            sample = sampled(tally.diverging, tally.agreeing)
            traced = trace_sample(sample, source, rerun(), policy)
            diagnosed = NOTHING_TO_RUN
        if traced:
            diagnosed = diagnose(
                traced,
                artifact,
                rerun(),
                names=NAMES,
                confidence=policy.gates.confidence,
                others=(lambda: other_versions(artifact, settings, stack)) if versions else None,
                other_environment=run_in_environment(python, artifact, settings, stack)
                if python
                else None,
                history=join.shifted if offline.has_versions else None,
            )
    flags = (("--label", label), ("--known-at", known_at), ("--python", python))
    options = [word for name, value in flags if value for word in (name, value)]
    return compose(
        tally,
        source,
        join.sides(source, policy, "diagnose" if versions else "compare", options),
        policy,
        table=join.use(),
        traced=traced,
        diagnosed=diagnosed,
    )


def _with_steps(rows: Rows, source: Range, rerun: Rerun, join: Join) -> Rows:
    """Add the step columns the table has, and drop the rows that cannot be run again."""
    decoded = source.decode(rows.envelope, source.decoder())
    scorable = rerun.good(decoded.batch)
    join.lost += rows.num_rows - len(scorable)
    rows = rows.take(pa.array(decoded.places[scorable]))
    steps = rerun.trace(decoded.batch.take(pa.array(scorable)), join.steps)
    return Rows(rows.envelope, rows.inputs, with_columns(rows.outputs, steps))
