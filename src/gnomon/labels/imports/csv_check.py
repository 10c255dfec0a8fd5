"""A CSV file, read once to its end before anything of it is used."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from gnomon.errors import TableError

__all__ = ["csv_columns"]

_GZIP = b"\x1f\x8b"


def csv_columns(path: Path) -> list[str]:
    """Return the columns of a CSV file that is whole.

    Readers that are fast forgive much: to them a quotation mark that is never closed makes one
    value of all rows behind it.

    Raises:
        OSError: it cannot be read, or its compressed content is damaged.
        TableError: it is empty or not UTF-8, a quotation mark is not closed, or a row has more or
            fewer values than the header. The message names the row, from 1.
    """
    number = -1
    names: list[str] = []
    try:
        with _opened(path) as stream:
            for number, values in enumerate(_rows(stream)):
                names = names or values
                "".join(values).encode()
                if len(values) != len(names):
                    raise TableError(
                        f"expected {len(names)} values in row {number}, got {len(values)}",
                        where=str(path),
                        hint="a value with a comma in it stands in quotation marks",
                    )
    except UnicodeEncodeError:
        raise TableError(
            f"cannot read the file: {_place(number)} is not text in UTF-8",
            where=str(path),
            hint="save it in UTF-8",
        ) from None
    except csv.Error as error:
        raise TableError(
            f"a quotation mark in {_place(number + 1)} is not closed, or stands inside a value "
            f"({error})",
            where=str(path),
            hint='close it or leave it out; inside a value it is written twice: "5"" screen"',
        ) from None
    if not names:
        raise TableError("cannot read the file: it is empty", where=str(path))
    return names


def _opened(path: Path) -> TextIO:
    """Open a file; bytes that are not UTF-8 become text that cannot be encoded."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    with path.open("rb") as stream:
        if stream.read(2) == _GZIP:
            raise TableError(
                "cannot read the file: it is compressed", where=str(path), hint="name it .csv.gz"
            )
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _rows(stream: TextIO) -> Iterator[list[str]]:
    return (values for values in csv.reader(stream, strict=True) if values)


def _place(number: int) -> str:
    return f"row {number}" if number > 0 else "the header"
