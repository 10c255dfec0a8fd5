"""Serve a model, run the next one in its shadow, and prove that online matches offline.

Names are imported on first use, so that ``import gnomon`` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy
from gnomon.version import __version__

if TYPE_CHECKING:
    from gnomon.api.decisions import add_excuse as add_excuse
    from gnomon.api.decisions import end_excuse as end_excuse
    from gnomon.api.decisions import promote as promote
    from gnomon.api.decisions import rollback as rollback
    from gnomon.api.decisions import start_shadow as start_shadow
    from gnomon.api.decisions import stop_shadow as stop_shadow
    from gnomon.api.queries import DriftCheck as DriftCheck
    from gnomon.api.queries import RolloutHistory as RolloutHistory
    from gnomon.api.queries import check_contract as check_contract
    from gnomon.api.queries import check_gates as check_gates
    from gnomon.api.queries import check_leakage as check_leakage
    from gnomon.api.queries import measure_drift as measure_drift
    from gnomon.api.queries import open_log as open_log
    from gnomon.api.queries import rollout_history as rollout_history
    from gnomon.api.queries import running_artifacts as running_artifacts
    from gnomon.api.queries import saved_reports as saved_reports
    from gnomon.api.skew_checks import SkewCheck as SkewCheck
    from gnomon.api.skew_checks import compare_offline as compare_offline
    from gnomon.api.skew_checks import diagnose as diagnose
    from gnomon.api.skew_checks import replay as replay
    from gnomon.artifact import Artifact as Artifact
    from gnomon.artifact import LoadedArtifact as LoadedArtifact
    from gnomon.artifact import inspect as inspect
    from gnomon.artifact import load as load
    from gnomon.artifact import pack as pack
    from gnomon.artifact import step_outputs as step_outputs
    from gnomon.artifact.checks.allowances import PackWarning as PackWarning
    from gnomon.artifact.checks.unused_columns import UnusedColumnWarning as UnusedColumnWarning
    from gnomon.contract import Contract as Contract
    from gnomon.contract import ContractReport as ContractReport
    from gnomon.contract import infer_contract as infer_contract
    from gnomon.drift import DriftReport as DriftReport
    from gnomon.errors import GnomonError as GnomonError
    from gnomon.leakage import LabelledTable as LabelledTable
    from gnomon.leakage import LeakageReport as LeakageReport
    from gnomon.leakage import LeakageWarning as LeakageWarning
    from gnomon.leakage import check_split as check_split
    from gnomon.leakage import check_training as check_training
    from gnomon.log import InferenceLog as InferenceLog
    from gnomon.pipeline import SeedWarning as SeedWarning
    from gnomon.pipeline import outputs as outputs
    from gnomon.policy import Policy as Policy
    from gnomon.report import Report as Report
    from gnomon.report.saved import SavedReport as SavedReport
    from gnomon.report.saved import SavedReports as SavedReports
    from gnomon.rollout.gate import Gates as Gates
    from gnomon.rollout.history import RolloutEvent as RolloutEvent
    from gnomon.service.client.answers import Prediction as Prediction
    from gnomon.service.client.answers import Predictions as Predictions
    from gnomon.service.client.answers import Row as Row
    from gnomon.service.client.clients import AsyncClient as AsyncClient
    from gnomon.service.client.clients import Client as Client
    from gnomon.service.client.stream_calls import StreamRow as StreamRow
    from gnomon.service.status.slice_status import LiveStatus as LiveStatus
    from gnomon.service.status.slice_status import ShadowStatus as ShadowStatus
    from gnomon.service.status.slice_status import Status as Status
    from gnomon.settings import Settings as Settings

__all__ = [
    "Artifact",
    "AsyncClient",
    "Client",
    "Contract",
    "ContractReport",
    "DriftCheck",
    "DriftReport",
    "Gates",
    "GnomonError",
    "InferenceLog",
    "LabelledTable",
    "LeakageReport",
    "LeakageWarning",
    "LiveStatus",
    "LoadedArtifact",
    "PackWarning",
    "Policy",
    "Prediction",
    "Predictions",
    "Report",
    "RolloutEvent",
    "RolloutHistory",
    "Row",
    "SavedReport",
    "SavedReports",
    "SeedWarning",
    "Settings",
    "ShadowStatus",
    "SkewCheck",
    "Status",
    "StreamRow",
    "UnusedColumnWarning",
    "__version__",
    "add_excuse",
    "check_contract",
    "check_gates",
    "check_leakage",
    "check_split",
    "check_training",
    "compare_offline",
    "diagnose",
    "end_excuse",
    "infer_contract",
    "inspect",
    "load",
    "measure_drift",
    "open_log",
    "outputs",
    "pack",
    "promote",
    "replay",
    "rollback",
    "rollout_history",
    "running_artifacts",
    "saved_reports",
    "start_shadow",
    "step_outputs",
    "stop_shadow",
]

_HOMES = {
    "Artifact": "artifact",
    "AsyncClient": "service.client.clients",
    "Client": "service.client.clients",
    "Contract": "contract",
    "ContractReport": "contract",
    "DriftCheck": "api.queries",
    "DriftReport": "drift",
    "Gates": "rollout.gate",
    "GnomonError": "errors",
    "InferenceLog": "log",
    "LabelledTable": "leakage",
    "LeakageReport": "leakage",
    "LeakageWarning": "leakage",
    "LiveStatus": "service.status.slice_status",
    "LoadedArtifact": "artifact",
    "PackWarning": "artifact.checks.allowances",
    "Policy": "policy",
    "Prediction": "service.client.answers",
    "Predictions": "service.client.answers",
    "Report": "report",
    "RolloutEvent": "rollout.history",
    "RolloutHistory": "api.queries",
    "Row": "service.client.answers",
    "SavedReport": "report.saved",
    "SavedReports": "report.saved",
    "SeedWarning": "pipeline",
    "Settings": "settings",
    "ShadowStatus": "service.status.slice_status",
    "SkewCheck": "api.skew_checks",
    "Status": "service.status.slice_status",
    "StreamRow": "service.client.stream_calls",
    "UnusedColumnWarning": "artifact.checks.unused_columns",
    "check_contract": "api.queries",
    "check_gates": "api.queries",
    "check_leakage": "api.queries",
    "check_split": "leakage",
    "check_training": "leakage",
    "compare_offline": "api.skew_checks",
    "diagnose": "api.skew_checks",
    "infer_contract": "contract",
    "inspect": "artifact",
    "load": "artifact",
    "measure_drift": "api.queries",
    "open_log": "api.queries",
    "outputs": "pipeline",
    "pack": "artifact",
    "add_excuse": "api.decisions",
    "end_excuse": "api.decisions",
    "promote": "api.decisions",
    "replay": "api.skew_checks",
    "rollback": "api.decisions",
    "rollout_history": "api.queries",
    "running_artifacts": "api.queries",
    "saved_reports": "api.queries",
    "start_shadow": "api.decisions",
    "step_outputs": "artifact",
    "stop_shadow": "api.decisions",
}

_RENAMED = {
    "Checked": "ContractReport",
    "Event": "RolloutEvent",
    "Live": "LiveStatus",
    "answering": "running_artifacts",
}
"""By former name, the present one."""

__getattr__ = lazy(__name__, _HOMES, renamed=_RENAMED)


def __dir__() -> list[str]:
    return sorted(__all__)
