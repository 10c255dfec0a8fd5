"""Run the same rows in other environments, and through other versions of the artifact."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from gnomon.artifact import Artifact, inspect, tags
from gnomon.errors import GnomonError, SettingsError
from gnomon.offline.rerun import Rerun
from gnomon.settings import Settings
from gnomon.worker import WorkerClient

__all__ = ["OtherEnvironment", "other_versions", "run_in_environment"]

_MOST = 5

_ASK = """
import json, platform, sys
from importlib.metadata import distributions
found = {d.name: d.version for d in distributions()}
print(json.dumps({"Python": platform.python_version(), "machine": platform.machine(), **found}))
"""


@dataclass(frozen=True, slots=True)
class OtherEnvironment:
    """The artifact in another environment.

    Attributes:
        name: the name of the environment, such as the path of its interpreter.
        rerun: runs the artifact there.
        changed: packages whose version differs: name to the version here and the one there.
    """

    name: str
    rerun: Rerun
    changed: dict[str, tuple[str, str]]

    @property
    def difference(self) -> str:
        """Up to three packages, such as ``scikit-learn 1.9.1 here, 1.7.2 there``."""
        differences = [
            f"{name} {here} here, {there} there" for name, (here, there) in self.changed.items()
        ]
        return "; ".join(differences[:3]) + ("; and more" if len(differences) > 3 else "")


def run_in_environment(
    python: str, artifact: Artifact, settings: Settings, stack: ExitStack
) -> OtherEnvironment:
    """Start a worker that runs an artifact in the environment of another interpreter.

    Its golden rows are not verified, because differences in that environment are what is examined.

    Raises:
        SettingsError: the interpreter cannot be run.
        ArtifactError: the artifact cannot be run in that environment.
        WorkerError: its worker was not ready in time.
    """
    there, here = environment_of(python), environment_of(sys.executable)
    used = ("Python", "machine", *artifact.manifest.environment.packages)
    changed = {
        name: (here.get(name, "none"), there.get(name, "none"))
        for name in used
        if name != "gnomon" and here.get(name) != there.get(name)
    }
    client = stack.enter_context(WorkerClient(artifact, settings, python=python, verify=False))
    return OtherEnvironment(python, Rerun(client, artifact, settings), changed)


def environment_of(python: str) -> dict[str, str]:
    """Return the versions of the packages that are installed for an interpreter.

    Raises:
        SettingsError: the interpreter cannot be run.
    """
    try:
        process = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SettingsError(
            f"cannot ask the interpreter what is installed: {error}",
            where=python,
            hint="give the path of a python in which gnomon's requirements are installed",
        ) from None
    installed: dict[str, str] = json.loads(process.stdout)
    return installed


def other_versions(
    artifact: Artifact, settings: Settings, stack: ExitStack
) -> Iterator[tuple[Artifact, Rerun]]:
    """Start other artifacts of the same name that take the same features, newest first."""
    for tag in [tag for tag in tags(artifact.name) if tag != artifact.tag][:_MOST]:
        try:
            other = inspect(tag)
            if other.contract.input_schema != artifact.contract.input_schema:
                continue
            client = stack.enter_context(WorkerClient(other, settings))
        except GnomonError:
            continue
        yield other, Rerun(client, other, settings)
