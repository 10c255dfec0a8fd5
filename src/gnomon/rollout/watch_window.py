"""The watch window of a promotion, as its event records it and as the state after it has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

__all__ = ["WATCHABLE", "ReverseShadow", "Watch", "WatchWindow", "open_watch", "watched_gates"]

WATCHABLE = ("failed", "latency", "disagreement", "flips")
"""The gates of a watch window. ``failed`` is of the live artifact itself; the others compare it
with the artifact that it replaced, which goes on as the reverse shadow."""


class ReverseShadow(msgspec.Struct, frozen=True, kw_only=True):
    """The replaced artifact, which is a shadow from the promotion on.

    Attributes:
        artifact: its tag.
        digest: its manifest hash, if it is known.
        fraction: the share of the requests that it scores.
        entity_key: the features by which they are sampled.
    """

    artifact: str
    digest: str | None = None
    fraction: float = 1.0
    entity_key: tuple[str, ...] = ()


class WatchWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What a promotion records of its watch window.

    Attributes:
        until: its end.
        gates: the gates whose failure rolls the promotion back.
        reverse_shadow: the artifact that was replaced, unless it does not go on.
    """

    until: datetime
    gates: tuple[str, ...]
    reverse_shadow: ReverseShadow | None = None


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """The watch window of the present live artifact.

    Attributes:
        artifact: the live artifact.
        previous: the artifact that a rollback returns to.
        since: the epoch of the promotion.
        at: when it was promoted.
        until: the end of the window.
        gates: the gates whose failure rolls back.
        shadow: whether the replaced artifact still runs as the reverse shadow.
    """

    artifact: str
    previous: str
    since: int
    at: datetime
    until: datetime
    gates: tuple[str, ...]
    shadow: bool = False


def open_watch(watch: Watch | None, at: datetime | None = None) -> Watch | None:
    """Return the window of a state if it is open at a time, now by default; else None.

    The state has no clock: it keeps a window until the next promotion or rollback.
    """
    return None if watch is None or (at or datetime.now(UTC)) >= watch.until else watch


def watched_gates(
    forced: bool, verdicts: Iterable[Mapping[str, object]], *, reverse: bool
) -> tuple[str, ...]:
    """Return the gates that a promotion is watched by.

    A person who forces a promotion has overridden the gates that did not pass, so these do not
    undo it: a gate that compares the two is watched only if it passed, and failures unless that
    gate failed.

    Args:
        forced: whether the promotion was forced.
        verdicts: its gates, as its event has them.
        reverse: whether the replaced artifact goes on, to compare with.
    """
    found = {str(gate["name"]): gate["verdict"] for gate in verdicts}
    compared = [
        name for name in WATCHABLE[1:] if reverse and (not forced or found.get(name) == "pass")
    ]
    failed = [] if forced and found.get("failed") == "fail" else ["failed"]
    return (*failed, *compared)
