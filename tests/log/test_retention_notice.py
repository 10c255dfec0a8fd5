"""A log that is kept for less than six months is warned about."""

from __future__ import annotations

import pytest

from gnomon.log.retention_notice import retention_warning
from gnomon.settings import Settings


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        (Settings(), None),
        (Settings(retention_days=184), None),
        (Settings(retention_days=183.5), "kept for 183.5 days"),
        (Settings(retention_days=400, retention_bytes=1), "whatever their age"),
    ],
)
def test_what_removes_rows_too_early_is_named(settings: Settings, warning: str | None) -> None:
    """No limit and 184 days are enough; a limit of bytes promises no age."""
    found = retention_warning(settings)
    assert found is None if warning is None else found is not None and warning in found
