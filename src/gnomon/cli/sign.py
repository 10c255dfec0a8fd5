"""``gnomon sign``: sign an artifact, or make a key."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson

if TYPE_CHECKING:
    from gnomon.artifact.signing import PublicKey

__all__ = ["command"]


def command(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="TAG",
            help="name:version, name:latest, a name (its newest version), or a folder.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Sign with this private key (Ed25519)."),
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option("--new-key", metavar="FILE", help="Make a key: FILE, and FILE.pub."),
    ] = None,
    comment: Annotated[
        str, typer.Option(help="With --new-key: whose key it is; this machine's name by default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Sign an artifact for servers that trust the key.

    Those are servers with the public key in GNOMON_TRUSTED_KEYS.
    """
    from gnomon.artifact.signing import new_key as make
    from gnomon.cli.console import out, print_json

    if new_key is not None and which is None and key is None:
        public_key = make(new_key, comment or platform.node())
        document = {"key": str(new_key), **_key_fields(public_key), "comment": public_key.comment}
        text = (
            f"{new_key} is the private key: keep it where artifacts are packed, and nowhere else.\n"
            f"{new_key}.pub is the public key, for GNOMON_TRUSTED_KEYS:\n"
            f"{public_key.line} {public_key.comment}\n{public_key.fingerprint}"
        )
    elif which is not None and key is not None and new_key is None:
        tag, public = _sign(which, key)
        document = {"artifact": tag, **_key_fields(public)}
        text = f"{tag} is signed by {public.fingerprint}."
    else:
        raise typer.BadParameter("expected TAG and --key FILE, or --new-key FILE alone")
    if as_json:
        print_json(document)
    else:
        out.print(text, markup=False, soft_wrap=True)


def _sign(which: str, key: Path) -> tuple[str, PublicKey]:
    """Sign an artifact, without checking trusted signatures first: it may not have one yet."""
    from gnomon.artifact.artifact import examine
    from gnomon.artifact.folder import ArtifactFolder
    from gnomon.artifact.signing import read_private, sign
    from gnomon.artifact.store import resolve

    artifact = examine(resolve(which), keys=None)
    private = read_private(key, lambda: getpass.getpass(f"Passphrase of {key}: ").encode())
    return artifact.tag, sign(ArtifactFolder(artifact.path), artifact.tag, artifact.digest, private)


def _key_fields(key: PublicKey) -> dict[str, str]:
    return {"public": key.line, "fingerprint": key.fingerprint}
