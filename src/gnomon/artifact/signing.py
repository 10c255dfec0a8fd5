"""Signatures: who made an artifact.

A hash shows damage, but not who made an artifact: a forger can write matching hashes. A signature
does. It is an Ed25519 signature of the manifest's digest, which covers every other file, together
with the tag, so that it is not valid under another name. Keys are OpenSSH's.

``GNOMON_TRUSTED_KEYS`` names the public keys whose artifacts this process accepts; all others are
refused. It is read from the environment here, in every process that inspects or loads an artifact,
so that no caller can forget it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from gnomon import files
from gnomon.artifact.folder import MOST_SMALL_BYTES, ArtifactFolder, parsing
from gnomon.artifact.manifest import SIGNATURES
from gnomon.errors import (
    ArtifactCorrupt,
    MissingExtra,
    SettingsError,
    SigningError,
    UntrustedSignature,
)
from gnomon.files import refuse_special
from gnomon.formats import Format, decode
from gnomon.printable import printable
from gnomon.settings import TRUSTED_KEYS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "PublicKey",
    "Signer",
    "check_signature",
    "is_valid",
    "make_signature",
    "new_key",
    "parse_keys",
    "public_file",
    "public_key",
    "read_private",
    "sign",
    "trusted_keys",
]

FORMAT = 1
"""The format of ``signatures.json`` and of the signed bytes."""

MOST_SIGNATURES = 32
_ALGORITHM = "ssh-ed25519"


@dataclass(frozen=True)
class PublicKey:
    """A public key that may sign artifacts.

    Attributes:
        line: ``ssh-ed25519 AAAA…``, as OpenSSH writes it, without the comment.
        comment: its name in the list of trusted keys.
    """

    line: str
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """``SHA256:…``, as ``ssh-keygen -l`` prints it."""
        blob = base64.b64decode(self.line.split()[1])
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"

    @classmethod
    def parse(cls, line: str, where: str) -> PublicKey:
        """Parse one line in OpenSSH's format.

        Raises:
            SettingsError: it is not an Ed25519 key.
        """
        algorithm, _, rest = line.strip().partition(" ")
        blob, _, comment = rest.strip().partition(" ")
        try:
            content = base64.b64decode(blob, validate=True)
        except ValueError:
            content = b""
        # The length and name of the algorithm, then the length and bytes of the key; RFC 8709.
        head = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
        if algorithm != _ALGORITHM or not content.startswith(head) or len(content) != 51:
            raise SettingsError(
                f"expected `ssh-ed25519 AAAA…`, got `{printable(line.strip())[:60]}`",
                where=where,
                hint="gnomon sign --new-key FILE makes a key; give the content or path of FILE.pub",
            )
        return cls(f"{algorithm} {blob}", comment.strip())


@dataclass(frozen=True)
class Signer:
    """The signer of an artifact.

    Attributes:
        fingerprint: of the key.
        comment: the key's name in ``GNOMON_TRUSTED_KEYS``; empty if the key is not there.
        trusted: whether the key is one of ``GNOMON_TRUSTED_KEYS``.
        signed: when it was signed, according to the signer.
    """

    fingerprint: str
    comment: str
    trusted: bool
    signed: datetime


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    signature: str
    signed: Annotated[datetime, msgspec.Meta(tz=True)]


class _Signatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    signatures: Annotated[tuple[_Signature, ...], msgspec.Meta(max_length=MOST_SIGNATURES)]
    format: int = FORMAT


_KIND = Format(
    "list of signatures",
    FORMAT,
    hint="sign the artifact again, or get it again from the signer",
    damaged=ArtifactCorrupt,
    newer=ArtifactCorrupt,
)


def message(tag: str, digest: str, signed: datetime) -> bytes:
    """Return the bytes that are signed: purpose, format, tag, digest of the content, and time."""
    stamp = signed.astimezone(UTC).isoformat()
    return f"gnomon artifact signature\nformat {FORMAT}\n{tag}\nsha256 {digest}\n{stamp}\n".encode()


def trusted_keys() -> tuple[PublicKey, ...] | None:
    """Return the keys of ``GNOMON_TRUSTED_KEYS``; None if not set: any artifact is accepted.

    Raises:
        SettingsError: it names no key, or a file that is unreadable or contains anything but keys.
    """
    given = os.environ.get(TRUSTED_KEYS)
    if given is None:
        return None
    keys = parse_keys(given, TRUSTED_KEYS)
    if not keys:
        raise SettingsError(
            "it is set, but names no key",
            where=TRUSTED_KEYS,
            hint="unset it to accept unsigned artifacts, or name public keys or files of them",
        )
    return keys


def parse_keys(given: str, where: str) -> tuple[PublicKey, ...]:
    """Parse public keys, or paths of files of them, separated by commas or line breaks.

    Args:
        given: the keys.
        where: the variable or option that gives them, for errors.

    Raises:
        SettingsError: a file is unreadable, or contains anything but keys.
    """
    keys: list[PublicKey] = []
    for entry in given.replace("\n", ",").split(","):
        if entry.strip().startswith("ssh-"):
            keys.append(PublicKey.parse(entry, where))
        elif entry.strip():
            keys += _keys_of(Path(entry.strip()), where)
    return tuple(keys)


def _keys_of(path: Path, where: str) -> list[PublicKey]:
    try:
        refuse_special(path)
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the public keys: {error}", where=where) from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [PublicKey.parse(line, str(path)) for line in lines]


def check_signature(
    folder: ArtifactFolder, tag: str, digest: str, keys: Sequence[PublicKey] | None
) -> tuple[Signer, ...]:
    """Return who signed an artifact; if there are trusted keys, one must have signed it.

    Raises:
        UntrustedSignature: no trusted key signed it, or a trusted key's signature is not for this
            tag and this content.
        ArtifactCorrupt: the signatures cannot be read.
        MissingExtra: the package that verifies is not installed.
    """
    found = _read(folder)
    known = {key.line: key for key in keys or ()}
    signers = []
    for one in found:
        key = known.get(one.key)
        if key is not None:
            _verify(one, tag, digest, str(folder.path / SIGNATURES))
        with parsing(SIGNATURES, folder.path / SIGNATURES):
            fingerprint = (key or PublicKey.parse(one.key, SIGNATURES)).fingerprint
        comment = key.comment if key else ""
        signers.append(Signer(fingerprint, printable(comment), key is not None, one.signed))
    if keys is not None and not any(signer.trusted for signer in signers):
        raise _refusal(folder, tag, keys, signers)
    return tuple(signers)


def _refusal(
    folder: ArtifactFolder, tag: str, keys: Sequence[PublicKey], signers: Sequence[Signer]
) -> UntrustedSignature:
    by = ", ".join(signer.fingerprint for signer in signers)
    found = f"signed only by {by}, which is not a trusted key" if by else "not signed"
    taken = ", ".join(f"{key.fingerprint} {key.comment}".strip() for key in keys)
    return UntrustedSignature(
        f"{tag} is {found}",
        where=str(folder.path),
        hint=f"{TRUSTED_KEYS} accepts {printable(taken)}; if you know where this artifact "
        f"comes from, sign it: gnomon sign {tag} --key FILE",
    )


def _read(folder: ArtifactFolder) -> tuple[_Signature, ...]:
    if SIGNATURES not in folder.sizes:
        return ()
    place = folder.path / SIGNATURES
    content = folder.read(SIGNATURES, MOST_SMALL_BYTES)
    with parsing(SIGNATURES, place):
        return decode(content, _Signatures, _KIND, str(place)).signatures


def make_signature(key: Ed25519PrivateKey, content: bytes) -> str:
    """Return the signature of these bytes, in base64."""
    return base64.b64encode(key.sign(content)).decode()


def is_valid(key: PublicKey, signature: str, content: bytes) -> bool:
    """Return whether a signature in base64 is of these bytes by this key.

    Raises:
        MissingExtra: the package that verifies is not installed.
    """
    _need_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    raw = base64.b64decode(key.line.split()[1])[-32:]
    try:
        decoded = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(raw).verify(decoded, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify(one: _Signature, tag: str, digest: str, where: str) -> None:
    try:
        valid = is_valid(PublicKey(one.key), one.signature, message(tag, digest, one.signed))
    except OverflowError:  # A time that has no UTC.
        valid = False
    if not valid:
        fingerprint = PublicKey(one.key).fingerprint
        raise UntrustedSignature(
            f"the signature of {fingerprint} is not for {tag} with this content",
            where=where,
            hint="do not load it: it was changed after signing, or the signature belongs to "
            "another artifact",
        )


def sign(folder: ArtifactFolder, tag: str, digest: str, key: Ed25519PrivateKey) -> PublicKey:
    """Sign an artifact: write its ``signatures.json``, keeping the signatures of other keys.

    The manifest and its digest do not change.

    Raises:
        ArtifactCorrupt: the existing signatures cannot be read.
        SigningError: the file cannot be written.
    """
    public = public_key(key)
    now = datetime.now(UTC).replace(microsecond=0)
    made = make_signature(key, message(tag, digest, now))
    others = [one for one in _read(folder) if one.key != public.line]
    if len(others) >= MOST_SIGNATURES:
        raise SigningError(
            f"it has {MOST_SIGNATURES} signatures already, which is the limit",
            where=str(folder.path),
        )
    content = _Signatures((*others, _Signature(public.line, made, now)))
    place = folder.path / SIGNATURES
    try:
        files.replace(place, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    except OSError as error:
        raise SigningError(f"cannot write: {error.strerror}", where=str(place)) from None
    return public


def new_key(path: Path, comment: str) -> PublicKey:
    """Make a key: write ``path``, readable only by its owner, and ``path.pub`` for everybody.

    Raises:
        SigningError: a file exists already, or cannot be written.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    public = public_key(key)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    if not path.name:
        raise SigningError("expected the name of a file to write", where=str(path))
    public_path = public_file(path)
    try:
        for place, content, mode in (
            (path, private, 0o600),
            (public_path, f"{public.line} {comment}".strip().encode() + b"\n", 0o644),
        ):
            if not files.create(place, content, mode=mode):
                raise SigningError(
                    "the file exists already; a key is never overwritten", where=str(place)
                )
    except OSError as error:
        raise SigningError(f"cannot write the key: {error.strerror}", where=str(path)) from None
    return PublicKey(public.line, comment)


