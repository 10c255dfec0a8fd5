"""Two operators decide at the same time, a thousand times, on a folder and on a server of S3.

Not on moto, whose put-if-absent is none under concurrency: it looks, then writes, in two steps.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gnomon.audit import export, verify
from gnomon.rollout.history import open_history
from gnomon.settings import Settings
from tests.bucket import bucket, needs_seaweedfs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROUNDS = 1_000
OPERATORS = ("ann", "bob")

OPERATOR = """
import json, sys
from gnomon.errors import RolloutConflict
from gnomon.rollout.history import RolloutEvent, open_history
from gnomon.settings import Settings

me = sys.argv[1]
history = open_history(Settings.read(), "toy")
for line in sys.stdin:
    history.refresh()
    event = RolloutEvent(kind="promote", artifact=f"toy:{me}-{line.strip()}", by=me)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        history.append(event)
        print(json.dumps({"won": True}), flush=True)
    except RolloutConflict as error:
        print(json.dumps({"won": False, "told": str(error)}), flush=True)
"""


class Outcome(msgspec.Struct):
    """What an operator was told: that the decision was recorded, or who was first."""

    won: bool
    told: str = ""


class Operator:
    """A process that decides when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPERATOR, name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def say(self, word: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=["folder", pytest.param("seaweedfs", marks=needs_seaweedfs)])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A storage root, which this process and the operators read from the environment."""
    with contextlib.ExitStack() as stack:
        is_folder = request.param == "folder"
        root = str(tmp_path / "root") if is_folder else stack.enter_context(bucket(request.param))
        monkeypatch.setenv("GNOMON_ROOT", root)
        monkeypatch.setenv("GNOMON_SPOOL", str(tmp_path / "spool"))
        yield Settings.read()


def race(operators: list[Operator], number: int) -> dict[str, Outcome]:
    """Both see the same state, then decide at once."""
    for operator in operators:
        operator.say(number)
    for operator in operators:
        assert operator.hear() == "ready\n"
    for operator in operators:
        operator.say("go")
    return {o.name: msgspec.json.decode(o.hear(), type=Outcome) for o in operators}


def test_of_each_pair_exactly_one_wins(settings: Settings, tmp_path: Path) -> None:
    """The other is told what was recorded, and by whom; the history and its audit are whole."""
    operators = [Operator(name) for name in OPERATORS]
    wins = dict.fromkeys(OPERATORS, 0)
    try:
        for number in range(ROUNDS):
            outcomes = race(operators, number)
            [winner] = [name for name, outcome in outcomes.items() if outcome.won]
            [loser] = set(OPERATORS) - {winner}
            told = outcomes[loser].told
            assert f"was recorded first: promote toy:{winner}-{number} by {winner} at 2" in told
            assert f"rollout/toy/{number:06d}.json" in told
            wins[winner] += 1
    finally:
        for operator in operators:
            operator.stop()
    assert sum(wins.values()) == ROUNDS
    history = open_history(settings, "toy")
    history.check()
    assert len(history.events) == ROUNDS
    assert [e.artifact for e in history.events] == [*history.state.lives]
    path = export(settings, "toy", tmp_path / "bundle.tar").path
    assert {c.verdict for c in verify(path).checks if c.name in ("history", "decisions")} == {
        "proven"
    }
