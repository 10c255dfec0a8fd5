"""What a notebook shows of the gates is what it then decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import gnomon
from gnomon.errors import GateRefused, PolicyError, UnknownArtifact
from gnomon.settings import Settings
from tests.packing import HALF_MORE, Pack, times
from tests.shadow.evidence import log_live, log_shadow

GATES = '[gates]\nmin_rows = 100\nmin_coverage = "off"\nmax_lag_rows = "off"\n'
STRICT = f"{GATES}max_disagreement = 0.0\n[sampling]\nfraction = 0.25\n"
LENIENT = f"{GATES}max_disagreement = 0.5\n"


@pytest.fixture
def folder(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A deployment's folder without a policy yet; this process reads the storage root."""
    monkeypatch.setenv("GNOMON_ROOT", settings.root)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shadow").mkdir()
    return tmp_path


@pytest.fixture
def candidate(settings: Settings, folder: Path, pack: Pack) -> str:
    """A shadow of which 900 of 1,000 answers agreed with live's."""
    live, shadow = pack(times(1.0)), pack(HALF_MORE)
    gnomon.promote(live)
    gnomon.start_shadow(shadow, 1.0)
    log_live(settings, 1000, artifact=live)
    log_shadow(settings, agreed=900, disagreed=100, artifact=shadow, against=live)
    return shadow


def write(folder: Path, policy: str) -> None:
    (folder / "shadow" / "policy.toml").write_text(policy)


def test_a_promotion_is_decided_by_the_gates_that_are_shown(folder: Path, candidate: str) -> None:
    """Both use the policy of the deployment in this folder; a policy that is passed replaces it."""
    write(folder, STRICT)
    given = gnomon.Policy.read(folder / "shadow" / "policy.toml")
    shown = gnomon.check_gates(candidate)
    assert shown.verdict == "fail"
    with pytest.raises(GateRefused, match="agreement fail"):
        gnomon.promote(candidate)
    assert gnomon.running_artifacts()[1] == (candidate, "shadow")
    write(folder, LENIENT)
    shown = gnomon.check_gates(candidate)
    assert shown.verdict == "pass"
    with pytest.raises(GateRefused):
        gnomon.promote(candidate, policy=given)  # Instead of the folder's.
    event = gnomon.promote(candidate, by="ann", why="good enough")
    assert (event.forced, event.by, event.why) == (False, "ann", "good enough")
    assert event.gates == tuple(msgspec.to_builtins(shown.gates))
    assert gnomon.running_artifacts() == [(candidate, "live")]


def test_a_shadow_takes_the_share_of_the_policy(folder: Path, pack: Pack) -> None:
    """Unless another share is given. Every decision derives the model from the artifact."""
    live, shadow = pack(times(1.0)), pack(HALF_MORE)
    gnomon.promote(live)
    assert gnomon.start_shadow(shadow).fraction == 1.0
    gnomon.stop_shadow(shadow)
    write(folder, STRICT)
    assert gnomon.start_shadow(shadow).fraction == 0.25
    gnomon.stop_shadow(shadow, why="another share")
    assert gnomon.start_shadow(shadow, 0.5).fraction == 0.5
    gnomon.promote(shadow, force=True)
    assert gnomon.rollback(by="ann").artifact == live
    assert [event.kind for event in gnomon.rollout_history()][-2:] == ["promote", "rollback"]


def test_a_policy_that_cannot_be_read_decides_nothing(folder: Path, pack: Pack) -> None:
    """Deciding by the defaults instead would ignore what the folder asks for."""
    write(folder, "[gates]\nmin_row = 1\n")
    tag = pack(times(1.0))
    for decide in (gnomon.promote, gnomon.start_shadow, gnomon.check_gates):
        with pytest.raises(PolicyError, match="min_row"):
            decide(tag)


def test_the_settings_may_be_given(settings: Settings, pack: Pack, tmp_path: Path) -> None:
    """Settings may be given to every query: a notebook may look at several storage roots."""
    tag = pack(times(1.0))
    gnomon.promote(tag, policy=gnomon.Policy(), settings=settings)
    assert gnomon.running_artifacts("toy", settings=settings) == [(tag, "live")]


def test_an_artifact_is_taken_where_its_tag_is(
    settings: Settings, folder: Path, pack: Pack
) -> None:
    """The results of packing and inspecting are accepted by every function that takes a tag."""
    live, shadow = gnomon.inspect(pack(times(1.0))), gnomon.inspect(pack(HALF_MORE))
    gnomon.promote(live)
    gnomon.start_shadow(shadow, 1.0)
    assert gnomon.running_artifacts() == [(live.tag, "live"), (shadow.tag, "shadow")]
    log_live(settings, 50, artifact=live.tag)
    log_shadow(settings, agreed=50, artifact=shadow.tag, against=live.tag)
    assert gnomon.inspect(shadow).digest == shadow.digest
    assert gnomon.replay(live, through=shadow).report.kind == "replay"
    assert gnomon.check_gates(shadow).gates
    assert gnomon.rollout_history(shadow) == gnomon.rollout_history(live.tag)
    assert gnomon.running_artifacts(live) == gnomon.running_artifacts("toy")
    assert [report.kind for report in gnomon.saved_reports(live)] == ["replay"]
    assert gnomon.open_log(shadow.tag).accounts() == gnomon.open_log(live).accounts()
    assert gnomon.stop_shadow(shadow).artifact == shadow.tag


@pytest.mark.parametrize("which", [3, b"toy", "", ":1", "toy:", "..", "a/b"])
def test_what_names_no_model_is_refused(which: Any, folder: Path, pack: Pack) -> None:
    """It is refused before it becomes part of a path; an empty text is not the default."""
    gnomon.promote(pack(times(1.0)))
    for query in (
        gnomon.open_log,
        gnomon.rollout_history,
        gnomon.running_artifacts,
        gnomon.saved_reports,
        gnomon.rollback,
    ):
        with pytest.raises(UnknownArtifact, match=r"expected the (name of a model|tag)"):
            query(which)


@pytest.mark.parametrize("which", ["toy:", "../x:y", "Toy:1", "/toy:1"])
def test_what_is_no_tag_is_refused_by_every_decision(which: str, folder: Path) -> None:
    """Neither the newest artifact is taken for it, nor is it said that the storage is gone."""
    for decide in (
        gnomon.promote,
        gnomon.start_shadow,
        gnomon.stop_shadow,
        gnomon.check_gates,
        gnomon.check_gates_on_history,
        gnomon.measure_quality,
        gnomon.estimate_quality,
        gnomon.wanted_labels,
        gnomon.withdraw,
        gnomon.replay,
        gnomon.measure_drift,
    ):
        with pytest.raises(UnknownArtifact, match=r"expected the (name of a model|tag)"):
            decide(which)