def public_key(key: Ed25519PrivateKey) -> PublicKey:
    """Return the public half of a key."""
    from cryptography.hazmat.primitives import serialization

    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return PublicKey(line.decode())


def public_file(private: Path) -> Path:
    """Return the file of the public key beside a private one, as :func:`new_key` writes it."""
    return private.with_name(private.name + ".pub")


def read_private(path: Path, passphrase: Callable[[], bytes]) -> Ed25519PrivateKey:
    """Read a private key, in OpenSSH's format or PEM.

    Args:
        path: the key's file.
        passphrase: asks for the passphrase; called if the key has one.

    Raises:
        SigningError: it cannot be read, others may read it, the passphrase is wrong, or it is not
            an Ed25519 key.
        MissingExtra: the package that signs is not installed.
    """
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        refuse_special(path)
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise SigningError(f"cannot read the key: {error.strerror}", where=str(path)) from None
    _check_private(path, content)
    if mode & 0o077:
        raise SigningError(
            "this private key is readable by others",
            where=str(path),
            hint=f"chmod 600 {path}; if others have read it, make a new key",
        )
    ssh = b"OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        try:
            key = load(content, None)
        except (TypeError, ValueError) as error:
            if "password" not in str(error).lower():
                raise
            key = load(content, passphrase())
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"cannot read the private key: {error}", where=str(path)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(
            "expected an Ed25519 key, got another kind",
            where=str(path),
            hint="gnomon sign --new-key FILE makes one; so does ssh-keygen -t ed25519",
        )
    return key


def _check_private(path: Path, content: bytes) -> None:
    """Refuse content that obviously is not a private key.

    Raises:
        SigningError: it is empty, a public key, or something else.
    """
    expected = "expected a private key, in OpenSSH's format or PEM"
    make = "gnomon sign --new-key FILE makes a key"
    if not content.strip():
        raise SigningError(f"{expected}, got an empty file", where=str(path), hint=make)
    if content.startswith((b"ssh-", b"ecdsa-", b"sk-")) or b"BEGIN PUBLIC KEY" in content:
        private = path.with_suffix("") if path.suffix == ".pub" else None
        raise SigningError(
            f"{expected}, got a public key",
            where=str(path),
            hint=f"sign with the private half: --key {private}" if private else make,
        )
    if b"PRIVATE KEY-----" not in content:
        raise SigningError(f"{expected}, got something else", where=str(path), hint=make)


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise MissingExtra("cryptography", "sign") from None
