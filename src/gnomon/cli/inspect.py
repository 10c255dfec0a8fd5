"""``gnomon inspect``: show an artifact without executing its code."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson

__all__ = ["command"]


def command(
    which: Annotated[
        str,
        typer.Argument(
            metavar="TAG",
            help="name:version, name:latest, a name (its newest version), or a folder.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Check an artifact and show what it is and what it would run.

    Its hashes, types and signature are checked. None of its code is executed.

    Exit code 2 also when this environment cannot load it.
    """
    from gnomon.artifact.artifact import examine
    from gnomon.artifact.signing import trusted_keys
    from gnomon.artifact.store import resolve
    from gnomon.cli.console import print_json
    from gnomon.cli.show.artifact import show_artifact

    artifact = examine(resolve(which), trusted_keys(), to_be_loaded=False)
    if as_json:
        print_json(
            {
                "artifact": artifact.tag,
                "path": str(artifact.path),
                "digest": artifact.digest,
                "contract": artifact.contract,
                "manifest": artifact.manifest,
                "leakage": artifact.checks(),
                "runs": [uses._asdict() for uses in artifact.runs],
                "signers": artifact.signers,
            }
        )
    else:
        show_artifact(artifact)
    artifact.manifest.environment.check(str(artifact.path))
