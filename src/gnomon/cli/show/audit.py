"""Print what an audit export wrote, and what its verification found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape

from gnomon.audit import AuditExport, AuditReport
from gnomon.cli.console import columns, local, out
from gnomon.quantities import plural

__all__ = ["export_document", "show_export", "show_report"]

_COLOURS = {"proven": "green", "not_proven": "yellow", "failed": "red"}
_VERDICTS = {
    "proven": "This bundle is as it was exported, and a trusted key signed it.",
    "not_proven": "This bundle is consistent, but it does not prove who made it.",
    "failed": "Do not rely on this bundle.",
}
_NOT_EXTENDED = "This bundle is consistent, but does not prove that it extends the earlier one."


def export_document(written: AuditExport) -> dict[str, Any]:
    """Return an export as JSON, without the hashes of the files, which are in the bundle."""
    document = msgspec.to_builtins(written.index)
    files = document.pop("files")
    signer = None if written.signer is None else written.signer.fingerprint
    return {"path": str(written.path), "signer": signer, **document, "files": len(files)}


def show_export(written: AuditExport, public: Path | None = None) -> None:
    """Print where the bundle is, what it has and what to do next.

    Args:
        public: the file of the public key, if it is signed.
    """
    index = written.index
    signed = "not signed" if written.signer is None else f"signed by {written.signer.fingerprint}"
    count = plural(index.epoch - index.first, "decision")
    out.print(
        f"{written.path}: {count} about {index.model}, {signed}.", markup=False, soft_wrap=True
    )
    for note in (*index.missing, *index.warnings):
        out.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if written.signer is None:
        out.print("Sign it with --key FILE, so that it proves who made it.", soft_wrap=True)
    trust = "" if public is None else f" --key {public}"
    out.print(f"Check it: gnomon audit verify {written.path}{trust}", markup=False, soft_wrap=True)


def show_report(report: AuditReport) -> None:
    """Print each check, the verdict, and what no bundle proves."""
    if report.model is not None and report.made is not None:
        count = plural(report.decisions or 0, "decision")
        out.print(f"{count} about {escape(report.model)}, exported {local(report.made)}")
    table = columns("check", "verdict", "says", whole=("check", "verdict"))
    for check in report.checks:
        verdict = check.verdict.replace("_", " ")
        table.add_row(check.name, f"[{_COLOURS[check.verdict]}]{verdict}[/]", escape(check.says))
    out.print(table)
    for warning in report.warnings:
        out.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)
    out.print(f"[bold {_COLOURS[report.verdict]}]{_summary(report)}[/]")
    out.print("No bundle proves:")
    for limit in report.limits:
        out.print(f"  {escape(limit)}.")


def _summary(report: AuditReport) -> str:
    checks = {check.name: check.verdict for check in report.checks}
    if report.verdict == "not_proven" and checks.get("signature") == "proven":
        return _NOT_EXTENDED
    return _VERDICTS[report.verdict]
