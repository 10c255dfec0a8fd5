import os
import threading
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from msgspec.structs import replace as changed

from gnomon.artifact import Artifact, inspect
from gnomon.errors import ContractError, PolicyError
from gnomon.log import InferenceLog
from gnomon.offline import logged as log_rows
from gnomon.policy import GateLimits, Policy, Tolerance
from gnomon.report import Report
from gnomon.settings import Settings
from gnomon.skew.replay import replay
from gnomon.worker import WorkerClient
from tests.packing import SCRIPT, Pack, times
from tests.shadow.feeding import Requests, row
from tests.shadow.trips import ARRIVED, GREENWICH, LOCAL, OTHER, TRAINED, Trips, trips

ROWS = 401

STRICT = TRAINED.replace(
    "print(gnomon.pack(",
    """
from msgspec.structs import replace
from gnomon.contract import infer_contract
contract = infer_contract(
    frame, task="classification", classes=list(pipeline.classes_), entity_key=("trip",)
)
contract = replace(contract, features=tuple(
    replace(f, maximum=13.0, outside="error") if f.name == "miles" else f
    for f in contract.features
))
print(gnomon.pack(""",
).replace('entity_key=("trip",), event_time="at"', "contract=contract")


@pytest.fixture
def trained(pack: Pack) -> Artifact:
    return inspect(pack(LOCAL, "trips", TRAINED))


@pytest.fixture
def healthy(settings: Settings, trained: Artifact) -> Trips:
    return Trips(settings, trained, trips(ROWS)).answer()


def again(logged: Trips, **options: object) -> Report:
    return replay(logged.log, logged.artifact, settings=logged.settings, **options)  # type: ignore[arg-type]


def test_the_same_artifact_says_the_same_to_the_bit(healthy: Trips) -> None:
    """A healthy log: every row's inputs and outputs come out again, exactly."""
    report = again(healthy)
    assert report.verdict == "ok"
    assert (report.divergence.rows, report.divergence.of, report.exact) == (0, ROWS, ROWS)
    assert len(report.columns) == 3 + 5
    assert {(c.rows, c.exact) for c in report.columns} == {(ROWS, ROWS)}
    assert report.title == f"All {ROWS} rows match the log, bit for bit"
    assert report.command == f"gnomon replay {healthy.artifact.tag} --role live"


def test_a_policy_names_columns_of_the_artifact_that_is_run(healthy: Trips, pack: Pack) -> None:
    """A name that only the logged artifact has is refused before anything is run."""
    toy = inspect(pack(times(2), "toy", SCRIPT))
    policy = Policy(compare={"miles": Tolerance(absolute=1.0)})
    with pytest.raises(PolicyError, match=f"`{toy.tag}` has no column `miles`"):
        again(healthy, through=toy, policy=policy)


@pytest.mark.slow
def test_a_shadow_is_replayed_from_the_live_bodies(healthy: Trips, pack: Pack) -> None:
    """Shadow rows have no body; theirs are found in the live rows of the same requests."""
    served = inspect(pack(GREENWICH, "trips", TRAINED))
    healthy.shadow(served)
    report = replay(healthy.log, served, role="shadow", settings=healthy.settings)
    assert (report.verdict, report.divergence.of, report.exact) == ("ok", ROWS, ROWS)


def test_logged_answers_that_do_not_come_out_again_diverge(
    settings: Settings, trained: Artifact
) -> None:
    """One altered answer of 401 is found, with its request, and exceeds a limit of none."""
    logged = Trips(settings, trained, trips(ROWS))
    values = logged.outputs.column("probability_slow").to_pylist()
    values[7] += 1e-6
    logged.answer(probability_slow=pa.array(values))
    report = again(logged)
    assert report.diverged
    assert report.divergence.rows == 1
    (example,) = report.examples
    assert (example.request_id, example.row) == (logged.requests[2], 2)
    assert example.key == {"trip": "r00007"}
    assert {cell.column for cell in example.cells if cell.diverged} == {"probability_slow"}
    assert example.request_id in report.summary.since
    allowed = Policy(gates=GateLimits(max_skew=0.01))
    assert again(logged, policy=allowed).verdict == "ok"


def test_inputs_that_were_decoded_otherwise_are_counted(
    settings: Settings, trained: Artifact
) -> None:
    """Logged features that differ from the bodies are found, even if the answers agree."""
    logged = Trips(settings, trained, trips(ROWS))
    true = logged.inputs
    logged.inputs = true.set_column(2, "miles", pc.add(true.column("miles"), 1.0))
    logged.answer()
    report = again(logged)
    miles = next(c for c in report.columns if c.name == "miles")
    assert (miles.kind, miles.diverged) == ("feature", ROWS)
    assert miles.quantiles["p50"] == pytest.approx(1.0, rel=0.01)
    assert report.divergence.rows == 0


