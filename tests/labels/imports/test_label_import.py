"""Files of labels: every row is stored, known, empty or refused, however often it is imported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.errors import InvalidRequest, StorageError
from gnomon.labels.imports import label_import
from gnomon.labels.imports.label_import import LabelImport, import_file
from gnomon.labels.label_store import LabelStore
from gnomon.settings import Settings
from tests.labels.labelled_log import CONTRACT, DAY, TWO_TARGETS

NUMBERED = structs.replace(
    CONTRACT,
    features=(Feature(name="flight", type="integer", dtype="int64"), *CONTRACT.features),
    entity_key=("flight",),
)


def imported(
    settings: Settings, path: Path, contract: Contract = CONTRACT, **options: Any
) -> LabelImport:
    options = {"columns": {}, **options}
    return import_file(LabelStore(settings, "toy"), contract, path, **options)


def csv(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def stored(settings: Settings, *columns: str) -> list[tuple[Any, ...]]:
    rows = LabelStore(settings, "toy").read().select(list(columns)).to_pylist()
    return [tuple(row.values()) for row in rows]


def test_a_file_by_request_and_row(settings: Settings, tmp_path: Path) -> None:
    """Each row is stored, without a value, or refused with what was expected."""
    path = csv(
        tmp_path,
        "request_id,row,label,known_at,source,ignored",
        "a,0,yes,2026-11-02T00:00:00Z,desk,1",
        "a,1,,,,2",
        "b,,no,,,3",
        "c,0,maybe,,,4",
        ",0,no,,,5",
        "d,-1,no,,,6",
        "e,0,no,2026-11-02T00:00:00,,7",
        "f,0,no,tomorrow,,8",
    )
    found = imported(settings, path, source="file")
    assert (found.rows, found.stored, found.empty, found.refused) == (8, 2, 1, 5)
    assert stored(settings, "request_id", "row", "value", "source", "correction") == [
        ("a", 0, "yes", "desk", 0), ("b", 0, "no", "file", 0)
    ]  # fmt: skip
    assert [(one.row, one.field) for one in found.examples] == [
        (4, "value"), (5, ""), (6, "row"), (7, "known_at"), (8, "known_at")
    ]  # fmt: skip
    assert found.examples[0].message == 'expected one of "no", "yes", got "maybe"'
    assert "--timezone" in found.examples[3].message


def test_a_file_by_entity_and_time(settings: Settings, tmp_path: Path) -> None:
    """Text is read by the contract; a time without an offset is in the zone that is given."""
    lines = "flight,asked,value", "7,2026-11-01 12:00:00,yes", "seven,2026-11-01T12:00:00Z,no"
    found = imported(settings, csv(tmp_path, *lines), NUMBERED, zone=UTC)
    assert (found.stored, found.refused) == (1, 1)
    assert found.examples[0].field == "entity.flight"
    assert stored(settings, "entity_key", "entity", "event_time") == [('["flight"]', '["7"]', DAY)]


def test_a_parquet_file_with_typed_columns(settings: Settings, tmp_path: Path) -> None:
    """As a frame writes it: integers with nulls are floats, a day is its midnight."""
    path = tmp_path / "labels.parquet"
    frame = pd.DataFrame(
        {
            "request_id": ["a", "b", "c"],
            "row": [1.0, None, 0.5],
            "gate": [2.0, None, 1.0],
            "label_late": ["no", "yes", None],
            "known_at": [datetime(2026, 11, 1).date()] * 3,
        }
    )
    frame.to_parquet(path)
    found = imported(settings, path, TWO_TARGETS, zone=UTC)
    assert (found.stored, found.refused, found.examples[0].field) == (2, 1, "row")
    midnight = DAY - timedelta(hours=12)
    assert stored(settings, "request_id", "row", "target", "value", "known_at") == [
        ("a", 1, "late", "no", midnight), ("a", 1, "gate", "2", midnight),
        ("b", 0, "late", "yes", midnight),
    ]  # fmt: skip


def test_an_import_that_broke_off_is_run_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on disk is not stored twice, and it says how much that was."""
    monkeypatch.setattr(label_import, "_PART_ROWS", 2)
    path = csv(tmp_path, "request_id,label", *(f"{name},yes" for name in "abcde"))
    add, calls = LabelStore.add, iter([True, False])

    def failing(self: LabelStore, records: pa.RecordBatch) -> bool:
        if not next(calls):
            raise StorageError("No space left on device")
        return add(self, records)

    with monkeypatch.context() as patch:
        patch.setattr(LabelStore, "add", failing)
        with pytest.raises(StorageError):
            imported(settings, path)
    again = imported(settings, path)
    assert (again.rows, again.known, again.stored) == (5, 2, 3)
    assert (imported(settings, path).known, len(stored(settings, "value"))) == (5, 5)


