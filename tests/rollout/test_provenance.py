"""A decision records what decided: policy, contract and code, and keeps what they were."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import msgspec

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.policy import GateLimits, Policy
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.evidence.evidence_range import EvidenceRange
from gnomon.rollout.history import RolloutEvent, open_history
from gnomon.rollout.provenance import artifact_digests, code_sha256
from gnomon.settings import Settings
from tests.packing import HALF_MORE, Pack, times
from tests.shadow.evidence import log_live

POLICY = Policy(gates=GateLimits(min_rows=7))


def events(settings: Settings) -> list[RolloutEvent]:
    history = open_history(settings, "toy")
    history.check()
    return history.events


def test_each_decision_names_its_policy_contract_and_code(settings: Settings, pack: Pack) -> None:
    """A rollback has no policy, and the digests of when the artifact was promoted."""
    live, candidate = pack(times(1.0)), pack(HALF_MORE)
    rollout.promote(settings, "toy", live)
    rollout.start_shadow(settings, "toy", candidate, policy=POLICY)
    log_live(settings, 1, artifact=live)
    rollout.promote(settings, "toy", candidate, policy=POLICY, force=True)
    digest = inspect(live).digest
    rollout.rollback(settings, "toy", verified={live: digest})
    first, started, forced, back = events(settings)
    assert first.policy_sha256 is back.policy_sha256 is None
    assert started.policy_sha256 == forced.policy_sha256
    assert (started.policy_sha256 or "").startswith(POLICY.digest)
    for event, tag in ((first, live), (started, candidate), (forced, candidate), (back, live)):
        expected = artifact_digests(inspect(tag).manifest.files)
        assert {name: getattr(event, name) for name in expected} == expected
    assert first.contract_sha256 == forced.contract_sha256
    assert first.code_sha256 != forced.code_sha256
    assert forced.evidence is not None
    assert forced.evidence["since"] == 2
    assert msgspec.convert(forced.evidence, EvidenceRange).read_at <= forced.at


def test_policies_and_manifests_are_kept(settings: Settings, pack: Pack) -> None:
    """Each once, under its hash, for when the artifact and the policy file are gone."""
    live = pack(times(1.0))
    rollout.promote(settings, "toy", live)
    for _ in range(2):
        rollout.start_shadow(settings, "toy", live, same=True, policy=POLICY)
        rollout.stop_shadow(settings, "toy", live)
    root = Path(settings.root)
    [policy] = (root / "policies").iterdir()
    assert msgspec.json.decode(policy.read_bytes(), type=Policy) == POLICY
    [manifest] = (root / "manifests").iterdir()
    assert manifest.stem == inspect(live).digest
    assert manifest.stem == hashlib.sha256(manifest.read_bytes()).hexdigest()


def test_the_digest_of_the_code_can_be_computed_without_gnomon(pack: Pack) -> None:
    """With sha256sum, as the documentation says."""
    artifact = inspect(pack(times(1.0)))
    command = "LC_ALL=C; sha256sum $(find code -type f | sort) | sha256sum"
    done = subprocess.run(
        ["sh", "-c", command], cwd=artifact.path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == code_sha256(artifact.manifest.files)
    assert code_sha256({"contract.json": "c"}) is None


def test_an_automatic_decision_keeps_what_it_rests_on(settings: Settings, pack: Pack) -> None:
    """The gates, the rows and the policy, as a promotion by a person does."""
    live, candidate = pack(times(1.0)), pack(HALF_MORE)
    rollout.promote(settings, "toy", live)
    rollout.start_shadow(settings, "toy", candidate)
    log_live(settings, 1, artifact=live)
    gates = rollout.check(settings, "toy", candidate, POLICY)
    rollout.stop_shadow(settings, "toy", candidate, automatic=Automatic(2, gates))
    stopped = events(settings)[-1]
    assert stopped.automatic
    assert [gate["name"] for gate in stopped.gates] == [gate.name for gate in gates.gates]
    assert msgspec.convert(stopped.evidence, EvidenceRange) == gates.read
    assert (stopped.policy_sha256 or "").startswith(POLICY.digest)
