"""The public functions on labels: what predictions turned out to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path

from gnomon.artifact import Artifact, contracts_of
from gnomon.contract.time_zones import zone
from gnomon.labels.imports.label_import import LabelImport, import_file
from gnomon.labels.label_counts import LabelStatus
from gnomon.labels.label_status import EXAMPLES
from gnomon.labels.label_status import label_status as count
from gnomon.labels.label_store import LabelStore
from gnomon.log import InferenceLog
from gnomon.policy import Policy, find_policy
from gnomon.rollout.history import newest_history
from gnomon.rollout.named_artifacts import find_artifact, find_model
from gnomon.settings import Settings

__all__ = ["import_labels", "label_status"]


def import_labels(
    table: Path | str,
    model: str | Artifact | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    source: str | None = None,
    correction: int = 0,
    timezone: str | tzinfo | None = None,
    settings: Settings | None = None,
    progress: Callable[[int], None] | None = None,
) -> LabelImport:
    """Store the labels of a file, and say how many were stored, known already, empty or refused.

    Every ten thousand rows are on disk before the next are read. Running it again is harmless. A
    row without a value is not known yet; if its correction number is above 0, it withdraws a label.

    Args:
        table: a CSV or Parquet file.
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given. A label may be any class that its live artifact knows, or
            one that was live or a shadow.
        columns: the column of each field: ``value``, or ``value.TARGET`` for each of several
            targets; ``request_id`` and ``row``, or ``entity.FEATURE`` and ``event_time``;
            ``known_at``, ``source``, ``correction``. By default the columns of these names, of the
            features of the entity key and of the event time, and ``label`` for ``value``.
        source: the source of labels for which the file has none.
        correction: the correction number of labels for which the file has none.
        timezone: the time zone of times without an offset; such times are refused when not given.
        settings: settings with the storage root; read from the environment when not given.
        progress: called with the number of rows read since the last call.

    Raises:
        InvalidRequest: the model has no labels: it neither classifies nor predicts a number.
        ContractError: there is no such time zone.
        TableError: the file cannot be read, or lacks a column.
        StorageError: the storage root refuses.
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    settings = settings or Settings.read()
    name = find_model(settings, model)
    return import_file(
        LabelStore(settings, name),
        find_artifact(settings, name).contract,
        Path(table),
        others=contracts_of(newest_history(settings, name).state.artifacts),
        columns=columns or {},
        source=source,
        correction=correction,
        zone=zone(timezone) if isinstance(timezone, str) else timezone,
        progress=progress,
    )


def label_status(
    model: str | Artifact | None = None,
    *,
    examples: int | None = EXAMPLES,
    policy: Policy | None = None,
    settings: Settings | None = None,
) -> LabelStatus:
    """Count the answers that have labels, and the labels by what became of them.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        examples: of how many contradictions, and how many unmatched labels, to return; None for
            all.
        policy: has ``[labels]``; when not given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        LogError: there is no log of the model.
        NewerFormat, UnreadableFile: a file of labels cannot be read.
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    settings = settings or Settings.read()
    name = find_model(settings, model)
    contract = find_artifact(settings, name).contract
    records, rules = LabelStore(settings, name).read(), policy or find_policy()
    log = InferenceLog(settings, name)
    return count(log, records, contract, name, rules.labels, examples=examples)
