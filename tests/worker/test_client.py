"""Mirrors ``gnomon.worker.client``: real worker processes, real deaths."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pandas as pd
import psutil
import pyarrow as pa
import pytest
from msgspec import structs

from gnomon.artifact import inspect
from gnomon.contract import from_frame
from gnomon.errors import GoldenMismatch, PredictionFailed, WorkerError
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from tests.packing import SCRIPT, Pack, times


def rows(tag: str, values: list[float]) -> pa.RecordBatch:
    """Decoded rows of the toy contract."""
    frame = pd.DataFrame({"x": values, "id": [f"e{n}" for n in range(len(values))]})
    return from_frame(frame, inspect(tag).contract)


def test_it_scores_with_the_artifacts_own_code(pack: Pack, settings: Settings) -> None:
    """Two artifacts whose ``preprocessing.py`` differ each run their own."""
    one, hundred = pack(times(1)), pack(times(100))
    for tag, factor in ((one, 1), (hundred, 100)):
        with WorkerClient(inspect(tag), settings) as worker:
            scored = worker.score(rows(tag, [1.0, 2.0]))
        assert scored.column("prediction").to_pylist() == [factor, 2 * factor]
        assert scored.column("error").null_count == 2


def test_a_row_that_raises_fails_alone(pack: Pack, settings: Settings) -> None:
    """The pipeline's exception becomes that row's error and nobody else's."""
    tag = pack(times(1))
    with WorkerClient(inspect(tag), settings) as worker:
        scored = worker.score(rows(tag, [3.0, -1.0, 5.0]))
        assert scored.column("prediction").to_pylist() == [3.0, None, 5.0]
        assert scored.column("error").to_pylist() == [None, "ValueError: negative x", None]
        assert worker.restarts == 0


def test_a_row_that_kills_the_worker_fails_alone(pack: Pack, settings: Settings) -> None:
    """A segmentation fault is bisected to its row; the rest of the batch is answered."""
    tag = pack(times(1))
    values = [float(n) for n in range(1, 40)]
    values[17] = -666.0
    with WorkerClient(inspect(tag), settings) as worker:
        scored = worker.score(rows(tag, values))
        errors = scored.column("error").to_pylist()
        assert [n for n, error in enumerate(errors) if error] == [17]
        assert "SIGSEGV" in errors[17]
        assert worker.restarts > 1
        assert worker.score(rows(tag, [2.0])).column("prediction").to_pylist() == [2.0]


def test_a_row_that_hangs_fails_alone(pack: Pack, settings: Settings) -> None:
    """A worker that does not answer within the deadline is killed and replaced."""
    tag = pack(times(1))
    with WorkerClient(inspect(tag), settings, deadline=0.3) as worker:
        scored = worker.score(rows(tag, [4.0, -999.0]))
        assert scored.column("prediction").to_pylist() == [4.0, None]
        assert scored.column("error").to_pylist()[1].startswith("crashed:")


def test_a_killed_holder_is_started_again(pack: Pack, settings: Settings) -> None:
    """Losing the whole worker costs a restart and no row."""
    tag = pack(times(1))
    with WorkerClient(inspect(tag), settings) as worker:
        worker.score(rows(tag, [1.0]))
        os.kill(worker.pid, signal.SIGKILL)
        assert worker.score(rows(tag, [2.0])).column("prediction").to_pylist() == [2.0]


def test_a_worker_ignores_the_signals_of_a_process_manager(pack: Pack, settings: Settings) -> None:
    """SIGTERM and SIGINT to the worker change nothing; it leaves when its sockets close."""
    tag = pack(times(1))
    with WorkerClient(inspect(tag), settings) as worker:
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker.pid, number)
        assert worker.score(rows(tag, [2.0])).column("prediction").to_pylist() == [2.0]
        assert worker.restarts == 0


def test_trace_gives_every_steps_output(pack: Pack, settings: Settings) -> None:
    """Tracing names columns by step."""
    tag = pack(times(100))
    with WorkerClient(inspect(tag), settings) as worker:
        traced = worker.trace(rows(tag, [1.0, 2.0]))
        assert traced.to_pydict() == {"times/x": [100.0, 200.0]}
        with pytest.raises(PredictionFailed, match="negative x"):
            worker.trace(rows(tag, [-1.0]))
        assert worker.restarts == 0


