"""What becomes of each record: exactly one label for a row and target, whatever was sent again."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.labels.key_finder import row_key
from gnomon.labels.matching import Matches

__all__ = ["FATES", "Fate", "fates"]

Fate = Literal["counted", "duplicate", "superseded", "contradictory", "withdrawn", "unmatched"]
FATES: tuple[Fate, ...] = (
    "counted", "duplicate", "superseded", "contradictory", "withdrawn", "unmatched"
)  # fmt: skip
"""Each record has exactly one:

* ``duplicate``: an earlier record of the row and target has the same value and correction number;
* ``unmatched``: it is about no answered row, see :data:`~gnomon.labels.matching.Reason`;
* ``superseded``: there is one with a higher correction number;
* ``contradictory``: there is one with the same correction number and another value; none counts;
* ``withdrawn``: its value is null, so that the row has no label;
* ``counted``: it is the label of the row.
"""


def fates(records: pa.Table, matches: Matches) -> npt.NDArray[np.object_]:
    """Return the fate of each record.

    It depends only on which records there are, and between equal ones on the order of records.

    Args:
        records: stored labels, in the order in which they were received.
        matches: what they are about.
    """
    import pandas as pd  # Here, as a gateway does without it.

    matched = matches.places >= 0
    table = pd.DataFrame(
        {
            "about": _about(records, matches),
            "target": _codes(records.column("target")),
            "correction": np.asarray(records.column("correction")),
            "value": _codes(records.column("value")),
        }
    )
    result = np.full(len(table), "counted", dtype=object)
    repeated = table.duplicated().to_numpy()
    first = table[~repeated & matched]
    groups = first.groupby(["about", "target"], sort=False)
    newest = groups["correction"].transform("max") == first["correction"]
    of_newest = first[newest].groupby(["about", "target"], sort=False)["value"]
    contradicting = first[newest][of_newest.transform("size") > 1].index
    result[np.asarray(pc.is_null(records.column("value")))] = "withdrawn"
    result[contradicting] = "contradictory"
    result[first[~newest].index] = "superseded"
    result[~matched] = "unmatched"
    result[repeated] = "duplicate"
    return result


def _about(records: pa.Table, matches: Matches) -> npt.NDArray[np.int64]:
    """Return a number for what each record is about: its row, or the key of one without a row."""
    by_request = row_key(records.column("request_id"), records.column("row"))
    stamp = pc.cast(records.column("event_time").cast(pa.int64()), pa.string())
    by_entity = pc.binary_join_element_wise(
        records.column("entity_key"), records.column("entity"), stamp, "@"
    )
    return np.where(
        matches.places >= 0, matches.places, -1 - _codes(pc.coalesce(by_request, by_entity))
    )


def _codes(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a number for each distinct value; null is one too."""
    encoded = texts.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return np.asarray(encoded.indices).astype(np.int64)
