"""The labels of the rows that one artifact answered live, as text by request and row."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.labels.label_store import LabelStore
from gnomon.labels.labelled_rows import labelled_rows
from gnomon.log import InferenceLog
from gnomon.policy import LabelRules
from gnomon.rollout.quality.class_texts import class_texts
from gnomon.rollout.quality.paired_rows import LABELS
from gnomon.settings import Settings

__all__ = ["known_labels"]


def known_labels(
    settings: Settings,
    log: InferenceLog,
    live: Artifact,
    rules: LabelRules,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pa.Table:
    """Return the labels that count, of the rows that ``live`` answered.

    Args:
        settings: settings with the storage root.
        log: the model's log.
        live: the artifact whose answers they are about.
        rules: which row a label is about.
        start: of rows that arrived from this time on.
        end: of rows that arrived before.

    Raises:
        LogError: there is no log, or it cannot be read.
        StorageError, UnreadableFile: the labels cannot be read.
    """
    records = LabelStore(settings, live.name).read()
    if not records.num_rows:
        return LABELS.empty_table()
    batches = labelled_rows(
        log,
        records,
        live.contract,
        within=rules.match_within,
        live=live.tag,
        start=start,
        end=end,
    )
    found = pa.Table.from_batches(map(_with_texts, batches), LABELS)
    return found.filter(pc.is_valid(found.column("label")))


def _with_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    texts = class_texts(batch.column("label"))
    columns = {name: batch.column(name) for name in LABELS.names} | {"label": texts}
    return pa.RecordBatch.from_pydict(columns).cast(LABELS)
