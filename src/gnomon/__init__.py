"""Serve a model, run the next one in its shadow, and prove that online matches offline.

Names are imported on first use, so that ``import gnomon`` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy
from gnomon.version import __version__

if TYPE_CHECKING:
    from gnomon.api.audits import export_audit as export_audit
    from gnomon.api.audits import verify_audit as verify_audit
    from gnomon.api.data_checks import DriftCheck as DriftCheck
    from gnomon.api.data_checks import check_contract as check_contract
    from gnomon.api.data_checks import check_leakage as check_leakage
    from gnomon.api.data_checks import measure_drift as measure_drift
    from gnomon.api.decisions import add_excuse as add_excuse
    from gnomon.api.decisions import end_excuse as end_excuse
    from gnomon.api.decisions import promote as promote
    from gnomon.api.decisions import rollback as rollback
    from gnomon.api.decisions import start_shadow as start_shadow
    from gnomon.api.decisions import stop_shadow as stop_shadow
    from gnomon.api.decisions import withdraw as withdraw
    from gnomon.api.estimates import estimate_quality as estimate_quality
    from gnomon.api.labels import import_labels as import_labels
    from gnomon.api.labels import label_status as label_status
    from gnomon.api.quality import measure_quality as measure_quality
    from gnomon.api.quality import wanted_labels as wanted_labels
    from gnomon.api.queries import RolloutHistory as RolloutHistory
    from gnomon.api.queries import check_gates as check_gates
    from gnomon.api.queries import check_gates_on_history as check_gates_on_history
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
    from gnomon.audit import AuditExport as AuditExport
    from gnomon.audit import AuditReport as AuditReport
    from gnomon.contract import Contract as Contract
    from gnomon.contract import ContractReport as ContractReport
    from gnomon.contract import infer_contract as infer_contract
    from gnomon.drift import DriftReport as DriftReport
    from gnomon.errors import GnomonError as GnomonError
    from gnomon.estimates.estimate_report import EstimateReport as EstimateReport
    from gnomon.labels.imports.label_import import LabelImport as LabelImport
    from gnomon.labels.label import AcceptedLabels as AcceptedLabels
    from gnomon.labels.label import Label as Label
    from gnomon.labels.label_counts import LabelStatus as LabelStatus
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
    from gnomon.rollout.quality.quality_report import QualityReport as QualityReport
    from gnomon.service.access.identity import Identity as Identity
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
    from gnomon.tokens.issued_tokens import IssuedToken as IssuedToken
    from gnomon.tokens.issued_tokens import NewToken as NewToken
    from gnomon.tokens.issued_tokens import create_token as create_token
    from gnomon.tokens.issued_tokens import list_tokens as list_tokens
    from gnomon.tokens.issued_tokens import revoke_token as revoke_token
    from gnomon.tokens.issued_tokens import rotate_token as rotate_token

__all__ = [
    "AcceptedLabels",
    "Artifact",
    "AsyncClient",
    "AuditExport",
    "AuditReport",
    "Client",
    "Contract",
    "ContractReport",
    "DriftCheck",
    "DriftReport",
    "EstimateReport",
    "Gates",
    "GnomonError",
    "Identity",
    "InferenceLog",
    "IssuedToken",
    "Label",
    "LabelImport",
    "LabelStatus",
    "LabelledTable",
    "LeakageReport",
    "LeakageWarning",
    "LiveStatus",
    "LoadedArtifact",
    "NewToken",
    "PackWarning",
    "Policy",
    "Prediction",
    "Predictions",
    "QualityReport",
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
    "check_gates_on_history",
    "check_leakage",
    "check_split",
    "check_training",
    "compare_offline",
    "create_token",
    "diagnose",
    "end_excuse",
    "estimate_quality",
    "export_audit",
    "import_labels",
    "infer_contract",
    "inspect",
    "label_status",
    "list_tokens",
    "load",
    "measure_drift",
    "measure_quality",
    "open_log",
    "outputs",
    "pack",
    "promote",
    "replay",
    "revoke_token",
    "rollback",
    "rollout_history",
    "rotate_token",
    "running_artifacts",
    "saved_reports",
    "start_shadow",
    "step_outputs",
    "stop_shadow",
    "verify_audit",
    "wanted_labels",
    "withdraw",
]

_HOMES = {
    "AcceptedLabels": "labels.label",
    "Artifact": "artifact",
    "AsyncClient": "service.client.clients",
    "AuditExport": "audit",
    "AuditReport": "audit",
    "Client": "service.client.clients",
    "Contract": "contract",
    "ContractReport": "contract",
    "DriftCheck": "api.data_checks",
    "DriftReport": "drift",
    "EstimateReport": "estimates.estimate_report",
    "Gates": "rollout.gate",
    "GnomonError": "errors",
    "Identity": "service.access.identity",
    "InferenceLog": "log",
    "IssuedToken": "tokens.issued_tokens",
    "Label": "labels.label",
    "LabelImport": "labels.imports.label_import",
    "LabelStatus": "labels.label_counts",
    "LabelledTable": "leakage",
    "LeakageReport": "leakage",
    "LeakageWarning": "leakage",
    "LiveStatus": "service.status.slice_status",
    "LoadedArtifact": "artifact",
    "NewToken": "tokens.issued_tokens",
    "PackWarning": "artifact.checks.allowances",
    "Policy": "policy",
    "Prediction": "service.client.answers",
    "Predictions": "service.client.answers",
    "QualityReport": "rollout.quality.quality_report",
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
    "add_excuse": "api.decisions",
    "check_contract": "api.data_checks",
    "check_gates": "api.queries",
    "check_gates_on_history": "api.queries",
    "check_leakage": "api.data_checks",
    "check_split": "leakage",
    "check_training": "leakage",
    "compare_offline": "api.skew_checks",
    "create_token": "tokens.issued_tokens",
    "diagnose": "api.skew_checks",
    "end_excuse": "api.decisions",
    "estimate_quality": "api.estimates",
    "export_audit": "api.audits",
    "import_labels": "api.labels",
    "infer_contract": "contract",
    "inspect": "artifact",
    "label_status": "api.labels",
    "list_tokens": "tokens.issued_tokens",
    "load": "artifact",
    "measure_drift": "api.data_checks",
    "measure_quality": "api.quality",
    "open_log": "api.queries",
    "outputs": "pipeline",
    "pack": "artifact",
    "promote": "api.decisions",
    "replay": "api.skew_checks",
    "revoke_token": "tokens.issued_tokens",
    "rollback": "api.decisions",
    "rollout_history": "api.queries",
    "rotate_token": "tokens.issued_tokens",
    "running_artifacts": "api.queries",
    "saved_reports": "api.queries",
    "start_shadow": "api.decisions",
    "step_outputs": "artifact",
    "stop_shadow": "api.decisions",
    "verify_audit": "api.audits",
    "wanted_labels": "api.quality",
    "withdraw": "api.decisions",
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
