"""Bodies that are not JSON, and numbers nothing can hold."""

from __future__ import annotations

import gzip
import pickle

import pytest

from gnomon.errors import MalformedBody
from tests.contract.flight import body, refusal


@pytest.mark.parametrize("digits", [4301, 10_000])
@pytest.mark.parametrize("field", ["distance", "dep_delay", "unknown"])
def test_a_number_of_thousands_of_digits_is_refused(field: str, digits: int) -> None:
    """A number nothing can hold is refused at its place, whichever field it stands in."""
    error = refusal(body()[:-1] + f', "{field}": {"1" * digits}}}'.encode())
    assert error.where == f"$.{field}"
    assert not isinstance(error, MalformedBody)


@pytest.mark.parametrize("token", ["1e400", "-1e400"])
def test_a_float_beyond_64_bits_is_refused(token: str) -> None:
    """A number that would be read as infinity is refused, never rounded to it."""
    error = refusal(body().replace(b"3.5", token.encode()))
    assert (error.where, error.message) == (
        "$.dep_delay",
        f"expected a number of 64 bits, got {token}",
    )


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_nan_is_not_json(token: str) -> None:
    """NaN and Infinity are refused as no JSON, at their place, with null as the way out."""
    error = refusal(b'{"rows":[' + body().replace(b"3.5", token.encode()) + b"]}")
    assert isinstance(error, MalformedBody)
    assert (error.where, error.status) == ("$.rows[0].dep_delay", 400)
    assert error.message == f"{token} is not a JSON number"
    assert "null" in str(error)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "expected JSON, got an empty body"),
        (b" \n", "expected JSON, got an empty body"),
        (b"{", "the body is not JSON: Input data was truncated"),
        (b'{"distance": 1,}', "the body is not JSON: "),
        (b"\xef\xbb\xbf{}", "expected UTF-8 without a byte order mark, got UTF-8 with one"),
        (b'{"carrier": "\xe9"}', "the body is not UTF-8: "),
        (b'{"carrier": "\\ud800"}', "the body is not JSON: a \\u escape is half of a surrogate"),
        (b'{"carrier": "\\udc00\\ud83d"}', "the body is not JSON: a \\u escape is half of a"),
        (
            '{"distance": 1}'.encode("utf-16"),
            "expected UTF-8 without a byte order mark, got UTF-16",
        ),
        (b"[" * 100_000, "the body is nested too deeply"),
        (b'{"x": ' * 100_000 + b"NaN", "the body is nested too deeply"),
        (b'{"rows": [{"distance": 1', "the body is not JSON: "),
    ],
)
def test_a_body_that_is_not_json_is_refused(given: bytes, message: str) -> None:
    """It gets 400 with the reason."""
    error = refusal(given)
    assert isinstance(error, MalformedBody)
    assert error.message.startswith(message)


@pytest.mark.parametrize("given", [b"", b"hello world", b"{"])
def test_a_body_of_no_known_format_is_told_what_to_send(given: bytes) -> None:
    """With an example to copy."""
    assert str(refusal(given).hint).startswith('send JSON, such as {"name": value}')


@pytest.mark.parametrize("depth", [10, 600, 900])
def test_nan_is_found_however_deep(depth: int) -> None:
    """A body may be deeper than Python's own stack; a path of more than 200 characters is cut."""
    error = refusal(b'{"x":' * depth + b"NaN" + b"}" * depth)
    assert isinstance(error, MalformedBody)
    path = "$" + ".x" * depth
    assert error.where == (path if len(path) <= 200 else path[:199] + "…")


@pytest.mark.parametrize(
    ("token", "message", "status"),
    [
        ("NaN", "the body is not JSON: invalid character", 400),
        ("1e400", "expected numbers of 64 bits", 422),
    ],
)
def test_a_large_body_is_refused_without_its_place(token: str, message: str, status: int) -> None:
    """Finding the place would delay other requests, so the error has less detail."""
    error = refusal(b"[" + b"1," * 200_000 + token.encode() + b"]")
    assert (error.where, error.status) == (None, status)
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    ("given", "looks"),
    [
        (b"distance=1", "form data"),
        (b"distance=1&carrier=United%20Airlines&x=", "form data"),
        (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--b--", "multipart form data"),
        (gzip.compress(body()), "compressed data"),
        (b"distance,carrier\n1,UA\n", "CSV"),
        (b"distance;carrier\r\n1;UA", "CSV"),
        (b"<record><distance>1</distance></record>", "XML or HTML"),
        (repr({"distance": 1}).encode(), "a Python value"),
        (repr([{"distance": 1}]).encode(), "a Python value"),
        (body() + b"\n" + body(), "one JSON object after another"),
        (pickle.dumps({"distance": 1}), "a zip archive or a pickle"),
        (b"PAR1\x15\x04", "a Parquet or Arrow file"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "an Arrow stream"),
    ],
)
def test_another_format_is_called_by_its_name(given: bytes, looks: str) -> None:
    """The error says what to send instead; a byte offset would not help."""
    error = refusal(given)
    assert error.message == f"the body is not JSON: it looks like {looks}"
    assert error.hint


@pytest.mark.parametrize(
    "given", [b'{"a": 1, "b"', b'{"a": 1 "b": 2}\n', b"nonsense", b'"a,b\n', b"1 2"]
)
def test_broken_json_is_not_called_something_else(given: bytes) -> None:
    """It says where it breaks."""
    assert "looks like" not in refusal(given).message
