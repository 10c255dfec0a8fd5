"""The status command, and what it shows of a deployment: several slices, and gone ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from gnomon.cli.console import local
from gnomon.cli.show.status import show_status
from gnomon.cli.status import RecentGates
from gnomon.policy import Policy
from gnomon.rollout.gate import Gates
from gnomon.service.status.deployment_overview import Overview
from gnomon.service.status.proposal_status import ProposalStatus
from gnomon.service.status.slice_status import LiveStatus, RowAccounts, ShadowStatus, Status
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat, ShadowBeat
from gnomon.shadow.shadow_counts import CountsBeside, OpenGate
from gnomon.storage import Storage
from tests.cli.running import Shell
from tests.packing import Pack, times

NOW = datetime.now(UTC)


@pytest.fixture
def deployment(shell: Shell, pack: Pack) -> tuple[Storage, str]:
    """A live artifact and a shadow; the storage root, and the shadow's tag."""
    live, shadow = pack(times(2)), pack(times(3))
    shell("promote", live)
    shell("shadow", "start", shadow)
    return Storage(Settings(root=str(shell.folder / ".gnomon"))), shadow


def beat(storage: Storage, name: str, shadow: ShadowBeat, **more: Any) -> None:
    """A slice's heartbeat; a slice that has been silent for long is gone."""
    defaults = {
        "model": "toy", "slice": name, "host": "machine", "pid": 1, "started": NOW, "epoch": 2,
        "live": "toy:live", "shadows": (shadow,), "accounts": {"received": 10, "answered": 10},
    }  # fmt: skip
    heartbeats.write(storage, Heartbeat(**{**defaults, **more}))


def test_slices_are_summed_and_gone_ones_are_named(
    shell: Shell, deployment: tuple[Storage, str]
) -> None:
    """Every running slice counts; a gone one is listed with the time and its waiting rows."""
    storage, tag = deployment
    shadow_beat = ShadowBeat(artifact=tag, epoch=2, scored=7, lagging=2, compared=7, disagreed=1)
    beat(storage, "one", shadow_beat)
    beat(storage, "two", shadow_beat)
    ago = NOW - timedelta(hours=3)
    beat(storage, "three", ShadowBeat(artifact=tag, epoch=2, lagging=1203), updated=ago)
    beat(storage, "four", ShadowBeat(artifact=tag, epoch=1, lagging=5), ended=True)
    text = shell("status").out
    assert "2 slices" in text
    assert "20 rows received: 20 answered" in text
    assert "14 of 18 rows scored" in text
    assert "of 14 rows disagree" in text
    assert f"three on machine  for 3 h, since {ago.astimezone():%Y-%m-%d %H:%M:%S}" in text
    assert f"1,203 rows wait for {tag}" in text
    assert "5 rows wait" not in text
    overview = shell("status", "--json").json
    assert [entry["slice"] for entry in overview["slices"]] == ["one", "two"]
    assert [(entry["slice"], entry["waiting"]) for entry in overview["gone"]] == [
        ("four", {}),
        ("three", {tag: 1203}),
    ]
    assert overview["total"]["shadows"][0]["lagging"] == 4


def test_a_slice_that_ends_is_kept_only_while_rows_wait_there(
    deployment: tuple[Storage, str],
) -> None:
    """A slice without waiting rows is removed from the list."""
    storage, tag = deployment
    started = {"model": "toy", "host": "h", "pid": 1, "started": NOW}
    for name, lagging in (("done", 0), ("behind", 3)):
        shadow = ShadowBeat(artifact=tag, epoch=2, lagging=lagging)
        heartbeats.end(storage, Heartbeat(slice=name, shadows=(shadow,), **started))  # type: ignore[arg-type]
    (left,) = heartbeats.read(storage, "toy")
    assert (left.slice, left.is_stale()) == ("behind", True)