@pytest.mark.slow
def test_another_artifact_shows_what_it_would_have_changed(healthy: Trips, pack: Pack) -> None:
    """Flips and score changes against what was logged, judged by the disagreement limit."""
    other = inspect(pack(LOCAL, "trips", OTHER))
    expected = Trips(healthy.settings, other, healthy.records).outputs
    flips = pc.sum(
        pc.not_equal(expected.column("prediction"), healthy.outputs.column("prediction"))
    ).as_py()
    report = again(healthy, through=other)
    assert report.diverged
    assert report.against == other.tag
    assert report.impact is not None
    assert report.impact.flips.rows == flips > 0
    assert report.impact.mean_change is not None
    assert report.impact.mean_change > 0.01
    assert report.title.startswith(f"{other.tag} answers differently from {healthy.artifact.tag}")
    assert report.command.endswith(f"--through {other.tag}")
    lenient = Policy(gates=GateLimits(max_disagreement=None))
    assert again(healthy, through=other, policy=lenient).verdict == "ok"
    tolerant = Policy(
        compare={"prediction": Tolerance(kind="ignore"), "probability_*": Tolerance(absolute=1.0)}
    )
    assert again(healthy, through=other, policy=tolerant).divergence.rows == 0


@pytest.mark.slow
def test_rows_that_another_contract_refuses_diverge(healthy: Trips, pack: Pack) -> None:
    """A request that was answered and would be refused is a difference, with its reason."""
    strict = inspect(pack(LOCAL, "trips", STRICT))
    refused = sum(record["miles"] > 13.0 for record in healthy.records)
    report = again(healthy, through=strict)
    assert report.coverage.compared == ROWS
    (reason,) = report.coverage.unanswered
    assert reason.reason == f"refused by the contract of {strict.tag}"
    assert reason.rows >= refused > 0  # a request is refused whole
    assert "miles" in str(reason.example)
    prediction = next(c for c in report.columns if c.name == "prediction")
    assert prediction.right_null == report.divergence.rows == reason.rows


def test_rows_that_fail_when_run_again_diverge(settings: Settings, pack: Pack) -> None:
    """A row the pipeline now raises on fails alone, and the report has the error."""
    live = inspect(pack(times(1.0)))
    requests = Requests(settings, live)
    requests.answer(row(1.0), row(-1.0), {"rows": [row(2.0), row(3.0)]})
    requests.answer(row(9.0), outcome="failed")
    report = replay(InferenceLog(settings, "toy"), live, settings=settings)
    assert (report.divergence.rows, report.divergence.of) == (1, 4)
    (failed,) = report.coverage.unanswered
    assert (failed.reason, failed.rows) == (
        "failed when replayed: ValueError in step `times` (Times)",
        1,
    )
    assert failed.example == "ValueError in step `times` (Times): negative x"
    (skipped,) = report.coverage.skipped
    assert (skipped.reason, skipped.rows) == ("failed logged", 1)
    assert (report.coverage.logged, report.coverage.compared) == (5, 4)


CHUNKS = (
    [row(1.0), row(-1.0), {"rows": [row(2.0), row(3.0)]}],
    [row(4.0)],
    [
        {"rows": [row(5.0), {"x": "five", "id": "e"}]},
        row(6.0),
    ],  # refused whole; of its second row null was logged
    [row(-666.0), row(7.0)],  # ends its worker
    [{"rows": [row(8.0), row(9.0), row(-1.0), row(10.0)]}],
)


