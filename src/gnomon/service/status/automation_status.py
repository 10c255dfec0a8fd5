"""What a server decides by itself, as the status shows it."""

from __future__ import annotations

from datetime import datetime

import msgspec

__all__ = ["AutomationStatus", "WatchStatus"]


class WatchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The watch window of the live artifact.

    Attributes:
        artifact: the live artifact.
        previous: the artifact to which a rollback would return.
        until: the end of the window.
        rolls_back_if: the conditions, in words.
    """

    artifact: str
    previous: str
    until: datetime
    rolls_back_if: tuple[str, ...] = ()


class AutomationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a server decides by itself.

    Attributes:
        mode: the policy's mode.
        check_seconds: how often the gates are evaluated for that.
        checked: when they were last evaluated by this slice; of several slices, only one does it.
        says: why something is not decided that might be expected; None if nothing is to be said.
        watch: the watch window of the live artifact; None outside one.
        only_by_a_person: running shadows that no server promotes.
    """

    mode: str = "advise"
    check_seconds: float = 60.0
    checked: datetime | None = None
    says: str | None = None
    watch: WatchStatus | None = None
    only_by_a_person: tuple[str, ...] = ()
