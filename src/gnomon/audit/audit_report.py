"""What the verification of a bundle found."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gnomon.notebook import NotebookTable, Tabular

__all__ = ["LIMITS", "AuditCheck", "AuditReport", "Proof"]

Proof = Literal["proven", "not_proven", "failed"]

LIMITS = (
    "that the bundle has every decision: who can write to the storage root can rewrite a history "
    "before it is exported. Keep each bundle; --extends compares the next one with it",
    "who decided, beyond what each event says: a name that the caller gave is only claimed",
    "when it was decided: the time is that of the clock of the machine that recorded it",
    "the requests, answers and labels themselves: the bundle has their digests, not their rows",
)
"""What no bundle can prove by itself."""


class AuditCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked.

    Attributes:
        name: ``files``, ``signature``, ``model``, ``history``, ``decisions``, ``gates``,
            ``actors``, ``artifacts``, ``policies``, ``data`` or ``extends``.
        verdict: whether the bundle proves it.
        says: what is proven, or why not, in one sentence.
    """

    name: str
    verdict: Proof
    says: str


class AuditReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle proves.

    Attributes:
        verdict: ``failed`` if any check failed; ``proven`` if none failed, a trusted key signed
            the bundle, and it extends the earlier one, if one is given; else ``not_proven``.
        checks: what was checked.
        limits: what no bundle can prove.
        model: the model; None, as the next four, if the bundle cannot be read.
        made: when it was exported.
        decisions: how many decisions it has.
        signer: the fingerprint of the key that signed it; None also without a signature.
        warnings: what the exporting deployment said that an auditor should know.
    """

    verdict: Proof
    checks: tuple[AuditCheck, ...]
    limits: tuple[str, ...] = LIMITS
    model: str | None = None
    made: datetime | None = None
    decisions: int | None = None
    signer: str | None = None
    warnings: tuple[str, ...] = ()

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"audit bundle of {self.model or 'an unknown model'}",
            verdict=self.verdict,
            columns=("check", "verdict", "says"),
            rows=[(check.name, check.verdict, check.says) for check in self.checks],
        )
