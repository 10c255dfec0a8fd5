"""Records as the lines of a stream, each a separate JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gnomon.contract.decoding import Decoder, Row
from gnomon.errors import InvalidRequest

__all__ = ["RecordLines", "decode_lines"]


class RecordLines(NamedTuple):
    """Decoded records, and the errors of the others.

    Attributes:
        rows: the records that satisfy the contract.
        unknown: their keys that are not features; see :class:`~gnomon.contract.Decoded`.
        refused: the errors of the other records, by their position among all.
    """

    rows: list[Row]
    unknown: tuple[str, ...]
    refused: dict[int, InvalidRequest]


def decode_lines(decoder: Decoder, lines: Sequence[bytes]) -> RecordLines:
    """Read each line as the body of a request for one record; a refused line affects no other.

    Args:
        decoder: the decoder of the contract.
        lines: each a JSON object.
    """
    rows: list[Row] = []
    unknown: dict[str, None] = {}
    errors: dict[int, InvalidRequest] = {}
    for place, line in enumerate(lines):
        try:
            decoded = decoder.decode(line)
            if not decoded.single:
                raise InvalidRequest(
                    "expected one record, got `rows`",
                    where="$",
                    hint="write each of the rows on a separate line",
                )
        except InvalidRequest as error:
            errors[place] = error
        else:
            rows.append(decoded.rows[0])
            unknown.update(dict.fromkeys(decoded.unknown))
    return RecordLines(rows, tuple(unknown), errors)
