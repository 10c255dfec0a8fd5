"""The roles of those who call a server; ``docs/access.md`` has the table of routes and roles."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ROLES", "Role", "highest", "includes"]

Role = Literal["viewer", "labeller", "operator", "promoter", "forcer"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each role may do everything that those before it may."""


def includes(role: Role, needed: Role) -> bool:
    """Return whether a role may do what another one may.

    >>> includes("promoter", "operator"), includes("viewer", "operator")
    (True, False)
    """
    return ROLES.index(role) >= ROLES.index(needed)


def highest(roles: list[Role]) -> Role | None:
    """Return the role that includes all the others; None if there is none."""
    return max(roles, key=ROLES.index, default=None)
