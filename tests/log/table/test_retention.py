"""The time up to which rows are removed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from gnomon.log.table.log_table import LogTable
from gnomon.log.table.retention import removal_time
from gnomon.settings import Settings


def test_a_day_is_removed_with_its_last_row_and_without_the_first_of_the_next(
    tmp_path: Path,
) -> None:
    """The time is inclusive, so it is the last microsecond before the oldest day that is kept."""
    settings = Settings(root=str(tmp_path), retention_days=1.0)
    now = dt.datetime(2024, 5, 3, 12, tzinfo=dt.UTC)
    last = removal_time(settings, LogTable(settings, "flights"), now)
    assert last == dt.datetime(2024, 5, 1, 23, 59, 59, 999_999, dt.UTC)


def test_without_retention_nothing_is_removed(tmp_path: Path) -> None:
    """Neither age nor size removes a row by default."""
    settings = Settings(root=str(tmp_path))
    now = dt.datetime(2024, 5, 3, tzinfo=dt.UTC)
    assert removal_time(settings, LogTable(settings, "flights"), now) is None
