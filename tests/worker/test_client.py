"""The blocking client, with real workers that really die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from msgspec import structs

from gnomon.artifact import Artifact
from gnomon.errors import GoldenMismatch, PredictionFailed, WorkerError
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.engine import SHARED
from gnomon.worker.messages import ERROR
from tests.load import until
from tests.packing import times
from tests.worker.conftest import Toy, rows


@dataclass(frozen=True)
class Shared:
    """A worker for the tests that leave it serving.

    Attributes:
        artifact: says x.
    """

    artifact: Artifact
    worker: WorkerClient

    def answers(self, values: list[float]) -> tuple[list[Any], list[str | None]]:
        """Predictions and errors, a row each."""
        scored = self.worker.score(rows(self.artifact, values))
        return scored.column("prediction").to_pylist(), scored.column(ERROR).to_pylist()


@pytest.fixture(scope="module")
def shared(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    artifact = toy(times(1))
    settings = Settings(root=str(tmp_path_factory.mktemp("root")), deadline=20.0)
    with WorkerClient(artifact, settings) as worker:
        yield Shared(artifact, worker)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")
def test_it_scores_with_the_artifacts_own_code(
    shared: Shared, toy: Toy, settings: Settings
) -> None:
    """Two artifacts whose ``preprocessing.py`` differ each run their own."""
    hundred = toy(times(100))
    with WorkerClient(hundred, settings) as worker:
        scored = worker.score(rows(hundred, [1.0, 2.0]))
    assert scored.column("prediction").to_pylist() == [100.0, 200.0]
    assert shared.answers([1.0, 2.0]) == ([1.0, 2.0], [None, None])


def test_a_row_that_raises_fails_alone(shared: Shared) -> None:
    """The pipeline's exception becomes the error of that row only."""
    before = shared.worker.restarts
    assert shared.answers([3.0, -1.0, 5.0]) == (
        [3.0, None, 5.0],
        [None, "ValueError in step `times` (Times): negative x", None],
    )
    assert shared.worker.restarts == before


@pytest.mark.parametrize("bad", [range(50, 65), range(0, 200, 13)])
def test_rows_that_raise_fail_alone_in_a_large_batch(shared: Shared, bad: range) -> None:
    """Side by side or spread over it: the search for them ends before a good row is given up."""
    values = [-1.0 if n in bad else float(n) for n in range(200)]
    answers, errors = shared.answers(values)
    assert [n for n, error in enumerate(errors) if error is not None] == list(bad)
    assert answers == [None if n in bad else float(n) for n in range(200)]


def test_rows_that_were_not_tried_alone_say_so(shared: Shared) -> None:
    """If every row raises, the search is given up: the rest share an error, and say that."""
    _, errors = shared.answers([-1.0] * 200)
    alone = "ValueError in step `times` (Times): negative x"
    first, last = errors[0], errors[-1]
    assert first == alone
    assert last == f"ValueError: negative x{SHARED}"
    assert {alone, last} == set(errors)


def test_a_row_that_kills_the_worker_fails_alone(shared: Shared) -> None:
    """A segmentation fault is bisected to its row; the rest of the batch is answered."""
    before = shared.worker.restarts
    _, errors = shared.answers([-666.0 if n == 17 else float(n) for n in range(39)])
    assert [n for n, error in enumerate(errors) if error] == [17]
    assert "SIGSEGV" in str(errors[17])
    assert shared.worker.restarts > before + 1
    assert shared.answers([2.0]) == ([2.0], [None])


def test_a_row_that_hangs_fails_alone(toy: Toy, settings: Settings) -> None:
    """A worker that does not answer within the deadline is killed and replaced."""
    artifact = toy(times(1))
    with WorkerClient(artifact, settings, deadline=1.0) as worker:
        scored = worker.score(rows(artifact, [4.0, -999.0]))
        assert scored.column("prediction").to_pylist() == [4.0, None]
        assert scored.column(ERROR).to_pylist()[1].startswith("crashed:")


def kill_holder(shared: Shared) -> None:
    """Kill the holder, and wait until another one answers: its scorer may end after a call."""
    pid = shared.worker.pid
    os.kill(pid, signal.SIGKILL)

    def is_replaced() -> bool:
        assert shared.answers([2.0]) == ([2.0], [None])
        return shared.worker.pid != pid

    until(is_replaced, "another holder answers")


def test_a_killed_holder_is_started_again(shared: Shared) -> None:
    """Losing the whole worker costs a restart and no row."""
    assert shared.answers([1.0]) == ([1.0], [None])
    kill_holder(shared)


def test_a_holder_is_started_again_however_often_others_were(shared: Shared) -> None:
    """A feed runs for months: old deaths do not count against a holder that is killed today."""
    before, shared.worker.restarts = shared.worker.restarts, 1_000
    try:
        kill_holder(shared)
    finally:
        shared.worker.restarts += before - 1_000


def test_a_worker_ignores_the_signals_of_a_process_manager(shared: Shared) -> None:
    """SIGTERM and SIGINT to the worker change nothing; it leaves when its sockets close."""
    before, pid = shared.worker.restarts, shared.worker.pid
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    assert shared.answers([2.0]) == ([2.0], [None])
    assert (shared.worker.restarts, shared.worker.pid) == (before, pid)


