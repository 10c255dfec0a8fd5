"""Reports of drift as data."""

from __future__ import annotations

import pytest
from msgspec import structs

from gnomon.drift.drift_report import Alert, DriftColumn


@pytest.mark.parametrize("kind", [DriftColumn, Alert])
def test_json_keys_of_saved_reports_stay(kind: type) -> None:
    """Two attributes have other names in JSON, in which reports were saved before."""
    keys = {field.name: field.encode_name for field in structs.fields(kind)}
    assert (keys["largest_increase"], keys["example_rows"]) == ("grown", "rows_that_show")
