"""Labels read by a contract: what may be stored, in the columns in which it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from gnomon.contract.contract import Contract
from gnomon.contract.json_values import key_path, reader, shown
from gnomon.errors import InvalidRequest
from gnomon.labels.entity_text import entity_texts, name_text
from gnomon.labels.label import Label
from gnomon.labels.label_schema import LABELS
from gnomon.labels.targets import Target, targets_of
from gnomon.log.table.columns import plain_type
from gnomon.time_range import check_time

__all__ = ["LabelReader"]

_CLOCKS_APART = timedelta(minutes=5)
"""How far the clock of the sender may be ahead."""

_LONGEST_TEXT = 1_024
"""The most characters of a request id or a source: they come back in every list of labels."""


class LabelReader:
    """Reads labels by a contract.

    Args:
        contract: the contract of the live artifact.
        others: those of other artifacts whose answers may be labelled, see
            :func:`~gnomon.labels.targets.targets_of`.
        coerce: accept entity values that are written as text, as in a CSV file.

    Raises:
        InvalidRequest: the model has no labels.
    """

    def __init__(
        self, contract: Contract, others: Sequence[Contract] = (), *, coerce: bool = False
    ) -> None:
        self.targets = targets_of(contract, others)
        self._by_name = {target.name: target for target in self.targets}
        self._key = tuple(contract.feature(name) for name in contract.entity_key)
        as_given = (msgspec.structs.replace(f, coerce=f.coerce or coerce) for f in self._key)
        self._readers = {feature.name: reader(feature) for feature in as_given}
        self._key_text = name_text(contract.entity_key)
        self._is_event_time_sent = contract.event_time is not None

    def records(self, labels: Sequence[tuple[str, Label]], now: datetime) -> pa.RecordBatch:
        """Return labels in the columns in which they are stored.

        Args:
            labels: each with its place, for errors: a path such as ``$[3]`` or ``row 4``.
            now: when they were received.

        Raises:
            InvalidRequest: the first that is wrong, with what was expected and where.
        """
        rows: list[dict[str, Any]] = []
        for place, label in labels:
            try:
                rows += self.rows(label, now)
            except InvalidRequest as error:
                error.where = place + (error.where or "")
                raise
        return self.batch(rows)

    def batch(self, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        """Return the rows of :meth:`rows` in the columns in which they are stored."""
        of_entities = [row for row in rows if "entity_key" in row]
        columns = [
            pa.array([row["entity"][place] for row in of_entities], plain_type(feature.arrow.type))
            for place, feature in enumerate(self._key)
        ]
        if of_entities:
            for row, text in zip(of_entities, entity_texts(columns).to_pylist(), strict=True):
                row["entity"] = text
        return pa.RecordBatch.from_pylist(list(rows), schema=LABELS)

    def rows(self, label: Label, now: datetime) -> Iterator[dict[str, Any]]:
        """Yield a row for each target of a label, for :meth:`batch`.

        Raises:
            InvalidRequest: it is wrong; ``where`` is the field, such as ``.value``.
        """
        _refuse_future(label.known_at, now, ".known_at")
        if not self._is_event_time_sent:
            _refuse_future(label.event_time, now, ".event_time")
        _refuse_long(label.source or "", ".source")
        common = {
            **self._prediction(label),
            "known_at": _utc(label.known_at, ".known_at"),
            "source": label.source,
            "correction": label.correction,
            "received_at": now,
        }
        for target, value in self._values(label):
            yield {**common, "target": target.name, "value": value}

    def _prediction(self, label: Label) -> dict[str, Any]:
        by_entity = label.entity is not None or label.event_time is not None
        if label.request_id is not None and not by_entity:
            if not label.request_id:
                raise InvalidRequest(
                    "expected a request id, got an empty text", where=".request_id"
                )
            _refuse_long(label.request_id, ".request_id")
            return {"request_id": label.request_id, "row": label.row}
        if label.request_id is not None or label.entity is None or label.event_time is None:
            given = [name for name in _NAMES if getattr(label, name) is not None]
            raise InvalidRequest(
                "expected `request_id`, or `entity` and `event_time`, got "
                + (" and ".join(f"`{name}`" for name in given) or "none of them"),
                hint=None if self._key else "the contract has no entity key: use `request_id`",
            )
        return {
            "entity_key": self._key_text,
            "entity": self._entity(label.entity),
            "event_time": _utc(label.event_time, ".event_time"),
        }

    def _entity(self, entity: dict[str, Any]) -> list[Any]:
        if not self._key:
            raise InvalidRequest(
                "the contract has no entity key", where=".entity", hint="use `request_id` and `row`"
            )
        if set(entity) != set(self._readers):
            raise InvalidRequest(
                f"expected the entity key {_listed(self._readers)}, got {_listed(entity) or '{}'}",
                where=".entity",
            )
        values = []
        for feature in self._key:
            value = entity[feature.name]
            where = f".entity{key_path(feature.name)}"
            if value is None:
                raise InvalidRequest(f"expected {feature.type}, got null", where=where)
            try:
                values.append(self._readers[feature.name](value))
            except InvalidRequest as error:
                error.where = where
                raise
        return values

    def _values(self, label: Label) -> Iterator[tuple[Target, str | None]]:
        if None in self._by_name:
            yield self.targets[0], _text(self.targets[0], label.value, ".value", label.correction)
            return
        if not isinstance(label.value, dict) or not label.value:
            raise InvalidRequest(
                f"expected an object of the targets {_listed(self._by_name)}, "
                f"got {shown(label.value)}",
                where=".value",
            )
        for name, value in label.value.items():
            where = f".value{key_path(name)}"
            if name not in self._by_name:
                raise InvalidRequest(
                    f"expected a target, got `{name}`",
                    where=where,
                    hint=f"the targets are {_listed(self._by_name)}",
                )
            yield (
                self._by_name[name],
                _text(self._by_name[name], value, where, label.correction),
            )


_NAMES = ("request_id", "entity", "event_time")


def _text(target: Target, value: Any, where: str, correction: int) -> str | None:
    if value is None:
        if correction:
            return None
        raise InvalidRequest(
            "expected a label, got null",
            where=where,
            hint="leave out what is not known yet; null with a `correction` above 0 withdraws one",
        )
    try:
        return target.text(value)
    except InvalidRequest as error:
        error.where = where
        raise


def _refuse_long(text: str, where: str) -> None:
    if len(text) > _LONGEST_TEXT:
        raise InvalidRequest(
            f"expected at most {_LONGEST_TEXT:,} characters, got {len(text):,}", where=where
        )


def _refuse_future(time: datetime | None, now: datetime, where: str) -> None:
    if time is not None and time > now + _CLOCKS_APART:
        raise InvalidRequest(
            f"expected a time that has passed, got {time.isoformat()}", where=where
        )


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _utc(time: datetime | None, where: str) -> datetime | None:
    if time is None:
        return None
    check_time(time, where)
    return time.astimezone(UTC)
