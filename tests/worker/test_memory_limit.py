"""Errors of a process that ran out of memory."""

from __future__ import annotations

import pytest

from gnomon.worker.memory_limit import ran_out


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_user_code_may_turn_a_memory_error_into_another(link: str) -> None:
    """Whether it says ``from error``, or raises while it handles one; also twice in a row."""
    error: Exception = MemoryError()
    for kind in (ValueError, RuntimeError):
        outer = kind("of a step")
        setattr(outer, link, error)
        error = outer
        assert ran_out(error)


def test_other_errors_are_no_lack_of_memory() -> None:
    """With a cause or without."""
    assert ran_out(MemoryError())
    assert not ran_out(None)
    error = ValueError("of a step")
    assert not ran_out(error)
    error.__cause__ = KeyError("x")
    assert not ran_out(error)
