"""Who makes a decision, and how far that is proven."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["AUTOMATIC", "CLAIMED", "Actor", "proves_person", "signature", "signed"]

CLAIMED = "claimed"
"""How the actor of a decision is authenticated who only says a name."""


AUTOMATIC = "automatic"
"""The same for a server that decides by the policy."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a decision.

    Attributes:
        by: their name.
        authenticated: how that is known: ``token NAME``, ``proxy``, ``control token`` (a secret
            that several people may have, so the name is a claim), ``automatic`` (a server, by the
            policy), or ``claimed``.
        on_behalf_of: for whom, as the caller says; not proven.
    """

    by: str | None
    authenticated: str
    on_behalf_of: str | None = None


def proves_person(authenticated: str | None) -> bool:
    """Return whether it is proven who decided: by a named token or a trusted proxy.

    >>> proves_person("token ann"), proves_person("control token"), proves_person(None)
    (True, False, False)
    """
    how = authenticated or ""
    return how == "proxy" or how.startswith("token ")


def signed(by: str | Actor | None) -> dict[str, Any]:
    """Return the fields of a :class:`~gnomon.rollout.history.RolloutEvent` for its actor."""
    if isinstance(by, Actor):
        return msgspec.structs.asdict(by)
    return {"by": by, "authenticated": CLAIMED if by else None}


def signature(by: str | None, authenticated: str | None, on_behalf_of: str | None) -> str:
    """Write the actor of an event for people.

    >>> signature("ann", "token ann", None), signature("ci", "token ci", "bob")
    ('ann (token)', 'ci (token), on behalf of bob')
    >>> signature("ann@host", "claimed", None), signature("ann@host", None, None)
    ('ann@host (claimed)', 'ann@host')
    """
    name = by or "-"
    how = "token" if authenticated == f"token {by}" else authenticated
    return (
        name
        + (f" ({how})" if how else "")
        + (f", on behalf of {on_behalf_of}" if on_behalf_of else "")
    )
