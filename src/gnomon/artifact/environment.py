"""The environment that an artifact was packed in, and the check that this process fits it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata

import msgspec

from gnomon.errors import ArtifactIncompatible

__all__ = ["Environment"]

PACKAGES = (
    "gnomon",
    "scikit-learn",
    "numpy",
    "pandas",
    "scipy",
    "pyarrow",
    "skops",
    "bentoml",
)


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The versions of the environment in which an artifact was packed.

    Attributes:
        python: the Python version, such as ``3.11.7``.
        implementation: ``CPython`` or another.
        system: the operating system.
        machine: the processor architecture.
        packages: distributions and their versions: those that every pipeline needs, and those that
            the pipeline and its code import.
    """

    python: str
    implementation: str
    system: str
    machine: str
    packages: dict[str, str]

    @classmethod
    def here(cls, distributions: Iterable[str] = ()) -> Environment:
        """Describe this process's environment, including ``distributions``."""
        names = dict.fromkeys([*PACKAGES, *sorted(distributions)])
        return cls(
            python=platform.python_version(),
            implementation=platform.python_implementation(),
            system=platform.system(),
            machine=platform.machine(),
            packages={name: version for name in names if (version := _installed(name))},
        )

    @property
    def requirements(self) -> str:
        """The packages as pinned lines of a requirements file."""
        return "".join(f"{name}=={version}\n" for name, version in sorted(self.packages.items()))

    def check(self, where: str) -> None:
        """Refuse an environment that this process does not have.

        Patch releases of Python and scikit-learn are assumed to be compatible; the golden rows
        check this.

        Raises:
            ArtifactIncompatible: another minor version of Python or of scikit-learn.
        """
        pairs = {
            "Python": (self.python, platform.python_version()),
            "scikit-learn": (
                self.packages.get("scikit-learn", "of unknown version"),
                metadata.version("scikit-learn"),
            ),
        }
        for name, (packed, running) in pairs.items():
            if _minor(packed) != _minor(running):
                raise ArtifactIncompatible(
                    f"packed with {name} {packed}, but this process runs {name} {running}",
                    where=where,
                    hint=f"run it with {name} {_minor(packed)}, or pack it again here; "
                    "the artifact's requirements.txt lists what it needs",
                )


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
