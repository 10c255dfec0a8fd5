"""The results of a race, as they are kept."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.race.load import Figure

__all__ = ["Results", "machine"]


def machine() -> str:
    """Return cores, processor and system of this machine, and the date."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} cores of {model}, Linux {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    )


class Results(msgspec.Struct, kw_only=True):
    """Every figure of a race.

    Attributes:
        machine: what it ran on, and when.
        rounds: how often everything was measured.
        seconds: how long one measurement took.
        versions: of the packages in each contender's environment.
        figures: by case, contender and connections, one a round.
        bare: by case, a round's median milliseconds of the bare pipeline on one row.
        reasons: by case, why a contender could not be measured.
    """

    machine: str
    rounds: int
    seconds: int
    versions: dict[str, dict[str, str]]
    figures: dict[str, dict[str, dict[int, list[Figure]]]] = {}
    bare: dict[str, list[dict[str, float]]] = {}
    reasons: dict[str, dict[str, str]] = {}

    @property
    def failed(self) -> set[tuple[str, str]]:
        """Return case and contender of those that were left out."""
        return {(case, name) for case, reasons in self.reasons.items() for name in reasons}

    def add(self, case: str, contender: str, connections: int, figure: Figure) -> None:
        """Add one measurement."""
        counts = self.figures.setdefault(case, {}).setdefault(contender, {})
        counts.setdefault(connections, []).append(figure)

    def fail(self, case: str, contender: str, reason: str) -> None:
        """Leave a contender out of a case, and drop its figures."""
        self.reasons.setdefault(case, {})[contender] = reason
        self.figures.get(case, {}).pop(contender, None)

    def write(self, path: Path) -> None:
        """Write the results as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read results from JSON."""
        return msgspec.json.decode(path.read_bytes(), type=cls)
