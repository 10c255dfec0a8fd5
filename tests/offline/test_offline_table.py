from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from gnomon.contract import Contract, Feature, Output
from gnomon.errors import TableError
from gnomon.offline.column_names import KNOWN_AT
from gnomon.offline.offline_table import OfflineTable, understand, write_table

CONTRACT = Contract(
    task="classification",
    features=(
        Feature(name="id", type="string", dtype="str"),
        Feature(name="number", type="integer", dtype="int64"),
        Feature(name="at", type="timestamp", dtype="datetime64[us, UTC]", timezone="UTC"),
        Feature(name="size", type="float", dtype="float64", nullable=True),
        Feature(name="kind", type="category", dtype="category", domain=("a", "b")),
    ),
    outputs=(
        Output(name="prediction", type="string"),
        Output(name="probability_yes", type="float"),
    ),
    classes=("no", "yes"),
    entity_key=("id",),
)
STEPS = ["first/hour", "first/size", "second/size"]


def read(path: Path, *on: str, known_at: str | None = None) -> OfflineTable:
    return OfflineTable.read(
        path, on=on or ("id",), contract=CONTRACT, steps=STEPS, known_at=known_at
    )


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def csv(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def keys(**columns: object) -> pa.Table:
    return pa.table(columns)


def test_rows_are_found_by_key_in_any_order(tmp_path: Path) -> None:
    """Each logged row gets its table row; a key that is not there, or null, gets none."""
    table = read(parquet(tmp_path, id=["b", "a"], prediction=["yes", "no"]))
    found = table.find(keys(id=["a", "b", "c", None]))
    assert found.tolist() == [1, 0, -1, -1]
    assert table.data.to_pylist() == [{"prediction": "yes"}, {"prediction": "no"}]
    assert table.key_at(1) == "id=a"


def test_several_columns_can_be_the_key(tmp_path: Path) -> None:
    """Rows match when every key column does; smaller integers of the table are no obstacle."""
    at = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)]
    path = parquet(
        tmp_path,
        number=pa.array([1, 1], pa.int16()),
        at=pa.array(at, pa.timestamp("ms", tz="Europe/Berlin")),
        prediction=["yes", "no"],
    )
    table = read(path, "number", "at")
    logged = keys(
        number=pa.array([1, 1, 2], pa.int64()),
        at=pa.array([at[1], at[0], at[0]], CONTRACT.input_schema.field("at").type),
    )
    assert table.find(logged).tolist() == [1, 0, -1]


def test_an_empty_table_has_no_row(tmp_path: Path) -> None:
    """No rows, no matches."""
    empty = pa.array([], pa.string())
    assert read(parquet(tmp_path, id=empty, prediction=empty)).find(keys(id=["a"])).tolist() == [-1]


def test_a_request_can_be_the_key(tmp_path: Path) -> None:
    """Request id and row number name a row of any model."""
    table = read(
        parquet(tmp_path, request_id=["r", "r"], row=[0, 1], prediction=["yes", "no"]),
        "request_id",
        "row",
    )
    assert table.find(keys(request_id=["r"], row=pa.array([1], pa.int32()))).tolist() == [1]


def test_a_table_without_the_key_lists_what_it_has(tmp_path: Path) -> None:
    """The message names the missing column, the hint the columns there are."""
    with pytest.raises(TableError, match="no column `id`") as caught:
        read(parquet(tmp_path, name=["a"], prediction=["yes"]))
    assert caught.value.hint == "its columns are `name`, `prediction`"


def test_a_key_that_the_log_does_not_have_lists_what_it_has(tmp_path: Path) -> None:
    """A key must be a feature or name the request."""
    path = parquet(tmp_path, tail=["a"], prediction=["yes"])
    with pytest.raises(TableError, match="no field `tail` to join on") as caught:
        read(path, "tail")
    assert caught.value.hint is not None
    assert "the entity key is `id`" in caught.value.hint
    assert "`number`" in caught.value.hint
    assert "`client_id`" in caught.value.hint
    with pytest.raises(TableError, match="at least one key column"):
        OfflineTable.read(path, on=(), contract=CONTRACT, steps=STEPS)


