"""Verify a bundle: what it proves, what it does not, and what was changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gnomon.artifact.signing import PublicKey, is_valid
from gnomon.audit.audit_report import AuditCheck, AuditReport, Proof
from gnomon.audit.bundle import Bundle, read_bundle, signed_message
from gnomon.audit.history_checks import (
    check_actors,
    check_decisions,
    check_extends,
    check_gates,
    check_history,
    read_events,
)
from gnomon.audit.provenance_checks import check_artifacts, check_data, check_policies
from gnomon.errors import BundleDamaged, GnomonError, HistoryDamaged, SettingsError
from gnomon.printable import printable
from gnomon.quantities import plural

__all__ = ["verify"]


def verify(
    path: Path,
    *,
    keys: Sequence[PublicKey] = (),
    model: str | None = None,
    extends: Path | None = None,
) -> AuditReport:
    """Verify a bundle; nothing but the file is read.

    Args:
        path: the file.
        keys: the public keys that are trusted; without any the signature proves nothing.
        model: the model that the bundle must be about.
        extends: an earlier bundle, whose decisions this one must have, or go on after.

    Raises:
        MissingExtra: it is signed, and the package that verifies signatures is not installed.
        NewerFormat: a newer version of Gnomon wrote the bundle.
        UnreadableFile: a file cannot be read.
    """
    try:
        bundle = read_bundle(path)
    except BundleDamaged as error:
        return _report([AuditCheck(name="files", verdict="failed", says=_says(error))])
    checks = [
        AuditCheck(
            name="files",
            verdict="proven",
            says=f"{plural(len(bundle.index.files), 'file')}, each with the hash in the index",
        ),
        _check_signature(bundle, keys),
    ]
    if model is not None:
        checks.append(_check_model(bundle, model))
    checks += _check_content(bundle)
    if extends is not None:
        checks.append(_check_extends(bundle, extends))
    return _report(checks, bundle)


def _report(checks: Sequence[AuditCheck], bundle: Bundle | None = None) -> AuditReport:
    verdicts = {check.name: check.verdict for check in checks}
    verdict: Proof = verdicts.get("signature", "failed")
    if verdicts.get("extends") == "not_proven":
        verdict = "not_proven"
    if "failed" in verdicts.values():
        verdict = "failed"
    if bundle is None:
        return AuditReport(verdict=verdict, checks=tuple(checks))
    index = bundle.index
    return AuditReport(
        verdict=verdict,
        checks=tuple(checks),
        model=printable(index.model),
        made=index.made,
        decisions=index.epoch - index.first,
        signer=_fingerprint(bundle),
        warnings=tuple(map(printable, (*index.missing, *index.warnings))),
    )


def _check_signature(bundle: Bundle, keys: Sequence[PublicKey]) -> AuditCheck:
    signature, name = bundle.signature, "signature"
    if signature is None:
        verdict: Proof = "failed" if keys else "not_proven"
        return AuditCheck(name=name, verdict=verdict, says="it is not signed: anybody can make one")
    try:
        key = PublicKey.parse(signature.key, "signature.json")
        message = signed_message(bundle.index.model, bundle.index_sha256, signature.signed)
        valid = is_valid(key, signature.signature, message)
    except SettingsError:
        return AuditCheck(name=name, verdict="failed", says="its key is not an Ed25519 key")
    if not valid:
        says = f"the signature of {key.fingerprint} is not of this index"
        return AuditCheck(name=name, verdict="failed", says=says)
    trusted = next((known for known in keys if known.line == key.line), None)
    if trusted is not None:
        comment = printable(f" ({trusted.comment})" if trusted.comment else "")
        says = f"signed by {key.fingerprint}{comment}, which is trusted, {signature.signed}"
        return AuditCheck(name=name, verdict="proven", says=says)
    if keys:
        says = f"signed by {key.fingerprint}, which is not a trusted key"
        return AuditCheck(name=name, verdict="failed", says=says)
    says = f"signed by {key.fingerprint}; whether to trust it is not known: give --key"
    return AuditCheck(name=name, verdict="not_proven", says=says)


def _fingerprint(bundle: Bundle) -> str | None:
    try:
        key = None if bundle.signature is None else bundle.signature.key
        return None if key is None else PublicKey.parse(key, "signature.json").fingerprint
    except SettingsError:
        return None


def _check_model(bundle: Bundle, model: str) -> AuditCheck:
    if bundle.index.model == model:
        return AuditCheck(name="model", verdict="proven", says=f"it is about {model}")
    says = f"it is about {printable(bundle.index.model)}, not about {model}"
    return AuditCheck(name="model", verdict="failed", says=says)


def _check_content(bundle: Bundle) -> list[AuditCheck]:
    try:
        events = read_events(bundle)
    except HistoryDamaged as error:
        return [AuditCheck(name="history", verdict="failed", says=_says(error))]
    checks: list[Callable[[], AuditCheck]] = [
        lambda: check_history(bundle, events),
        lambda: check_decisions(bundle, events),
        lambda: check_gates(bundle, events),
        lambda: check_actors(events),
        lambda: check_artifacts(bundle, events),
        lambda: check_policies(bundle, events),
        lambda: check_data(bundle),
    ]
    return [_printable(check()) for check in checks]


def _check_extends(bundle: Bundle, path: Path) -> AuditCheck:
    try:
        return check_extends(bundle, read_bundle(path))
    except BundleDamaged as error:
        says = f"the earlier bundle is damaged: {_says(error)}"
        return AuditCheck(name="extends", verdict="failed", says=says)


def _says(error: GnomonError) -> str:
    return printable(error.message)


def _printable(check: AuditCheck) -> AuditCheck:
    return AuditCheck(name=check.name, verdict=check.verdict, says=printable(check.says))
