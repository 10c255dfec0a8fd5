"""Run logged requests again, offline, through the same worker code."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

from gnomon.artifact import Artifact
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.offline.logged import Range
from gnomon.offline.rerun import LazyRerun, Rerun, refuse_unknown_names
from gnomon.policy import Policy
from gnomon.report import Report
from gnomon.settings import Settings
from gnomon.skew.consistency.tally import Tally
from gnomon.skew.diagnosis.diagnose import NOTHING_TO_RUN, Diagnosed, diagnose
from gnomon.skew.diagnosis.other_environment import OtherEnvironment, run_in_environment
from gnomon.skew.diagnosis.traced_rows import TracedRows, sampled, trace_sample
from gnomon.skew.half_exchange import HalfExchange, exchanged_halves
from gnomon.skew.replay_run import ReplayRun
from gnomon.skew.report_assembly import compose

__all__ = ["replay"]


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
    halves: bool = False,
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
        limit: stop after this many answered rows: the first ones in the order in which the log's
            files are read, which is not that of their arrival.
        sample_rows: diverging rows, and as many agreeing ones, to keep for plots and examples.
        settings: settings of the worker.
        python: the interpreter of another environment to run them in; this one when not given.
        trace: trace a sample of the diverging rows to find the cause.
        halves: run them also through each half of ``through`` with the other half of ``artifact``,
            to see which makes the difference.
        progress: called with the number of logged rows run since the last call.

    Raises:
        LogError: there is no log of the model.
        ContractError: the two artifacts have no output in common.
        PackRefused: ``halves`` without another artifact, or halves that cannot be exchanged.
        PolicyError: the policy names a column that the artifact does not have.
    """
    policy, settings = policy or Policy(), settings or Settings.read()
    refuse_unknown_names(policy, through or artifact)
    replay_run = ReplayRun(artifact, through or artifact, policy, sample_rows)
    exchanged = exchanged_halves(artifact, through) if halves else None
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
        exchange = None
        if exchanged is not None:
            rules = replay_run.tally.judged
            exchange = HalfExchange(exchanged, source, policy, rules, settings, stack)
        for pairs in replay_run.pairs(source, rerun, scorer):
            replay_run.tally.add(pairs)
            if exchange is not None:
                exchange.add(pairs)
            if progress:
                progress(pairs.num_rows)
        traced = diagnosed = None
        if trace and replay_run.tally.main.disagreed:
            own_rerun = (ready if replay_run.is_same else LazyRerun(workers, artifact, settings))()
            traced, diagnosed = _diagnosed(
                replay_run.tally, source, own_rerun, policy, other_environment
            )
    return compose(
        replay_run.tally,
        source,
        replay_run.sides(source, trace=trace, python=python, halves=halves),
        policy,
        traced=traced,
        diagnosed=diagnosed,
        halves=None if exchange is None else exchange.counted(),
    )


def _diagnosed(
    tally: Tally,
    source: Range,
    own_rerun: Rerun,
    policy: Policy,
    other_environment: OtherEnvironment | None,
) -> tuple[TracedRows | None, Diagnosed]:
    """Trace a sample of the rows step by step, and say where and why the sides differ."""
    sample = sampled(tally.diverging, tally.agreeing)
    traced = trace_sample(sample, source, own_rerun, policy, other_environment=other_environment)
    if not traced:
        return traced, NOTHING_TO_RUN
    diagnosed = diagnose(
        traced,
        source.artifact,
        own_rerun,
        names=("logged", "replayed"),
        confidence=policy.gates.confidence,
        other_environment=other_environment,
    )
    return traced, diagnosed
