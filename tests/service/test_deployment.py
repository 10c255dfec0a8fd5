"""The arguments of ``gateway``, as a served deployment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon import rollout
from gnomon.errors import GateUndecided, RolloutError
from gnomon.settings import Settings
from gnomon.testing import serving
from tests.conftest import Deploy
from tests.load import until
from tests.packing import Pack, times

pytestmark = pytest.mark.slow


def test_a_policy_may_be_the_text_of_its_path(pack: Pack, deploy: Deploy, tmp_path: Path) -> None:
    """Its sampling holds for a shadow, and its gates for a promotion."""
    live, shadow, root = pack(times(1)), pack(times(2)), tmp_path / "root"
    rollout.promote(Settings(root=str(root)), "toy", live)
    policy = tmp_path / "policy.toml"
    policy.write_text("[gates]\nmin_rows = 77\n[sampling]\nfraction = 0.25\n")
    with serving(deploy(f'"toy", policy="{policy}"'), root) as server, server.client() as control:
        assert control.start_shadow(shadow).fraction == 0.25
        until(lambda: control.status().shadows[0].state == "running", "the shadow runs", 60)
        with pytest.raises(GateUndecided, match="77 are needed"):
            control.promote(shadow)


def test_a_model_runs_on_the_preprocessing_of_another(
    pack: Pack, deploy: Deploy, tmp_path: Path
) -> None:
    """The server combines them and scores its requests with the result."""
    live, candidate, root = pack(times(1)), pack(times(2)), tmp_path / "root"
    rollout.promote(Settings(root=str(root)), "toy", live)
    with serving(deploy('"toy"'), root) as server, server.client() as control:
        on_other = control.start_shadow(live, preprocessing=candidate).artifact
        on_live = control.start_shadow(candidate, preprocessing=live).artifact
        for number in range(20):
            assert control.predict({"x": number + 1.0, "id": f"e{number}"}).prediction == number + 1

        def compared() -> dict[str, tuple[int, int]]:
            return {s.artifact: (s.compared, s.disagreed) for s in control.status().shadows}

        until(lambda: compared() == {on_other: (20, 20), on_live: (20, 0)}, "all are scored", 60)
        shadow = control.status().shadows[0]
        assert shadow.combination is not None
        assert shadow.combination.preprocessing.tag == candidate
        with pytest.raises(RolloutError, match="on which it was not trained"):
            control.promote(on_other, force=True)
