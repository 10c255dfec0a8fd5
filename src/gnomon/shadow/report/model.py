"""What a comparison found, as data: the one thing the terminal, JSON and HTML are made from.

The two sides are called *left* and *right*: ``online`` and ``offline``, or ``logged`` and
``replayed``. Differences are always left minus right.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "FORMAT",
    "Axis",
    "Bucket",
    "Cell",
    "Column",
    "Count",
    "Coverage",
    "Diagnosis",
    "Distribution",
    "Example",
    "Impact",
    "Moment",
    "OverTime",
    "Report",
    "Rung",
    "Share",
    "Subject",
    "Summary",
    "Swap",
    "TableUse",
    "Timeline",
    "Value",
    "Verdict",
    "Walk",
]

FORMAT = 1

Verdict = Literal["ok", "diverged", "unknown"]
Value = bool | int | float | str | None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """``rows`` out of ``of``, and the interval the true share lies in.

    Attributes:
        low: the interval's lower end, 0 to 1; see ``rollout/sequential.py``.
        high: its upper end.
        confidence: of the interval.
    """

    rows: int
    of: int
    low: float
    high: float
    confidence: float

    @property
    def share(self) -> float:
        """``rows / of``; 0 of nothing."""
        return self.rows / self.of if self.of else 0.0


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A number of rows and why they are counted apart."""

    reason: str
    rows: int
    example: str | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The artifact whose answers are compared."""

    model: str
    artifact: str
    digest: str
    role: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows could be compared at all.

    Attributes:
        logged: rows of the log in the range.
        compared: rows both sides answered.
        skipped: rows that were not compared, by reason.
        unanswered: compared rows that one side has no answer to, by reason; they diverge.
    """

    logged: int
    compared: int
    skipped: tuple[Count, ...] = ()
    unanswered: tuple[Count, ...] = ()


