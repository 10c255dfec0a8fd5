"""``gnomon check``: check a file or the log against a contract, or one contract against another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gnomon.cli.options import AsJson, Model
from gnomon.cli.ranges import End, Start

if TYPE_CHECKING:
    from gnomon.artifact import Artifact
    from gnomon.contract.check.contract_report import ContractReport
    from gnomon.contract.contract import Contract
    from gnomon.settings import Settings

__all__ = ["command"]


def command(
    which: Annotated[
        str,
        typer.Argument(
            metavar="CONTRACT",
            help="The contract: a tag such as flights:one, a model's name for its live artifact, "
            "or a contract.json.",
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", metavar="FILE", help="Check these rows, CSV or Parquet. Default: the log."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="OLD",
            help="Compare contracts instead of rows: can this one replace OLD for the "
            "requests that clients send today?",
        ),
    ] = None,
    role: Annotated[
        Literal["live", "shadow"] | None,
        typer.Option(
            "--role",
            help="Only requests that arrived while the artifact was live, or that it scored as a "
            "shadow. Default: all requests of the model.",
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Check a file, or logged requests, against a contract.

    The rules are those of a server. Also reported: values that training did not see, timestamps
    that are too old or in the future, and numbers that look like another unit.

    Exit code 0: the rows conform, or the contract is compatible. 1: they do not, or it is
    inconclusive.
    """
    from gnomon.cli.console import print_json
    from gnomon.cli.show.check import show_changes, show_checked
    from gnomon.contract.difference import difference, worst
    from gnomon.settings import Settings

    settings = Settings.read()
    contract, artifact = _find(settings, which)
    if against is not None:
        old, _ = _find(settings, against)
        changes = difference(old, contract)
        if as_json:
            print_json({"verdict": worst(changes), "changes": changes})
        else:
            show_changes(changes, against, which)
        raise typer.Exit(1 if worst(changes) == "incompatible" else 0)
    if role is not None and artifact is None:
        raise typer.BadParameter("--role needs an artifact: a contract.json has no logged answers")
    profile = None if artifact is None else artifact.profile()
    if table is not None:
        from gnomon.data_checks.contract_check import check_file

        checked = check_file(table, contract, profile=profile)
    else:
        checked = _check_log(contract, artifact, model, role, start, end)
    if as_json:
        print_json({"verdict": checked.verdict, **{n: getattr(checked, n) for n in _FIELDS}})
    else:
        show_checked(checked, which)
    raise typer.Exit(0 if checked.verdict == "kept" else 1)


_FIELDS = ("rows", "findings", "refusals", "unchecked")


def _check_log(
    contract: Contract,
    artifact: Artifact | None,
    model: str | None,
    role: Literal["live", "shadow"] | None,
    start: Start,
    end: End,
) -> ContractReport:
    from gnomon.cli.reporting import counting
    from gnomon.cli.rollout_target import settings_here
    from gnomon.data_checks.contract_check import check_log
    from gnomon.log import InferenceLog
    from gnomon.rollout.named_artifacts import find_model

    settings = settings_here()
    name = find_model(settings, artifact if model is None else model)
    with counting("rows checked") as advance:
        return check_log(
            InferenceLog(settings, name),
            contract,
            profile=None if artifact is None else artifact.profile(),
            artifact=None if artifact is None else artifact.tag,
            role=role,
            start=start,
            end=end,
            progress=advance,
        )


def _find(settings: Settings, which: str) -> tuple[Contract, Artifact | None]:
    """Read the contract of a file, or of an artifact."""
    from gnomon.contract.contract import Contract
    from gnomon.rollout.named_artifacts import find_artifact

    if which.endswith(".json"):
        return Contract.read(Path(which)), None
    artifact = find_artifact(settings, which)
    return artifact.contract, artifact
