"""``gnomon contract``: show an artifact's contract, and change it without training again."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson

if TYPE_CHECKING:
    from gnomon.contract.contract import Contract

__all__ = ["app"]

app = typer.Typer(
    name="contract",
    help="Show an artifact's contract, or change it without training.",
    no_args_is_help=True,
)

Tag = Annotated[
    str,
    typer.Argument(
        metavar="TAG", help="name:version, name:latest, a name (its newest version), or a folder."
    ),
]
Version = Annotated[
    str | None,
    typer.Option("--version", help="A name for the new version. Default: the time and six digits."),
]


@app.command("show")
def show(which: Tag) -> None:
    """Print the contract as JSON, to be edited and applied."""
    from gnomon.artifact import inspect
    from gnomon.cli.console import print_json

    print_json(inspect(which).contract)


@app.command("apply")
def apply(
    which: Tag,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The changed contract.", show_default=False)
    ],
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Make a new version of an artifact with the contract in a file.

    The pipeline stays as it is, so names, types and outputs cannot change. The golden rows are
    verified before the new version is in the store.
    """
    from gnomon.contract.contract import Contract

    _apply(which, Contract.read(file), version, as_json)


@app.command("edit")
def edit(which: Tag, version: Version = None, as_json: AsJson = False) -> None:
    """Edit the contract in VISUAL or EDITOR, and make a new version."""
    from gnomon.artifact import inspect
    from gnomon.contract.contract import Contract
    from gnomon.errors import ContractError

    folder = Path(tempfile.mkdtemp(prefix="gnomon-contract-"))
    file = folder / "contract.json"
    inspect(which).contract.write(file)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        process = subprocess.run([*shlex.split(editor), str(file)], check=False)
    except OSError as error:
        raise typer.BadParameter(
            f"cannot run {editor!r}: {error.strerror}; set EDITOR, or use contract show and apply"
        ) from None
    if process.returncode:
        raise ContractError(
            f"the editor ended with exit code {process.returncode}; nothing was changed",
            where=str(file),
        )
    _apply(which, Contract.read(file), version, as_json)
    file.unlink()
    folder.rmdir()


def _apply(which: str, contract: Contract, version: str | None, as_json: bool) -> None:
    from gnomon.artifact import inspect
    from gnomon.artifact.recontract import with_contract
    from gnomon.cli.console import out, print_json, wait
    from gnomon.contract.difference import difference

    old = inspect(which)
    if contract == old.contract:
        new, changes = None, []
    else:
        with wait("verifying"):
            new = with_contract(old.path, contract, version=version)
        changes = difference(old.contract, contract)
    if as_json:
        print_json({"artifact": new and new.tag, "from": old.tag, "changes": changes})
    elif new is None:
        out.print(f"Nothing to do: this is the contract of {old.tag}.", markup=False)
    else:
        out.print(f"{new.tag} is {old.tag} with this contract.", markup=False)
        for change in changes:
            out.print(f"  {change.level}: {change}", markup=False, soft_wrap=True)
        out.print(f"Next: gnomon shadow start {new.tag}", markup=False)
