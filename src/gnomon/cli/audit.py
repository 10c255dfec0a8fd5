"""``gnomon audit``: export the decisions about a model as one signed file, and verify it."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Model
from gnomon.cli.ranges import parse_time

__all__ = ["app"]

app = typer.Typer(
    name="audit",
    help="Export all decisions as one signed file, or verify one.",
    no_args_is_help=True,
)


@app.command("export")
def export(
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The file to write. Default: audit-MODEL-DECISIONS.tar."
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="Sign with this private key (Ed25519)."),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--start",
            parser=parse_time,
            metavar="TIME",
            help="Leave out decisions before this time; in this machine's time zone, if it has no "
            "offset. A bundle of all decisions proves more.",
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--end",
            parser=parse_time,
            metavar="TIME",
            help="Leave out decisions from this time on.",
        ),
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Write the rollout decisions, and what they rest on, as one file for an auditor.

    It is read from the storage root, which no server needs to serve.
    """
    from gnomon.artifact.signing import public_file, read_private
    from gnomon.audit import export as export_bundle
    from gnomon.cli.console import print_json
    from gnomon.cli.rollout_target import settings_here
    from gnomon.cli.show.audit import export_document, show_export
    from gnomon.rollout.named_artifacts import find_model

    settings = settings_here()
    private = None
    if key is not None:
        private = read_private(key, lambda: getpass.getpass(f"Passphrase of {key}: ").encode())
    written = export_bundle(
        settings,
        find_model(settings, model),
        out_file,
        start=start,
        end=end,
        key=private,
    )
    if as_json:
        print_json(export_document(written))
    else:
        show_export(written, public=None if key is None else public_file(key))


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.", show_default=False)],
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Trust this public key, `ssh-ed25519 AAAA…` or a file of keys. Default: "
            "GNOMON_TRUSTED_KEYS.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="It must be about this model.")
    ] = None,
    extends: Annotated[
        Path | None,
        typer.Option(
            "--extends",
            metavar="FILE",
            help="It must have each decision of this earlier bundle, unchanged, or go on after it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle, and say what it proves. Nothing else is read.

    Exit code 1: something was changed, no trusted key signed it, or it is not proven to extend
    the earlier bundle.
    """
    from gnomon.api.audits import verify_audit
    from gnomon.cli.console import print_json
    from gnomon.cli.show.audit import show_report

    report = verify_audit(file, keys=keys or (), model=model, extends=extends)
    print_json(report) if as_json else show_report(report)
    raise typer.Exit(0 if report.verdict == "proven" else 1)