def test_a_list_is_no_key(tmp_path: Path) -> None:
    """It is refused by name, and is not among the keys that there are."""
    pixels = Feature(name="pixels", type="list", dtype="list", items="float")
    contract = replace(CONTRACT, features=(*CONTRACT.features, pixels))
    path = parquet(tmp_path, pixels=[[1.0]], prediction=["yes"])
    with pytest.raises(TableError, match="`pixels` is a list, and a key is one value") as caught:
        OfflineTable.read(path, on="pixels", contract=contract, steps=STEPS)
    assert "`number`" in str(caught.value.hint)
    assert "pixels" not in str(caught.value.hint)


def test_duplicate_keys_are_counted_and_shown(tmp_path: Path) -> None:
    """Two rows for one key cannot both be what was predicted."""
    with pytest.raises(TableError, match="2 of 4 rows repeat the key") as caught:
        read(parquet(tmp_path, id=["a", "a", "b", "b"], prediction=["yes"] * 4))
    assert "id=a; id=b" in caught.value.message


def test_rows_without_a_key_are_no_duplicates(tmp_path: Path) -> None:
    """Null keys match nothing and are not counted as duplicates."""
    table = read(parquet(tmp_path, id=["a", None, None], prediction=["yes"] * 3))
    assert table.find(keys(id=["a", None])).tolist() == [0, -1]


@pytest.mark.parametrize(
    ("values", "column", "said"),
    [
        (["1", "2"], "number", "an integer in the log and text in the table (such as 1)"),
        ([1, 2], "id", "text in the log and an integer in the table (such as 1)"),
        ([1.5, 2.0], "number", "cannot be read as an integer"),
        (["2024-01-01", "2024-01-02"], "at", "a timestamp in the log and text in the table"),
    ],
)
def test_a_key_of_another_type_is_said_so(
    tmp_path: Path, values: list[object], column: str, said: str
) -> None:
    """Keys of another type would match nothing; the message names both types."""
    with pytest.raises(TableError) as caught:
        read(parquet(tmp_path, **{column: values}, prediction=["yes", "no"]), column)
    assert said in caught.value.message
    assert str(caught.value.where).endswith(f": {column}")


def test_whole_floats_are_integers(tmp_path: Path) -> None:
    """A key column that pandas made float because of a null still matches."""
    table = read(parquet(tmp_path, number=[1.0, None], prediction=["yes", "no"]), "number")
    assert table.find(keys(number=pa.array([1], pa.int64()))).tolist() == [0]


def test_timestamps_without_a_zone_are_refused(tmp_path: Path) -> None:
    """A naive time could be any instant; guessing one is the mistake to be found."""
    naive = pa.array([datetime(2024, 1, 1)], pa.timestamp("us"))
    path = parquet(tmp_path, id=["a"], at=naive, prediction=["yes"])
    for key in ("id", "at"):
        with pytest.raises(TableError, match="no time zone") as caught:
            read(path, key)
        assert "2013-04-01T09:00:00Z" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("times", "came"),
    [
        (pa.array([date(2024, 1, 1)]), "days (such as 2024-01-01)"),
        (
            pa.array([datetime(2024, 1, 1)], pa.timestamp("us")),
            "timestamps without one (such as 2024-01-01 00:00:00)",
        ),
        (pa.array(["monday"]), "text (such as monday)"),
        (pa.array([1704067200]), "an integer (such as 1704067200)"),
    ],
)
def test_days_and_times_without_a_zone_do_not_say_since_when(
    tmp_path: Path, times: pa.Array, came: str
) -> None:
    """Whether a request came before or after a day's row is unknown, and is not guessed."""
    path = parquet(tmp_path, id=["a"], size=[1.0], since=times)
    with pytest.raises(TableError) as caught:
        read(path, known_at="since")
    assert caught.value.message.startswith(f"expected timestamps with a time zone, got {came}")
    assert str(caught.value.where).endswith(": since")
    assert "2013-04-01T09:00:00Z" in str(caught.value.hint)


def test_a_day_of_a_csv_is_a_day(tmp_path: Path) -> None:
    """What a CSV writes without a clock is refused as in Parquet; with a zone it is read."""
    with pytest.raises(TableError, match="got days"):
        read(csv(tmp_path, "id,size,since\na,1,2024-01-01\n"), known_at="since")
    with pytest.raises(TableError, match="got timestamps without one"):
        read(csv(tmp_path, "id,size,since\na,1,2024-01-01T09:00:00\n"), known_at="since")
    table = read(csv(tmp_path, "id,size,since\na,1,2024-01-01T09:00:00+01:00\n"), known_at="since")
    (since,) = table.data.column(KNOWN_AT).to_pylist()
    assert since == datetime(2024, 1, 1, 8, tzinfo=UTC)


