"""The digests of what decided: the policy, and the artifact's contract and code.

An artifact's digest covers all its files, its contract and code among them. Their own digests say
of two decisions on different artifacts what stayed the same. All can be computed again: that of the
contract is the SHA-256 of ``contract.json``; that of the code is what ``sha256sum`` prints for the
files under ``code/``, in the order of their names, hashed once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gnomon.artifact import Artifact
from gnomon.artifact.folder import ArtifactFolder
from gnomon.artifact.manifest import CODE, CONTRACT, MANIFEST, sha256
from gnomon.policy import Policy
from gnomon.storage import Storage

__all__ = [
    "artifact_digests",
    "code_sha256",
    "contract_sha256",
    "keep_manifest",
    "keep_policy",
    "manifest_name",
    "policy_name",
]


def contract_sha256(files: Mapping[str, str]) -> str | None:
    """Return the digest of the contract, by the files of a manifest."""
    return files.get(CONTRACT)


def code_sha256(files: Mapping[str, str]) -> str | None:
    """Return the digest of the vendored code, by the files of a manifest; None without code."""
    code = sorted(name for name in files if name.startswith(f"{CODE}/"))
    lines = "".join(f"{files[name]}  {name}\n" for name in code)
    return sha256(lines.encode()) if code else None


def artifact_digests(files: Mapping[str, str]) -> dict[str, Any]:
    """Return both digests by the names of their fields in a rollout event."""
    return {
        "contract_sha256": contract_sha256(files),
        "code_sha256": code_sha256(files),
    }


def keep_manifest(storage: Storage, artifact: Artifact) -> None:
    """Keep an artifact's manifest, so that its hashes are known when the artifact is gone.

    One that was changed since the artifact was inspected is not kept.

    Raises:
        ArtifactCorrupt: the manifest cannot be read any more.
        StorageError: the storage root cannot be written.
    """
    content = ArtifactFolder(artifact.path).read(MANIFEST)
    if sha256(content) == artifact.digest:
        storage.create(manifest_name(artifact.digest), content)


def manifest_name(digest: str) -> str:
    """Return the name of the file that keeps a manifest under the storage root."""
    return f"manifests/{digest}.json"


def policy_name(digest: str) -> str:
    """Return the name of the file that keeps a policy under the storage root."""
    return f"policies/{digest}.json"


def keep_policy(storage: Storage, policy: Policy) -> str:
    """Keep a policy under its SHA-256, which is returned; each is written only once.

    Raises:
        StorageError: the storage root cannot be written.
    """
    content = msgspec.json.encode(policy)
    digest = sha256(content)
    storage.create(policy_name(digest), content)
    return digest
