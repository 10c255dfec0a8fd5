"""Files of labels, opened and read in parts."""

from __future__ import annotations

import gzip
from pathlib import Path

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
        assert (list(file.names), file.is_text) == (["a", "b"], True)
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


def test_a_file_that_is_cut_off_is_an_error_and_no_end(tmp_path: Path) -> None:
    """The rows before it were read."""
    path = tmp_path / "labels.csv"
    path.write_text("a,b\n1,2\n3\n")
    with pytest.raises(TableError, match="Expected 2 columns, got 1"):
        list(open_label_file(path).read(["a"], 2))
