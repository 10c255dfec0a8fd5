"""The bearer token of a request (RFC 6750), and its comparison with a secret."""

from __future__ import annotations

import hmac

from gnomon.errors import Unauthorized
from gnomon.service.http.asgi import Scope

__all__ = ["PREDICT_HINT", "bearer", "check_token", "is_secret"]

PREDICT_HINT = "send `Authorization: Bearer TOKEN` with the token of GNOMON_PREDICT_TOKEN"


def bearer(scope: Scope, *, hint: str) -> bytes:
    """Return the token that a request has in ``Authorization: Bearer <token>``.

    Raises:
        Unauthorized: the request has none, or several, of which one may be the client's own.
    """
    values = [bytes(value) for key, value in scope["headers"] if key == b"authorization"]
    if len(values) > 1:
        raise Unauthorized(
            f"expected one header, got {len(values)}",
            where="Authorization",
            hint="have the proxy replace this header, not add to what the client sent",
        )
    if not values:
        raise Unauthorized("expected a bearer token, got none", where="Authorization", hint=hint)
    scheme, _, credentials = values[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise invalid_token(hint)
    return credentials.strip()


def is_secret(presented: bytes, secret: str) -> bool:
    """Return whether a client sent this secret, in the same time for any guess."""
    return bool(secret) and hmac.compare_digest(presented, secret.encode())


def check_token(scope: Scope, token: str, *, hint: str) -> None:
    """Check that a request has ``Authorization: Bearer <token>``.

    Raises:
        Unauthorized: the request has no token, or another one.
    """
    if not is_secret(bearer(scope, hint=hint), token):
        raise invalid_token(hint)


def invalid_token(hint: str) -> Unauthorized:
    """Return the error for a token that the server does not know; it says nothing about why."""
    return Unauthorized("invalid token", where="Authorization", hint=hint)