def test_an_artifact_that_answers_otherwise_now_is_refused(pack: Pack, settings: Settings) -> None:
    """Golden rows are run before the worker serves; the error names the step and column."""
    moody = times(1).replace("* FACTOR", "* float(os.environ.get('MOOD', 1))")
    tag = pack(moody)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOOD", "2")
        with pytest.raises(GoldenMismatch, match="times"):
            WorkerClient(inspect(tag), settings).__enter__()


def test_code_that_ends_the_process_on_import_is_reported(pack: Pack, settings: Settings) -> None:
    """A worker that ends before it is ready says so instead of restarting for ever."""
    tag = pack("import os\nif os.environ.get('MOOD'): os._exit(3)\n" + times(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOOD", "bad")
        with pytest.raises(WorkerError, match="exit code 3"):
            WorkerClient(inspect(tag), settings).__enter__()


def test_the_working_directory_is_not_on_a_workers_path(
    pack: Pack, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``preprocessing.py`` lying in the server's folder never runs."""
    tag = pack(times(1), script=SCRIPT)
    (tmp_path / "preprocessing.py").write_text("raise SystemExit('wrong code')")
    monkeypatch.chdir(tmp_path)
    with WorkerClient(inspect(tag), settings) as worker:
        assert worker.score(rows(tag, [7.0])).column("prediction").to_pylist() == [7.0]


LIMIT = 400_000_000
"""Bytes. A worker of the toy artifact takes about 130 million."""

LEAK = "self.leak_ = getattr(self, 'leak_', []) + [bytearray(1 << 26)]"
GREED = "self.need_ = bytearray(1 << 30) if 13 in set(X['x']) else None"


def hungry(tag: str, values: list[float]) -> pa.RecordBatch:
    """Rows on which the artifact does its mischief."""
    frame = pd.DataFrame({"x": values, "id": [f"online{n}" for n in range(len(values))]})
    return from_frame(frame, inspect(tag).contract)


@pytest.mark.slow
def test_a_leaking_worker_is_replaced_at_its_limit(pack: Pack, settings: Settings) -> None:
    """Leaking 64 MiB a call, each worker runs out after a few; a fresh one answers every row."""
    tag = pack(times(1, LEAK))
    bounded = structs.replace(settings, worker_bytes=LIMIT)
    with WorkerClient(inspect(tag), bounded) as worker:
        for _ in range(12):
            scored = worker.score(hungry(tag, [1.0, 2.0]))
            assert scored.column("prediction").to_pylist() == [1.0, 2.0]
        assert worker.restarts >= 2


@pytest.mark.slow
def test_a_row_that_needs_too_much_memory_fails_alone(pack: Pack, settings: Settings) -> None:
    """It is found by halves, each tried by a fresh worker, and its reason names the setting."""
    tag = pack(times(1, GREED))
    bounded = structs.replace(settings, worker_bytes=LIMIT)
    with WorkerClient(inspect(tag), bounded) as worker:
        scored = worker.score(hungry(tag, [11.0, 12.0, 13.0, 14.0]))
    assert scored.column("prediction").to_pylist() == [11.0, 12.0, None, 14.0]
    assert "out of memory, see GNOMON_WORKER_BYTES" in scored.column("error").to_pylist()[2]


def test_a_limit_below_what_the_artifact_takes_is_refused(pack: Pack, settings: Settings) -> None:
    """At start, with both figures, instead of failing every row."""
    tag = pack(times(1))
    bounded = structs.replace(settings, worker_bytes=10_000_000)
    with pytest.raises(WorkerError, match=r"takes [\d,]+ bytes .* may use 10,000,000"):
        WorkerClient(inspect(tag), bounded).__enter__()


def test_a_stopped_scorer_ends_with_its_holder(pack: Pack, settings: Settings) -> None:
    """It cannot see that its sockets have closed, and there is nobody left to end it."""
    with WorkerClient(inspect(pack(times(1))), settings) as worker:
        (scorer,) = psutil.Process(worker.pid).children()
        scorer.suspend()
        os.kill(worker.pid, signal.SIGKILL)
        scorer.wait(10)
