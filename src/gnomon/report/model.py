"""The data of a comparison's report, from which its terminal, JSON and HTML forms are made.

The two sides are called *left* and *right*: ``online`` and ``offline``, or ``logged`` and
``replayed``. Differences are always left minus right.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gnomon.compare.units import UnitGroups
from gnomon.formats import Format, decode
from gnomon.notebook import NotebookTable, Tabular
from gnomon.report.counts import Column, Count, Share, Value
from gnomon.report.diagnosis import Diagnosis, Rung, Swap, Walk
from gnomon.report.halves import Halves

__all__ = [
    "FORMAT",
    "Axis",
    "BaseReport",
    "Bucket",
    "Cell",
    "Coverage",
    "Distribution",
    "Example",
    "Impact",
    "MetricsBucket",
    "OverTime",
    "Report",
    "Subject",
    "Summary",
    "TableUse",
    "Timeline",
    "Verdict",
]

FORMAT = 1

_KIND = Format("report", FORMAT, hint="run the command again, or restore it from a backup")

Verdict = Literal["ok", "diverged", "unknown"]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The artifact whose answers are compared."""

    model: str
    artifact: str
    digest: str
    role: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows could be compared.

    Attributes:
        logged: rows of the log in the range.
        compared: rows that were compared.
        skipped: rows that were not compared, by reason.
        unanswered: compared rows for which one side has no answer, by reason; they diverge.
        stopped: whether a limit left further answered rows of the range out; they are in no count.
    """

    logged: int
    compared: int
    skipped: tuple[Count, ...] = ()
    unanswered: tuple[Count, ...] = ()
    stopped: bool = False


class TableUse(msgspec.Struct, frozen=True, kw_only=True):
    """The use of an offline table.

    Attributes:
        path: the file.
        on: the key columns.
        rows: rows of the table.
        matched: keys of the table that at least one logged row has.
        repeated: logged rows after the first one with the same key.
        unmatched: a key of the table that no logged row has.
        used: table column to the logged column or step column it was compared with.
        ignored: table column to the reason it was not compared.
        keys: how many keys its rows have, which are fewer if a key has several versions; None in
            older reports, where there are as many keys as rows.
        known_later: logged rows for which the table has only values known after their time; each
            was compared with the first of these.
    """

    path: str
    on: tuple[str, ...]
    rows: int
    matched: int
    used: dict[str, str]
    ignored: dict[str, str]
    repeated: int = 0
    unmatched: str | None = None
    keys: int | None = None
    known_later: Count | None = None


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of the divergence on answers.

    Attributes:
        flips: rows whose decision (by the policy, else their label) changes.
        score: the output whose change is measured: a ``probability``, a ``score``, a ``value`` or
            the ``prediction``.
        mean_change: mean of the score's absolute difference.
        largest_change: the largest absolute difference of the score.
    """

    flips: Share
    score: str | None = None
    mean_change: float | None = None
    largest_change: float | None = None


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """The quantity on a plot's axis."""

    label: str
    unit: str | None = None


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One time bucket. ``start`` and ``end`` are ISO 8601 in UTC."""

    start: str
    end: str
    rows: int
    diverged: int


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Divergence over time, in buckets of equal width; empty ones are left out."""

    axis: Axis
    seconds: float
    buckets: tuple[Bucket, ...]


class MetricsBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The consistency of one column in one time bucket; shares are of all rows in it.

    Attributes:
        start: ISO 8601 in UTC.
        rows: rows compared.
        coverage: the share with a value on both sides.
        consistency: the share that agrees, within tolerance or null on both sides.
        exact_rate: the share that is bit-identical, or null on both sides.
        flip_rate: the share whose decision differs; None for a column that decides nothing.
        mean_difference: the mean of left minus right, where both are finite; None if none are.
        smape: symmetric mean absolute percentage error of those rows, a share from 0 to 2.
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
        seconds: the width: an hour, or more if the range is longer than a week.
        sampled: whether only traced rows were used; the shares are then estimates for all compared
            rows.
    """

    column: str
    kind: Literal["output", "feature", "step"]
    seconds: float
    sampled: bool
    buckets: tuple[MetricsBucket, ...] = msgspec.field(name="moments")


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of one column's values on either side, over the same rows.

    Numbers have ``edges`` (one more than the counts); all other columns have ``labels``.

    Attributes:
        rows: the rows that the counts add up to.
        sampled: the rows from which the counts were estimated.
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
        """The lines with their labels, in reading order."""
        return [
            ("What", self.what),
            ("Where", self.where),
            ("Since", self.since),
            ("How many", self.how_many),
            ("How sure", self.how_sure),
            ("What to do", self.action),
        ]


class BaseReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The parts that every report has.

    Attributes:
        format: the version of its format; see ``docs/formats.md`` before changing it.
        created: when it was made, ISO 8601 in UTC.
        title: the finding.
        summary: the report in ten seconds.
        subject: the artifact whose logged answers it is about.
        policy: the first 12 hex digits of the SHA-256 of the policy's canonical JSON.
        command: the command that reproduces this report.
    """

    format: int = FORMAT
    created: str
    title: str
    summary: Summary
    subject: Subject
    policy: str
    command: str = ""

    def to_json(self) -> bytes:
        """Return the complete report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Report(BaseReport, frozen=True, kw_only=True):
    """One comparison of the log with something else.

    Attributes:
        kind: ``offline`` (a table) or ``replay``.
        verdict: ``diverged`` when more rows diverge than the policy allows; ``unknown`` when too
            few rows could be compared to decide.
        left: the name of the left side.
        right: the name of the right side.
        against: the table or artifact on the right side.
        divergence: rows with at least one output (or, without outputs, feature) out of tolerance.
        by_unit: how many entities or requests have how many such rows, of how many.
        limit: the share of such rows that the policy allows; ``limit_name`` is the setting.
        exact: rows with every output bit-identical.
        halves: which half of another artifact makes the difference, if that was asked.
        over_time: each column's consistency metrics over time.
        environment: the versions and the machine that ran the comparison.
    """

    kind: Literal["offline", "replay"]
    verdict: Verdict
    left: str
    right: str
    against: str
    coverage: Coverage
    divergence: Share
    exact: int
    limit: float
    limit_name: str
    by_unit: UnitGroups | None = None
    impact: Impact | None = None
    columns: tuple[Column, ...] = ()
    walk: Walk | None = None
    diagnosis: Diagnosis | None = None
    ladder: tuple[Rung, ...] = ()
    swaps: tuple[Swap, ...] = ()
    halves: Halves | None = None
    timeline: Timeline | None = None
    over_time: tuple[OverTime, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    examples: tuple[Example, ...] = ()
    table: TableUse | None = None
    environment: dict[str, str] = {}

    @property
    def diverged(self) -> bool:
        """Whether the verdict is ``diverged``, on which a CI pipeline should stop."""
        return self.verdict == "diverged"

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.subject.artifact}, {self.subject.role}: {self.title}",
            verdict=self.verdict,
            columns=("kind", "column", "tolerance", "rows", "exact", "diverged", "share"),
            rows=[
                (c.kind, c.name, c.tolerance, c.rows, c.exact, c.diverged, c.share)
                for c in self.columns
            ],
        )

    @classmethod
    def from_json(cls, data: str | bytes, where: str = "report") -> Report:
        """Read a report that :meth:`to_json` wrote; ``where`` is its name in errors.

        Raises:
            NewerFormat: a newer version of Gnomon wrote it.
            UnreadableFile: it is not a report.
        """
        return decode(data, cls, _KIND, where)
