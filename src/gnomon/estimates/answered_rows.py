"""The rows that one artifact answered, with the labels that are known and old enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.labels.key_finder import KeyFinder, row_key
from gnomon.offline.logged import Range
from gnomon.offline.paired_rows import about, one_piece

__all__ = ["AnsweredRows", "answered_rows"]

_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """Some rows.

    Attributes:
        facts: ``request_id``, ``row``, ``arrived``, ``time``, the event time or else arrival, and
            ``unit``, the unit of evidence, as text.
        inputs: the features by name.
        outputs: the answers by name.
        labels: texts; null without a label.
    """

    facts: pa.Table
    inputs: pa.Table
    outputs: pa.Table
    labels: pa.Array

    def take(self, places: npt.NDArray[np.int64]) -> AnsweredRows:
        """Return some of the rows."""
        chosen = pa.array(places)
        return AnsweredRows(
            *(part.take(chosen) for part in (self.facts, self.inputs, self.outputs, self.labels))
        )

    @classmethod
    def concat(cls, parts: Sequence[AnsweredRows]) -> AnsweredRows:
        """Join several parts into one."""
        return cls(
            pa.concat_tables([part.facts for part in parts]),
            pa.concat_tables([part.inputs for part in parts]),
            pa.concat_tables([part.outputs for part in parts]),
            pa.concat_arrays([part.labels for part in parts]),
        )

    def columns(self) -> dict[str, pa.Array]:
        """Return the outputs by name, each in one piece."""
        return {name: one_piece(self.outputs.column(name)) for name in self.outputs.column_names}

    @property
    def units(self) -> npt.NDArray[np.int64]:
        """The unit of evidence of each row, as a number."""
        encoded = pc.dictionary_encode(one_piece(self.facts.column("unit")))
        return np.asarray(encoded.indices).astype(np.int64)


def answered_rows(source: Range, labels: pa.Table, until: datetime) -> Iterator[AnsweredRows]:
    """Yield the rows of a range.

    Args:
        source: the artifact and its rows.
        labels: the known labels, see `gnomon.rollout.quality.paired_rows.LABELS`.
        until: rows that arrived later are too young for their labels to count.
    """
    texts = one_piece(labels.column("label"))
    labelled = row_key(labels.column("request_id"), labels.column("row"))
    finder = KeyFinder(labelled)
    label_of_key = np.empty(len(finder.keys), np.int64)
    label_of_key[finder.places(labelled)] = np.arange(len(texts))
    for rows in source.chunks():
        facts = about(rows, source.contract, rows.inputs.select([]))
        keys = one_piece(row_key(facts.column("request_id"), facts.column("row")))
        positions, places = finder.find(keys)
        chosen = np.full(rows.num_rows, -1)
        chosen[np.asarray(positions)] = label_of_key[np.asarray(places)]
        mature = pc.less_equal(facts.column("arrived"), pa.scalar(until, _INSTANT))
        chosen = np.where(mature.to_numpy(), chosen, -1)
        known = texts.take(pa.array(chosen, mask=chosen < 0))
        yield AnsweredRows(facts, rows.inputs, rows.outputs, known)
