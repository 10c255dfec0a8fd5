"""The processes of these tests are forked from one that has imported what they need."""

from tests.forking import forked_children, fresh_children

__all__ = ["forked_children", "fresh_children"]
