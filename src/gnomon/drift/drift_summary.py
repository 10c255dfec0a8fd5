"""The text of a drift report: its title and the six lines of its summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gnomon.drift.drift_report import Alert, DriftColumn, Effect, Verdict
from gnomon.drift.verdicts import NEVER
from gnomon.name_lists import listed
from gnomon.quantities import number, percent, plural, rows
from gnomon.report import Summary
from gnomon.report.document import Sign
from gnomon.report.numbers import utc_time

__all__ = ["METRICS", "SIGNS", "DriftFinding", "amount", "ranked"]

METRICS = {
    "psi": "PSI",
    "js": "Jensen-Shannon",
    "ks": "Kolmogorov-Smirnov",
    "wasserstein": "Wasserstein",
    "linf": "L-infinity",
    "nulls": "nulls",
    "new": "new values",
    "outside": "out of range",
}
"""The name of each metric in text."""

SIGNS = {"drifted": Sign("≠", "bad"), "ok": Sign("=", "good"), "unknown": Sign("?", "unsure")}
"""The sign of each verdict."""

_KINDS = ("input", "step", "output")
_SHARES = ("nulls", "new", "outside")
_NAMED = 3
"""The largest number of names in one sentence."""


def amount(metric: str, effect: Effect) -> str:
    """Write a metric with its limit, such as ``PSI 0.61 (limit 0.25)``."""
    formatted = percent if metric in _SHARES else (lambda x: number(x, 2))
    limit = f"limit {formatted(effect.limit)}" if effect.limit < NEVER else "no limit"
    return f"{METRICS[metric]} {formatted(effect.value)} ({limit})"


def ranked(columns: Sequence[DriftColumn]) -> list[DriftColumn]:
    """Order the judged columns that have drifted: by kind, inputs first, then by excess over the
    limit."""
    drifted = [c for c in columns if c.judged and c.verdict == "drifted"]
    return sorted(drifted, key=lambda c: (_KINDS.index(c.kind), -_excess(c)))


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """The facts from which the title and the summary are written.

    Attributes:
        artifact: the tag of the artifact.
        role: the role in which it answered.
        rows: answered rows that were counted.
        seconds: the width of a bucket.
        start: when the first bucket begins.
    """

    artifact: str
    role: str
    rows: int
    seconds: float
    start: str | None
    columns: tuple[DriftColumn, ...]
    alerts: tuple[Alert, ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict over all judged columns and the changes within the range."""
        verdicts = {c.verdict for c in self.columns if c.judged}
        if "drifted" in verdicts or self.alerts:
            return "drifted"
        return "unknown" if "unknown" in verdicts or not self.rows else "ok"

    def title(self) -> str:
        """Return the finding in one sentence."""
        drifted, of = ranked(self.columns), plural(sum(c.judged for c in self.columns), "column")
        if not self.rows:
            return f"Nothing to measure: no answer of {self.artifact} as {self.role} in this range"
        if drifted:
            first = f"most of all `{drifted[0].name}`"
            return f"{len(drifted)} of {of} drifted from training, {first}"
        if self.alerts:
            names = list(dict.fromkeys(f"`{alert.name}`" for alert in self.alerts))
            changed = ", ".join(names[:3])
            return f"Within this range {changed} changed; the range as a whole matches training"
        if self.verdict == "unknown":
            return f"Inconclusive: too few rows {self._missing_rows()}"
        return f"No drift from training: {rows(self.rows)}, {of}"

    def summary(self) -> Summary:
        """Return what drifted, where, since when, how many columns, how sure, and what to do."""
        drifted = ranked(self.columns)
        return Summary(
            what=self._what(drifted),
            where=self._where(drifted),
            since=self._since(drifted),
            how_many=self._how_many(drifted),
            how_sure=self._how_sure(),
            action=self._action(drifted),
        )

    def _what(self, drifted: list[DriftColumn]) -> str:
        if not self.rows:
            return f"The log has no answer of {self.artifact} as {self.role} in this range."
        if drifted:
            column = drifted[0]
            increase = column.largest_increase
            more = f" Largest increase: {increase}." if increase else ""
            return f"`{column.name}`: {amount(column.worst, column.effects[column.worst])}.{more}"
        if self.alerts:
            alert = self._largest()
            return (
                f"`{alert.name}`: {amount(alert.metric, alert.effect)}. "
                f"Largest increase: {alert.largest_increase}."
            )
        return "No column has drifted beyond the policy's limit."

    def _where(self, drifted: list[DriftColumn]) -> str:
        if not drifted:
            places = list(dict.fromkeys(f"`{a.name}`{_segment_text(a)}" for a in self.alerts))
            return f"In {listed(places, _NAMED)}." if places else "No column has drifted."
        parts = []
        for kind, word in (("input", "inputs"), ("step", "step columns"), ("output", "outputs")):
            names = [f"`{c.name}`" for c in drifted if c.kind == kind]
            if names:
                parts.append(f"{word} {listed(names, _NAMED)}")
        segments = _segments(drifted[0])
        return f"In {'; '.join(parts)}.{segments}"

    def _since(self, drifted: list[DriftColumn]) -> str:
        if not drifted:
            return (
                self._changed(self._largest())
                if self.alerts
                else "Nothing changed within this range."
            )
        first = drifted[0]
        if first.since is None:
            return "Unknown: the rows have no timestamp."
        begins = ", where the range begins" if first.since == self.start else ""
        text = f"{utc_time(first.since, self.seconds)} UTC for `{first.name}`{begins}"
        example = f", such as {first.example_rows[0]}" if first.example_rows else ""
        own_alerts = [a for a in self.alerts if (a.kind, a.name) == (first.kind, first.name)]
        return (
            f"{text}{example}. {self._changed(own_alerts[0])}"
            if own_alerts
            else f"{text}{example}."
        )

    def _changed(self, alert: Alert) -> str:
        how = "suddenly" if alert.change == "sudden" else "gradually"
        example = f", such as {alert.example_rows[0]}" if alert.example_rows else ""
        time = utc_time(alert.since, self.seconds)
        return f"`{alert.name}`{_segment_text(alert)} changed {how} from {time} UTC{example}."

    def _how_many(self, drifted: list[DriftColumn]) -> str:
        judged = [c for c in self.columns if c.judged]
        inconclusive = sum(c.verdict == "unknown" for c in judged)
        text = f"{len(drifted)} of {plural(len(judged), 'column')} over {rows(self.rows)}"
        if self.alerts:
            text += f"; within the range {len({(a.kind, a.name) for a in self.alerts})} changed"
        return f"{text}; {inconclusive} inconclusive." if inconclusive else f"{text}."

    def _how_sure(self) -> str:
        judged = [c for c in self.columns if c.judged and "psi" in c.effects]
        if not judged:
            return "Inconclusive."
        worst = max(judged, key=lambda c: c.effects["psi"].floor)
        effect = worst.effects["psi"]
        limit = number(effect.limit, 2) if effect.limit < NEVER else "not set"
        return (
            f"By chance alone, PSI goes beyond {number(effect.floor, 2)} in one sample of a "
            f"thousand (`{worst.name}`); the limit is {limit}."
        )

    def _action(self, drifted: list[DriftColumn]) -> str:
        if not self.rows:
            return "Check the artifact, the role and the time range against the log."
        if self.verdict == "ok":
            return "Nothing."
        if self.verdict == "unknown":
            if self._is_training_short:
                return "Pack the artifact with more training rows."
            of = " of other entities" if self._inconclusive[0].independent_rows is not None else ""
            return f"Measure a longer range, once more rows{of} were served."
        name = drifted[0].name if drifted else self._largest().name
        return (
            f"Look at the example rows. If `{name}` is computed wrongly, fix it there "
            "(gnomon replay and compare say where); if the data itself has changed, train again."
        )

    @property
    def _is_training_short(self) -> bool:
        """Whether the training profile has too few rows: chance depends on the smaller sample."""
        return any(c.training_rows < _independent(c) for c in self._inconclusive)

    @property
    def _inconclusive(self) -> list[DriftColumn]:
        return [c for c in self.columns if c.judged and c.verdict == "unknown"]

    def _missing_rows(self) -> str:
        column = next(
            c
            for c in self._inconclusive
            if (c.training_rows < _independent(c)) == self._is_training_short
        )
        if self._is_training_short:
            return (
                f"in the training profile, {column.training_rows:,} against {column.rows:,} served"
            )
        if column.independent_rows is None:
            return f"in the log, {column.rows:,} against {column.training_rows:,} of training"
        return (
            f"of different entities in the log, {column.rows:,} that count as "
            f"{column.independent_rows:,} against {column.training_rows:,} of training"
        )

    def _largest(self) -> Alert:
        return max(self.alerts, key=lambda a: (a.segment is None, a.effect.value / a.effect.limit))


def _independent(column: DriftColumn) -> int:
    return column.rows if column.independent_rows is None else column.independent_rows


def _excess(column: DriftColumn) -> float:
    effect = column.effects[column.worst]
    return effect.value / effect.limit


def _segment_text(alert: Alert) -> str:
    return f" of {alert.segment}" if alert.segment else ""


def _segments(column: DriftColumn) -> str:
    """Name the segments without which the column would not have drifted."""
    limit = column.effects[column.worst].limit
    causes = [s.name for s in column.segments if s.without is not None and s.without <= limit]
    if not causes or len(column.segments) < 2:
        return ""
    return f" Without {' or '.join(causes[:3])} `{column.name}` would be within its limit."
