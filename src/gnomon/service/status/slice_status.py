"""The status of a slice: the answer of ``GET /gnomon/status`` and ``GET /status.json``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from gnomon.artifact.manifest import Combination
from gnomon.notebook import NotebookTable, Tabular
from gnomon.quantities import plural
from gnomon.rollout.evidence.excuse import RecordedExcuse
from gnomon.service.status.automation_status import AutomationStatus
from gnomon.service.status.proposal_status import ProposalStatus
from gnomon.shadow.shadow_counts import Latency, ShadowReport

__all__ = ["Latency", "LiveStatus", "RowAccounts", "ShadowStatus", "Status", "public"]

HIDDEN = "GET /gnomon/status says why; it needs a token"


class LiveStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The artifact whose answers clients get.

    Attributes:
        artifact: its tag.
        digest: the SHA-256 of its manifest.
        since: when the rollout made it live.
        latency_ms: its worker's time per batch; ``None`` before the first batch.
    """

    artifact: str
    digest: str | None = None
    since: datetime | None = None
    latency_ms: Latency | None = None


class ShadowStatus(ShadowReport, frozen=True, kw_only=True):
    """An artifact in shadow; counts are rows: eligible = scored + failed + lagging.

    Attributes:
        artifact: its tag.
        fraction: the share of entities (or requests) that it scores.
        since: when it was put in shadow.
        reverse: whether it is the artifact that live replaced, in the watch window.
        combination: what it was made of, if it is the model of one artifact on the preprocessing of
            another, for debugging.
        state: ``starting``, ``running``, ``failing``, or ``not running`` when no server is.
        eligible: rows it has to score.
    """

    artifact: str
    fraction: float = 1.0
    since: datetime | None = None
    reverse: bool = False
    combination: Combination | None = None
    state: str = "running"
    eligible: int = 0

    @property
    def disagreement(self) -> float | None:
        """The share of compared rows that disagree; ``None`` when none was compared."""
        return self.disagreed / self.compared if self.compared else None

    @property
    def flips(self) -> float | None:
        """The share of decided rows whose decision flips; ``None`` when no output decides."""
        return self.flipped / self.decided if self.decided else None


class RowAccounts(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """Rows by outcome since the slice started; received is the sum of the outcomes and in flight.

    Attributes:
        reasons: rows that were not answered, by ``<outcome>:<error code>``.
        outside: by feature, the number of rows accepted with a value not seen in training.
        unknown: by name, how often a field was received that is not in the contract.
    """

    received: int = 0
    answered: int = 0
    rejected: int = 0
    failed: int = 0
    timed_out: int = 0
    shed: int = 0
    in_flight: int = 0
    unlogged: int = 0
    reasons: dict[str, int] = {}
    outside: dict[str, int] = {}
    unknown: dict[str, int] = {}

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        outcomes = ("answered", "rejected", "failed", "timed_out", "shed", "in_flight")
        return NotebookTable(
            title=f"{plural(self.received, 'row')} received",
            verdict="",
            columns=("outcome", "rows"),
            rows=[(outcome, getattr(self, outcome)) for outcome in outcomes],
        )


class Status(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The present status of one slice. Fields that a newer server adds are ignored.

    Attributes:
        model: the deployment's model name.
        ready: whether live is loaded and verified, so that predictions are answered.
        version: the server's gnomon version.
        slice: the name of the slice.
        started: when its gateway started.
        epoch: the number of the last rollout decision it follows.
        live: the live artifact; ``None`` until a first one is promoted.
        previous: the tag to which a rollback would return.
        noise_floor: live against itself, on a share of its rows; not among ``shadows``, as nobody
            started it and nobody can promote it. ``None`` while it is not measured.
        automation: what the server decides by itself; ``None`` if no server runs.
        excuses: the excuses that have an effect, of all shadows; none in ``GET /status.json``.
        proposals: the promotions that wait for another person, or that nobody can approve; none in
            ``GET /status.json``.
        error: why it is not ready, cannot write its log, or cannot follow the rollout.
        warnings: what the operator should know, such as that the log is kept for too short a time.
    """

    model: str
    ready: bool
    version: str | None = None
    slice: str | None = None
    started: datetime | None = None
    epoch: int = 0
    live: LiveStatus | None = None
    previous: str | None = None
    shadows: tuple[ShadowStatus, ...] = ()
    noise_floor: ShadowStatus | None = None
    accounts: RowAccounts = msgspec.field(default=RowAccounts(), name="books")
    automation: AutomationStatus | None = None
    excuses: tuple[RecordedExcuse, ...] = ()
    proposals: tuple[ProposalStatus, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        live = [] if self.live is None else [("live", self.live.artifact, *[None] * 5)]
        noise = [] if self.noise_floor is None else [_described("noise floor", self.noise_floor)]
        received = f"{plural(self.accounts.received, 'row')} received"
        counted = "no server is running" if self.started is None else received
        return NotebookTable(
            title=f"{self.model}, {counted}",
            verdict="ready" if self.ready else "not ready",
            columns=("role", "artifact", "eligible", "scored", "failed", "lagging", "disagreement"),
            rows=[*live, *(_described("shadow", shadow) for shadow in self.shadows), *noise],
        )

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Status:
        """Convert a server's JSON to a status.

        Raises:
            msgspec.ValidationError: the JSON is not a status.
        """
        return msgspec.convert(answer, cls)


def public(status: Status) -> Status:
    """Return the public status, for which no token is needed.

    It is without the reasons of failures, which contain file names, and without excuses and
    proposals, which contain names of people and values of features.
    """
    shadows = tuple(map(_public_shadow, status.shadows))
    noise_floor = None if status.noise_floor is None else _public_shadow(status.noise_floor)
    automation = status.automation
    if automation is not None:
        automation = structs.replace(automation, says=automation.says and HIDDEN)
    return structs.replace(
        status,
        error=status.error and HIDDEN,
        shadows=shadows,
        noise_floor=noise_floor,
        automation=automation,
        excuses=(),
        proposals=(),
    )


def _public_shadow(shadow: ShadowStatus) -> ShadowStatus:
    return structs.replace(shadow, error=shadow.error and HIDDEN)


def _described(role: str, shadow: ShadowStatus) -> tuple[object, ...]:
    """Return a table row with a shadow's accounts."""
    counts = (shadow.eligible, shadow.scored, shadow.failed, shadow.lagging)
    return (role, shadow.artifact, *counts, shadow.disagreement)
