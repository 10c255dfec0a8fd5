"""Files of labels, opened and read in parts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.errors import TableError
from gnomon.labels.imports.label_file import open_label_file


def test_values_of_csv_are_text_and_empty_is_null(tmp_path: Path) -> None:
    """Also where they look like numbers; compressed or not."""
    content = b'a,b\n01,x\n"",\n3,"y, z"\n'
    (tmp_path / "plain.csv").write_bytes(content)
    (tmp_path / "small.csv.gz").write_bytes(gzip.compress(content))
    for name in ("plain.csv", "small.csv.gz"):
        file = open_label_file(tmp_path / name)
        assert list(file.names) == ["a", "b"]
        parts = [part.to_pylist() for part in file.read(["b", "a"], 2)]
        assert parts == [
            [{"b": "x", "a": "01"}, {"b": None, "a": None}], [{"b": "y, z", "a": "3"}]
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.csv", None, "No such file"),
        ("labels.txt", b"a\n1\n", "ends in .csv, .csv.gz, .parquet, .pq"),
        ("labels.parquet", b"a\n1\n", "cannot read the file"),
        ("empty.csv", b"", "cannot read the file"),
    ],
)
def test_what_cannot_be_opened_says_why(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    """With the file's name."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TableError, match=says) as caught:
        open_label_file(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("row", "says"),
    [("3", "expected 2 values in row 3, got 1"), ('"3\n4,2",2', "`a` in row 3 has a line break")],
)
def test_a_damaged_csv_is_refused_before_its_first_row(tmp_path: Path, row: str, says: str) -> None:
    """The rows before the damage are not used either."""
    path = tmp_path / "labels.csv"
    path.write_text(f"a,b\n1,2\n2,2\n{row}\n")
    with pytest.raises(TableError, match=says):
        next(open_label_file(path).read(["a"], 2))


def test_other_columns_may_have_line_breaks(tmp_path: Path) -> None:
    """Also where a block that is parsed at once ends inside the value."""
    path = tmp_path / "labels.csv"
    with path.open("w") as stream:
        stream.write("a,b\n")
        stream.writelines(f'{number},"x\n{"y" * 10_000}"\n' for number in range(300))
    parts = list(open_label_file(path).read(["a"], 200))
    assert [part.num_rows for part in parts] == [200, 100]
    assert parts[1]["a"][99].as_py() == "299"


@pytest.mark.parametrize("name", ["labels.csv.gz", "labels.parquet"])
def test_a_file_that_is_cut_off_is_refused_before_its_first_row(tmp_path: Path, name: str) -> None:
    """Compressed content, or a part of a Parquet file that is overwritten."""
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(b"a\n" + b"1\n" * 1000)[:-9])
    else:
        pq.write_table(pa.table({"a": [str(n) for n in range(99)]}), path, row_group_size=9)
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 200] = b"\xff" * 200
        path.write_bytes(content)
    with pytest.raises(TableError, match="cannot read the file"):
        next(open_label_file(path).read(["a"], 2))
