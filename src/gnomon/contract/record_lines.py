"""Many records, each a JSON text of its own: the lines of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gnomon.contract.decoding import Decoder, Row
from gnomon.errors import InvalidRequest

__all__ = ["RecordLines", "decode_lines"]


class RecordLines(NamedTuple):
    """Records that were read, and why others were not.

    Attributes:
        rows: the records that keep to the contract.
        unknown: their keys that are not features; see :class:`~gnomon.contract.Decoded`.
        refused: the errors of the others, by their place among all.
    """

    rows: list[Row]
    unknown: tuple[str, ...]
    refused: dict[int, InvalidRequest]


def decode_lines(decoder: Decoder, lines: Sequence[bytes]) -> RecordLines:
    """Read each line as the body of a request for one record; one that is refused harms no other.

    Args:
        decoder: of the contract.
        lines: a JSON object each.
    """
    rows: list[Row] = []
    unknown: dict[str, None] = {}
    refused: dict[int, InvalidRequest] = {}
    for place, line in enumerate(lines):
        try:
            decoded = decoder.decode(line)
            if not decoded.single:
                raise InvalidRequest(
                    "expected one record, got `rows`",
                    where="$",
                    hint="write each of the rows on a line of its own",
                )
        except InvalidRequest as error:
            refused[place] = error
        else:
            rows.append(decoded.rows[0])
            unknown.update(dict.fromkeys(decoded.unknown))
    return RecordLines(rows, tuple(unknown), refused)