def test_files_that_cannot_be_read_are_named(shell: Shell, deployment: tuple[Storage, str]) -> None:
    """A slice of a newer version may be running; a damaged report does not mean that the slice is
    gone.
    """
    storage, tag = deployment
    beat(storage, "one", ShadowBeat(artifact=tag, epoch=2))
    storage.write("slices/toy/two.json", b'{"format": 2}')
    storage.write("slices/toy/three.json", b"")
    text = shell("status").out.replace("\n", " ")
    assert "slice one" in text
    assert "this heartbeat has format 2;" in text
    assert "slices/toy/two.json" in text
    assert "not a heartbeat: the file is empty (0 bytes) at slices/toy/three.json" in text
    assert len(shell("status", "--json").json["problems"]) == 2


def test_the_noise_floor_is_shown_apart_from_the_shadows(
    shell: Shell, deployment: tuple[Storage, str]
) -> None:
    """Of all slices that measure it; it is no shadow that can be promoted or stopped."""
    storage, tag = deployment
    live = shell("status", "--json").json["total"]["live"]["artifact"]
    shadow = ShadowBeat(artifact=tag, epoch=2, scored=7, compared=7)
    floor = ShadowBeat(artifact=live, epoch=2, scored=600, compared=600, disagreed=3, lagging=1)
    for name in ("one", "two"):
        beat(storage, name, shadow, live=live, shadows=(shadow, floor), noise_floor=0.05)
    text = shell("status").out
    assert "noise     live scores 0.05 of the traffic twice  running" in text
    assert "1,200 of 1,202 rows scored, none failed, 2 behind" in text
    assert "noise floor 0.5% of 1,200 rows" in text
    status = shell("status", "--json").json["total"]
    assert [shown["artifact"] for shown in status["shadows"]] == [tag]
    assert (status["noise_floor"]["artifact"], status["noise_floor"]["fraction"]) == (live, 0.05)


def test_a_lost_history_is_an_error(shell: Shell, deployment: tuple[Storage, str]) -> None:
    """The folder of events is gone, but other records say that there were some."""
    storage, _ = deployment
    for name in storage.names("rollout"):
        storage.remove(name)
    for command in (("history",), ("promote", "toy:latest", "--force"), ("rollback",)):
        message = shell(*command, expect=2).err.replace("\n", " ")
        assert "heads/toy.json says that there were 2" in message
    text = shell("status").out.replace("\n", " ")
    assert "not ready" in text
    assert "missing: 000000.json, 000001.json" in text
    assert storage.names("rollout") == []


def test_what_a_promotion_waits_for_is_named() -> None:
    """A line for each gate that is not decided, with what decides it and when."""
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    waits = OpenGate(
        gate="rows", says="4 rows; needs 6 more, in about 3 s", rows=6, seconds=3.0, counted=at
    )
    shadow = ShadowStatus(artifact="toy:b", open_gates=(waits,))
    status = Status(model="toy", ready=True, shadows=(shadow,))
    shown = re.sub(r"\[/?\w*\]", "", show_status(Overview(place="here", slices=[status])))
    assert "? rows: 4 rows; needs 6 more, in about 3 s" in shown
    assert f"those with ? are by what servers reported at {local(at)}" in shown


def test_rows_beside_another_live_artifact_are_told_apart() -> None:
    """After a promotion; and one row is one row."""
    one = CountsBeside(scored=1, compared=1)
    shadow = ShadowStatus(
        artifact="toy:c", eligible=5, scored=5, compared=1,
        against={"toy:a": CountsBeside(scored=4, compared=4), "toy:b": one},
    )  # fmt: skip
    live = LiveStatus(artifact="toy:b")
    shown = [
        show_status(Overview(place="here", slices=[each]))
        for each in (
            Status(model="toy", ready=True, live=live, shadows=(shadow,)),
            Status(
                model="toy",
                ready=True,
                live=live,
                shadows=(structs.replace(shadow, eligible=1, scored=1, against={"toy:b": one}),),
            ),
        )
    ]
    assert "1 of them beside toy:b, which is live now: the gates count only these" in shown[0]
    assert "0% of 1 row disagrees with live\n" in shown[0] + "\n"
    assert "beside" not in shown[1]
    assert "1 of 1 row scored" in shown[1]


