"""The control token, which has every role, and the file that holds it."""

from __future__ import annotations

import contextlib
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from gnomon.errors import SettingsError
from gnomon.files import create, refuse_special
from gnomon.settings import Settings
from gnomon.tokens.token_text import TokenText

__all__ = ["control_token", "find_control_token"]

_MOST_BYTES = 4096
_TOKEN = re.compile(rb"[!-~]{1,%d}" % _MOST_BYTES)
"""What a header can carry, within the limit on request heads."""


def control_token(settings: Settings) -> str:
    """Return the token of the control routes; make it and write it to the root if there is none.

    Slices that start together use the same token: the file is created atomically.

    Raises:
        SettingsError: the file can be read by others or has no token; the setting is the token of
            a person, which would get every role; or the root is remote: then every replica must be
            given the same token.
    """
    if settings.control_token is not None:
        if TokenText.parse(settings.control_token.encode()) is not None:
            raise SettingsError(
                "expected a secret of the server, got a named token of `gnomon token create`",
                where="GNOMON_CONTROL_TOKEN",
                hint="clients send a named token: set GNOMON_TOKEN there, and leave this unset",
            )
        return settings.control_token
    if not settings.is_local:
        raise SettingsError(
            f"a remote storage root ({settings.root}) cannot hold a token file",
            where="GNOMON_CONTROL_TOKEN",
            hint="give every replica the same GNOMON_CONTROL_TOKEN",
        )
    path = _path(settings)
    if not path.exists():
        _create(path)
    return _read(path)


def find_control_token(settings: Settings) -> str | None:
    """Return the token for a local tool: the setting, else the root's token file, else ``None``.

    Raises:
        SettingsError: the token file exists but cannot be used.
    """
    if settings.control_token is not None:
        return settings.control_token
    if not settings.is_local or not _path(settings).exists():
        return None
    return _read(_path(settings))


def _path(settings: Settings) -> Path:
    return Path(settings.root) / "control.token"


def _create(path: Path) -> None:
    """Write a new token, unless another slice has written one first."""
    with _explained("write", path, "use a storage root that the server may write"):
        create(path, secrets.token_urlsafe(32).encode() + b"\n", mode=0o600)


def _read(path: Path) -> str:
    with _explained("read", path, "use the account that runs the server"):
        refuse_special(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        with path.open("rb") as file:
            token = file.read(_MOST_BYTES + 1).strip()
    if mode & 0o077:
        raise SettingsError(
            f"expected a file only its owner can read, got mode {mode:o}",
            where=str(path),
            hint=f"run: chmod 600 {path} (or delete it: a new token is made at the next start)",
        )
    if not token:
        raise SettingsError("the token file is empty", where=str(path), hint="delete it")
    if not _TOKEN.fullmatch(token):
        raise SettingsError(
            f"expected one token of at most {_MOST_BYTES:,} printable ASCII characters without "
            "spaces, got something else",
            where=str(path),
            hint="delete it: a new token is made at the next start",
        )
    return token.decode("ascii")


@contextlib.contextmanager
def _explained(doing: str, path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"cannot {doing} the control token: {error.strerror}",
            where=str(path),
            hint=f"{remedy}, or set GNOMON_CONTROL_TOKEN",
        ) from None
