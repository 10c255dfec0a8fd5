"""The rows that a shadow sees, chosen by key so that a sampled entity's history is complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.log.segments.schema import answered, input_column

__all__ = ["eligible", "hash_to_unit_interval", "keep", "row_keys", "units_of"]


def hash_to_unit_interval(keys: Iterable[str]) -> npt.NDArray[np.float64]:
    """Map each key to a number in [0, 1): the first 8 bytes of its BLAKE2b hash (RFC 7693).

    It is the same on every machine and in every version, and takes about a microsecond a key.
    """
    digests = b"".join([blake2b(key.encode(), digest_size=8).digest() for key in keys])
    # The top 53 bits, because more would round up to 1.0.
    return (np.frombuffer(digests, ">u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keep(keys: Sequence[str], fraction: float) -> npt.NDArray[np.bool_]:
    """Return which keys are in the sample; that of a smaller fraction is a subset of a larger's."""
    if fraction >= 1:
        return np.ones(len(keys), dtype=bool)
    return hash_to_unit_interval(keys) < fraction


def row_keys(
    batch: pa.RecordBatch | pa.Table, request_ids: Sequence[str], entity_key: Sequence[str]
) -> list[str]:
    """Return the sampling key of each row: its entity key, or the request id if that has a null.

    Args:
        batch: decoded rows with the columns in ``entity_key``.
        request_ids: the request id of each row.
        entity_key: the contract's; may be empty.
    """
    if not entity_key:
        return list(request_ids)
    parts = [pc.cast(batch.column(name), pa.string()) for name in entity_key]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\x1f")
    return [
        request if key is None else key
        for key, request in zip(joined.to_pylist(), request_ids, strict=True)
    ]


def units_of(
    rows: pa.RecordBatch | pa.Table,
    request_ids: pa.Array | pa.ChunkedArray,
    entity_key: Sequence[str],
) -> pa.Array | pa.ChunkedArray:
    """Return the unit of evidence of each row, as text.

    It is the entity. Without a key it is the request, because its rows were sent together; so it
    is where the key has a null.

    Args:
        rows: rows with the columns in ``entity_key``.
        request_ids: the request id of each row.
        entity_key: the columns that name an entity; may be empty.
    """
    if not entity_key:
        return request_ids
    return pa.array(row_keys(rows, request_ids.to_pylist(), entity_key), pa.string())


def eligible(
    batch: pa.RecordBatch, entity_key: Sequence[str], fraction: float
) -> npt.NDArray[np.bool_]:
    """Return which rows of a logged batch a shadow must score: answered and in its sample.

    This is the only definition of what ``eligible = scored + failed + lagging`` counts. Rows are
    sampled by the entity key as live has read and logged it, or by request if live's contract lacks
    a feature of the key.

    Args:
        batch: a batch of a requests stream.
        entity_key: of the shadow's contract.
        fraction: of the shadow.
    """
    mask: npt.NDArray[np.bool_] = np.array(answered(batch))
    if fraction >= 1 or not mask.any():
        return mask
    names = [input_column(name) for name in entity_key]
    known = names if set(names) <= set(batch.schema.names) else []
    chosen = batch.filter(pa.array(mask))
    keys = row_keys(chosen, chosen.column("request_id").to_pylist(), known)
    mask[mask] = keep(keys, fraction)
    return mask
