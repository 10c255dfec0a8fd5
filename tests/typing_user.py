"""The public API as a user's type checker sees it: mypy reads this file, nothing runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, assert_type

import pandas as pd

import gnomon
from gnomon.testing import Server, serving


def artifacts() -> None:
    artifact = gnomon.inspect("trips:latest")
    assert_type(artifact, gnomon.Artifact)
    assert_type(artifact.tag, str)
    assert_type(artifact.contract, gnomon.Contract)


def packing(pipeline: object, X: pd.DataFrame, y: pd.Series[str]) -> None:  # noqa: N803
    assert_type(gnomon.pack("trips", pipeline, X, y, entity_key=("trip",)), gnomon.Artifact)
    assert_type(gnomon.infer_contract(X, task="regression"), gnomon.Contract)


def skew(policy: gnomon.Policy, settings: gnomon.Settings) -> None:
    check = gnomon.replay("trips", policy=policy, settings=settings, role="shadow")
    assert_type(check, gnomon.SkewCheck)
    assert_type(check.report, gnomon.Report)
    assert_type(check.report.verdict, Literal["ok", "diverged", "unknown"])
    assert_type(check.agrees, bool)
    assert_type(check.page, str)
    assert_type(check.to_frame(), pd.DataFrame)
    assert_type(gnomon.compare_offline("trips", Path("offline.parquet")), gnomon.SkewCheck)
    assert_type(gnomon.diagnose("trips"), gnomon.SkewCheck)
    gnomon.replay("trips", role="lively")  # type: ignore[arg-type]


def drift() -> None:
    check = gnomon.measure_drift("trips", split_by="carrier", step_rows=0)
    assert_type(check, gnomon.DriftCheck)
    assert_type(check.report, gnomon.DriftReport)
    assert_type(check.to_frame(), pd.DataFrame)


def checks() -> None:
    checked = gnomon.check_contract("trips", "rows.csv")
    assert_type(checked, gnomon.ContractReport)
    assert_type(checked.to_frame(), pd.DataFrame)
    leakage = gnomon.check_leakage("train.csv", label="slow")
    assert_type(leakage, gnomon.LeakageReport)
    assert_type(leakage.to_frame(), pd.DataFrame)


def rollout(policy: gnomon.Policy, settings: gnomon.Settings) -> None:
    gates = gnomon.check_gates("trips:2")
    assert_type(gates, gnomon.Gates)
    assert_type(gates.verdict, Literal["pass", "fail", "unknown", "no_data"])
    history = gnomon.rollout_history()
    assert_type(history, gnomon.RolloutHistory)
    assert_type(next(iter(history)), gnomon.RolloutEvent)
    assert_type(history.state.live, str | None)
    reports = gnomon.saved_reports("trips", last=10)
    assert_type(reports, gnomon.SavedReports)
    assert_type(reports[0].page, str)
    assert_type(gnomon.promote("trips:2", policy=policy, why="faster"), gnomon.RolloutEvent)
    assert_type(gnomon.start_shadow("trips:2", 0.5, settings=settings), gnomon.RolloutEvent)
    assert_type(gnomon.stop_shadow("trips:2", by="ann"), gnomon.RolloutEvent)
    assert_type(gnomon.rollback(why="slower"), gnomon.RolloutEvent)
    gnomon.promote("trips:2", ask=print)  # type: ignore[call-arg]
    running = gnomon.running_artifacts("trips")
    assert_type(running, list[tuple[str, Literal["live", "shadow"]]])


def log() -> None:
    found = gnomon.open_log()
    assert_type(found, gnomon.InferenceLog)
    assert_type(found.to_frame(columns=["arrived"], role="live"), pd.DataFrame)
    with found.connection() as connection:
        connection.sql("SELECT count(*) FROM log")
    assert_type(found.accounts().to_frame(), pd.DataFrame)
    found.scan(roll="live")  # type: ignore[call-arg]


def client() -> None:
    with gnomon.Client(by="a user") as caller:
        assert_type(caller, gnomon.Client)
        assert_type(caller.predict({"x": 1.0}), gnomon.Prediction)
        assert_type(caller.predict([{"x": 1.0}]), gnomon.Predictions)
        assert_type(next(iter(caller.predict([{"x": 1.0}]))), gnomon.Row)
        assert_type(next(caller.predict_stream([{"x": 1.0}])), gnomon.StreamRow)
        assert_type(caller.status(), gnomon.Status)
        assert_type(caller.status().shadows, tuple[gnomon.ShadowStatus, ...])


class OwnClient(gnomon.Client):
    def predict_one(self) -> float:
        return 1.0


def own_client() -> None:
    with OwnClient() as caller:
        assert_type(caller.predict_one(), float)


async def async_client() -> None:
    async with gnomon.AsyncClient() as caller:
        assert_type(await caller.status(), gnomon.Status)


def servers(tmp_path: Path) -> Iterator[str]:
    with serving(Path(), tmp_path) as server:
        assert_type(server, Server)
        assert_type(server.client(), gnomon.Client)
        yield server.url


def errors() -> None:
    try:
        assert_type(gnomon.load("trips"), gnomon.LoadedArtifact)
    except gnomon.GnomonError as error:
        assert_type(error.hint, str | None)
