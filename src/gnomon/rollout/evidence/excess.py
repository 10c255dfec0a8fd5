"""A share of bad rows beyond the noise floor: how often live is as bad against itself."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from msgspec import structs

from gnomon.compare.sequential import Interval, more_until
from gnomon.quantities import percent, plural
from gnomon.rollout.evidence.evidence import Evidence
from gnomon.rollout.evidence.outlook import (
    AT_THE_LIMIT,
    IF_IT_STAYS,
    MissingEvidence,
    Traffic,
    action,
    more_entities,
    more_rows,
)
from gnomon.rollout.evidence.share import BadShare

__all__ = ["Excess"]

_UNKNOWN = Interval(0.0, 1.0)
_NOT_KNOWN_WELL_ENOUGH = "because the noise floor is not known well enough"
_OR_NONE = "or set `noise_floor = 0` there, which judges the shadow without a floor"
_MANY_EXPECTED = 30
"""So many rows of a sample are expected and none is there: by chance once in 10^13 times."""
_LARGEST = 10**6
"""So many times the rows stand for a shadow whose own share is known exactly."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A shadow's share of bad rows, less that of live against itself.

    It is not computed from the same rows: see ``docs/gates.md``.

    Attributes:
        shadow: the share of the shadow.
        noise: the share of live against itself.
        awaited: whether live is scored twice all the time. The floor then counts from the first
            look on, when nothing is known of it yet: it may be anything.
        share: the share of live's rows that running servers score twice; None if none does.
        seen: how many rows of live against itself were scored or failed.
        failed: how many of them failed, if none could be compared.
        why: how many of them by error code, and what one says.
    """

    shadow: BadShare
    noise: BadShare
    awaited: bool = False
    share: float | None = None
    seen: int = 0
    failed: int = 0
    why: str = ""

    @classmethod
    def of(cls, evidence: Evidence, bad: str, of: str) -> Excess:
        """Return the excess of bad rows among the rows of a kind, both by the name of the count."""
        noise = evidence.noise
        return cls(
            evidence.shadow.share(bad, of),
            noise.share(bad, of),
            awaited=evidence.noise_awaited,
            share=evidence.noise_share,
            seen=noise.done,
            failed=0 if noise.compared else noise.failed,
            why=_why_failed(evidence),
        )

    @property
    def counts_noise(self) -> bool:
        """Whether there is a floor to subtract."""
        return self.awaited or self.noise.rows > 0

    @property
    def value(self) -> float | None:
        """The excess; None if the shadow has no rows."""
        value = self.shadow.value
        return None if value is None else max(value - (self.noise.value or 0.0), 0.0)

    def interval(self, confidence: float) -> Interval:
        """Compute the confidence sequence; each of two intervals gets half of the allowed error."""
        if not self.counts_noise:
            return self.shadow.interval(confidence)
        confidence = (1 + confidence) / 2
        noise = self.noise.interval(confidence) if self.noise.rows else _UNKNOWN
        return _difference(self.shadow.interval(confidence), noise)

    def at(self, rows: int, noise_rows: int, confidence: float) -> Interval:
        """Estimate the interval after so many rows of each, if both shares stay."""
        confidence = (1 + confidence) / 2
        noise = self.noise.at(noise_rows, confidence) if noise_rows else _UNKNOWN
        return _difference(self.shadow.at(rows, confidence), noise)

    def awaits(self, limit: float, confidence: float, traffic: Traffic | None) -> MissingEvidence:
        """Estimate the rows of the shadow that decide it or, if they cannot, those of the floor.

        Where live is scored twice all the time, rows of the floor come with those of the shadow.
        """

        def decides(rows: int, noise_rows: int) -> bool:
            interval = self.at(rows, noise_rows, confidence)
            return interval.high <= limit or interval.low > limit

        alone = more_until(lambda rows: decides(rows, self.noise.rows), self.shadow.rows)
        each = self._noise_each
        together = more_until(lambda rows: decides(rows, self._noise_at(rows)), self.shadow.rows)
        if alone is not None:
            needed = alone if together is None else min(alone, together)
            return self._more_compared(max(needed, 1), traffic)  # About: it may be within already.
        if each and together is not None:
            return self._more_noise(max(math.ceil(together * each), 1), traffic)
        largest = max(self.shadow.rows, 1) * _LARGEST
        more = more_until(lambda noise_rows: decides(largest, noise_rows), self.noise.rows)
        if not more:
            return action(AT_THE_LIMIT)
        if self.awaited:
            return self._more_noise(more, traffic)
        return action(
            f"needs about {plural(more, 'more row')} of live against itself, "
            f"{_NOT_KNOWN_WELL_ENOUGH}: give `noise_floor` in the policy's [sampling], or run "
            "`gnomon shadow start --same` with the live artifact"
        )

    @property
    def _noise_each(self) -> float:
        """How many rows of live against itself come with each row of the shadow."""
        if not self.awaited or self.failed or self.share is None:
            return 0.0
        if self.noise.rows and self.shadow.rows:
            return self.noise.rows / self.shadow.rows
        return 0.0 if self._lacks_its_sample else self.share

    @property
    def _lacks_its_sample(self) -> bool:
        """Whether no row was scored twice, of so many that some should have been."""
        return not self.seen and self.shadow.rows * (self.share or 0.0) >= _MANY_EXPECTED

    def _noise_at(self, rows: int) -> int:
        """Return how many rows of live against itself there are with so many of the shadow."""
        return self.noise.rows + round(self._noise_each * (rows - self.shadow.rows))

    def _more_compared(self, more: int, traffic: Traffic | None) -> MissingEvidence:
        """Return that a number of rows of the shadow decides it."""
        entities = self.shadow.entities_of(more)
        if entities is None:
            return more_rows(more, "rows compared", traffic, about=True, given=IF_IT_STAYS)
        of = "rows compared of other entities"
        return more_entities(more, entities, of, traffic, IF_IT_STAYS)

    def _more_noise(self, more: int, traffic: Traffic | None) -> MissingEvidence:
        """Return that a number of rows decides it which a server scores twice as they come.

        Or what keeps a server from that.
        """
        if self.failed:
            return action(
                "no number of rows decides it while live fails in its second copy and answers in "
                "the first: mend what its error says; with `noise_floor = 0` in the policy's "
                "[sampling] the shadow is judged without a floor"
            )
        if self.share is None:
            return action(
                f"needs about {plural(more, 'more row')} of live against itself, and no running "
                "server scores any: give `noise_floor` in the [sampling] of the policy file that "
                f"the server reads, {_OR_NONE}"
            )
        if self._lacks_its_sample:
            return action(
                f"needs about {plural(more, 'more row')} of live against itself, and none of the "
                f"{self.shadow.rows:,} rows is one yet: if none of the next ones is, those that "
                f"come are of few entities, and none of these is in the sample of "
                f"{percent(self.share, 2)}: give a larger `noise_floor` in the policy's "
                f"[sampling], and stop and start the shadow, {_OR_NONE}"
            )
        traffic = self._noise_traffic(traffic)
        of, given = "rows of live against itself", f", {_NOT_KNOWN_WELL_ENOUGH}"
        entities = self.noise.entities_of(more)
        if entities is not None:
            return more_entities(more, entities, f"{of} of other entities", traffic, given)
        return more_rows(more, of, traffic, about=True, given=given)

    def _noise_traffic(self, traffic: Traffic | None) -> Traffic | None:
        """Return the traffic of rows that are scored twice: as many as were, or as should be."""
        if traffic is None or not traffic.scored or not self.shadow.rows:
            return traffic
        if self.noise.rows:
            share = self.noise.rows / self.shadow.rows
        else:
            share = (self.share or 0.0) * traffic.answered / traffic.scored
        new = None if traffic.new is None else traffic.new.sampled(share)
        return structs.replace(traffic, scored=round(traffic.scored * share), new=new)

    @property
    def floor(self) -> str:
        """The floor in words, to follow the interval; empty without one."""
        if self.noise.value is not None:
            share = percent(self.noise.value, 2)
            return f" beyond the noise floor of {share} of {self.noise.counted}"
        if not self.awaited:
            return ""
        if self.failed:
            return (
                " beyond the noise floor, which cannot be measured: of live against itself "
                f"{plural(self.failed, 'row')} failed and none was compared{self.why}"
            )
        return " beyond the noise floor, which is not measured yet"


def _why_failed(evidence: Evidence) -> str:
    codes = Counter(evidence.noise.errors).most_common(3)
    reasons = [", ".join(f"{count:,} {code}" for code, count in codes), evidence.noise_error or ""]
    found = ": ".join(filter(None, reasons))
    return f" ({found})" if found else ""


def _difference(shadow: Interval, noise: Interval) -> Interval:
    return Interval(max(shadow.low - noise.high, 0.0), max(shadow.high - noise.low, 0.0))
