import pytest

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.errors import ArtifactCorrupt, IncompatibleContract, RolloutError
from gnomon.rollout.history import newest_history
from gnomon.settings import Settings
from tests.packing import KEYLESS, PAID, Pack, times


def test_shadows_start_and_stop(settings: Settings, live: str, candidate: str) -> None:
    """A shadow runs from its start to its stop, also when the store has lost it meanwhile."""
    rollout.promote(settings, "toy", live)
    event = rollout.start_shadow(settings, "toy", candidate, fraction=0.25)
    assert newest_history(settings, "toy").state.shadows[candidate].fraction == 0.25
    assert event.digest == inspect(candidate).digest
    (inspect(candidate).path / "manifest.json").unlink()
    rollout.stop_shadow(settings, "toy", candidate)
    assert newest_history(settings, "toy").state.shadows == {}


def test_a_shadow_that_could_not_read_the_requests_is_refused(
    settings: Settings, live: str, pack: Pack
) -> None:
    """The error names what it needs and clients do not send; force starts it and is recorded."""
    paid = pack(times(1.0), script=PAID)
    rollout.promote(settings, "toy", live)
    with pytest.raises(
        IncompatibleContract, match=f"{paid} could not accept.*`fee` added"
    ) as caught:
        rollout.start_shadow(settings, "toy", paid)
    assert (caught.value.status, caught.value.code) == (409, "incompatible_contract")
    assert newest_history(settings, "toy").state.shadows == {}
    event = rollout.start_shadow(settings, "toy", paid, force=True)
    assert event.forced
    recorded = newest_history(settings, "toy").events[-1]
    assert [(c["level"], c["where"]) for c in recorded.changes] == [("incompatible", "fee")]


def test_what_may_matter_is_recorded_with_a_shadow(
    settings: Settings, live: str, pack: Pack
) -> None:
    """A warning does not refuse it; an identical contract has no changes."""
    keyless = pack(times(1.0), script=KEYLESS)
    rollout.promote(settings, "toy", live)
    event = rollout.start_shadow(settings, "toy", keyless)
    assert not event.forced
    assert [(c["level"], c["where"]) for c in event.changes] == [("warning", "entity_key")]
    assert rollout.start_shadow(settings, "toy", live, same=True).changes == ()


def test_only_live_is_compared_with_itself(settings: Settings, live: str, candidate: str) -> None:
    """A candidate with `same` would not share the candidates' error, and never be stopped."""
    rollout.promote(settings, "toy", live)
    with pytest.raises(RolloutError, match="is not live") as caught:
        rollout.start_shadow(settings, "toy", candidate, same=True)
    assert "leave out --same" in str(caught.value)
    assert newest_history(settings, "toy").state.shadows == {}


def test_a_shadow_is_refused_when_the_live_contract_cannot_be_read(
    settings: Settings, live: str, candidate: str
) -> None:
    """Whether the shadow could read its requests is then unknown. With force, it is started."""
    rollout.promote(settings, "toy", live)
    (inspect(live).path / "contract.json").write_text("{}")
    with pytest.raises(ArtifactCorrupt):
        rollout.start_shadow(settings, "toy", candidate)
    assert rollout.start_shadow(settings, "toy", candidate, force=True).changes == ()
