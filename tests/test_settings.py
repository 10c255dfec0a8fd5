"""Mirrors ``gnomon.settings``: what is refused, and what a child process is given."""

from __future__ import annotations

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
