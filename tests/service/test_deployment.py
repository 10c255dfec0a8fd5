"""The arguments of ``gateway``, as a served deployment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon import rollout
from gnomon.errors import GateUndecided
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
