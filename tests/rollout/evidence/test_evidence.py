from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gnomon.log import InferenceLog
from gnomon.rollout.evidence.evidence import Evidence, gather
from gnomon.settings import Settings
from tests.shadow.evidence import LIVE, SHADOW, log_live, log_shadow


def gathered(settings: Settings, **more: Any) -> Evidence:
    start = datetime.now(UTC) - timedelta(minutes=5)
    with InferenceLog(settings, "toy").snapshot() as log:
        return gather(log, shadow=SHADOW, live=LIVE, epoch=2, start=start, **more)


def test_rows_are_counted_by_what_became_of_them(settings: Settings) -> None:
    """Scored, failed, compared, disagreed and flipped, with the reasons and the worst rows."""
    log_live(settings, 1)
    log_shadow(settings, agreed=30, disagreed=20, flipped=3, failed=2)
    found = gathered(settings).shadow
    assert (found.scored, found.failed, found.compared) == (53, 2, 53)
    assert (found.disagreed, found.flipped) == (23, 3)
    assert found.errors == {"prediction_failed": 2}
    assert [row.flipped for row in found.worst] == [True] * 3 + [False] * 7
    assert [row.difference for row in found.worst] == pytest.approx([0.1] * 3 + [0.2] * 7)
    assert len({row.request_id for row in found.worst}) == 10


def test_only_this_run_against_this_live_counts(settings: Settings) -> None:
    """An earlier run of the shadow, or rows compared with another live artifact, do not count."""
    log_live(settings, 1)
    log_shadow(settings, agreed=1)
    log_shadow(settings, disagreed=10, epoch=1)
    log_shadow(settings, disagreed=10, against="toy:old")
    found = gathered(settings)
    assert (found.shadow.scored, found.shadow.disagreed) == (1, 0)


def test_live_against_itself_is_the_noise(settings: Settings) -> None:
    """An A/A shadow's rows are the noise floor: in the time of the shadow, of whatever run, as the
    shadow's rows beside this live artifact count before and after a rollback to it.
    """
    before, since = (datetime.now(UTC) - timedelta(minutes=minutes) for minutes in (6, 4))
    log_live(settings, 1)
    log_shadow(settings, agreed=1)
    log_shadow(settings, disagreed=20, artifact=LIVE, epoch=1, arrived=before)
    log_shadow(settings, agreed=1, disagreed=1, artifact=LIVE, epoch=2, arrived=since)
    log_shadow(settings, agreed=1, artifact=LIVE, epoch=6)
    log_shadow(settings, disagreed=1, artifact=LIVE, against="toy:between", epoch=6)
    noise = gathered(settings).noise
    assert (noise.compared, noise.disagreed) == (3, 1)


def test_a_floor_that_fails_says_why(settings: Settings) -> None:
    """The first error stands for the others."""
    log_live(settings, 1)
    log_shadow(settings, agreed=1)
    assert gathered(settings).noise_error is None
    log_shadow(settings, failed=3, artifact=LIVE)
    found = gathered(settings)
    assert (found.noise.failed, found.noise_error) == (3, "no")


def test_times_are_told_apart_by_batch_size(settings: Settings) -> None:
    """A batch of hundreds takes longer than one of one; they are no comparison."""
    log_live(settings, 3, scored_us=1_000)
    log_live(settings, 5, scored_us=9_000, batch_rows=300)
    log_live(settings, 2, scored_us=1, outcome="failed")
    log_shadow(settings, agreed=4, scored_us=2_000)
    found = gathered(settings)
    live, shadow = found.live_times, found.times
    assert {size: live.rows(size) for size in live} == {0: 3, 8: 5}
    assert live.median(8) == pytest.approx(9_000, rel=0.01)
    assert {size: shadow.rows(size) for size in shadow} == {0: 4}


def test_rows_are_counted_by_entity(settings: Settings) -> None:
    """With an entity key each entity is a unit: 20 rows of one customer are one share."""
    log_live(settings, 1)
    first = datetime.now(UTC) - timedelta(seconds=1)
    log_shadow(settings, agreed=6, customers=6, arrived=first)
    log_shadow(settings, agreed=84, disagreed=10, failed=20, customers=6)
    log_shadow(settings, agreed=5, disagreed=5, artifact=LIVE, customers=2)
    found = gathered(settings, entity_key=("customer",))
    disagreed = found.shadow.share("disagreed", "compared")
    assert str(disagreed) == "10 of 100 rows (6 entities, each by its first request)"
    (units,) = disagreed.units
    assert units.values.tolist() == [0] * 6  # All agreed at first.
    assert units.rows_each == pytest.approx(100 / 6)
    assert found.shadow.share("failed", "done").bad == 20
    assert str(found.noise.share("disagreed", "compared")) == (
        "5 of 10 rows (2 entities, each by its first request)"
    )


def test_a_key_that_is_not_logged_leaves_requests(settings: Settings) -> None:
    """No row has the feature, so no row can be told to be of an entity; here each request has one
    row.
    """
    log_live(settings, 1)
    log_shadow(settings, agreed=3)
    share = gathered(settings, entity_key=("nobody",)).shadow.share("failed", "done")
    assert (share.units, share.rows) == ((), 3)


def test_later_the_rows_of_before_are_settled(settings: Settings) -> None:
    """Those of the present stage count only for entities that are new."""
    now = datetime.now(UTC)
    log_live(settings, 1)
    log_shadow(settings, agreed=10, customers=10, arrived=now - timedelta(days=1.5))
    log_shadow(settings, disagreed=10, customers=10, arrived=now - timedelta(hours=1))
    log_shadow(settings, disagreed=12, customers=12, arrived=now)
    start = now - timedelta(days=2)
    with InferenceLog(settings, "toy").snapshot() as log:
        found = gather(
            log, shadow=SHADOW, live=LIVE, epoch=2, start=start, entity_key=("customer",)
        ).shadow
    share = found.share("disagreed", "compared")
    assert share.error_part == 1 / 56
    assert share.settles is not None
    (units,) = share.units
    assert sorted(units.values) == [0] * 10 + [1] * 2
    assert "12 entities, settled after 1.33 days" in str(share)


def test_the_rate_is_measured_since_the_present_artifact_is_live(settings: Settings) -> None:
    """Rows beside the one before are no evidence, so the time in which they came is none."""
    now = datetime.now(UTC)
    log_live(settings, 60)
    log_shadow(settings, agreed=60, arrived=now)
    start = now - timedelta(hours=1)
    with InferenceLog(settings, "toy").snapshot() as log:
        run = {"shadow": SHADOW, "live": LIVE, "epoch": 2, "start": start}
        whole = gather(log, **run)
        since = gather(log, **run, live_at=now - timedelta(seconds=60))
    assert whole.traffic is not None
    assert whole.traffic.rate == pytest.approx(0.1, rel=0.1)
    assert since.traffic is not None
    assert since.traffic.rate == pytest.approx(1, rel=0.1)
