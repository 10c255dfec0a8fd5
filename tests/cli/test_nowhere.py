"""Commands in a folder without a deployment and storage root do not create one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Shell

COMMANDS = (
    "log repair", "log accounts --model toy", "replay toy:1", "compare toy:1 --table rows.csv",
    "drift toy", "diagnose toy", "check toy", "promote toy:1 --check",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_a_storage_root_fails_and_creates_nothing(
    tmp_path: Path, command: str
) -> None:
    """A sample of the commands for rollouts, the log and its readers."""
    shell = Shell(tmp_path, {"BENTOML_HOME": str(tmp_path / "bentoml")})
    result = shell(*command.split(), expect=2)
    expected = "no artifact `toy`" if command.startswith("check") else "neither a deployment nor"
    assert expected in result.err
    assert not (tmp_path / ".gnomon").exists()
