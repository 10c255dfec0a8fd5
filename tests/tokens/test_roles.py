"""The ladder of roles."""

from __future__ import annotations

from gnomon.tokens.roles import ROLES, highest, includes


def test_each_role_includes_those_before_it_and_no_other() -> None:
    """The order is that of the documentation."""
    assert ROLES == ("viewer", "labeller", "operator", "promoter", "forcer")
    for at, role in enumerate(ROLES):
        assert [needed for needed in ROLES if includes(role, needed)] == [*ROLES[: at + 1]]


def test_the_highest_role_includes_the_others() -> None:
    """Whatever the order; of none there is none."""
    assert highest(["operator", "viewer", "forcer", "viewer"]) == "forcer"
    assert highest([]) is None
