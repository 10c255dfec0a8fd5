"""Who sends a request, as its credential says."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gnomon.errors import Forbidden
from gnomon.rollout.actor import Actor
from gnomon.tokens.roles import Role, includes

__all__ = ["CONTROL", "Identity"]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends a request, and what they may do; the answer of ``GET /gnomon/whoami``.

    Attributes:
        name: the token's name, or the user that the proxy names; None for the control token, which
            several people may have.
        authenticated: how: ``token NAME``, ``proxy`` or ``control token``.
        role: the role.
        expires: when the token stops being valid.
    """

    name: str | None
    authenticated: str
    role: Role
    expires: datetime | None = None

    def require(self, role: Role, where: str, *, why: str = "") -> None:
        """Check that this caller may do what needs a role.

        Args:
            role: the role that is needed.
            where: the route, for the error.
            why: what needs it, if not the route as such.

        Raises:
            Forbidden: the caller's role does not include it.
        """
        if not includes(self.role, role):
            raise Forbidden(
                f"{self} has the role {self.role}; {why or 'this'} needs {role}",
                where=where,
                hint=f"ask someone with the role {role}, or for a token with it: "
                f"gnomon token create NAME --role {role}",
            )

    def actor(self, claimed: str | None) -> Actor:
        """Return who decides; ``claimed`` is the name that the request gives.

        With the control token it is all that is known. With a credential of its own, a caller
        decides under the name of that, and another name is for whom.
        """
        if self.name is None:
            return Actor(by=claimed, authenticated=self.authenticated)
        other = claimed if claimed and claimed != self.name else None
        return Actor(by=self.name, authenticated=self.authenticated, on_behalf_of=other)

    def __str__(self) -> str:
        if self.name is None:
            return f"the {self.authenticated}"
        kind = "token" if self.authenticated.startswith("token ") else "user"
        return f"the {kind} `{self.name}`"


CONTROL = Identity(name=None, authenticated="control token", role="forcer")
"""Whoever holds the control token."""
