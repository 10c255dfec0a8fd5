"""What the columns of a file mean."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from gnomon.contract import infer_contract
from gnomon.data_checks.leakage import check_leakage
from gnomon.data_checks.leakage_files import ColumnRoles
from gnomon.errors import ContractError, TableError
from gnomon.leakage import LabelledTable, check_split

FRAME = pd.DataFrame(
    {
        "id": ["1", "2", "3"],
        "seats": pd.array([4, None, 6], dtype="Int64"),
        "day": [dt.date(2013, 1, day) for day in (1, 2, 3)],
        "seen": pd.date_range("2013-01-01", periods=3, tz="UTC"),
        "late": [True, False, True],
    }
)
MEANING = ColumnRoles(
    label="late", event_time="day", entity_key=("id",), known_at={"seats": "seen"}
)


def test_what_is_nothing_else_is_a_feature(tmp_path: Path) -> None:
    """The label and the times that features were known at are no features; dates are timestamps."""
    FRAME.to_parquet(tmp_path / "rows.parquet")
    table = MEANING.read(tmp_path / "rows.parquet")
    assert table.features == ("id", "seats", "day")
    assert table.task == "classification"
    assert table.known_at == {"seats": "seen"}
    assert table.labels is not None
    assert table.labels.tolist() == [True, False, True]
    assert str(table.column("day").dtype) == "datetime64[us]"


def test_a_holdout_needs_no_times(tmp_path: Path) -> None:
    """The times at which its features were known are not needed."""
    FRAME.drop(columns="seen").to_parquet(tmp_path / "rows.parquet")
    assert MEANING.read(tmp_path / "rows.parquet", times=False).known_at == {}
    with pytest.raises(TableError, match="no column `seen`") as caught:
        MEANING.read(tmp_path / "rows.parquet")
    assert caught.value.hint == "its columns are id, seats, day, late"


def test_a_holdout_has_the_features_of_the_training_rows(tmp_path: Path) -> None:
    """What is missing is named, with the file; so it is of tables that were made otherwise."""
    train, holdout = tmp_path / "train.csv", tmp_path / "holdout.csv"
    FRAME[["id", "seats", "late"]].to_csv(train, index=False)
    FRAME[["seats"]].to_csv(holdout, index=False)
    with pytest.raises(TableError, match=r"no column `id`, `late`.*holdout.csv.*columns are seats"):
        check_leakage(train, ColumnRoles(), holdout=holdout)
    tables = [LabelledTable.of(FRAME[names]) for names in (["id", "seats"], ["seats"])]
    with pytest.raises(ContractError, match="holdout has no column `id`"):
        check_split(*tables)


def test_a_contract_says_what_the_features_are(tmp_path: Path) -> None:
    """Their dtypes are those of training, its key and event time are taken, the rest is left."""
    features = FRAME[["id", "seats", "seen"]]
    contract = infer_contract(
        features, task="classification", event_time="seen", entity_key=("id",)
    )
    FRAME.drop(columns="day").to_csv(tmp_path / "rows.csv", index=False)
    table = ColumnRoles(label="late", contract=contract).read(tmp_path / "rows.csv")
    assert table.features == ("id", "seats", "seen")
    assert (table.event_time, table.entity_key) == ("seen", ("id",))
    dtypes = table.frame[list(table.features)].dtypes
    assert dtypes.tolist() == features.dtypes.tolist()
    assert table.column("id").tolist() == ["1", "2", "3"]


def test_a_file_of_some_rows_of_a_frame_is_read_by_row(tmp_path: Path) -> None:
    """Parquet keeps the frame's index: an unnamed one is ignored, a named one is a column."""
    features = FRAME[["seats"]]
    contract = infer_contract(features, task="classification")
    FRAME[["seats", "late"]].iloc[[0, 2]].to_parquet(tmp_path / "rows.parquet")
    table = ColumnRoles(label="late", contract=contract).read(tmp_path / "rows.parquet")
    assert table.column("seats").tolist() == [4, 6]
    FRAME[["id", "seats"]].set_index("id").to_parquet(tmp_path / "rows.parquet")
    assert ColumnRoles().read(tmp_path / "rows.parquet").features == ("id", "seats")


def test_values_that_the_contract_does_not_take_are_refused(tmp_path: Path) -> None:
    """The error has the column."""
    contract = infer_contract(FRAME[["seats"]], task="classification")
    FRAME.assign(seats=["four", "five", "six"]).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(ContractError) as caught:
        ColumnRoles(contract=contract).read(tmp_path / "rows.csv")
    assert caught.value.where == "column `seats`"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """It is refused as every unreadable table is."""
    (tmp_path / "rows.xls").write_bytes(b"")
    with pytest.raises(TableError, match="cannot read"):
        MEANING.read(tmp_path / "rows.xls")
