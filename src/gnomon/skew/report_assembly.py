"""Build a report from what was counted."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

import pyarrow as pa

from gnomon import report
from gnomon.contract import Contract
from gnomon.offline.logged import Range
from gnomon.offline.paired_rows import seconds
from gnomon.policy import Policy, Rules
from gnomon.report import Report
from gnomon.skew.consistency.over_time import ColumnTimeSeries
from gnomon.skew.consistency.reported_columns import Kind, column_from_rows, columns_from_comparison
from gnomon.skew.consistency.skew_summary import SkewFinding, judge
from gnomon.skew.consistency.tally import Tally
from gnomon.skew.diagnosis.diagnose import Diagnosed
from gnomon.skew.diagnosis.traced_rows import Sampled, TracedRows, sampled
from gnomon.skew.plotted_values import distribution, examples, timeline

__all__ = ["Sides", "compose", "skew_limit"]


@dataclass(frozen=True, slots=True)
class Sides:
    """The two sides of a comparison.

    Attributes:
        kind: ``offline`` or ``replay``.
        left: the name of the left side.
        right: the name of the right side.
        against: the table or artifact on the right.
        replayed: the tag of the artifact a replay ran.
        kinds: the kind of every column compared.
        keys: the columns of ``about`` that identify a row to a reader.
        limit: the share of rows that may diverge, and the name of the rule.
        command: the command that reproduces the report.
        unanswered: rows for which the right side has no answer, by reason.
        missed: rows not compared, by reason, without those for which the log has no answer.
    """

    kind: Literal["offline", "replay"]
    left: str
    right: str
    against: str
    kinds: Mapping[str, Kind]
    keys: tuple[str, ...]
    limit: tuple[float, str]
    command: str
    replayed: str | None = None
    unanswered: tuple[report.Count, ...] = ()
    missed: tuple[report.Count, ...] = ()


def compose(
    tally: Tally,
    source: Range,
    sides: Sides,
    policy: Policy,
    *,
    table: report.TableUse | None = None,
    traced: TracedRows | None = None,
    diagnosed: Diagnosed | None = None,
) -> Report:
    """Build the report of everything that was compared.

    Args:
        tally: sums over all rows, and a sample of rows.
        source: the rows of the log.
        traced: sampled rows that were run again step by step.
        diagnosed: where and why the sides differ, and the rungs of the replay ladder.
    """
    confidence = policy.gates.confidence
    diagnosis = diagnosed.diagnosis if diagnosed else None
    divergence = report.share(tally.main.disagreed, tally.main.rows, confidence)
    answered = source.logged - sum(source.skipped.values())
    verdict = judge(
        divergence,
        answered,
        sides.limit[0],
        coverage=policy.gates.min_coverage or 0.0,
        fewest=policy.gates.min_rows,
    )
    units = _units(source.contract)
    columns = (
        *columns_from_comparison(tally.main, tally.judged, sides.kinds, units),
        *columns_from_comparison(tally.side, tally.others, sides.kinds, units),
    )
    walk = _walk(traced, units, diagnosis) if traced else None
    time = timeline(tally.time, source.contract)
    impact = _impact(tally, source.contract, confidence)
    finding = SkewFinding(
        left=sides.left,
        right=sides.right,
        artifact=source.artifact.tag,
        role=source.role,
        replayed=sides.replayed,
        verdict=verdict,
        answered=answered,
        divergence=divergence,
        exact=tally.exact,
        limit=sides.limit[0],
        differing=tuple(c.name for c in columns if c.diverged),
        agreeing_features=sum(c.kind == "feature" and not c.diverged for c in columns),
        impact=impact,
        timeline=time,
        first=tally.time.first,
        last=tally.time.last,
        diagnosis=diagnosis,
        known_later=table.known_later if table else None,
    )
    shown_rows = _rows_to_show(tally, traced) if tally.main.rows else None
    first = diagnosis.column if diagnosis else None
    return Report(
        kind=sides.kind,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        title=finding.title(),
        verdict=verdict,
        summary=finding.summary(),
        subject=report.Subject(
            model=source.artifact.name,
            artifact=source.artifact.tag,
            digest=source.artifact.digest,
            role=source.role,
        ),
        left=sides.left,
        right=sides.right,
        against=sides.against,
        coverage=_coverage(source, sides, tally.main.rows),
        divergence=divergence,
        exact=tally.exact,
        policy=policy.digest,
        limit=sides.limit[0],
        limit_name=sides.limit[1],
        impact=impact,
        columns=columns,
        walk=walk,
        diagnosis=diagnosis,
        ladder=diagnosed.ladder if diagnosed else (),
        swaps=diagnosed.swaps if diagnosed else (),
        timeline=time,
        over_time=(
            *tally.courses.build(sides.kinds),
            *(_steps_over_time(traced) if traced else ()),
        ),
        distributions=tuple(_distributions(shown_rows, columns, first, units))
        if shown_rows
        else (),
        examples=tuple(_examples(shown_rows, sides, first)) if shown_rows else (),
        table=table,
        environment=_environment(),
        command=sides.command,
    )


def skew_limit(policy: Policy) -> tuple[float, str]:
    """Return the share of rows on which an artifact may differ from itself, and its setting."""
    if policy.gates.max_skew is None:
        return 0.0, "none is the default; gates.max_skew allows more"
    return policy.gates.max_skew, "gates.max_skew"


@dataclass(frozen=True, slots=True)
class _ShownRows:
    """Sampled rows with every column that can be shown."""

    rows: Sampled
    left: pa.Table
    right: pa.Table
    rules: Rules


def _rows_to_show(tally: Tally, traced: TracedRows | None) -> _ShownRows:
    if traced:
        return _ShownRows(traced.sample, traced.left, traced.right, traced.rules)
    rows = sampled(tally.diverging, tally.agreeing)
    rules = Rules(
        comparators={**tally.judged.comparators, **tally.others.comparators},
        decides=tally.judged.decides,
    )
    return _ShownRows(rows, rows.pairs.left, rows.pairs.right, rules)


def _distributions(
    shown: _ShownRows,
    columns: tuple[report.Column, ...],
    first: str | None,
    units: Mapping[str, str | None],
) -> Iterator[report.Distribution]:
    """Yield the first column that differs, the score that decides, and the prediction."""
    outputs = [c.name for c in columns if c.kind == "output"]
    kinds = {name: rule.kind for name, rule in shown.rules.comparators.items()}
    scores = [name for name in outputs if kinds.get(name) == "probability"]
    features = [c.name for c in columns if c.kind == "feature" and c.diverged]
    wanted = [
        first,
        next((n for n in scores if n in shown.rules.decides), scores[-1] if scores else None),
        *outputs[:1],
        *([] if outputs else features[:2]),
    ]
    shared = {*shown.left.column_names} & {*shown.right.column_names}
    # The cause may be a feature that the table of offline predictions does not have.
    for name in dict.fromkeys(name for name in wanted if name and name in shared):
        left, right = shown.left.column(name), shown.right.column(name)
        plot = distribution(
            name,
            left,
            right,
            shown.rows.weights,
            units.get(name),
            is_share=kinds.get(name) == "probability",
        )
        if plot is not None:
            yield plot


def _examples(shown: _ShownRows, sides: Sides, first: str | None) -> Iterator[report.Example]:
    outputs = [name for name, kind in sides.kinds.items() if kind == "output"]
    return examples(
        shown.rows,
        shown.left,
        shown.right,
        shown.rules,
        keys=sides.keys,
        wanted=[*outputs, *([first] if first and first in shown.left.column_names else [])],
    )


def _walk(
    traced: TracedRows, units: Mapping[str, str | None], diagnosis: report.Diagnosis | None
) -> report.Walk:
    return report.Walk(
        rows=traced.inputs.num_rows,
        lost=traced.lost,
        diverged=int(traced.sample.diverged.sum()),
        reproduced=int(traced.reproduced.sum()),
        columns=tuple(
            column_from_rows(
                name,
                kind,
                traced.compared.columns[name],
                traced.rules.comparators[name],
                traced.sample.weights,
                units.get(name),
            )
            for name, kind in traced.kinds.items()
        ),
        first=_first(traced, diagnosis),
    )


def _first(traced: TracedRows, diagnosis: report.Diagnosis | None) -> str | None:
    """Return the column that differs by itself.

    Where the cause is in a column that does not differ, such as the text that a changed step reads,
    it is the first column that differs.
    """
    differing = [name for name in traced.kinds if traced.differs(name).any()]
    if diagnosis and diagnosis.column in differing:
        return diagnosis.column
    return next(iter(differing), None) if diagnosis else None


def _steps_over_time(traced: TracedRows) -> Iterator[report.OverTime]:
    """Return the transformed columns over time, from the traced rows: no others have them."""
    sample = traced.sample
    steps = ColumnTimeSeries()
    columns = {name: traced.compared.columns[name] for name in traced.of_kind("step")}
    steps.add(seconds(sample.pairs.about.column("time")), columns, sample.weights)
    return steps.build(traced.kinds, sampled=True)


def _impact(tally: Tally, contract: Contract, confidence: float) -> report.Impact | None:
    """Return the effect of divergence on decisions and scores; None if no output was compared."""
    if all(column.flips is None for column in tally.main.columns.values()):
        return None
    roles = {o.role for o in contract.outputs if o.name in tally.main.columns}
    measured = next((role for role in ("probability", "score", "value") if role in roles), None)
    return report.Impact(
        flips=report.share(tally.main.flipped, tally.main.rows, confidence),
        score=measured or "prediction",
        mean_change=tally.main.differences.mean,
        largest_change=tally.main.differences.maximum if tally.main.differences.count else None,
    )


def _coverage(source: Range, sides: Sides, compared: int) -> report.Coverage:
    outcomes = [
        report.Count(reason=f"{outcome.replace('_', ' ')} {sides.left}", rows=n)
        for outcome, n in source.skipped.items()
    ]
    return report.Coverage(
        logged=source.logged,
        compared=compared,
        skipped=(*outcomes, *sides.missed),
        unanswered=sides.unanswered,
    )


def _units(contract: Contract) -> dict[str, str | None]:
    return {f.name: f.unit for f in contract.features} | {o.name: o.unit for o in contract.outputs}


def _environment() -> dict[str, str]:
    packages = ("gnomon", "scikit-learn", "numpy", "pandas", "pyarrow")
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in packages},
        "Machine": f"{platform.system()} {platform.machine()}",
    }
