from hashlib import blake2b

import numpy as np
import pyarrow as pa

from gnomon.log.sampling import hash_to_unit_interval, keep, row_keys, units_of

KEYS = [f"flight-{n}" for n in range(20_000)]


def test_the_sampling_hash_of_a_key_never_changes() -> None:
    """The hash is pinned: another value would put other entities in a running sample."""
    digest = int.from_bytes(blake2b(b"N14228", digest_size=8).digest(), "big")
    assert hash_to_unit_interval(["N14228"])[0] == (digest >> 11) / 2**53
    assert hash_to_unit_interval(["N14228"])[0] == 0.08714494660071836


def test_the_sample_has_the_stated_fraction_of_keys() -> None:
    """Of many keys the stated fraction is kept, within five standard deviations."""
    for fraction in (0.01, 0.25, 0.9):
        spread = (fraction * (1 - fraction) / len(KEYS)) ** 0.5
        assert abs(keep(KEYS, fraction).mean() - fraction) < 5 * spread


def test_a_smaller_sample_is_a_subset_of_a_larger_one() -> None:
    """Raising the fraction only adds entities."""
    small, large = keep(KEYS, 0.1), keep(KEYS, 0.4)
    assert not np.any(small & ~large)


def test_fraction_1_keeps_every_row() -> None:
    """Fraction 1 keeps all, without hashing."""
    assert keep(KEYS, 1.0).all()


def test_rows_are_sampled_by_entity_or_by_request_without_one() -> None:
    """A row's key is its entity's; a null in it falls back to the request id."""
    batch = pa.record_batch(
        {"carrier": ["UA", "UA", None], "flight": [1545, 15, 1]},
    )
    ids = ["r1", "r2", "r3"]
    assert row_keys(batch, ids, ("carrier",)) == ["UA", "UA", "r3"]
    assert row_keys(batch, ids, ("carrier", "flight")) == ["UA\x1f1545", "UA\x1f15", "r3"]
    assert row_keys(batch, ids, ()) == ids


def test_rows_of_one_request_are_one_unit() -> None:
    """Without an entity key, and where the key has a null, too."""
    requests = pa.array(["r0", "r0", "r1"])
    rows = pa.RecordBatch.from_pydict({"customer": ["ann", None, "ann"]})
    assert units_of(rows, requests, ()).equals(requests)
    assert units_of(rows, requests, ("customer",)).to_pylist() == ["ann", "r0", "ann"]
