"""Processes of these tests are forked, but where it matters what they import."""

from tests.forking import forked_children, fresh_children

__all__ = ["forked_children", "fresh_children"]
