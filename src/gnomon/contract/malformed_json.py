"""The parser of bodies as plain JSON, with explanations of what is wrong with other bodies."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any

import msgspec

from gnomon.contract.json_values import key_path
from gnomon.errors import InvalidRequest, MalformedBody

__all__ = ["parse"]

_PREFIX = "JSON is malformed: "
_MOST_EXPLAINED = 256 * 1024  # reading a body again takes time, and other requests wait
_LONGEST_PATH = 200
_MARKS = {
    codecs.BOM_UTF8: "UTF-8 with one",
    codecs.BOM_UTF32_LE: "UTF-32",  # It begins like UTF-16, so it is checked first.
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_COMPRESSED = "send it as it is, or say `Content-Encoding: gzip` or `zstd`"
_CONVERT = 'send JSON, such as {"name": value}, or {"rows": [...]} for several records'
_LINES = "say `Content-Type: application/x-ndjson` for one record a line"
_ARROW = "say `Content-Type: application/vnd.apache.arrow.stream`"
_FILE = _CONVERT + "; `gnomon score FILE --url URL --out FILE` sends a file so"
_LOOKS_LIKE: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern), what, hint)
    for pattern, what, hint in (
        (rb"\x1f\x8b|\x28\xb5\x2f\xfd|BZh|\xfd7zXZ", "compressed data", _COMPRESSED),
        (rb"\xff{4}", "an Arrow stream", _ARROW),
        (rb"PAR1|ARROW1", "a Parquet or Arrow file", _FILE),
        (rb"PK\x03\x04|\x80[\x02-\x05]", "a zip archive or a pickle", _CONVERT),
        (rb"--[^\r\n]+\r\n[Cc]ontent-", "multipart form data", _CONVERT),
        (rb"\s*<[!?a-zA-Z]", "XML or HTML", _CONVERT),
        (rb"[\w.%+~-]++=[^&\s{]*+(?:&[\w.%+~-]++=[^&\s]*+)*+\s*+\Z", "form data", _CONVERT),
        (rb"\s*[{\[]\s*(?:\{\s*)?'", "a Python value", "encode it with json.dumps"),
        (rb"\s*+\{[^\n]*\}[ \t\r]*+\n\s*+\{", "one JSON object after another", _LINES),
        (rb"[^\n{}\[\]<=,;\t]++[,;\t][^\n{}\[\]<=]++\n[^\n]", "CSV", _FILE),
    )
)
"""The beginnings of other formats, their names, and what to do."""
_BEGINNING = 4_096

_MOST_DIGITS = 4300  # Python's own limit on reading an integer


def parse(body: bytes) -> Any:
    """Parse a body into Python values.

    Raises:
        MalformedBody: not UTF-8, not JSON (NaN and Infinity are not), or nested too deeply.
        InvalidRequest: a number is too large for a 64-bit float, or has more than 4,300 digits.
    """
    try:
        return msgspec.json.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise _other_encoding(body) or _parse_error(body, error) from None
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class _InvalidNumber:
    """A number token that no 64-bit number represents."""

    def __init__(self, token: str) -> None:
        self.token = token


def _other_encoding(body: bytes) -> MalformedBody | None:
    """Return the error for JSON in another encoding; RFC 8259, section 8.1, requires UTF-8."""
    for mark, name in _MARKS.items():
        if body.startswith(mark):
            return MalformedBody(
                f"expected UTF-8 without a byte order mark, got {name}",
                hint="encode the body as UTF-8; in Python: json.dumps(record).encode()",
            )
    return None


def _parse_error(body: bytes, error: msgspec.DecodeError | UnicodeDecodeError) -> InvalidRequest:
    for pattern, what, hint in _LOOKS_LIKE:
        if pattern.match(body[:_BEGINNING]):
            return MalformedBody(f"the body is not JSON: it looks like {what}", hint=hint)
    if isinstance(error, UnicodeDecodeError):
        return MalformedBody(f"the body is not UTF-8: {error.reason}")
    if not body.strip():
        return MalformedBody("expected JSON, got an empty body", hint=_CONVERT)
    lenient = _lenient(body) if len(body) <= _MOST_EXPLAINED else None
    place = _find_invalid_number(lenient)
    if place is None:
        if lenient is not None and _SURROGATE.search(body):  # Python's parser takes half a pair.
            return MalformedBody(
                "the body is not JSON: a \\u escape is half of a surrogate pair",
                hint="a character beyond U+FFFF needs two escapes, such as \\ud83d\\ude00",
            )
        if isinstance(error, msgspec.ValidationError):
            return InvalidRequest("expected numbers of 64 bits, got a larger one")
        return MalformedBody(
            f"the body is not JSON: {str(error).removeprefix(_PREFIX)}", hint=_CONVERT
        )
    where, token = place
    if token in ("NaN", "Infinity", "-Infinity"):
        return MalformedBody(
            f"{token} is not a JSON number", where=where, hint="send null for a missing value"
        )
    return InvalidRequest(f"expected a number of 64 bits, got {token[:20]}", where=where)


def _lenient(body: bytes) -> Any:
    """Parse with Python's own parser and mark invalid numbers; None if it fails."""
    try:
        return json.loads(
            body.decode(), parse_constant=_InvalidNumber, parse_int=_integer, parse_float=_float
        )
    except (ValueError, RecursionError):
        return None


def _integer(token: str) -> int | _InvalidNumber:
    return int(token) if len(token) <= _MOST_DIGITS else _InvalidNumber(token)


def _float(token: str) -> float | _InvalidNumber:
    number = float(token)
    return _InvalidNumber(token) if math.isinf(number) else number


def _shortened(path: str) -> str:
    """Shorten a path: the body's keys may be long."""
    return path if len(path) <= _LONGEST_PATH else f"{path[: _LONGEST_PATH - 1]}…"


def _find_invalid_number(value: Any) -> tuple[str, str] | None:
    """Return path and token of an invalid number, if any. Not recursive: bodies may be deep."""
    waiting = [("", [("$", value)])]
    while waiting:
        path, inside = waiting.pop()
        for step, item in inside:
            if isinstance(item, _InvalidNumber):
                return _shortened(path + step), item.token
            if isinstance(item, dict):
                waiting.append((path + step, [(key_path(k), v) for k, v in item.items()]))
            elif isinstance(item, list):
                waiting.append((path + step, [(f"[{i}]", v) for i, v in enumerate(item)]))
    return None
