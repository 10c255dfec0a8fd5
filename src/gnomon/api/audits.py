"""The public functions of an audit: export the decisions about a model, and verify an export.

Unless they are given, the storage root is read from the environment and its only model is used.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gnomon import audit
from gnomon.artifact import Artifact
from gnomon.artifact.signing import parse_keys, read_private, trusted_keys
from gnomon.audit import AuditExport, AuditReport
from gnomon.errors import SigningError
from gnomon.rollout.named_artifacts import find_model
from gnomon.settings import Settings

__all__ = ["export_audit", "verify_audit"]


def export_audit(
    model: str | Artifact | None = None,
    path: Path | str | None = None,
    *,
    key: Path | str | None = None,
    passphrase: bytes | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    settings: Settings | None = None,
) -> AuditExport:
    """Write the rollout decisions about a model, and what they rest on, as one file.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        path: the file to write; ``audit-<model>-<decisions>.tar`` in this folder by default.
        key: the file of a private key that signs it, as ``gnomon sign --new-key`` makes; without
            it, nobody can tell who made the file.
        passphrase: of the key, if it has one.
        start: leave out decisions before the first one at or after this time; in this machine's
            time zone, if it has none.
        end: leave out decisions from the first one at or after this time.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        HistoryDamaged, NewerFormat: the history cannot be read completely.
        InvalidRequest: the end is before the start.
        MissingExtra: a key is given, and the package that signs is not installed.
        SettingsError: no model is given, and there is none, or more than one; the file exists; or
            no decision is in the range.
        SigningError: the key cannot be used.
        StorageError: the storage root cannot be read, or the file not written.
    """
    settings = settings or Settings.read()
    return audit.export(
        settings,
        find_model(settings, model),
        None if path is None else Path(path),
        start=start,
        end=end,
        key=None if key is None else read_private(Path(key), lambda: _given(passphrase, key)),
    )


def verify_audit(
    path: Path | str,
    *,
    keys: Sequence[str] = (),
    model: str | None = None,
    extends: Path | str | None = None,
) -> AuditReport:
    """Verify a file that :func:`~gnomon.export_audit` wrote. Only the file is read.

    Args:
        path: the file.
        keys: trusted public keys, each as ``ssh-ed25519 AAAA…`` or as the path of a file of them;
            those of ``GNOMON_TRUSTED_KEYS`` when not given.
        model: the model that it must be about.
        extends: an earlier file, whose decisions this one must have, unchanged, or begin right
            after.

    Raises:
        MissingExtra: it is signed, and the package that verifies signatures is not installed.
        NewerFormat: a newer version of Gnomon wrote it.
        SettingsError: a key cannot be read.
        UnreadableFile: a file cannot be read.

    Example::

        report = gnomon.verify_audit("audit-flights-12.tar", keys=["release-key.pub"])
        print(report.verdict)
    """
    known = [key for given in keys for key in parse_keys(given, "keys")]
    return audit.verify(
        Path(path),
        keys=known if keys else trusted_keys() or (),
        model=model,
        extends=None if extends is None else Path(extends),
    )


def _given(passphrase: bytes | None, key: Path | str) -> bytes:
    if passphrase is None:
        raise SigningError(
            "this private key has a passphrase", where=os.fspath(key), hint="give passphrase=…"
        )
    return passphrase
