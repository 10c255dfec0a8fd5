"""Who sends a request, and under which name they decide."""

from __future__ import annotations

import pytest

from gnomon.errors import Forbidden
from gnomon.rollout.actor import Actor
from gnomon.service.access.identity import CONTROL, Identity

ANN = Identity(name="ann", authenticated="token ann", role="operator")


def test_a_role_that_does_not_suffice_is_refused_with_both_roles() -> None:
    """The error says who, what they have, what it takes and how to get it."""
    ANN.require("operator", "/gnomon/shadow/start")
    with pytest.raises(Forbidden) as refused:
        ANN.require("promoter", "/gnomon/promote")
    assert "the token `ann` has the role operator; this needs promoter" in str(refused.value)
    assert refused.value.where == "/gnomon/promote"
    assert "gnomon token create NAME --role promoter" in str(refused.value.hint)


def test_a_user_of_a_proxy_is_called_a_user() -> None:
    """Not a token, which they do not have."""
    user = Identity(name="ann", authenticated="proxy", role="viewer")
    with pytest.raises(Forbidden, match="the user `ann` has the role viewer; `force` needs forcer"):
        user.require("forcer", "/gnomon/promote", why="`force`")


def test_a_credential_decides_under_its_own_name() -> None:
    """The name in the request is for whom, and no proof of anything."""
    assert ANN.actor(None) == ANN.actor("ann") == Actor(by="ann", authenticated="token ann")
    assert ANN.actor("bob") == Actor(by="ann", authenticated="token ann", on_behalf_of="bob")


def test_the_control_token_decides_under_the_claimed_name() -> None:
    """Several people may have it, so it proves none."""
    assert CONTROL.actor("ann") == Actor(by="ann", authenticated="control token")
    assert CONTROL.role == "forcer"
