"""Who makes a decision, as the history keeps and shows it."""

from __future__ import annotations

from gnomon.rollout.actor import Actor, signature, signed
from gnomon.rollout.history import RolloutEvent


def test_a_name_alone_is_a_claim() -> None:
    """Without a name there is not even that."""
    event = RolloutEvent(kind="promote", artifact="a:1", **signed("ann"))
    assert (event.by, event.authenticated) == ("ann", "claimed")
    nobody = RolloutEvent(kind="promote", artifact="a:1", **signed(None))
    assert (nobody.by, nobody.authenticated) == (None, None)


def test_an_actor_signs_with_their_credential() -> None:
    """And for whom, if they say so."""
    actor = Actor(by="ci", authenticated="token ci", on_behalf_of="ann")
    event = RolloutEvent(kind="promote", artifact="a:1", **signed(actor))
    assert (event.by, event.authenticated, event.on_behalf_of) == ("ci", "token ci", "ann")


def test_a_signature_says_how_sure_it_is() -> None:
    """An event of an earlier release has only a name."""
    assert signature("ann", "proxy", None) == "ann (proxy)"
    assert signature("ann@host", "control token", None) == "ann@host (control token)"
    assert signature("ann", None, None) == "ann"
    assert signature(None, None, None) == "-"
