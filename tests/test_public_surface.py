"""What users may rely on: the names of the package, and that getting at them is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import gnomon

SURFACE = [
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


def test_the_public_names_are_these() -> None:
    """A name is added or removed on purpose, with this test and the changelog."""
    assert gnomon.__all__ == SURFACE
    assert dir(gnomon) == SURFACE


ROOMS = {"gnomon", "gnomon.errors", "gnomon.service", "gnomon.testing"}
"""What may be imported from: the package itself, and rooms that are documented besides."""

REPOSITORY = Path(__file__).resolve().parent.parent
DEPLOYMENT = ("service", "models", "preprocessing", "shadow", "demo")
SKELETON = REPOSITORY / "src" / "gnomon" / "cli" / "skeleton"
USERS = [
    *(path for folder in DEPLOYMENT for path in sorted((REPOSITORY / folder).rglob("*.py"))),
    *sorted(SKELETON.rglob("*.py.tmpl")),
]


def used_names(source: str) -> Iterator[tuple[str, str]]:
    """The modules of the package that a file imports from, each with the name it takes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((found.name, "") for found in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, found.name) for found in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "gnomon":
            yield "gnomon", node.attr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # BentoML's, of what it uses itself.
@pytest.mark.parametrize("path", USERS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_deployment_needs_public_names_only(path: Path) -> None:
    """The root folders, the demo and what `gnomon init` writes."""
    ours = [use for use in used_names(path.read_text()) if use[0].split(".")[0] == "gnomon"]
    for module, name in ours:
        assert module in ROOMS, f"{module} is not public"
        assert not name or name in import_module(module).__all__, f"{module}.{name} is not public"


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_is_what_its_room_calls_so(name: str) -> None:
    """Each is the object of that name in the room it comes from, not another one."""
    home = import_module(f"gnomon.{gnomon._HOMES.get(name, 'version')}")
    assert getattr(gnomon, name) is getattr(home, name)


@pytest.mark.parametrize("former", gnomon._RENAMED)
def test_a_former_name_still_works_and_warns(former: str) -> None:
    """It is the same object; the warning has the present name."""
    present = gnomon._RENAMED[former]
    with pytest.warns(FutureWarning, match=rf"gnomon\.{former} is now called gnomon\.{present}"):
        assert getattr(gnomon, former) is getattr(gnomon, present)


def test_another_name_is_an_attribute_error() -> None:
    """The error is that of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Servant'"):
        gnomon.Servant  # type: ignore[attr-defined]  # noqa: B018


def loaded_by(code: str) -> set[str]:
    """The modules a fresh interpreter has after running some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import gnomon", {"numpy", "pyarrow", "msgspec", "httpx", "bentoml"}),
        ("import gnomon; gnomon.Client", {"numpy", "pyarrow", "pandas", "sklearn", "bentoml"}),
        ("import gnomon.cli.app", {"rich.console", "httpx", "pyarrow", "bentoml", "sklearn"}),
    ],
)
def test_a_name_costs_what_it_needs_and_no_more(code: str, absent: set[str]) -> None:
    """Importing a client loads no data library; asking for help loads neither."""
    assert loaded_by(code) & absent == set()