@pytest.fixture
def in_chunks(settings: Settings, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """An artifact whose log is read in the chunks above."""
    live = inspect(pack(times(1.0)))
    requests = Requests(settings, live)
    for bodies in CHUNKS:
        requests.answer(*bodies)
        requests.rotate()
    requests.close()
    monkeypatch.setattr(log_rows, "CHUNK_ROWS", 1)
    return live


def test_chunks_give_the_report_of_the_whole(
    settings: Settings, in_chunks: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every chunk meets its own answers, in the order of the log, whatever fails in it."""
    log, sizes = InferenceLog(settings, "toy"), list[int]()
    report = replay(log, in_chunks, settings=settings, progress=sizes.append)
    assert sizes == [4, 1, 3, 2, 4]
    assert (report.divergence.rows, report.divergence.of, report.exact) == (4, 14, 10)
    assert {reason.reason: reason.rows for reason in report.coverage.unanswered} == {
        "failed when replayed: ValueError in step `times` (Times)": 2,
        f"refused by the contract of {in_chunks.tag}": 2,
        "failed when replayed: crashed": 1,
    }
    monkeypatch.setattr(log_rows, "CHUNK_ROWS", 16_384)
    whole = replay(log, in_chunks, settings=settings, progress=sizes.append)
    assert sizes[5:] == [14]
    assert sorted(report.coverage.unanswered, key=str) == sorted(whole.coverage.unanswered, key=str)
    same = {"created": "", "coverage": whole.coverage}
    assert changed(report, **same) == changed(whole, **same)


def test_what_scoring_raises_ends_the_replay_and_its_worker(
    settings: Settings, in_chunks: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second chunk is scored while the first is compared: its error is not lost."""
    score, workers, progress = WorkerClient.score, list[int](), list[int]()

    def fails_later(client: WorkerClient, batch: pa.RecordBatch) -> pa.RecordBatch:
        workers.append(client.pid)
        if len(workers) == 2:
            raise OSError("no second chunk")
        return score(client, batch)

    monkeypatch.setattr(WorkerClient, "score", fails_later)
    with pytest.raises(OSError, match="no second chunk"):
        replay(
            InferenceLog(settings, "toy"), in_chunks, settings=settings, progress=progress.append
        )
    assert progress == [4]
    with pytest.raises(ProcessLookupError):
        os.kill(workers[0], 0)


def test_an_interrupt_lets_what_is_scored_come_back_before_the_worker_ends(
    settings: Settings, in_chunks: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the scoring thread would find a closed socket and start another worker."""
    score, leave = WorkerClient.score, WorkerClient.__exit__
    interrupted, seen = threading.Event(), list[str]()

    def waits(client: WorkerClient, batch: pa.RecordBatch) -> pa.RecordBatch:
        seen.append("asked")
        if seen.count("asked") == 2:
            assert interrupted.wait(60)
        answer = score(client, batch)
        seen.append("scored")
        return answer

    def ends(client: WorkerClient, *exc: object) -> None:
        seen.append("ended")
        leave(client, *exc)

    def interrupt(_: int) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerClient, "score", waits)
    monkeypatch.setattr(WorkerClient, "__exit__", ends)
    with pytest.raises(KeyboardInterrupt):
        replay(InferenceLog(settings, "toy"), in_chunks, settings=settings, progress=interrupt)
    assert seen == ["asked", "scored", "asked", "scored", "ended"]


def test_a_range_and_a_limit_bound_what_is_run(healthy: Trips) -> None:
    """Arrival times cut the range, the limit cuts the rows; progress adds up to them."""
    steps: list[int] = []
    report = again(
        healthy,
        start=ARRIVED + timedelta(seconds=1),
        end=ARRIVED + timedelta(seconds=11),
        progress=steps.append,
    )
    assert report.divergence.of == sum(steps) == 40
    report = again(healthy, limit=42)
    assert (report.coverage.logged, report.coverage.compared) == (42, 42)
    assert report.verdict == "ok"
    assert report.title == "The first 42 rows match the log, bit for bit"
    assert report.summary.how_sure == (
        "Only the first 42 rows were compared, up to the limit; the range has more answered rows."
    )
    assert report.coverage.stopped
    assert report.command.endswith(" --limit 42")


def test_a_limit_that_leaves_no_row_out_is_not_mentioned(healthy: Trips) -> None:
    """Then all of the range was compared, also if the limit is exactly the number of its rows."""
    every = again(healthy).coverage.logged
    for limit in (every, every + 1):
        report = again(healthy, limit=limit)
        assert not report.coverage.stopped
        assert report.title.startswith("All ")
        assert report.summary.how_sure.startswith("100% of the ")


def test_nothing_in_the_range_is_no_verdict(healthy: Trips) -> None:
    """An empty range of the log is inconclusive."""
    report = again(healthy, start=ARRIVED + timedelta(days=1))
    assert (report.verdict, report.divergence.of) == ("unknown", 0)


def test_an_artifact_that_was_never_logged_is_no_verdict(healthy: Trips, pack: Pack) -> None:
    """Its columns need not be in the log."""
    never = inspect(pack(times(1.0), "trips"))
    assert replay(healthy.log, never, settings=healthy.settings).verdict == "unknown"


def test_artifacts_without_a_common_output_cannot_be_compared(healthy: Trips, pack: Pack) -> None:
    """A regression cannot replace a classifier: the predictions have another type."""
    with pytest.raises(ContractError, match="no output in common"):
        again(healthy, through=inspect(pack(times(1.0))))
