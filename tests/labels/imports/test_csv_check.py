"""CSV files that are whole, and what is wrong with those that are not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gnomon.errors import TableError
from gnomon.labels.imports.csv_check import csv_columns


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n",
        b'"a","b"\n1,"x\ny"\n',
        b'a,b\n5" screen,"5"" screen"\n',
    ],
)
def test_the_columns_of_a_file_that_is_whole(tmp_path: Path, content: bytes) -> None:
    """With a byte order mark, empty lines, line breaks and quotation marks in values."""
    (tmp_path / "plain.csv").write_bytes(content)
    (tmp_path / "small.csv.gz").write_bytes(gzip.compress(content))
    assert csv_columns(tmp_path / "plain.csv") == ["a", "b"]
    assert csv_columns(tmp_path / "small.csv.gz") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b'a,b\n1,2\n1,"x\n2,y\n', "a quotation mark in row 2 is not closed"),
        (b'a,b\n1,"5" screen\n', "a quotation mark in row 1 is not closed, or stands inside"),
        (b'a,"b\n1,2\n', "a quotation mark in the header"),
        (b'a,b\n1,"' + b"x\n" * 100_000, "a quotation mark in row 1 is not closed"),
        (b"a,b\n1,2\n1,\xe9\n", "row 2 is not text in UTF-8"),
        (b"a,\xe9\n1,2\n", "the header is not text in UTF-8"),
        (gzip.compress(b"a,b\n1,2\n" * 9, mtime=0), "the file: it is compressed"),
        (b"a,b\n1,2\n1,2,3\n", "expected 2 values in row 2, got 3"),
        (b"a,b\n\n1\n", "expected 2 values in row 1, got 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    """With the row."""
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        csv_columns(path)
    assert says.lower() in str(caught.value).lower()
    assert caught.value.where == str(path)
