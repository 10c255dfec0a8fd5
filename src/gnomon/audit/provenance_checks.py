"""Check what the decisions in a bundle name: artifacts, policies, the log and the labels."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.artifact.manifest import Manifest, decode_manifest, sha256
from gnomon.audit.audit_report import AuditCheck
from gnomon.audit.bundle import (
    LABELS,
    LOG,
    Bundle,
    decode_digests,
    manifest_file,
    policy_file,
)
from gnomon.errors import ArtifactError, BundleDamaged
from gnomon.quantities import plural
from gnomon.rollout.history import RolloutEvent
from gnomon.rollout.provenance import artifact_digests

__all__ = ["check_artifacts", "check_data", "check_policies"]


def check_artifacts(bundle: Bundle, events: Sequence[RolloutEvent]) -> AuditCheck:
    """Check the manifests: of the named tag, with the recorded digests of contract and code."""
    absent: dict[str, None] = {}
    shown: set[str] = set()
    for event in events:
        content = bundle.files.get(manifest_file(event.digest or ""))
        if event.digest is None or content is None:
            if event.kind not in ("shadow_stop", "withdraw", "excuse", "excuse_end"):
                absent[event.artifact] = None
            continue
        if (wrong := _mismatch(event, content)) is not None:
            return AuditCheck(name="artifacts", verdict="failed", says=wrong)
        shown.add(event.artifact)
    if absent:
        says = f"no manifest of {', '.join(absent)}: what they contained is not proven"
        return AuditCheck(name="artifacts", verdict="not_proven", says=says)
    says = (
        f"{plural(len(shown), 'artifact')}, each with the manifest of its digest, which has the "
        "hash of every file; contract and code are those that the decisions name"
    )
    return AuditCheck(name="artifacts", verdict="proven", says=says)


def _mismatch(event: RolloutEvent, content: bytes) -> str | None:
    """Return how a manifest contradicts an event; None if it does not."""
    digest = sha256(content)
    if digest != event.digest:
        return f"the manifest of {event.artifact} has sha256 {digest[:12]}, not that of its name"
    try:
        manifest: Manifest = decode_manifest(content, manifest_file(digest))
    except ArtifactError as error:
        return error.message
    tag = f"{manifest.name}:{manifest.version}"
    if tag != event.artifact:
        return f"the manifest that a decision on {event.artifact} names is of {tag}"
    for field, expected in artifact_digests(manifest.files).items():
        named = getattr(event, field)
        if named is not None and named != expected:
            return f"{field} of a decision on {tag} is not that of its manifest"
    return None


def check_policies(bundle: Bundle, events: Sequence[RolloutEvent]) -> AuditCheck:
    """Check that the policies that decided are those with the recorded digests."""
    named = {event.policy_sha256: None for event in events if event.policy_sha256 is not None}
    absent = [digest for digest in named if policy_file(digest) not in bundle.files]
    wrong = [
        digest
        for digest in named
        if digest not in absent and sha256(bundle.files[policy_file(digest)]) != digest
    ]
    if wrong:
        says = f"the policy {wrong[0][:12]} has another content"
        return AuditCheck(name="policies", verdict="failed", says=says)
    unnamed = sum(bool(event.gates) and event.policy_sha256 is None for event in events)
    if absent or unnamed:
        says = f"policies missing: {len(absent):,} of {len(named):,}"
        says += f"; {plural(unnamed, 'decision')} with gates name none" if unnamed else ""
        return AuditCheck(name="policies", verdict="not_proven", says=says)
    says = f"each policy that decided is as it was ({len(named):,})"
    return AuditCheck(name="policies", verdict="proven", says=says)


def check_data(bundle: Bundle) -> AuditCheck:
    """Say which digests of the log and of labels the bundle has; the rows are elsewhere."""
    try:
        log, labels = (decode_digests(bundle.files[name], name).files for name in (LOG, LABELS))
    except (BundleDamaged, KeyError) as error:
        says = error.message if isinstance(error, BundleDamaged) else f"it has no {error.args[0]}"
        return AuditCheck(name="data", verdict="failed", says=says)
    says = (
        f"digests of {plural(len(log), 'file')} of the log's table and ledgers and of "
        f"{plural(len(labels), 'file')} of labels, to compare with the storage root"
    )
    return AuditCheck(name="data", verdict="not_proven", says=says)
