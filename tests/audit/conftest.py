"""A storage root with a history, and a bundle of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from gnomon.artifact.environment import Environment
from gnomon.artifact.manifest import Lineage, Manifest, sha256
from gnomon.artifact.signing import PublicKey, new_key, read_private
from gnomon.audit import AuditExport, export
from gnomon.policy import Policy
from gnomon.rollout.history import History, Kind, RolloutEvent, open_history
from gnomon.rollout.provenance import artifact_digests, keep_policy, manifest_name
from gnomon.settings import Settings
from gnomon.storage import Storage
from tests.forking import forked_children, fresh_children

__all__ = ["forked_children", "fresh_children"]

PASSED = ({"name": "rows", "verdict": "pass", "says": "1,000 rows scored"},)


class Root(NamedTuple):
    """A storage root whose decisions are written here, without packing anything."""

    settings: Settings
    folder: Path

    def manifest(self, tag: str) -> Manifest:
        name, _, version = tag.partition(":")
        return Manifest(
            name=name, version=version, created="2026-01-01T00:00:00Z", serializer="skops",
            environment=Environment.here(), lineage=Lineage(rows=1, columns=1, data="d"), seeds={},
            types=(), trusted=(), modules={},
            files={"contract.json": sha256(tag.encode()), "code/preprocessing.py": "c" * 64},
        )  # fmt: skip

    def decide(self, kind: Kind, tag: str, **more: object) -> RolloutEvent:
        """Record a decision as the commands do, with the manifest and the policy it names."""
        storage, manifest = Storage(self.settings), self.manifest(tag)
        content = msgspec.json.encode(manifest)
        storage.create(manifest_name(sha256(content)), content)
        fields = {
            "digest": sha256(content),
            "policy_sha256": keep_policy(storage, Policy()),
            "by": "ann",
            "why": "because",
            **artifact_digests(manifest.files),
            **more,
        }
        history = self.history(tag.partition(":")[0])
        history.append(msgspec.convert({"kind": kind, "artifact": tag, **fields}, RolloutEvent))
        return history.events[-1]

    def history(self, model: str = "toy") -> History:
        history = open_history(self.settings, model)
        history.check()
        return history

    def export(self, name: str = "bundle.tar", *, model: str = "toy", **more: Any) -> AuditExport:
        return export(self.settings, model, self.folder / name, **more)


@pytest.fixture
def root(settings: Settings, tmp_path: Path) -> Root:
    """Five decisions: a live artifact, a shadow that replaces it, and back again."""
    found = Root(settings, tmp_path)
    found.decide("promote", "toy:one")
    found.decide("shadow_start", "toy:two")
    found.decide("promote", "toy:two", gates=PASSED)
    found.decide("rollback", "toy:one")
    found.decide("shadow_start", "toy:two")
    return found


class Key(NamedTuple):
    """A private key, and its public half as an auditor has it."""

    private: object
    public: PublicKey


@pytest.fixture
def make_key(tmp_path: Path) -> Callable[[str], Key]:
    def made(name: str) -> Key:
        public = new_key(tmp_path / name, f"{name}@example")
        return Key(read_private(tmp_path / name, lambda: b""), public)

    return made


@pytest.fixture
def alice(make_key: Callable[[str], Key]) -> Key:
    return make_key("alice")
