"""The text of a report: its title and the six lines of its summary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from gnomon.quantities import count, number, percent, plural, rows
from gnomon.report import Count, Diagnosis, Impact, Share, Summary, Timeline, Verdict
from gnomon.report.numbers import interval, utc_time

__all__ = ["SkewFinding", "judge"]

_TAIL = 0.05
"""The share of rows that must agree after the last diverging row for the divergence to be over."""

_KNOWN_LATER = (
    "For rows known only later, give the table what was known before them, or the time from which "
    "its rows could be read; if there is neither, the offline table "
    "used information from the future."
)


@dataclass(frozen=True, slots=True)
class SkewFinding:
    """The facts from which the title and the summary are written.

    Attributes:
        left: the name of the left side.
        right: the name of the right side.
        replayed: the tag of the artifact a replay ran; None for an offline table.
        artifact: the tag of the artifact that was logged.
        role: the role in which it answered.
        answered: logged rows with an answer in the range, up to a limit on the rows.
        divergence: rows that diverge, of those compared.
        exact: rows bit-identical.
        limit: the share of diverging rows that the policy allows.
        differing: the columns that decide the verdict and differ on some row.
        agreeing_features: how many compared features agree on every row.
        first: the time of the first diverging row, in seconds since 1970, and its request.
        last: the time of the last diverging row.
        known_later: rows compared with values known only after their time.
        stopped: whether a limit on the rows left further answered rows of the range out.
    """

    left: str
    right: str
    artifact: str
    role: str
    replayed: str | None
    verdict: Verdict
    answered: int
    divergence: Share
    exact: int
    limit: float
    differing: tuple[str, ...]
    agreeing_features: int
    impact: Impact | None
    timeline: Timeline | None
    first: tuple[float, str] | None
    last: float | None
    diagnosis: Diagnosis | None
    known_later: Count | None = None
    stopped: bool = False

    def title(self) -> str:
        """Return the finding in one sentence."""
        diverging, of = self.divergence.rows, self.divergence.of
        part = (
            self._all()
            if diverging == of
            else f"{percent(self.divergence.share)} of {self._of_rows()}"
        )
        if not of:
            return f"Nothing to compare: no answer of {self.artifact} as {self.role} in this range"
        if self.verdict == "unknown":
            return f"Inconclusive: {rows(of)} of {count(self.answered)} could be compared"
        if self.verdict == "ok":
            return self._agreement(diverging, of)
        if self.diagnosis and self.diagnosis.verdict != "unknown":
            return f"{self.diagnosis.sentence.rstrip('.')}: {part} diverge"
        if self.replayed not in (None, self.artifact):
            return f"{self.replayed} answers differently from {self.artifact} on {part}"
        if self.replayed:
            return f"Run again, {part} differ from the logged prediction"
        sides = f"{self.left.capitalize()} and {self.right}"
        if self.diagnosis and self.diagnosis.column:
            return f"{sides} first differ at `{self.diagnosis.name}`: {part} diverge"
        return f"{sides} differ on {part}"

    def summary(self) -> Summary:
        """Return what differs, where, since when, how many rows, how sure, and what to do."""
        return Summary(
            what=self._what(),
            where=self._where(),
            since=self._since(),
            how_many=self._how_many(),
            how_sure=self._how_sure(),
            action=self._action(),
        )

    def _agreement(self, diverging: int, of: int) -> str:
        part = f"{percent(1 - self.divergence.share)} of {self._of_rows()}"
        share = f"{part}, within the policy's limit"
        if self.replayed not in (None, self.artifact):
            who = f"{self.replayed} answers as {self.artifact} did"
            return f"{who} on {self._all()}" if not diverging else f"{who} on {share}"
        if self.replayed:
            if not diverging:
                how = "bit for bit" if self.exact == of else "within tolerance"
                return f"{self._all().capitalize()} match the log, {how}"
            return f"The logged answers were reproduced on {share}"
        sides = f"{self.left.capitalize()} and {self.right} agree"
        return f"{sides} on {self._all()}" if not diverging else f"{sides} on {share}"

    def _all(self) -> str:
        of = rows(self.divergence.of)
        return f"the first {of}" if self.stopped else f"all {of}"

    def _of_rows(self) -> str:
        of = rows(self.divergence.of)
        return f"the first {of}" if self.stopped else of

    def _what(self) -> str:
        diverging, of = self.divergence.rows, self.divergence.of
        if not of:
            return f"The log has no answer of {self.artifact} as {self.role} in this range."
        if not diverging:
            same = "all" if self.exact == of else count(self.exact)
            return f"{rows(of)} compared, none diverges; {same} bit-identical."
        text = f"{count(diverging)} of {rows(of)} diverge."
        if self.impact:
            text += f" {count(self.impact.flips.rows)} decisions change."
            if self.impact.mean_change is not None:
                text += (
                    f" The {self.impact.score} moves by {number(self.impact.mean_change, 3)} "
                    f"on average, {number(self.impact.largest_change or 0.0, 3)} at most."
                )
        return text

    def _where(self) -> str:
        if self.diagnosis and self.diagnosis.column:
            diagnosis = self.diagnosis
            place = f", output of step {diagnosis.step}," if diagnosis.step else ""
            rest = ""
            if self.agreeing_features and diagnosis.step:
                inputs = plural(self.agreeing_features, "input")
                rest = f" There is no difference in the {inputs} compared."
            return f"`{diagnosis.name}`{place} is the first column to differ.{rest}"
        if not self.differing:
            return "No column differs."
        return "In " + ", ".join(f"`{name}`" for name in self.differing[:4]) + "."

    def _since(self) -> str:
        if self.first is None or self.last is None or not self.timeline:
            return "No row in this range diverges."
        buckets = self.timeline.buckets
        begin = next(index for index, b in enumerate(buckets) if b.diverged)
        end = next(index for index in reversed(range(len(buckets))) if buckets[index].diverged)
        before = sum(b.rows for b in buckets[:begin])
        after = sum(b.rows for b in buckets[end + 1 :])
        over = after > _TAIL * self.divergence.of
        time, request = self.first
        text = f"{_utc_time(time)} UTC by {self.timeline.axis.label}, request {request}"
        start = utc_time(buckets[begin].start, self.timeline.seconds)
        text += (
            f"; the {rows(before)} before {start} agree" if before else ", where the range begins"
        )
        return f"{text}. {rows(after)} after {_utc_time(self.last)} agree." if over else f"{text}."

    def _how_many(self) -> str:
        if not self.divergence.of:
            return "No row was compared."
        limit = (
            f"the policy's limit is {percent(self.limit)}"
            if self.limit
            else "the policy allows no row to differ"
        )
        over = f" over {self.divergence.units}" if self.divergence.units else ""
        return (
            f"{percent(self.divergence.share)} of rows ({interval(self.divergence)}{over} at "
            f"{percent(self.divergence.confidence)} confidence); {limit}."
        )

    def _how_sure(self) -> str:
        if not self.answered:
            return "Inconclusive."
        coverage = self._compared()
        if self.known_later:
            coverage += (
                f" {rows(self.known_later.rows)} used a value known only later, such as "
                f"{self.known_later.example}."
            )
        if self.diagnosis and self.diagnosis.verdict == "confirmed" and self.diagnosis.repaired:
            fixed = self.diagnosis.repaired
            return (
                f"Confirmed by undoing it: {count(fixed.rows)} of {rows(fixed.of)} that differed "
                f"then agree. {coverage}"
            )
        if self.diagnosis:
            return f"{coverage} Why they differ is unknown: no cause could be confirmed."
        return coverage

    def _compared(self) -> str:
        if self.stopped:
            return (
                f"Only the first {rows(self.divergence.of)} were compared, up to the limit; the "
                "range has more answered rows."
            )
        share = percent(self.divergence.of / self.answered)
        return f"{share} of the {rows(self.answered)} answered in the range were compared."

    def _action(self) -> str:
        if self.known_later is None:
            return self._next()
        return _KNOWN_LATER if self.verdict == "ok" else f"{self._next()} {_KNOWN_LATER}"

    def _next(self) -> str:
        if not self.divergence.of:
            return "Check the artifact, the role and the time range against the log."
        if self.verdict == "unknown":
            return "Give more of the logged rows, then compare again."
        if self.verdict == "ok":
            return "Nothing."
        if self.diagnosis and self.diagnosis.action:
            return self.diagnosis.action
        if self.replayed and self.replayed != self.artifact:
            return "Look at the rows that diverge, then decide whether they should."
        return "Look at the first column that differs and at the rows below."


def judge(
    divergence: Share, answered: int, limit: float, *, coverage: float, fewest: int
) -> Verdict:
    """Decide whether rows diverge beyond a limit, or too few were compared to tell.

    Args:
        answered: logged rows that could have been compared.
        limit: the share that may diverge.
        coverage: the share of ``answered`` to compare; with less, at least ``fewest`` rows.
    """
    if divergence.share > limit:
        return "diverged"
    too_few = divergence.of < coverage * answered and divergence.of < fewest
    return "unknown" if too_few or not divergence.of else "ok"


def _utc_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