def test_a_file_is_read_in_parts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its row groups are; progress counts every row."""
    monkeypatch.setattr(label_import, "_PART_ROWS", 4)
    path = tmp_path / "labels.parquet"
    table = pa.table({"request_id": [str(n) for n in range(10)], "value": ["yes"] * 10})
    pq.write_table(table, path, row_group_size=3)
    seen: list[int] = []
    found = imported(settings, path, progress=seen.append)
    assert (found.stored, seen) == (10, [4, 4, 2])
    assert len(list(Path(settings.root, "labels", "toy").iterdir())) == 3


def test_nothing_of_a_row_is_stored_if_one_of_its_targets_is_wrong(
    settings: Settings, tmp_path: Path
) -> None:
    """It is refused as a whole, and can be imported again when it is mended."""
    path = csv(tmp_path, "request_id,late,gate", "a,no,7", "b,yes,2")
    result = imported(settings, path, TWO_TARGETS)
    assert (result.stored, result.refused) == (1, 1)
    assert stored(settings, "request_id", "value") == [("b", "yes"), ("b", "2")]


def test_a_row_without_a_value_withdraws_a_label_if_its_correction_is_above_0(
    settings: Settings, tmp_path: Path
) -> None:
    """The number is from a column, or that of the import; without one it is not known yet."""
    path = csv(tmp_path, "request_id,label,correction", "a,,1", "b,,0", "c,,", "d,no,1", "a,,x")
    found = imported(settings, path)
    assert (found.rows, found.stored, found.withdrawn) == (5, 2, 1)
    assert (found.empty, found.refused, found.examples[0].field) == (2, 1, "correction")
    assert stored(settings, "request_id", "value", "correction") == [("a", None, 1), ("d", "no", 1)]
    again = imported(settings, path, correction=2)
    assert (again.stored, again.withdrawn, again.empty) == (3, 2, 1)


def test_a_null_of_parquet_withdraws_too(settings: Settings, tmp_path: Path) -> None:
    """Also one that a frame writes as NaN; importing it again is known, and withdraws the same."""
    contract = structs.replace(
        CONTRACT, task="regression", classes=(), outputs=(Output(name="prediction", type="float"),)
    )
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"request_id": ["a", "b"], "value": [None, float("nan")]}), path)
    found = imported(settings, path, contract, correction=1)
    assert (found.stored, found.withdrawn, found.empty) == (2, 2, 0)
    again = imported(settings, path, contract, correction=1)
    assert (again.stored, again.known, again.withdrawn) == (0, 2, 2)


def test_a_row_without_any_value_withdraws_the_targets_of_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    """Where some targets have a value, the others are left as they are."""
    path = csv(tmp_path, "request_id,late,gate", "a,yes,", "b,,")
    found = imported(settings, path, TWO_TARGETS, correction=1)
    assert (found.stored, found.withdrawn) == (2, 1)
    assert stored(settings, "request_id", "target", "value") == [
        ("a", "late", "yes"), ("b", "late", None), ("b", "gate", None)
    ]  # fmt: skip
    assert imported(settings, path, TWO_TARGETS).empty == 1


def test_a_time_that_clocks_show_twice_or_never_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    """It could be the time of another request."""
    times = "2026-03-08T02:30:00", "2026-11-01T01:30:00", "2026-11-01T03:30:00"
    path = csv(tmp_path, "customer,asked,label", *(f"a,{time},yes" for time in times))
    result = imported(settings, path, zone=ZoneInfo("America/New_York"))
    assert (result.stored, result.refused) == (1, 2)
    never, twice = (one.message for one in result.examples)
    assert "happens never" in never
    assert "happens twice" in twice


@pytest.mark.parametrize("correction", [-1, 2**31])
def test_a_correction_out_of_range_is_refused(
    settings: Settings, tmp_path: Path, correction: int
) -> None:
    """Before anything is stored."""
    with pytest.raises(InvalidRequest, match="expected a whole number from 0 to 2,147,483,647"):
        imported(settings, csv(tmp_path, "request_id,label", "a,yes"), correction=correction)
    assert not stored(settings, "value")


@pytest.mark.parametrize("row", [("a", b"yes"), (b"a", "yes"), (1.0, "yes")])
def test_what_is_not_text_is_refused(
    settings: Settings, tmp_path: Path, row: tuple[object, object]
) -> None:
    """The Python text of an id of bytes, or with a point, would match no row."""
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"request_id": [row[0]], "label": [row[1]]}), path)
    result = imported(settings, path)
    assert (result.stored, result.refused) == (0, 1)
    assert result.examples[0].message.startswith("expected ")


def test_ids_may_be_uuids(settings: Settings, tmp_path: Path) -> None:
    """They are stored as the text that an answer has."""
    path = tmp_path / "labels.parquet"
    text = "01a22d85-a076-74d4-a074-b06b519e19db"
    ids = pa.array([UUID(text).bytes], pa.uuid())
    pq.write_table(pa.table({"request_id": ids, "label": ["yes"]}), path)
    assert imported(settings, path).stored == 1
    assert stored(settings, "request_id") == [(text,)]


@pytest.mark.parametrize("values", [["1", "2"], [Decimal("1.0"), Decimal("2.0")], [1.0, 2.0]])
def test_classes_that_are_numbers_are_read_alike_in_every_file(
    settings: Settings, tmp_path: Path, values: list[object]
) -> None:
    """As text, as decimals and as floats."""
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"request_id": ["a", "b"], "gate": values}), path)
    assert imported(settings, path, TWO_TARGETS).stored == 2
    assert stored(settings, "value") == [("1",), ("2",)]