def test_text_in_a_column_of_numbers_is_said_so(tmp_path: Path) -> None:
    """A value column of another type is an error, not a divergence on every row."""
    with pytest.raises(
        TableError, match="expected a number with decimals, as in the log, got text"
    ):
        read(csv(tmp_path, "id,size\na,1.5\nb,about 2\n"))


def test_numbers_keep_the_precision_they_have(tmp_path: Path) -> None:
    """32-bit floats stay 32 bit, so that the comparison can see what they lost."""
    path = parquet(tmp_path, id=["a"], size=pa.array([0.1], pa.float32()))
    assert read(path).data.schema.field("size").type == pa.float32()


def test_csv_text_stays_text(tmp_path: Path) -> None:
    """Leading zeros and the letters NA are values of text columns; an empty field is null."""
    table = read(csv(tmp_path, "id,kind,size\n007,NA,1.5\n008,,NaN\n"))
    assert table.find(keys(id=["007", "7"])).tolist() == [0, -1]
    assert table.data.to_pylist() == [{"kind": "NA", "size": 1.5}, {"kind": None, "size": None}]


def test_an_empty_text_is_one_where_it_is_quoted(tmp_path: Path) -> None:
    """Arrow and DuckDB write it quoted; nothing between the commas is null."""
    text = 'id,kind,size\na,,1\nb,"",2\nc,"NA",\nd,NULL,4\n'
    found = read(csv(tmp_path, text)).data.column("kind").to_pylist()
    assert found == [None, "", "NA", "NULL"]
    frame = pd.DataFrame({"id": ["a", "b"], "kind": [None, ""], "size": [1.0, 2.0]})
    write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "table.csv")
    assert read(tmp_path / "table.csv").data.column("kind").to_pylist() == [None, ""]


def test_csv_times_with_an_offset_are_instants(tmp_path: Path) -> None:
    """The same instant in any zone is the same key."""
    table = read(csv(tmp_path, "at,prediction\n2024-01-01T09:00:00+01:00,yes\n"), "at")
    at = pa.array([datetime(2024, 1, 1, 8, tzinfo=UTC)], CONTRACT.input_schema.field("at").type)
    assert table.find(keys(at=at)).tolist() == [0]


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    """``.csv.gz`` is a CSV."""
    import gzip

    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"id,prediction\na,yes\n"))
    assert read(path).rows == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("table.csv", b"id,prediction\na\nb,yes,2\n", "cannot read the table: CSV parse error"),
        ("table.csv", b"", "cannot read the table: Empty CSV file"),
        ("table.parquet", b"id,prediction\n", "cannot read the table"),
        ("table.xlsx", b"PK", "cannot read a table from `table.xlsx`"),
        ("table.csv", b"id,id\na,b\n", "has `id` more than once"),
    ],
)  # fmt: skip
def test_an_unreadable_file_says_why(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """Torn, empty, of another format, of an unknown ending, or ambiguous."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        read(path)
    assert said in caught.value.message
    assert str(path) in str(caught.value.where)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A wrong path is a clear message."""
    for name in ("none.parquet", "none.csv"):
        with pytest.raises(TableError, match="there is no such file"):
            read(tmp_path / name)


def test_a_table_with_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    """Only keys and unknown columns: the error says what is expected."""
    with pytest.raises(TableError, match="nothing to compare apart from its key") as caught:
        read(parquet(tmp_path, id=["a"], notes=["x"]))
    assert "`notes` is not an output, feature or step column" in caught.value.message
    assert "`probability_yes`" in str(caught.value.hint)


def test_names_mean_outputs_features_then_steps() -> None:
    """Exact names first, then dots, then bare names; an ambiguous or second name is ignored."""
    used, ignored = understand(
        ["prediction", "size", "first/size", "second.size", "hour", "first.hour", "x"],
        CONTRACT,
        STEPS,
    )
    assert used == {
        "prediction": "prediction",
        "size": "size",
        "first/size": "first/size",
        "second.size": "second/size",
        "hour": "first/hour",
    }
    assert ignored == {
        "first.hour": "another name for `first/hour`, which the table has",
        "x": "not an output, feature or step column",
    }


def test_a_bare_name_of_several_steps_is_ignored() -> None:
    """The reason names the steps it could be of."""
    used, ignored = understand(["width"], CONTRACT, ["a/width", "b/width"])
    assert used == {}
    assert ignored == {"width": "a column of several steps: `a/width`, `b/width`"}
