import numpy as np
import pyarrow as pa

from gnomon.skew.diagnosis.shared_values import segment, since

N = 200
CARRIER = np.array(["AA", "DL", "UA", "WN"])[np.arange(N) % 4]
ROWS = pa.record_batch({"carrier": pa.array(CARRIER), "seats": pa.array(np.arange(N) % 7)})
HOURS = pa.array(np.arange(N) * 3_600_000_000, pa.timestamp("us", "UTC"))
ABOUT = pa.table(
    {"arrived": HOURS, "time": HOURS, "client_id": np.array(["web", "app"])[np.arange(N) // 100]}
)
EVEN = np.ones(N)


def test_the_value_that_rows_share_is_named() -> None:
    """Every third row of one carrier stays right: as a rule is enough; outside none may differ."""
    differs = (CARRIER == "DL") & (np.arange(N) % 3 > 0)
    found = segment(differs, ROWS, ABOUT, EVEN)
    assert found is not None
    assert found.text == "`carrier` is DL"
    assert 0.6 < found.inside < 0.7


def test_a_client_is_a_segment_too() -> None:
    """All that one client sent."""
    found = segment(np.arange(N) >= 100, ROWS, ABOUT, EVEN)
    assert found is not None
    assert found.text == "client is app"


def test_rows_anywhere_share_nothing() -> None:
    """A tenth at random, and nearly all."""
    rng = np.random.default_rng(3)
    for share in (0.1, 0.95):
        assert segment(rng.random(N) < share, ROWS, ABOUT, EVEN) is None


def test_a_beginning_is_told_from_chance() -> None:
    """Rows differ from some time on; if they always did, there is none."""
    row_times = np.arange(N, dtype=float)
    assert since(row_times >= 80, row_times) == 80
    assert since(np.random.default_rng(4).random(N) < 0.2, row_times) is None
