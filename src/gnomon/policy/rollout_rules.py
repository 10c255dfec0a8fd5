"""What a server decides by itself in a rollout, and how it watches a promotion."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

__all__ = ["Mode", "RolloutRules"]

Mode = Literal["advise", "auto-abort", "auto-promote"]


class RolloutRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions a running server takes without a person.

    Attributes:
        mode: ``advise`` decides nothing, ``auto-abort`` stops a shadow when a gate fails, and
            ``auto-promote`` also promotes one whose gates all pass.
        check_seconds: how often the gates are evaluated for that.
        watch_hours: for how long a promotion is watched, and rolled back if the new live artifact
            proves worse than the policy allows. None: it is not watched.
        reverse_shadow: whether the artifact that was replaced goes on as a shadow while the
            promotion is watched; or the share of entities that it scores.
        approvals: how many people a promotion needs, 1 or 2. A rollback never needs two.
    """

    mode: Mode = "advise"
    check_seconds: float = 60.0
    watch_hours: float | None = None
    reverse_shadow: bool | float = True
    approvals: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.approvals == 2 and self.mode == "auto-promote":
            raise ValueError(
                "expected `mode` to be advise or auto-abort where `approvals` is 2: auto-promote "
                "promotes without a person"
            )
        if not 1 <= self.check_seconds < math.inf:
            raise ValueError(
                f"expected `check_seconds` to be at least 1 second, got {self.check_seconds}"
            )
        if self.watch_hours is not None and not 0 < self.watch_hours < math.inf:
            raise ValueError(f"expected `watch_hours` above 0, got {self.watch_hours}")
        if not 0 <= self.reverse_shadow <= 1:
            raise ValueError(
                f"expected `reverse_shadow` true, false or a share from 0 to 1, "
                f"got {self.reverse_shadow}"
            )
