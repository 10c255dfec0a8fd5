"""Mirrors ``gnomon.settings``: what is refused, and what a child process is given."""

from __future__ import annotations

import re

import pytest

from gnomon.errors import SettingsError
from gnomon.settings import Settings


@pytest.mark.parametrize(("given", "umask"), [("077", 0o077), ("0027", 0o027), ("007", 0o007)])
def test_a_umask_is_octal_as_in_the_shell(given: str, umask: int) -> None:
    """And is handed to child processes."""
    settings = Settings.read({"GNOMON_UMASK": given})
    assert settings.file_umask == umask
    assert Settings.read(settings.environment()).file_umask == umask
    assert Settings.read({}).file_umask == 0o077


@pytest.mark.parametrize("given", ["", "0", "7", "088", "0o077", "777", "177", "-77", "077 "])
def test_what_is_no_umask_is_refused(given: str) -> None:
    """Nor one that would take the owner's own rights."""
    with pytest.raises(SettingsError, match="GNOMON_UMASK"):
        Settings.read({"GNOMON_UMASK": given})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GNOMON_FSYNC_SECONDS", "fast", "expected a number, got 'fast'"),
        ("GNOMON_BODY_BYTES", "1GB", "expected a whole number, got '1GB'"),
        ("GNOMON_LOG_FAILURE", "ignore", "expected refuse or serve, got 'ignore'"),
        ("GNOMON_FAST_HTTP", "off", "expected 0 or 1, got 'off'"),
        ("GNOMON_FSYNC_SECONDS", "-1", "expected a number of seconds, or 0, got -1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_is_expected(
    name: str, value: str, message: str
) -> None:
    """Whoever typed it reads what came and what would do."""
    with pytest.raises(SettingsError, match=re.escape(message)) as refused:
        Settings.read({name: value})
    assert refused.value.where == name


@pytest.mark.parametrize("given", ["0", "false", "False"])
def test_what_is_turned_off_is_off_in_child_processes(given: str) -> None:
    """A worker takes no shortcut that its gateway was told not to take."""
    settings = Settings.read({"GNOMON_FAST_PIPELINE": given})
    assert settings.fast_pipeline is False
    assert Settings.read(settings.environment()).fast_pipeline is False
    assert Settings.read({}).fast_pipeline is True
