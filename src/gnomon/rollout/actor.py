"""Who makes a decision, and how far that is proven."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

__all__ = [
    "AUTOMATIC",
    "CLAIMED",
    "Actor",
    "name_key",
    "proves_person",
    "signature",
    "signed",
    "token_name",
]

TOKEN = "token "
"""How the actor is authenticated by a named token, before its name."""

CLAIMED = "claimed"
"""How the actor of a decision is authenticated who only says a name."""

AUTOMATIC = "automatic"
"""How a server is authenticated that decides by the policy."""


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
    return authenticated == "proxy" or token_name(authenticated) is not None


def token_name(authenticated: str | None) -> str | None:
    """Return the name of the token that proves who decided; None if it was no named token.

    >>> token_name("token ann"), token_name("proxy")
    ('ann', None)
    """
    how = authenticated or ""
    return how.removeprefix(TOKEN) if how.startswith(TOKEN) else None


def name_key(name: str) -> str:
    """Return what two ways to write one name have in common.

    They may differ in case, in spaces and invisible characters, and in characters that Unicode
    calls compatible (NFKC), such as wide letters. Letters that only look alike stay different.

    >>> name_key(" Ann "), name_key("\uff41nn"), name_key("a\u200bnn")
    ('ann', 'ann', 'ann')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c.isprintable() and not c.isspace())


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
