"""Print an artifact: contract, environment, files, trusted types."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from gnomon.artifact import Artifact
from gnomon.artifact.manifest import Combination
from gnomon.artifact.serialization.trust import TrustedName
from gnomon.cli.console import columns, local, out
from gnomon.cli.show.leakage import findings, summary
from gnomon.contract import Contract, Feature
from gnomon.contract.json_values import kind_text
from gnomon.leakage import LeakageReport
from gnomon.printable import printable
from gnomon.service.openapi.schemas import seen_in_training

__all__ = ["show_artifact", "type_words"]


def show_artifact(artifact: Artifact) -> None:
    """Print an artifact in sections."""
    out.print(f"[bold]{artifact.tag}[/]  [dim]undamaged; {_signature_text(artifact)}[/]")
    checks = artifact.checks()
    leakage = [("Leakage", findings(checks))] if checks and checks.findings else []
    for title, table in (
        ("", _facts(artifact, checks)),
        ("Runs when it is loaded", _runs(artifact)),
        *leakage,
        ("Inputs", _features(artifact.contract)),
        ("Outputs", _outputs(artifact.contract)),
        ("Environment it was packed in", _environment(artifact)),
        ("Files", _files(artifact)),
    ):
        out.print(f"\n[bold]{title}[/]" if title else "")
        out.print(table)


def _facts(artifact: Artifact, checks: LeakageReport | None) -> Table:
    manifest, lineage = artifact.manifest, artifact.manifest.lineage
    facts = {
        "path": str(artifact.path),
        "digest": artifact.digest,
        "packed": local(manifest.created),
        **_combination(manifest.combination),
        "task": artifact.contract.task,
        "stored as": manifest.serializer,
        "signature": _signature_text(artifact),
        "trained on": f"{lineage.rows:,} rows of {lineage.columns} columns, data "
        f"{lineage.data[:12]}",
        "commit": (lineage.commit or "none") + (" with changes" if lineage.dirty else ""),
        "seeds": ", ".join(f"{name}={_seed(seed)}" for name, seed in manifest.seeds.items())
        or "none",
        **{f"allowed {name}": types for name, types in manifest.allowed.items()},
        "leakage": "not checked" if checks is None else summary(checks),
        **{f"lineage {name}": str(value) for name, value in lineage.given.items()},
    }
    table = columns("", "")
    table.show_header = False
    for name, value in facts.items():
        table.add_row(f"[dim]{escape(printable(name))}[/]", escape(printable(value)))
    return table


def _combination(combination: Combination | None) -> dict[str, str]:
    if combination is None:
        return {}
    return {
        "combined of": f"the model of {combination.model.tag} and the preprocessing of "
        f"{combination.preprocessing.tag}; for debugging, it cannot become live"
    }


def _signature_text(artifact: Artifact) -> str:
    """Describe who signed it; see ``docs/security.md`` for what that means."""
    if not artifact.signers:
        return "not signed: its hashes detect damage, not who made it"
    trusted = [signer for signer in artifact.signers if signer.trusted]
    if not trusted:
        by = ", ".join(signer.fingerprint for signer in artifact.signers)
        return f"a signature of {by}, not checked: its key is not in GNOMON_TRUSTED_KEYS"
    return "signed by " + ", ".join(
        f"{signer.fingerprint} {signer.comment}".strip() for signer in trusted
    )


_USES = {
    "called": "called with arguments from the file",
    "kept": "called when it predicts",
    "made": "made from state in the file",
    "method": "a method, called when it predicts",
    "unpickled": "called as the pickle says",
}


def _runs(artifact: Artifact) -> Table:
    """List the types that skops does not trust by default, for a person to decide."""
    manifest = artifact.manifest
    table = columns("what", "from", "how")
    if manifest.serializer == "pickle":
        table.add_row("[bold]a pickle[/]", "", "runs arbitrary code; this list is incomplete")
    if manifest.modules:
        table.add_row(
            escape(printable(", ".join(manifest.modules))), "own code", "everything in its files"
        )
    for name in artifact.runs:
        table.add_row(escape(name.name), name.origin, _uses_text(name))
    if not table.row_count:
        table.add_row("only types that skops trusts by default", "", "")
    return table


def _uses_text(name: TrustedName) -> str:
    return "; ".join(_USES[use] for use in name.uses)


def _seed(seed: object) -> str:
    return "none, although it uses random numbers" if seed is None else str(seed)


def _features(contract: Contract) -> Table:
    table = columns("field", "type", "null", "if missing", "seen in training", "unit")
    for feature in contract.features:
        role = " key" if feature.name in contract.entity_key else ""
        role += " time" if feature.name == contract.event_time else ""
        role += " carried" if feature.carried else ""
        training_values = seen_in_training(feature) + (
            " only" if feature.outside == "error" else ""
        )
        table.add_row(
            f"{escape(feature.name)}[dim]{role}[/]",
            type_words(feature),
            "accepted" if feature.nullable else "refused",
            {
                "error": "refused",
                "impute": "filled in",
                "default": escape(printable(str(feature.default))),
            }[feature.missing],
            escape(printable(training_values)),
            escape(printable(feature.unit or "")),
        )
    return table


def type_words(feature: Feature) -> str:
    """Describe a feature's type and, for a timestamp, its zone and maximum age."""
    if feature.type != "timestamp":
        return kind_text(feature)
    age = "" if feature.max_age is None else f", at most {feature.max_age} old"
    return f"{feature.type} {feature.timezone or 'UTC'}{age}"


def _outputs(contract: Contract) -> Table:
    table = columns("output", "type", "values", "unit")
    for output in contract.outputs:
        labels = ", ".join(map(str, contract.classes_of(output)))
        table.add_row(
            *(
                escape(printable(text))
                for text in (output.name, output.type, labels, output.unit or "")
            )
        )
    return table


def _environment(artifact: Artifact) -> Table:
    environment = artifact.manifest.environment
    table = columns("package", "version")
    rows = {
        environment.implementation: environment.python,
        "on": f"{environment.system} {environment.machine}",
        **environment.packages,
    }
    for name, version in rows.items():
        table.add_row(escape(printable(name)), escape(printable(version)))
    return table


def _files(artifact: Artifact) -> Table:
    table = columns("file", "bytes", "sha256")
    for name, digest in artifact.manifest.files.items():
        table.add_row(
            escape(printable(name)), f"{(artifact.path / name).stat().st_size:,}", digest[:12]
        )
    return table
