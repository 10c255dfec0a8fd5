import pyarrow as pa
import pytest

from gnomon.contract import Decoder
from gnomon.log.bodies import decode
from tests.shadow.evidence import CONTRACT

DECODER = Decoder(CONTRACT)
BODIES: dict[str, bytes | None] = {
    "one": b'{"x": 1.5}',
    "many": b'{"rows": [{"x": 1}, {"x": 2, "y": 0}, {"x": 3}]}',
    "bad": b'{"x": "high"}',
    "none": None,
}


def wanted_rows(requests: list[str], rows: list[int]) -> pa.RecordBatch:
    return pa.record_batch({"request_id": requests, "row": rows})


def test_rows_are_found_in_their_requests_bodies() -> None:
    """Any rows of any requests: each is the record of its number, at the place asked for."""
    read = decode(wanted_rows(["many", "many", "one"], [0, 2, 0]), BODIES, DECODER)
    assert read.batch.to_pydict() == {"x": [1.0, 3.0, 1.5]}
    assert read.places.tolist() == [0, 1, 2]
    assert read.refused == {}


def test_unknown_fields_are_recorded_once_per_request() -> None:
    """Live logs them once a request too."""
    assert decode(wanted_rows(["many"] * 3, [0, 1, 2]), BODIES, DECODER).unknown == {0: ("y",)}
    assert decode(wanted_rows(["many"], [1]), BODIES, DECODER).unknown == {}


@pytest.mark.parametrize(
    ("request_id", "row", "reason"),
    [
        ("bad", 0, "$.x"),
        ("none", 0, "does not contain its body"),
        ("lost", 0, "does not contain its body"),
        ("one", 1, "has 1 rows, no row 1"),
    ],
)
def test_an_unreadable_body_does_not_affect_other_rows(
    request_id: str, row: int, reason: str
) -> None:
    """A refused or missing body does not affect other rows."""
    read = decode(wanted_rows(["one", request_id, "one"], [0, row, 0]), BODIES, DECODER)
    assert reason in read.refused[1]
    assert read.places.tolist() == [0, 2]
    assert read.batch.num_rows == 2
