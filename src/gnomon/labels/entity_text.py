"""The entity of a row as one text, the same for a label and for the row that it is about."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.log.table.columns import plain_type

__all__ = ["entity_texts", "name_text"]

_ESCAPED = r"[\x00-\x1f\"\\]"


def name_text(names: Sequence[str]) -> str:
    """Return the names of an entity key as a JSON array."""
    return msgspec.json.encode(tuple(names)).decode()


def entity_texts(columns: Sequence[pa.Array]) -> pa.StringArray:
    """Return the values of each row as a JSON array of texts; null if one of them is null.

    Args:
        columns: one array for each feature of the key, in the type of the contract.
    """
    texts = [_text(column) for column in columns]
    if any(_has_escapes(text) for text in texts):
        rows = zip(*(text.to_pylist() for text in texts), strict=True)
        return pa.array([None if None in row else name_text(row) for row in rows], pa.string())
    quoted = [pc.binary_join_element_wise('"', text, '"', "") for text in texts]
    joined = quoted[0] if len(quoted) == 1 else pc.binary_join_element_wise(*quoted, ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def _text(column: pa.Array) -> pa.StringArray:
    return pc.cast(column, plain_type(column.type)).cast(pa.string())


def _has_escapes(texts: pa.StringArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, _ESCAPED)).as_py())
