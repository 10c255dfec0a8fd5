"""What is on disk before a decision takes effect in a slice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from gnomon.errors import UnknownArtifact
from gnomon.rollout.history import RolloutState
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.settings import Settings


class Slice:
    """A slice without processes, which notes what happens to it in ``happened``."""

    def __init__(self, settings: Settings, live: str) -> None:
        self.happened: list[str] = []
        self.missing: set[str] = set()
        self.while_begun: Callable[[], Any] | None = None
        self.follower = RolloutFollower(
            settings, decided(1, live), cast(Any, self), cast(Any, self), lambda: None
        )

    async def warm(self, tag: str) -> Any:
        """As the loaded artifacts."""
        if tag in self.missing:
            raise UnknownArtifact(f"no artifact {tag}")
        return SimpleNamespace(
            artifact=SimpleNamespace(tag=tag),
            became_live=lambda epoch: self.happened.append(f"{tag} is live"),
        )

    def keep(self, tags: set[str | None]) -> None:
        """As the loaded artifacts."""

    async def begin(self, state: RolloutState, live: Any) -> None:
        """As the supervisor of the shadows."""
        self.happened.append(f"shadows of {live.tag} begin")
        if self.while_begun is not None:
            meanwhile, self.while_begun = self.while_begun, None
            await meanwhile()

    def apply(self, state: RolloutState, live: Any) -> None:
        """As the supervisor of the shadows."""
        self.happened.append(f"shadows of {live.tag} run")


def decided(epoch: int, live: str) -> Any:
    """A history whose last decision made an artifact live."""
    return SimpleNamespace(state=RolloutState(epoch=epoch, lives=(live,)), model="toy")


def test_where_its_shadows_begin_is_on_disk_before_a_promotion_takes_effect(
    settings: Settings,
) -> None:
    """No row is answered by the new live artifact before its reverse shadow has begun."""
    slice_ = Slice(settings, "toy:a")
    asyncio.run(slice_.follower.decided(decided(2, "toy:b")))
    assert slice_.happened == [
        "shadows of toy:b begin", "toy:b is live", "shadows of toy:b run"
    ]  # fmt: skip


def test_a_decision_that_another_has_replaced_meanwhile_does_not_take_effect(
    settings: Settings,
) -> None:
    slice_ = Slice(settings, "toy:a")
    slice_.while_begun = lambda: slice_.follower.decided(decided(3, "toy:c"))
    asyncio.run(slice_.follower.decided(decided(2, "toy:b")))
    assert slice_.happened[-2:] == ["toy:c is live", "shadows of toy:c run"]
    assert "toy:b is live" not in slice_.happened


def test_live_is_not_put_back_by_an_earlier_try_to_load_the_next(settings: Settings) -> None:
    """It could not be loaded; while the shadows beside the present live begin, it can be."""
    slice_ = Slice(settings, "toy:a")
    follower = slice_.follower

    async def retried() -> None:
        slice_.missing.clear()
        follower._retry_at = 0.0
        await follower.decided(follower.history)

    async def tried() -> None:
        await follower.decided(follower.history)
        slice_.missing, slice_.while_begun = {"toy:b"}, retried
        await follower.decided(decided(2, "toy:b"))

    asyncio.run(tried())
    assert [event for event in slice_.happened if event.endswith("live")] == [
        "toy:a is live", "toy:b is live"
    ]  # fmt: skip
    assert follower.live is not None
    assert follower.live.artifact.tag == "toy:b"
