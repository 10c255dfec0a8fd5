"""An excuse: a column or a segment that the gates of disagreement leave out for a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gnomon.errors import RolloutError
from gnomon.quantities import rough_duration

if TYPE_CHECKING:
    from gnomon.contract.feature import Output

__all__ = ["MOST_DAYS", "Excuse", "RecordedExcuse", "active", "excused_columns", "parse_excuse"]

MOST_DAYS = 366
"""How many days an excuse may last. What should last longer belongs in the policy."""

EXPIRES_SOON_HOURS = 24.0
"""From so many hours before its end on, an excuse says how long it still lasts."""


class Excuse(msgspec.Struct, frozen=True, kw_only=True):
    """What an excuse covers: an output column, or the rows where a feature has a value.

    Attributes:
        owner: who answers for it.
        until: its end; it has no effect from then on.
        column: the output column; None for a segment.
        feature: the feature of a segment; None for a column.
        value: the feature's value in the segment, as text.
    """

    owner: str
    until: datetime
    column: str | None = None
    feature: str | None = None
    value: str | None = None

    @property
    def target(self) -> str:
        """What it covers, as it is given: ``prediction`` or ``origin=JFK``."""
        return self.column if self.column is not None else f"{self.feature}={self.value}"


def excused_columns(excuse: Excuse, outputs: Sequence[Output]) -> tuple[str, ...]:
    """Return the outputs that an excuse of a column covers; none if it is of a segment.

    Of two classes the probability of one is 1 less that of the other, so it covers both.

    >>> from gnomon.contract.feature import Output
    >>> until = datetime(2026, 1, 1, tzinfo=UTC)
    >>> excuse = Excuse(owner="ann", until=until, column="probability_late")
    >>> names = ("prediction", "probability_late", "probability_on_time")
    >>> excused_columns(excuse, [Output(name=name, type="float") for name in names])
    ('probability_late', 'probability_on_time')
    """
    if excuse.column is None:
        return ()
    targets = {output.target for output in outputs if output.name == excuse.column}
    probabilities = tuple(
        output.name
        for output in outputs
        if output.role == "probability" and output.target in targets
    )
    if len(probabilities) == 2 and excuse.column in probabilities:
        return probabilities
    return (excuse.column,)


def parse_excuse(target: str, owner: str, until: datetime) -> Excuse:
    """Read what an excuse covers: ``FEATURE=VALUE`` is a segment, anything else a column.

    Raises:
        RolloutError: a part is empty, or the end has no time zone.
    """
    feature, is_segment, value = target.partition("=")
    if not target or (is_segment and not (feature and value)):
        raise RolloutError(
            f"expected an output column or FEATURE=VALUE to excuse, got {target!r}",
            hint="such as probability_late, or origin=JFK",
        )
    if not any(c.isprintable() and not c.isspace() for c in owner):
        raise RolloutError(f"expected an owner of the excuse, who answers for it, got {owner!r}")
    if until.tzinfo is None:
        raise RolloutError(f"expected a time with its offset from UTC, got {until.isoformat()}")
    if is_segment:
        return Excuse(owner=owner, until=until, feature=feature, value=value)
    return Excuse(owner=owner, until=until, column=target)


class RecordedExcuse(msgspec.Struct, frozen=True, kw_only=True):
    """An excuse in the history.

    Attributes:
        number: the number of its event in the history, by which it is ended.
        artifact: the tag of the artifact whose differences from live it excuses.
        excuse: what it covers.
        at: when it was recorded.
        by: who recorded it.
        why: the reason.
    """

    number: int
    artifact: str
    excuse: Excuse
    at: datetime
    by: str | None = None
    why: str | None = None

    def is_active(self, at: datetime | None = None) -> bool:
        """Return whether it has an effect at a time, now by default."""
        return (at or datetime.now(UTC)) < self.excuse.until

    def __str__(self) -> str:
        """Write what it covers, until when, by whom and why."""
        left = (self.excuse.until - datetime.now(UTC)).total_seconds()
        until = f"until {self.excuse.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if 0 < left < EXPIRES_SOON_HOURS * 3600:
            until = f"expires in {rough_duration(left)}"
        return f"{self.excuse.target}, {until}, owner {self.excuse.owner}: {self.why}"


def active(
    excuses: Iterable[RecordedExcuse], artifact: str, *times: datetime
) -> tuple[RecordedExcuse, ...]:
    """Return the excuses of an artifact that have an effect at one of the times."""
    return tuple(
        excuse
        for excuse in excuses
        if excuse.artifact == artifact and any(map(excuse.is_active, times))
    )
