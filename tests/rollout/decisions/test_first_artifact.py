"""The first artifact of a deployment, or the reason why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from gnomon.artifact import tags
from gnomon.errors import ArtifactIncompatible
from gnomon.rollout.decisions.first_artifact import promote_first
from gnomon.rollout.history import open_history
from gnomon.settings import Settings
from tests.attack.forging import of_another_python
from tests.packing import Pack, times


def test_every_artifact_that_cannot_be_served_is_named(
    settings: Settings, pack: Pack, own_home: Path
) -> None:
    """After an upgrade of Python, with the reason; one that can be is no decision of a server's."""
    packed = {pack(times(1)), pack(times(2))}
    newer, older = tags("toy")  # Of the same second either may be the newer one.
    assert packed == {newer, older}
    of_another_python(own_home / "models" / newer.replace(":", "/"))
    with pytest.raises(ArtifactIncompatible, match=f"{newer}: packed with Python 3.9.1") as caught:
        promote_first(settings, tags("toy"))
    assert f"{older}: can be served" in caught.value.message
    assert caught.value.hint == f"to start with that one: gnomon promote {older}"
    of_another_python(own_home / "models" / older.replace(":", "/"))
    with pytest.raises(ArtifactIncompatible, match=rf"{older}: packed with Python 3\.9\.1"):
        promote_first(settings, tags("toy"))
    history = open_history(settings, "toy")
    history.refresh()
    assert history.state.live is None


def test_of_several_artifacts_the_choice_is_remarked(
    settings: Settings, pack: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest is not always meant: the others are named, and how to take one of them."""
    first = pack(times(1))
    promote_first(settings, [first])
    assert not caplog.messages
    older, newer = sorted([first, pack(times(2))])
    other = structs.replace(settings, root=f"{settings.root}-other")
    promote_first(other, [newer, older])
    (remark,) = caplog.messages
    assert f"so it is {newer}, the newest in the store; there is also {older}" in remark
    assert remark.endswith(f"To make another live: gnomon promote {older}")
    history = open_history(other, "toy")
    history.refresh()
    assert history.events[0].why == (
        "the first artifact of this deployment, the newest of 2 in the store"
    )