def test_trace_gives_every_steps_output(shared: Shared) -> None:
    """Tracing names columns by step."""
    before = shared.worker.restarts
    traced = shared.worker.trace(rows(shared.artifact, [1.0, 2.0]))
    assert traced.to_pydict() == {"times/x": [1.0, 2.0]}
    with pytest.raises(PredictionFailed, match="negative x"):
        shared.worker.trace(rows(shared.artifact, [-1.0]))
    assert shared.worker.restarts == before


def test_an_artifact_that_answers_otherwise_now_is_refused(toy: Toy, settings: Settings) -> None:
    """Golden rows are run before the worker serves; the error names the step and column."""
    moody = times(1).replace("* FACTOR", "* float(os.environ.get('MOOD', 1))")
    artifact = toy(moody)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOOD", "2")
        with pytest.raises(GoldenMismatch, match="times"):
            WorkerClient(artifact, settings).__enter__()


def test_code_that_ends_the_process_on_import_is_reported(toy: Toy, settings: Settings) -> None:
    """A worker that ends before it is ready says so instead of restarting for ever."""
    artifact = toy("import os\nif os.environ.get('MOOD'): os._exit(3)\n" + times(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOOD", "bad")
        with pytest.raises(WorkerError, match="exit code 3"):
            WorkerClient(artifact, settings).__enter__()


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")
def test_the_working_directory_is_not_on_a_workers_path(
    toy: Toy, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``preprocessing.py`` lying in the server's folder never runs."""
    artifact = toy(times(1))
    (tmp_path / "preprocessing.py").write_text("raise SystemExit('wrong code')")
    monkeypatch.chdir(tmp_path)
    with WorkerClient(artifact, settings) as worker:
        assert worker.score(rows(artifact, [7.0])).column("prediction").to_pylist() == [7.0]


LIMIT = 400_000_000
"""Bytes. A worker of the toy artifact takes about 130 million."""

LEAK = "self.leak_ = getattr(self, 'leak_', []) + [bytearray(1 << 26)]"
GREED = "self.need_ = bytearray(1 << 30) if 13 in set(X['x']) else None"


def hungry(artifact: Artifact, values: list[float]) -> pa.RecordBatch:
    """Rows on which the artifact has its fault."""
    return rows(artifact, values, "online")


@pytest.mark.slow
def test_a_leaking_worker_is_replaced_at_its_limit(toy: Toy, settings: Settings) -> None:
    """Leaking 64 MiB a call, each worker runs out after a few; a fresh one answers every row."""
    artifact = toy(times(1, LEAK))
    bounded = structs.replace(settings, worker_bytes=LIMIT)
    with WorkerClient(artifact, bounded) as worker:
        for _ in range(12):
            scored = worker.score(hungry(artifact, [1.0, 2.0]))
            assert scored.column("prediction").to_pylist() == [1.0, 2.0]
        assert worker.restarts >= 2


@pytest.mark.slow
def test_a_row_that_needs_too_much_memory_fails_alone(toy: Toy, settings: Settings) -> None:
    """It is found by halves, each tried by a fresh worker, and its reason names the setting."""
    artifact = toy(times(1, GREED))
    bounded = structs.replace(settings, worker_bytes=LIMIT)
    with WorkerClient(artifact, bounded) as worker:
        scored = worker.score(hungry(artifact, [11.0, 12.0, 13.0, 14.0]))
    assert scored.column("prediction").to_pylist() == [11.0, 12.0, None, 14.0]
    assert "out of memory, see GNOMON_WORKER_BYTES" in scored.column(ERROR).to_pylist()[2]


def test_a_limit_below_what_the_artifact_takes_is_refused(toy: Toy, settings: Settings) -> None:
    """It is refused at start, with both figures, instead of failing every row."""
    artifact = toy(times(1))
    bounded = structs.replace(settings, worker_bytes=10_000_000)
    with pytest.raises(WorkerError, match=r"takes [\d,]+ bytes .* may use 10,000,000"):
        WorkerClient(artifact, bounded).__enter__()


@pytest.mark.slow
def test_waiting_for_a_processor_is_not_work(toy: Toy, settings: Settings) -> None:
    """On a shared processor a scorer takes longer, but its work counts the same."""
    artifact = toy(times(1, "sum(range(20_000_000))"))
    with WorkerClient(artifact, settings) as worker:
        (scorer,) = psutil.Process(worker.pid).children()
        scorer.cpu_affinity([0])
        batch = rows(artifact, [1.0], prefix="online")
        worker.score(batch)
        alone = worker.worked
        spin = "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"
        others = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(3)]
        try:
            worker.score(batch)
        finally:
            for other in others:
                other.kill()
                other.wait()
    assert worker.waited > worker.micros / 3
    assert worker.worked < 2 * alone


def test_a_stopped_scorer_ends_with_its_holder(toy: Toy, settings: Settings) -> None:
    """It cannot notice that its sockets closed, and no other process would end it."""
    with WorkerClient(toy(times(1)), settings) as worker:
        (scorer,) = psutil.Process(worker.pid).children()
        scorer.suspend()
        os.kill(worker.pid, signal.SIGKILL)
        scorer.wait(10)


def test_a_worker_is_in_a_process_group_without_the_gateway(shared: Shared) -> None:
    """User code that signals its group, as some time limits do, would stop the server."""
    assert os.getpgid(shared.worker.pid) not in (os.getpgid(0), 0)
