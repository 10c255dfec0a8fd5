import os
import signal
from pathlib import Path

import msgspec
import psutil
import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.log import InferenceLog, shadow_stream, stream_folder
from gnomon.log.sampling import keep
from gnomon.log.segments.tail import read_position
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.feed.attempt import Attempt
from tests.packing import HALF_MORE, Pack, times
from tests.shadow.feeding import SLICE, FeedProcess, Requests, records, row, wait_for


@pytest.fixture
def shadow(pack: Pack) -> Artifact:
    return inspect(pack(HALF_MORE))


@pytest.fixture
def requests(settings: Settings, pack: Pack) -> Requests:
    return Requests(settings, inspect(pack(times(1.0))))


def own_folder(settings: Settings, shadow: Artifact) -> Path:
    return stream_folder(settings, shadow.name, SLICE, shadow_stream(shadow.version))


def test_some_rows_are_scored_in_batches_as_live_had_them(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Live answered each request alone, so times are comparable once there are enough of them.

    Without a deciding output, no row is counted as not flipping.
    """
    requests.answer(*[row(1.0)] * 110)
    with FeedProcess(settings, shadow) as feed:
        feed.caught_up(110)
    found = records(settings, shadow)
    assert [r["batch_rows"] for r in found] == [1] * 100 + [10] * 10
    assert {r["flipped"] for r in found} == {None}


def test_every_answered_row_gets_one_record(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Rows are scored by the shadow, compared with live's answer and recorded with their source."""
    first = requests.answer(row(1.0), {"rows": [row(2.0), row(10.0)]})
    requests.answer(row(3.0), outcome="failed")
    with FeedProcess(settings, shadow) as feed:
        assert feed.caught_up(3).scored == 3
        requests.rotate()
        second = requests.answer(row(4.0))
        end = requests.position
        report = feed.caught_up(4)
    found = records(settings, shadow)
    assert [(r["request_id"], r["row"]) for r in found] == [
        (first[0], 0), (first[1], 0), (first[1], 1), (second[0], 0),
    ]  # fmt: skip
    assert [r["output_prediction"] for r in found] == pytest.approx([1.0, 2.0, 15.0, 4.0])
    assert [r["input_x"] for r in found] == [1.0, 2.0, 10.0, 4.0]
    assert [r["agreed"] for r in found] == [True, True, False, True]
    assert found[2]["difference"] == pytest.approx(5.0)
    assert {r["artifact"] for r in found} == {shadow.tag}
    assert {r["against"] for r in found} == {requests.live.tag}
    assert {(r["role"], r["outcome"], r["epoch"], r["raw"]) for r in found} == {
        ("shadow", "scored", 2, None)
    }
    assert (found[3]["source_segment"], found[3]["source_end"]) == (end.segment, end.offset)
    assert (report.compared, report.disagreed) == (4, 1)
    assert report.difference == pytest.approx(5 / 4)
    assert report.latency_ms is not None
    assert report.latency_ms.p50 <= report.latency_ms.p99


def test_bad_rows_fail_alone_and_with_their_reason(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Refused by the contract, failed in the pipeline, crashed the worker: each row by itself."""
    requests.answer(
        row(1.0), row(-1.0), row(-666.0), {"x": "one", "id": "e"}, {"x": 2.0, "id": "e", "new": 1}
    )
    with FeedProcess(settings, shadow) as feed:
        report = feed.caught_up(5)
    assert (report.scored, report.failed) == (2, 3)
    found = records(settings, shadow)
    assert [r["outcome"] for r in found] == ["scored", "failed", "crashed", "failed", "scored"]
    assert [r["error_code"] for r in found] == [
        None, "prediction_failed", "prediction_failed", "invalid_request", None,
    ]  # fmt: skip
    assert "negative x" in found[1]["error"]
    assert found[2]["error"].startswith("crashed:")
    assert "$.x" in found[3]["error"]
    assert found[4]["unknown"] == ["new"]
    assert [r["agreed"] for r in found] == [True, None, None, None, True]


@pytest.mark.slow
def test_a_shadow_that_only_crashes_rests_and_goes_on(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Every death costs a new process: after more deaths in a row than one bad row explains, the
    feed reports it and pauses before the next.
    """
    requests.answer(*[row(-666.0)] * 10)
    with FeedProcess(settings, shadow) as feed:
        resting = feed.reports(lambda p: p.error is not None)
        assert "times in a row" in (resting.error or "")
        requests.answer(row(1.0), row(2.0))
        report = feed.caught_up(12)
    assert (report.scored, report.failed, report.error) == (2, 10, None)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_feed_goes_on_exactly_where_it_was(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Killed again and again at work, a feed records each row once, and its counts add up."""
    batches = 40
    for batch in range(batches):
        requests.answer(*(row(float(batch % 9), f"e{batch}-{i}") for i in range(5)))
    small = msgspec.structs.replace(settings, batch_rows=5)
    for life in range(2):
        feed = FeedProcess(small, shadow, since="0:0" if life == 0 else requests.position)
        seen = len(records(settings, shadow))
        wait_for(lambda seen=seen: len(records(settings, shadow)) > seen)
        feed.kill()
    with FeedProcess(small, shadow, since=requests.position) as feed:
        report = feed.caught_up(batches * 5)
    found = records(settings, shadow)
    assert len(found) == len({r["request_id"] for r in found}) == batches * 5
    assert report.scored == batches * 5
    assert report.disagreed == sum(not r["agreed"] for r in found)
    accounts = balance(InferenceLog(settings, "toy"))
    assert accounts.balanced, accounts.explain()
    assert accounts.shadows[0].scored == batches * 5


def test_a_new_run_begins_where_the_requests_are_now(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Rows logged before a shadow was started, or while it was stopped, are not eligible."""
    requests.answer(row(1.0))
    first = requests.position
    requests.answer(row(2.0))
    with FeedProcess(settings, shadow, since=first) as feed:
        feed.caught_up(1)
    requests.answer(row(3.0))
    again = requests.position
    requests.answer(row(4.0))
    with FeedProcess(settings, shadow, since=again, epoch=4) as feed:
        assert feed.caught_up(1).scored == 1
    assert [(r["input_x"], r["epoch"]) for r in records(settings, shadow)] == [(2.0, 2), (4.0, 4)]


def test_sampling_keeps_entities_whole(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Every row of the sampled entities is scored, and none of the others; segments with only
    others are skipped, so that they can be sealed.
    """
    entities = [f"e{i}" for i in range(40)]
    for _ in range(3):
        requests.answer(*(row(1.0, entity) for entity in entities))
    sample = {e for e, kept in zip(entities, keep(entities, 0.3), strict=True) if kept}
    with FeedProcess(settings, shadow, fraction=0.3) as feed:
        feed.caught_up(3 * len(sample))
        for _ in range(2):
            requests.rotate()
            requests.answer(*(row(1.0, entity) for entity in entities if entity not in sample))
        place = own_folder(settings, shadow)
        wait_for(lambda: read_position(place).sequence == requests.position.sequence)
    found = [r["input_id"] for r in records(settings, shadow)]
    assert sorted(found) == sorted(3 * list(sample))


def test_a_feed_ends_when_its_socket_closes_and_not_on_a_signal(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """A stopping server signals everyone; a feed leaves only when its socket closes."""
    with FeedProcess(settings, shadow) as feed:
        worker = feed.reports(lambda p: p.worker is not None).worker
        assert psutil.Process(feed.process.pid).nice() >= min(os.nice(0) + 10, 19)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(feed.process.pid, number)
        requests.answer(row(1.0))
        assert feed.caught_up(1).scored == 1
        assert feed.close() == 0
    wait_for(lambda: not psutil.pid_exists(worker or 0))


def test_a_stopped_feeds_lag_is_counted_to_the_row(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """While one batch hangs, the waiting rows are counted, and reports continue."""
    requests.answer(row(-999.0))
    for _ in range(3):
        requests.answer(row(1.0), row(2.0))
    with FeedProcess(msgspec.structs.replace(settings, batch_rows=1), shadow) as feed:
        first = feed.reports(lambda p: p.lagging == 7)
        assert first.scored == 0
        requests.answer(row(1.0))
        then = feed.reports(lambda p: p.lagging == 8)
    assert then.count_eligible() == 8
    assert then.behind_seconds > first.behind_seconds > 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_request_that_kills_the_feed_is_given_up(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """After two deaths on a batch its requests are tried alone; the one that kills is recorded."""
    _, poison, _ = requests.answer(row(1.0), row(-999.0), row(2.0))
    requests.answer(row(4.0), row(5.0), row(6.0), row(7.0))
    written = own_folder(settings, shadow) / "attempt.json"

    def attempt() -> tuple[str | None, int]:
        found = msgspec.json.decode(written.read_bytes(), type=Attempt)
        return found.suspect, found.tries

    for death in ((None, 1), (None, 2), (poison, 1), (poison, 2)):
        # Its worker hangs on -999; that is when this feed "dies of it".
        feed = FeedProcess(settings, shadow)
        wait_for(lambda death=death: written.exists() and attempt() == death)
        feed.kill()
    with FeedProcess(settings, shadow) as feed:
        report = feed.caught_up(7)
    assert (report.scored, report.failed) == (6, 1)
    found = records(settings, shadow)
    assert [r["outcome"] for r in found] == ["scored", "crashed"] + ["scored"] * 5
    assert found[1]["request_id"] == poison
    assert "ended the shadow feed 2 times" in found[1]["error"]


def test_an_artifact_that_will_not_start_is_said_and_its_rows_lag(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """Without a worker the feed reports why and counts the waiting rows."""
    requests.answer(row(1.0), row(2.0))
    impatient = msgspec.structs.replace(settings, worker_start_seconds=0.001)
    with FeedProcess(impatient, shadow) as feed:
        report = feed.reports(lambda p: p.error is not None and p.lagging == 2)
    assert "no worker became ready" in (report.error or "")


def test_answers_that_do_not_compare_are_scored_and_the_reason_is_said(
    settings: Settings, requests: Requests, shadow: Artifact, pack: Pack
) -> None:
    """Live answers words and the shadow numbers: no row agrees or disagrees."""
    words = Requests(settings, inspect(pack(times(1.0))), slice_name="words", words=True)
    words.answer(row(1.0))
    with FeedProcess(settings, shadow, slice_name="words") as feed:
        report = feed.reports(lambda p: p.scored == 1 and p.error is not None)
    assert report.compared == 0
    assert "cannot compare `string` with `double`" in (report.error or "")


@pytest.mark.slow
def test_an_artifact_that_is_not_there_is_waited_for(
    settings: Settings, requests: Requests, shadow: Artifact, own_home: Path
) -> None:
    """The feed reports it, counts its rows from the start, also after a kill, and scores all of
    them when the artifact is there.
    """
    entities = [f"e{i}" for i in range(20)]
    sample = int(keep(entities, 0.3).sum())
    requests.answer(row(1.0))
    since = requests.position
    elsewhere = own_home / "elsewhere"
    shadow.path.rename(elsewhere)
    for life in range(2):
        requests.answer(*(row(float(i), entity) for i, entity in enumerate(entities)))
        now = since if life == 0 else requests.position
        with FeedProcess(settings, shadow, since=now, fraction=0.3) as feed:
            report = feed.reports(lambda p: p.error is not None)
            assert shadow.version in (report.error or "")
            feed.reports(lambda p, most=(life + 1) * sample: p.lagging == most)
            feed.kill()
    accounts = balance(InferenceLog(settings, "toy"))
    assert accounts.balanced, accounts.explain()
    assert accounts.shadows[0].lagging == 2 * sample
    with FeedProcess(settings, shadow, since=requests.position, fraction=0.3) as feed:
        feed.reports(lambda p: p.behind_seconds > 0)
        elsewhere.rename(shadow.path)
        report = feed.caught_up(2 * sample)
    assert (report.scored, report.behind_seconds, report.error) == (2 * sample, 0.0, None)


def test_a_damaged_artifact_is_said(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """The report says what is wrong and where."""
    (shadow.path / "contract.json").write_text("{}")
    with FeedProcess(settings, shadow) as feed:
        report = feed.reports(lambda p: p.error is not None)
        assert "contract.json" in (report.error or "")


def test_a_stopped_worker_ends_with_its_feed(
    settings: Settings, requests: Requests, shadow: Artifact
) -> None:
    """The worker of a feed that ends is ended, whatever it does."""
    requests.answer(row(-999.0))
    with FeedProcess(settings, shadow) as feed:
        worker = psutil.Process(feed.reports(lambda p: p.worker is not None).worker)
        (scorer,) = worker.children()
        worker.suspend()
    psutil.wait_procs([worker, scorer], timeout=10)
    assert not worker.is_running()
    assert not scorer.is_running()
