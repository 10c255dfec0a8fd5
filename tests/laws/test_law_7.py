"""Law 7: one storage root."""

from __future__ import annotations

from pathlib import Path

from gnomon.log import InferenceLog
from tests.conftest import Serve
from tests.load import until
from tests.packing import Pack, times


def files(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_everything_a_deployment_writes_is_under_its_root(
    pack: Pack, serve: Serve, tmp_path: Path
) -> None:
    """Serving, shadowing and deciding write to the storage root; the deployment's folder and the
    artifacts stay as they were."""
    live, shadow = pack(times(1)), pack(times(2))
    with serve(live, GNOMON_SEGMENT_SECONDS="1", PYTHONDONTWRITEBYTECODE="1") as server:
        with server.client() as control:
            control.start_shadow(shadow)
            control.predict([{"x": float(n), "id": f"e{n}"} for n in range(50)])
            until(lambda: control.status().shadows[0].scored == 50, "the shadow scores")
            control.promote(shadow, force=True)
            control.rollback()
            log = InferenceLog(server.settings, "toy")
            until(lambda: (Path(server.settings.root) / "log").is_dir(), "segments are sealed")
            assert log.table(role="live", columns=["row"]).num_rows == 50
        root = Path(server.settings.root)
        assert {p.name for p in root.iterdir()} == {
            "control.token", "heads", "log", "manifests", "policies", "rollout", "root.json",
            "sealed", "server.log", "slices", "spool",
        }  # fmt: skip
    assert files(tmp_path / "deployment") == {"service/__init__.py"}