def test_what_was_wrong_with_rows_is_named() -> None:
    """They are named by error code, feature and field; the most frequent ones are shown."""
    books = RowAccounts(
        received=20,
        answered=9,
        rejected=11,
        reasons={"rejected:invalid_request": 9, "rejected:malformed_request": 2},
        outside={"origin": 3},
        unknown={f"[red]f{number}": number for number in range(1, 8)},
    )
    status = Status(model="flights", ready=True, accounts=books)
    shown = show_status(Overview(place="here", slices=[status]))
    assert "not answered: rejected invalid_request 9, rejected malformed_request 2" in shown
    assert "training did not see: origin 3" in shown
    assert r"does not know: \[red]f7 7, \[red]f6 6" in shown
    assert "and 2 more" in shown


def test_without_a_log_the_status_is_shown_and_why_there_are_no_gates(
    shell: Shell, deployment: tuple[Storage, str]
) -> None:
    """On the screen and as JSON, with the error that `promote --check` has."""
    _, tag = deployment
    text = shell("status", "--gates").out
    assert re.search(r"servers reported by [-\d: ]+; the gates were evaluated on the log at", text)
    assert f"gates of {tag}: there is no log of a model `toy`" in text
    answer = shell("status", "--gates", "--json").json
    assert answer["gates_evaluated"]
    (gates,) = answer["gates"]
    assert gates["artifact"] == tag
    assert "there is no log" in gates["error"]


def test_gates_are_those_of_a_promotion(
    monkeypatch: pytest.MonkeyPatch, shell: Shell, deployment: tuple[Storage, str]
) -> None:
    """Each shadow's are evaluated as for `promote --check`, but not those of live itself."""
    asked = []

    def check(settings: Settings, model: str, tag: str, policy: Policy) -> Gates:
        asked.append((tag, policy))
        return Gates(artifact=tag, live="toy:1", gates=())

    monkeypatch.setattr("gnomon.api.shadow_gates.check", check)
    monkeypatch.chdir(shell.folder)
    monkeypatch.setenv("GNOMON_ROOT", ".gnomon")
    status = Status(
        model="toy",
        ready=True,
        live=LiveStatus(artifact="toy:1"),
        shadows=(ShadowStatus(artifact="toy:1"), ShadowStatus(artifact="toy:2")),
    )
    (gates,) = RecentGates(None).of(Overview(place="here", slices=[status]))
    assert (gates.artifact, asked) == ("toy:2", [("toy:2", Policy())])


def test_gates_are_evaluated_for_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second that it takes is followed by ten of rest."""
    clock = [0.0]
    evaluated_at = []

    def evaluated(self: RecentGates, overview: Overview) -> list[Gates]:
        evaluated_at.append(clock[0])
        clock[0] += 1
        return []

    monkeypatch.setattr(RecentGates, "_evaluated", evaluated)
    recent = RecentGates(None, clock=lambda: clock[0])
    for seconds in (0.0, 5.0, 10.9, 11.0):
        clock[0] = seconds
        recent.of(Overview(place="here", slices=[]))
    assert evaluated_at == [0.0, 11.0]


def test_a_proposal_says_that_it_is_forced_or_void() -> None:
    """Who approves it from this line must know both."""
    proposal = ProposalStatus(
        number=3, artifact="toy:2", forced=True, by="gus", authenticated="token gus",
        on_behalf_of=None, at=NOW, until=NOW + timedelta(hours=24), state="pending",
    )  # fmt: skip

    def shown(proposal: ProposalStatus) -> str:
        status = Status(model="toy", ready=True, proposals=(proposal,))
        return re.sub(r"\[/?\w*\]", "", show_status(Overview(place="here", slices=[status])))

    assert "toy:2, whatever its gates say, by gus" in shown(proposal)
    assert "whatever its gates say" not in shown(structs.replace(proposal, forced=False))
    void = structs.replace(proposal, state="void", void="the proposer's token was revoked")
    assert "nobody can approve it: the proposer's token was revoked" in shown(void)
    assert "may approve it" not in shown(void)
