"""Build a report from what was counted."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Literal, NamedTuple

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
    halves: report.Halves | None = None,
) -> Report:
    """Build the report of everything that was compared.

    Args:
        tally: sums over all rows, and a sample of rows.
        source: the rows of the log.
        traced: sampled rows that were run again step by step.
        diagnosed: where and why the sides differ, and the rungs of the replay ladder.
        halves: which half of the other artifact makes the difference.
    """
    return _Assembly(tally, source, sides, policy, table, traced, diagnosed, halves).build()


@dataclass(frozen=True)
class _Assembly:
    """The parts of a report; several of them are made of the same counts."""

    tally: Tally
    source: Range
    sides: Sides
    policy: Policy
    table: report.TableUse | None
    traced: TracedRows | None
    diagnosed: Diagnosed | None
    halves: report.Halves | None

    def build(self) -> Report:
        """Put the parts together."""
        artifact, finding, plots = self.source.artifact, self.finding(), self.plots()
        return Report(
            kind=self.sides.kind,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            title=finding.title(),
            verdict=self.verdict,
            summary=finding.summary(),
            subject=report.Subject(
                model=artifact.name,
                artifact=artifact.tag,
                digest=artifact.digest,
                role=self.source.role,
            ),
            left=self.sides.left,
            right=self.sides.right,
            against=self.sides.against,
            coverage=_coverage(self.source, self.sides, self.tally.main.rows),
            divergence=self.divergence,
            by_unit=self.tally.groups(),
            exact=self.tally.exact,
            policy=self.policy.digest,
            limit=self.sides.limit[0],
            limit_name=self.sides.limit[1],
            impact=self.impact,
            columns=self.columns,
            walk=_walk(self.traced, self.units, self.diagnosis) if self.traced else None,
            diagnosis=self.diagnosis,
            ladder=self.diagnosed.ladder if self.diagnosed else (),
            swaps=self.diagnosed.swaps if self.diagnosed else (),
            halves=self.halves,
            timeline=self.timeline,
            over_time=self.over_time(),
            distributions=plots.distributions,
            examples=plots.examples,
            table=self.table,
            environment=_environment(),
            command=self.sides.command,
        )

    def finding(self) -> SkewFinding:
        """Return the facts for the title and the summary."""
        return SkewFinding(
            left=self.sides.left,
            right=self.sides.right,
            artifact=self.source.artifact.tag,
            role=self.source.role,
            replayed=self.sides.replayed,
            verdict=self.verdict,
            answered=self.answered,
            divergence=self.divergence,
            exact=self.tally.exact,
            limit=self.sides.limit[0],
            differing=tuple(c.name for c in self.columns if c.diverged),
            agreeing_features=sum(c.kind == "feature" and not c.diverged for c in self.columns),
            impact=self.impact,
            timeline=self.timeline,
            first=self.tally.time.first,
            last=self.tally.time.last,
            diagnosis=self.diagnosis,
            known_later=self.table.known_later if self.table else None,
            stopped=self.source.stopped,
        )

    @cached_property
    def diagnosis(self) -> report.Diagnosis | None:
        """Where and why the sides differ, if that was looked for."""
        return self.diagnosed.diagnosis if self.diagnosed else None

    @cached_property
    def divergence(self) -> report.Share:
        """The share of rows that diverge."""
        main = self.tally.main
        confidence = self.policy.gates.confidence
        return report.share(main.disagreed, main.rows, confidence, self.tally.shares("diverged"))

    @cached_property
    def answered(self) -> int:
        """Logged rows with an answer."""
        return self.source.logged - sum(self.source.skipped.values())

    @cached_property
    def verdict(self) -> report.Verdict:
        """Whether the sides diverge beyond the limit."""
        gates = self.policy.gates
        return judge(
            self.divergence,
            self.answered,
            self.sides.limit[0],
            coverage=gates.min_coverage or 0.0,
            fewest=gates.min_rows,
        )

    @cached_property
    def units(self) -> dict[str, str | None]:
        """The unit of each feature and output."""
        return _units(self.source.contract)

    @cached_property
    def columns(self) -> tuple[report.Column, ...]:
        """Every column that was compared; those that decide the verdict come first."""
        tally, kinds = self.tally, self.sides.kinds
        return (
            *columns_from_comparison(tally.main, tally.judged, kinds, self.units),
            *columns_from_comparison(tally.side, tally.others, kinds, self.units),
        )

    @cached_property
    def timeline(self) -> report.Timeline | None:
        """Divergence over time."""
        return timeline(self.tally.time, self.source.contract)

    @cached_property
    def impact(self) -> report.Impact | None:
        """The effect of the divergence on answers."""
        return _impact(self.tally, self.source.contract, self.policy.gates.confidence)

    def over_time(self) -> tuple[report.OverTime, ...]:
        """Return each column's consistency over time."""
        steps = _steps_over_time(self.traced) if self.traced else ()
        return (*self.tally.over_time.build(self.sides.kinds), *steps)

    def plots(self) -> _Plots:
        """Return what is shown of sampled rows."""
        if not self.tally.main.rows:
            return _Plots()
        shown = _rows_to_show(self.tally, self.traced)
        first = self.diagnosis.column if self.diagnosis else None
        return _Plots(
            tuple(_distributions(shown, self.columns, first, self.units)),
            tuple(_examples(shown, self.sides, first)),
        )


class _Plots(NamedTuple):
    """What is shown of sampled rows; nothing if no row was compared."""

    distributions: tuple[report.Distribution, ...] = ()
    examples: tuple[report.Example, ...] = ()


def skew_limit(policy: Policy) -> tuple[float, str]:
    """Return the share of rows on which an artifact may differ from itself, and its setting."""
    if policy.gates.max_skew is None:
        return 0.0, "the default; gates.max_skew allows more"
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
        flips=report.share(
            tally.main.flipped, tally.main.rows, confidence, tally.shares("flipped")
        ),
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
        stopped=source.stopped,
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
