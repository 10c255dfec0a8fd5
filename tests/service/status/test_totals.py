"""The totals over all slices."""

from __future__ import annotations

from datetime import UTC, datetime

from gnomon.service.status.slice_status import (
    Latency,
    LiveStatus,
    RowAccounts,
    ShadowStatus,
    Status,
)
from gnomon.service.status.totals import total
from gnomon.shadow.shadow_counts import CountsBeside

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def a_slice(number: int, **more: object) -> Status:
    defaults = {
        "model": "flights",
        "slice": f"host-{number}",
        "ready": True,
        "started": STARTED.replace(day=number),
        "epoch": 2 + number,
        "live": LiveStatus(artifact="flights:one", latency_ms=Latency(p50=number, p99=10 * number)),
        "accounts": RowAccounts(
            received=10 * number,
            answered=10 * number,
            reasons={"shed:overloaded": 1},
            outside={"x": number},
            unknown={f"f{number}": 1},
        ),
    }
    return Status(**{**defaults, **more})  # type: ignore[arg-type]


def test_counts_are_added_and_the_worst_is_told() -> None:
    """The sums over the slices; the slowest time, the oldest start, the lowest epoch."""
    status = total([a_slice(1), a_slice(2)])
    assert (status.slice, status.ready, status.error) == (None, True, None)
    assert (status.started, status.epoch) == (STARTED, 3)
    assert (status.accounts.received, status.accounts.reasons) == (30, {"shed:overloaded": 2})
    assert (status.accounts.outside, status.accounts.unknown) == ({"x": 3}, {"f1": 1, "f2": 1})
    assert status.live is not None
    assert status.live.latency_ms == Latency(p50=2, p99=20)


def test_the_total_of_one_slice_is_its_status() -> None:
    """Only its name differs."""
    alone = a_slice(1, error="no file")
    assert total([alone]) == Status(**{**_fields(alone), "slice": None})


def test_the_noise_floor_is_added_up() -> None:
    """Of the slices that measure it, if these serve the same artifact."""
    floor = ShadowStatus(artifact="flights:one", eligible=7, compared=7, disagreed=1)
    other = ShadowStatus(artifact="flights:other", eligible=1)
    slices = [a_slice(1), *(a_slice(2, noise_floor=part) for part in (floor, other, floor))]
    found = total(slices).noise_floor
    assert found is not None
    assert (found.artifact, found.compared, found.disagreed) == ("flights:one", 14, 2)
    assert total([a_slice(1)]).noise_floor is None


def test_shadows_are_added_up_by_tag() -> None:
    """One that fails in one slice fails; it is as far behind as in the slowest."""
    running = ShadowStatus(artifact="flights:two", eligible=7, scored=5, lagging=2, disagreed=1)
    failing = ShadowStatus(
        artifact="flights:two", eligible=3, lagging=3, state="failing", error="no such artifact",
        behind_seconds=9.5,
    )  # fmt: skip
    (shadow,) = total([a_slice(1, shadows=(running,)), a_slice(2, shadows=(failing,))]).shadows
    assert (shadow.eligible, shadow.scored, shadow.lagging, shadow.disagreed) == (10, 5, 5, 1)
    assert (shadow.state, shadow.error) == ("failing", "no such artifact")
    assert (shadow.behind_seconds, shadow.fraction) == (9.5, 1.0)


def test_comparisons_with_another_live_artifact_are_not_added_up() -> None:
    """Of a slice that cannot load the new one; what it scored beside the new one counts."""
    new, old = CountsBeside(scored=4, compared=4, disagreed=1), CountsBeside(scored=9, compared=9)
    behind = ShadowStatus(
        artifact="flights:two",
        scored=13,
        compared=9,
        against={"flights:one": new, "flights:0": old},
    )
    ahead = ShadowStatus(
        artifact="flights:two", scored=4, compared=4, disagreed=1, against={"flights:one": new}
    )
    slices = [
        a_slice(1, shadows=(ahead,)),
        a_slice(2, shadows=(behind,), live=LiveStatus(artifact="flights:0")),
    ]
    (shadow,) = total(slices).shadows
    assert (shadow.scored, shadow.compared, shadow.disagreed) == (17, 8, 2)


def test_slices_that_differ_are_named() -> None:
    """Another live artifact, or an error, is reported with its slice."""
    other = a_slice(2, live=LiveStatus(artifact="flights:two"), ready=False, error="disk full")
    status = total([a_slice(1), other])
    assert not status.ready
    assert status.error == (
        "host-2: disk full; the slices do not serve the same artifact: "
        "host-1 flights:one, host-2 flights:two"
    )


def _fields(status: Status) -> dict[str, object]:
    return {name: getattr(status, name) for name in status.__struct_fields__}
