"""Read files as tables whose columns have roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from gnomon.contract import Contract
from gnomon.contract.frames import as_trained
from gnomon.errors import TableError
from gnomon.leakage import LabelledTable
from gnomon.leakage.model_answers import checked_features
from gnomon.name_lists import as_names
from gnomon.offline.offline_table import read_table

__all__ = ["ColumnRoles"]

_NO_CONTRACT = Contract(task="classification", features=(), outputs=())


@dataclass(frozen=True)
class ColumnRoles:
    """The roles of the columns of the files.

    Attributes:
        label: the column to predict.
        contract: the contract of the artifact that uses the rows; its features are checked, in the
            form that the pipeline gets. Without it, every column without another role is a feature.
        event_time: the column with the time the prediction was requested; the contract's, when
            not given.
        entity_key: the columns that identify the entity of a row; the contract's, when not given.
        known_at: by feature, the column with the time its value was known.
    """

    label: str | None = None
    contract: Contract | None = None
    event_time: str | None = None
    entity_key: str | Sequence[str] = ()
    known_at: Mapping[str, str] = field(default_factory=dict)

    def read(
        self,
        path: Path,
        *,
        option: str = "TRAIN",
        times: bool = True,
        features: Sequence[str] | None = None,
    ) -> LabelledTable:
        """Read a file as a table.

        Args:
            path: ending in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.pq``.
            option: the command line option that takes the path, for the hint.
            times: whether the file has the columns of ``known_at``.
            features: the features it must have to be compared with another table; by default those
                of the contract, or every column without another role.

        Raises:
            TableError: it cannot be read, or lacks a column.
            ContractError: a column has values that its feature cannot have.
        """
        table = _with_timestamps(read_table(path, self.contract or _NO_CONTRACT, option=option))
        known_at = self.known_at if times else {}
        self._refuse_missing(table, path, known_at, features or ())
        frame = _frame(table)
        features = features or self._features(list(frame.columns))
        if self.contract is not None:
            trained = as_trained(frame, self.contract)
            frame = frame.assign(**{str(name): trained[name] for name in trained.columns})
        contract = self.contract or _NO_CONTRACT
        return LabelledTable.of(
            frame,
            None if self.label is None else frame[self.label],
            features=features,
            task=self.contract.learned if self.contract else None,
            event_time=self.event_time or contract.event_time,
            entity_key=self.entity_key or contract.entity_key,
            known_at=known_at,
        )

    def _features(self, columns: Sequence[str]) -> list[str]:
        if self.contract is not None:
            return checked_features(self.contract)
        others = {self.label, *self.known_at.values()}
        return [name for name in columns if name not in others]

    def _refuse_missing(
        self, table: pa.Table, path: Path, known_at: Mapping[str, str], features: Sequence[str]
    ) -> None:
        names = [
            self.label,
            self.event_time,
            *as_names(self.entity_key),
            *known_at,
            *known_at.values(),
        ]
        required = [name for name in (*names, *features) if name is not None]
        if self.contract is not None:
            required += self._features([])
        missing = [name for name in dict.fromkeys(required) if name not in table.column_names]
        if missing:
            raise TableError(
                f"the file has no column {', '.join(f'`{name}`' for name in missing)}",
                where=str(path),
                hint=f"its columns are {', '.join(table.column_names)}",
            )


def _frame(table: pa.Table) -> pd.DataFrame:
    """Convert to pandas; an index with a name becomes a column, any other is dropped."""
    frame: pd.DataFrame = table.to_pandas()
    return frame.reset_index(drop=frame.index.name is None)


def _with_timestamps(table: pa.Table) -> pa.Table:
    """Convert dates to timestamps at midnight."""
    for position, column in enumerate(table.schema):
        if pa.types.is_date(column.type):
            timestamps = table.column(position).cast(pa.timestamp("us"))
            table = table.set_column(position, column.name, timestamps)
    return table
