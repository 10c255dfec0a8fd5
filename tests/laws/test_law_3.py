"""Law 3: one engine, three feeds."""

from __future__ import annotations

import ast
from pathlib import Path

import gnomon
from gnomon.artifact import inspect
from gnomon.log import InferenceLog
from gnomon.skew.replay import replay
from tests.conftest import Serve
from tests.load import until
from tests.packing import Pack, times

SOURCE = Path(gnomon.__file__).parent
ODD = [0.1 + 0.2, 1e-300, -0.0, 1 / 3, 123456789.123456789]


def test_live_shadow_and_replay_give_the_same_bits(pack: Pack, serve: Serve) -> None:
    """One artifact, live and in its own shadow and replayed offline: equal to the last bit."""
    tag = pack(times(0.1))
    with serve(tag) as server, server.client() as control:
        control.start_shadow(tag, same=True)
        control.predict([{"x": value, "id": f"r{n}"} for n, value in enumerate(ODD)])
        until(lambda: control.status().shadows[0].scored == len(ODD), "the shadow scores them")
        log = InferenceLog(server.settings, "toy")
        rows = log.table(columns=["role", "row", "output_prediction"]).to_pylist()
        report = replay(log, inspect(tag))
    outputs = {
        role: [
            r["output_prediction"].hex()
            for r in sorted(rows, key=lambda r: r["row"])
            if r["role"] == role
        ]
        for role in ("live", "shadow")
    }
    assert outputs["live"] == outputs["shadow"]
    assert len(outputs["live"]) == len(ODD)
    assert not report.diverged


def test_only_the_engine_runs_a_pipeline() -> None:
    """Serving code computes outputs in one place: ``worker/engine.py`` and nowhere else."""
    callers = {
        path.relative_to(SOURCE).as_posix()
        for room in ("worker", "shadow", "service", "cli")
        for path in (SOURCE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in ("outputs", "to_frame", "trace"))
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "predict_proba")
        )
    }
    assert callers == {"worker/engine.py"}
