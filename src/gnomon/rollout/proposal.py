"""A promotion that one person has proposed, and that waits for another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

__all__ = ["PROPOSAL_HOURS", "ProposalFacts", "ProposedPromotion"]

PROPOSAL_HOURS = 24.0
"""How long a proposal may be approved. The gates are evaluated again at the approval; the limit is
for the intention: nobody is surprised by a promotion that was proposed weeks ago."""


class ProposalFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is proposed, and by whom.

    Attributes:
        number: the number of its event in the history, from 1.
        artifact: the artifact to make live.
        forced: whether it is to be promoted although gates do not pass.
        by: who proposed it.
        authenticated: how that is known.
        on_behalf_of: for whom, as they say.
        at: when.
    """

    number: int
    artifact: str
    forced: bool
    by: str | None
    authenticated: str | None
    on_behalf_of: str | None
    at: datetime


class ProposedPromotion(ProposalFacts, frozen=True, kw_only=True):
    """A proposed promotion; its withdrawal, or the promotion or rollback of any artifact, ends it.

    Attributes:
        digest: the artifact's manifest hash.
    """

    digest: str | None

    @property
    def until(self) -> datetime:
        """When it can no longer be approved."""
        return self.at + timedelta(hours=PROPOSAL_HOURS)

    def is_expired(self, now: datetime | None = None) -> bool:
        """Return whether it can no longer be approved."""
        return (now or datetime.now(UTC)) >= self.until
