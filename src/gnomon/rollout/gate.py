"""The verdict on one condition of a promotion, and all of them together."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gnomon.compare.sequential import Interval
from gnomon.notebook import NotebookTable, Tabular
from gnomon.policy import Policy
from gnomon.rollout.evidence.evidence import RowReference
from gnomon.rollout.evidence.evidence_range import EvidenceRange
from gnomon.rollout.evidence.outlook import MissingEvidence

__all__ = ["Gate", "Gates", "Verdict", "share_of"]

Verdict = Literal["pass", "fail", "unknown", "no_data"]

_WORST_FIRST: tuple[Verdict, ...] = ("fail", "no_data", "unknown")


class Gate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition of a promotion.

    Attributes:
        name: ``rows``, ``hours``, ``disagreement``, ``flips``, ``failed``, ``latency``,
            ``coverage``, ``lag``, ``skew``, ``drift``, or ``quality_`` and a metric, such as
            ``quality_brier``.
        verdict: ``unknown`` when the evidence is not enough to decide, ``no_data`` when there is
            none at all. Neither passes.
        says: the verdict's reason in one sentence.
        limit: the policy's limit.
        value: the measured value; a share, a ratio, hours, a number of rows or columns, or a
            difference of losses, like the limit.
        interval: the interval of the true value, valid however often it is computed. Over all gates
            and candidates their confidence is the policy's.
        count: how many rows count against the shadow.
        rows: out of how many rows.
        units: of how many entities or blocks of rows, if the interval is of the mean over those.
        noise: the noise floor that is subtracted: how often live is as bad against itself; None if
            there is none, or none is known yet.
        noise_rows: of how many rows that is.
        examples: some of the rows that count against it, worst first.
        excused: how many compared rows excuses cover.
        awaits: what will decide a gate that neither passes nor fails, and about when.
    """

    name: str
    verdict: Verdict
    says: str
    limit: int | float
    value: int | float | None = None
    interval: Interval | None = None
    count: int | None = None
    rows: int | None = None
    units: int | None = None
    noise: float | None = None
    noise_rows: int | None = None
    examples: tuple[RowReference, ...] = ()
    excused: int | None = None
    awaits: MissingEvidence | None = None

    @property
    def because(self) -> str:
        """The reason for its verdict, and what it waits for."""
        return self.says if self.awaits is None else f"{self.says}; {self.awaits.says}"


class Gates(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The gates of one shadow against the live artifact, evaluated at one time.

    Attributes:
        last_row: when the last row of the evidence arrived; None without rows.
        policy: the policy with the limits.
        read: what was read of the log; None if the artifact is not a running shadow.
        refused: why it would not be promoted whatever its gates say, such as other content under
            its tag than what is in shadow; None if nothing stands in the way.
    """

    artifact: str
    live: str
    gates: tuple[Gate, ...]
    last_row: datetime | None = None
    policy: Policy | None = None
    read: EvidenceRange | None = None
    refused: str | None = None

    @property
    def verdict(self) -> Verdict:
        """``fail`` if one gate fails or the artifact is refused whatever they say; else ``no_data``
        or ``unknown`` if one gate is, else ``pass``.
        """
        if self.refused is not None:
            return "fail"
        verdicts = {gate.verdict for gate in self.gates}
        return next((v for v in _WORST_FIRST if v in verdicts), "pass")

    @property
    def unmet(self) -> tuple[Gate, ...]:
        """The gates that do not pass."""
        return tuple(gate for gate in self.gates if gate.verdict != "pass")

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.artifact} to replace {self.live}",
            verdict=self.verdict,
            columns=("gate", "verdict", "because", "limit", "value", "count", "rows"),
            rows=[
                (g.name, g.verdict, g.because, g.limit, g.value, g.count, g.rows)
                for g in self.gates
            ],
        )


def share_of(count: int, rows: int) -> float | None:
    """Return the share of ``rows`` that ``count`` is; None if there are no rows."""
    return count / rows if rows else None
