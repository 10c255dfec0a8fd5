"""A single string where a list of column names is expected is one column, in the whole API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon import LabelledTable, infer_contract
from gnomon.artifact.vendored_code.vendoring import find_code
from gnomon.data_checks.leakage_files import ColumnRoles
from gnomon.errors import PackRefused
from gnomon.log.table.columns import View
from gnomon.name_lists import as_names
from gnomon.offline.offline_table import OfflineTable

FRAME = pd.DataFrame({"trip": ["a", "b"], "size": [1.0, 2.0]})
CONTRACT = infer_contract(FRAME, task="regression", entity_key="trip")


def test_a_string_is_one_name() -> None:
    """It is not one name a letter."""
    assert as_names("trip") == ("trip",)
    assert as_names(["trip", "size"]) == ("trip", "size")
    assert as_names(()) == ()


def test_a_contract_s_entity_key() -> None:
    """When the contract is inferred."""
    assert CONTRACT.entity_key == ("trip",)


def test_the_columns_of_a_labelled_table() -> None:
    """Its features and its entity key."""
    table = LabelledTable.of(FRAME, np.array([1.0, 2.0]), features="size", entity_key="trip")
    assert (table.features, table.entity_key) == (("size",), ("trip",))


def test_the_columns_of_tables_that_are_read(tmp_path: Path) -> None:
    """What a file is joined on, and its entity key."""
    pq.write_table(pa.table({"trip": ["a"], "size": [1.0]}), tmp_path / "rows.parquet")
    path = tmp_path / "rows.parquet"
    assert OfflineTable.read(path, on="trip", contract=CONTRACT, steps=()).on == ("trip",)
    assert ColumnRoles(entity_key="trip").read(path).entity_key == ("trip",)


def test_a_column_of_the_log() -> None:
    """What ``table``, ``scan``, ``reader`` and ``to_frame`` read."""
    schema = pa.schema([("role", pa.string()), ("row", pa.int32())])
    assert View([(schema, False)]).pick("role").names == ["role"]


def test_a_module_to_vendor() -> None:
    """``code="pricing"`` is a module's name."""
    with pytest.raises(PackRefused, match="no_such_module"):
        find_code(None, "no_such_module")