class TableUse(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken from an offline table.

    Attributes:
        path: the file.
        on: the key columns.
        rows: rows of the table.
        matched: rows of the table that at least one logged row has the key of.
        repeated: logged rows beyond the first of a key; each was compared with the same table row.
        unmatched: the key of a table row that no logged row has.
        used: table column to the logged column or step column it was compared with.
        ignored: table column to the reason it was not compared.
    """

    path: str
    on: tuple[str, ...]
    rows: int
    matched: int
    used: dict[str, str]
    ignored: dict[str, str]
    repeated: int = 0
    unmatched: str | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column on both sides.

    Attributes:
        kind: ``output``, ``feature`` (as decoded from the request) or ``step``.
        tolerance: what counts as agreeing, in words.
        rows: rows compared, each counted once in ``exact`` (equal to the bit), within tolerance
            or ``diverged``.
        left_null: rows with null on the left only; they diverge.
        right_null: rows with null on the right only; they diverge.
        both_null: rows with null on both sides; they agree.
        flips: rows whose decision differs; None for a column that decides nothing.
        smape: symmetric mean absolute percentage error of finite pairs, a share from 0 to 2; None
            for labels and timestamps.
        quantiles: of left minus right, ``min``, ``p01`` ... ``max``: over all rows, or in a walk
            over the rows that differ; empty for labels.
        estimate: the share of all compared rows that diverge, where ``rows`` is a sample that
            holds diverging rows more often than others.
    """

    name: str
    kind: Literal["output", "feature", "step"]
    tolerance: str
    rows: int
    exact: int
    diverged: int
    left_null: int = 0
    right_null: int = 0
    both_null: int = 0
    flips: int | None = None
    smape: float | None = None
    quantiles: dict[str, float] = {}
    unit: str | None = None
    estimate: float | None = None

    @property
    def share(self) -> float:
        """The share of rows that diverge."""
        if self.estimate is not None:
            return self.estimate
        return self.diverged / self.rows if self.rows else 0.0

    @property
    def place(self) -> str:
        """The pipeline step the column comes out of; else ``inputs`` or ``outputs``."""
        if self.kind == "step":
            return self.name.rpartition("/")[0]
        return "inputs" if self.kind == "feature" else "outputs"

    @property
    def bare(self) -> str:
        """The name without its step."""
        return self.name.rpartition("/")[2] if self.kind == "step" else self.name


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What the divergence does to answers.

    Attributes:
        flips: rows whose decision (by the policy, else their label) changes.
        score: the output whose change is measured: the decided probability, or the prediction.
        mean_change: mean of the score's absolute difference.
        largest_change: the largest absolute difference of the score.
    """

    flips: Share
    score: str | None = None
    mean_change: float | None = None
    largest_change: float | None = None


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The same rows followed through the pipeline, step by step, in the order they are computed.

    Attributes:
        rows: rows followed: a sample of those compared.
        diverged: how many of them diverge in the outputs.
        reproduced: rows whose logged outputs came out again, to the bit, when re-run.
        lost: rows of the sample that could not be run again.
        columns: features, every step's columns, then outputs: those that both sides have, in
            pipeline order; counts are of the rows followed.
        first: the first column that differs; None when none does.
    """

    rows: int
    diverged: int
    reproduced: int
    columns: tuple[Column, ...]
    first: str | None = None
    lost: int = 0


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Where the two sides part, and why if that could be confirmed.

    Attributes:
        verdict: ``confirmed`` when undoing the named cause made the mismatch vanish; else
            ``unknown``.
        column: the first column that differs.
        step: the step it comes out of; empty for a feature as it was sent.
        cause: the cause's name, ``unknown`` when nothing was confirmed.
        sentence: the finding in one plain sentence.
        evidence: what was tried and seen, in plain sentences.
        action: what to do about it.
        repaired: of the rows that differ, how many agree once the cause is undone.
        columns: other columns that differ for the same reason.
        accounts: of the rows that diverge, how many do because of this: with everything else
            repaired their answers still differ.
        moves: how far the score moves on those rows when this is repaired, on average.
        segment: what the rows that differ share, such as ``carrier is AA``; None where they are
            anywhere.
        since: from when on they differ, ISO 8601 in UTC; None where they always did.
        also: further causes, each on its own; those that account for fewer rows come later.
    """

    verdict: Literal["confirmed", "unknown"]
    column: str | None
    step: str
    cause: str
    sentence: str
    evidence: tuple[str, ...] = ()
    action: str = ""
    repaired: Share | None = None
    columns: tuple[str, ...] = ()
    accounts: Share | None = None
    moves: float | None = None
    segment: str | None = None
    since: str | None = None
    also: tuple[Diagnosis, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """The names of all causes that were confirmed, the first one first."""
        return tuple(d.cause for d in (self, *self.also) if d.verdict == "confirmed")

    @property
    def name(self) -> str | None:
        """The column's name without its step."""
        if self.column is None or not self.step:
            return self.column
        return self.column.rpartition("/")[2]


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of the replay ladder: the same rows, run in another way.

    Attributes:
        name: ``R0`` to ``R5``.
        what: how they were run.
        rows: how many.
        as_left: rows that came out as the left side has them.
        as_right: rows that came out as the right side has them; None where it has no answers.
    """

    name: str
    what: str
    rows: int
    as_left: int
    as_right: int | None = None


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """What answers do when one column alone is set to the right side's values.

    Attributes:
        back: of the rows that diverge, how many then agree.
        flips_back: rows whose decision differed and no longer does.
        apart: the mean of each row's largest absolute difference before.
        left: and after.
    """

    column: str
    back: Share
    flips_back: int
    apart: float
    left: float


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """What a plot's axis measures."""

    label: str
    unit: str | None = None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time. ``start`` and ``end`` are ISO 8601 in UTC."""

    start: str
    end: str
    rows: int
    diverged: int


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Divergence over time, in buckets of equal width; empty ones are left out."""

    axis: Axis
    seconds: float
    buckets: tuple[Bucket, ...]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The consistency of one column in one stretch of time; shares are of all its rows.

    Attributes:
        start: ISO 8601 in UTC.
        rows: rows compared.
        coverage: the share with a value on both sides.
        consistency: the share that agrees, within tolerance or null on both sides.
        exact_rate: the share that is equal to the bit, or null on both sides.
        flip_rate: the share whose decision differs; None where the column decides nothing.
        mean_difference: of left minus right, where both are finite; None where none are.
        smape: symmetric mean absolute percentage error of those, a share from 0 to 2.
    """

    start: str
    rows: int
    coverage: float
    consistency: float
    exact_rate: float
    left_null: float
    right_null: float
    both_null: float
    flip_rate: float | None = None
    mean_difference: float | None = None
    smape: float | None = None


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """One column over time, in buckets of equal width; empty ones are left out.

    Attributes:
        seconds: the width: an hour, or more where the range is longer than a week.
        sampled: the rows are those followed through the pipeline; the shares are estimates for
            all compared rows.
    """

    column: str
    kind: Literal["output", "feature", "step"]
    seconds: float
    sampled: bool
    moments: tuple[Moment, ...]


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of one column lie on either side, over the same rows.

    Numbers have ``edges`` (one more than the counts), everything else ``labels``.

    Attributes:
        rows: rows the counts add up to.
        sampled: rows they were estimated from.
    """

    axis: Axis
    rows: int
    sampled: int
    left: tuple[int, ...]
    right: tuple[int, ...]
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One value on both sides."""

    column: str
    left: Value
    right: Value
    diverged: bool


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One row that diverges, side by side."""

    request_id: str
    row: int
    arrived: str
    key: dict[str, Value]
    cells: tuple[Cell, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The report in ten seconds."""

    what: str
    where: str
    since: str
    how_many: str
    how_sure: str
    action: str

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Each line after its label, in the order to read them in."""
        return [
            ("What", self.what),
            ("Where", self.where),
            ("Since", self.since),
            ("How many", self.how_many),
            ("How sure", self.how_sure),
            ("What to do", self.action),
        ]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of the log with something else.

    Attributes:
        format: the version of this shape; see ``docs/formats.md`` before changing it.
        kind: ``offline`` (a table) or ``replay``.
        created: when, ISO 8601 in UTC.
        title: the finding.
        verdict: ``diverged`` when more rows diverge than the policy lets; ``unknown`` when too
            little could be compared to say.
        left: what the left side is called.
        right: what the right side is called.
        against: the table or artifact on the right side.
        divergence: rows with at least one output (or, without outputs, feature) out of tolerance.
        policy: the first 12 hex digits of the SHA-256 of the policy's canonical JSON.
        limit: the share of such rows the policy lets pass, and ``limit_name`` which rule that is.
        exact: rows with every output equal to the bit.
        over_time: each column's consistency metrics, hour by hour.
        environment: what the comparison ran on.
        command: reproduces this report.
    """

    format: int = FORMAT
    kind: Literal["offline", "replay"]
    created: str
    title: str
    verdict: Verdict
    summary: Summary
    subject: Subject
    left: str
    right: str
    against: str
    coverage: Coverage
    divergence: Share
    exact: int
    policy: str
    limit: float
    limit_name: str
    impact: Impact | None = None
    columns: tuple[Column, ...] = ()
    walk: Walk | None = None
    diagnosis: Diagnosis | None = None
    ladder: tuple[Rung, ...] = ()
    swaps: tuple[Swap, ...] = ()
    timeline: Timeline | None = None
    over_time: tuple[OverTime, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    examples: tuple[Example, ...] = ()
    table: TableUse | None = None
    environment: dict[str, str] = {}
    command: str = ""

    @property
    def diverged(self) -> bool:
        """Whether a pipeline that gates on this comparison should stop."""
        return self.verdict == "diverged"

    def to_json(self) -> bytes:
        """The whole report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, data: str | bytes) -> Report:
        """Read what :meth:`to_json` wrote.

        Raises:
            msgspec.ValidationError: it is no report of this format.
        """
        return msgspec.json.decode(data, type=cls)
