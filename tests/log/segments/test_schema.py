"""The columns of the log."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.errors import LogError
from gnomon.log.segments.schema import (
    COMPARISON,
    ENVELOPE,
    answered,
    check_format,
    request_schema,
    shadow_schema,
)

CONTRACT = Contract(
    task="classification",
    features=(
        Feature(name="hour", type="integer", dtype="int64"),
        Feature(name="at", type="timestamp", dtype="datetime64[us]", timezone="America/New_York"),
    ),
    outputs=(
        Output(name="prediction", type="boolean"),
        Output(name="probability_true", type="float"),
    ),
    classes=(False, True),
)


def test_a_request_row_is_the_envelope_then_inputs_then_outputs() -> None:
    """The columns come in one order, and inputs keep their contract's types."""
    schema = request_schema(CONTRACT)
    assert schema.names == [
        *ENVELOPE.names,
        "input_hour",
        "input_at",
        "output_prediction",
        "output_probability_true",
    ]
    assert schema.field("input_at").type == pa.timestamp("us", tz="America/New_York")


def test_a_shadow_row_adds_the_comparison_with_live() -> None:
    """A shadow's schema is a request's with the comparison columns in it."""
    names = set(shadow_schema(CONTRACT).names)
    assert names == set(request_schema(CONTRACT).names) | set(COMPARISON.names)


def test_only_answered_live_rows_are_for_a_shadow() -> None:
    """Rejected, failed, shed and shadow rows have no live answer to compare with."""
    batch = pa.record_batch(
        {
            "role": ["live", "live", "live", "live", "live", "shadow"],
            "outcome": ["answered", "rejected", "failed", "timed_out", "shed", "scored"],
        }
    )
    assert answered(batch).to_pylist() == [True, False, False, False, False, False]


def test_a_schema_of_ours_is_of_the_format_we_read() -> None:
    """What ``request_schema`` makes, ``check_format`` takes, after a trip through bytes."""
    metadata = pa.ipc.read_schema(request_schema(CONTRACT).serialize()).metadata
    check_format(metadata, "here")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({b"gnomon.format": b"9"}, r"this segment has format 9; .* up to 3 at here\. read it with"),
        ({b"pandas": b"{}"}, r"expected a log segment, got another Arrow stream"),
        (None, r"expected a log segment"),
    ],
)
def test_another_format_is_refused(metadata: dict[bytes, bytes] | None, message: str) -> None:
    """A newer format, and a file that is no segment, say what they are."""
    with pytest.raises(LogError, match=message):
        check_format(metadata, "here")


def test_the_envelope_holds_an_instant_to_the_microsecond() -> None:
    """Arrival times survive the log's type."""
    at = dt.datetime(2013, 4, 1, 5, 30, 0, 123456, tzinfo=dt.UTC)
    assert pa.scalar(at, ENVELOPE.field("arrived").type).as_py() == at
