"""The bearer token of a request."""

from __future__ import annotations

import pytest

from gnomon.errors import Unauthorized
from gnomon.service.access.bearer import check_token

HINT = "the token is in control.token"


def scope(*authorization: bytes) -> dict[str, object]:
    """A request with these ``Authorization`` headers."""
    return {"headers": [(b"authorization", value) for value in authorization]}


@pytest.mark.parametrize("given", [b"Bearer secret", b"bearer secret", b"Bearer  secret "])
def test_the_right_token_passes(given: bytes) -> None:
    """The scheme's case and spaces around the token do not matter."""
    check_token(scope(given), "secret", hint=HINT)


@pytest.mark.parametrize(
    "given",
    [b"", b"Bearer", b"Bearer ", b"Bearer Secret", b"Basic secret", b"secret", "Bearer é".encode()],
)
def test_anything_else_is_refused(given: bytes) -> None:
    """Another token, another scheme, no token."""
    with pytest.raises(Unauthorized, match="invalid token"):
        check_token(scope(given), "secret", hint=HINT)


def test_a_missing_header_is_refused_with_the_way_to_do_it() -> None:
    """The error says where the token is kept."""
    with pytest.raises(Unauthorized, match=r"control\.token"):
        check_token(scope(), "secret", hint=HINT)


def test_of_two_headers_neither_counts() -> None:
    """A proxy that adds its own to the client's would be overruled by the client's."""
    with pytest.raises(Unauthorized, match=r"expected one header, got 2.*replace this header"):
        check_token(scope(b"Bearer secret", b"Bearer secret"), "secret", hint="x")
