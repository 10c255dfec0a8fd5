"""The commands of a rollout: shadow, promote, rollback, status and history."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat, ShadowBeat
from gnomon.storage import Storage
from tests.cli.conftest import Running
from tests.cli.running import Shell
from tests.packing import Pack, times
from tests.shadow.evidence import log_live, log_shadow


def test_a_rollout_without_a_server_is_recorded_in_the_storage_root(
    shell: Shell, pack: Pack
) -> None:
    """Every server of that root follows it when it starts."""
    one, two = pack(times(1)), pack(times(100))
    message = shell("promote", one, "--why", "the first").out.replace("\n", " ")
    assert f"{one} is recorded as live at .gnomon. It takes effect when a server" in message
    started = shell("shadow", "start", two, "--fraction", "0.25", "--json").json
    assert (started["kind"], started["fraction"]) == ("shadow_start", 0.25)
    assert "@" in started["by"]
    status = shell("status").out
    assert "not ready: no server is running" in status
    at_rest = shell("status", "--json").json
    assert all("books" not in each for each in (at_rest["total"], *at_rest["slices"]))
    assert "received" not in status  # The log may have rows; they are not counted here.
    assert "is recorded as no longer a shadow" in shell("shadow", "stop", two).out
    forced = shell("promote", two, "--force", "--why", "in a hurry")
    assert "though its gates did not pass" in forced.out
    at = shell("history", "--json").json[-1]["at"]
    assert f"{one} is recorded as live again" in shell("rollback").out.replace("\n", " ")
    decisions = [event["kind"] for event in shell("history", "--json").json]
    assert decisions == ["promote", "shadow_start", "shadow_stop", "promote", "rollback"]
    history = shell("history").out
    assert "in a hurry" in history
    assert f"made {two} live, forced: in a hurry" in history
    assert "@" in history
    shown = shell("history", "--last", "2").out
    assert "3 earlier decisions: gnomon history --last 5" in shown
    assert "started" not in shown
    assert len(shell("history", "--last", "2", "--json").json) == 2
    then = shell("history", "--at", at).out.replace("\n", " ")
    assert f"{two} answered at" in then
    assert f"made {two} live, forced: in a hurry" in then
    assert "in a hurry" in then
    assert "? no data" in then
    state = shell("history", "--at", at, "--json").json
    assert (state["live"], state["decision"]["why"]) == (two, "in a hurry")
    nothing = shell("history", "--at", "2020-01-01").out
    assert "Nothing was live at 2020-01-01 00:00:00; the first decision was at" in nothing
    future = shell("history", "--at", "2100-01-01").out
    assert "is in the future: this is as decided so far." in future
    assert "expected a time such as" in shell("history", "--at", "noon", expect=2).err


def test_a_promotion_needs_its_gates(shell: Shell, pack: Pack) -> None:
    """With no evidence it is refused; ``--check`` says why and changes nothing."""
    one, two = pack(times(1)), pack(times(100))
    shell("promote", one)
    refused = shell("promote", two, "--wait", "1000", expect=2)
    assert "may not replace" in refused.err
    assert f"gnomon shadow start {two}" in refused.err
    both = shell("promote", two, "--check", "--wait", "9", expect=2)
    assert "cannot be combined with --wait" in " ".join(both.err.replace("│", " ").split())
    checked = shell("promote", two, "--check", expect=1)
    assert "? no data" in checked.out
    assert f"It is not yet known whether {two} may replace {one}." in checked.out
    assert shell("promote", two, "--check", "--json", expect=1).json["verdict"] == "no_data"
    assert len(shell("history", "--json").json) == 1


def test_a_promotion_can_wait_for_its_evidence(shell: Shell, pack: Pack) -> None:
    """With ``--wait`` it retries until the gates pass, but not once one fails."""
    settings = Settings(root=str(shell.folder / ".gnomon"))
    one, two = pack(times(1)), pack(times(2))

    def in_shadow(artifact: str) -> int:
        """Start a shadow whose slice reports no lag; return the epoch."""
        shell("shadow", "start", artifact)
        epoch = len(shell("history", "--json").json)
        heard = datetime.now(UTC) + timedelta(minutes=5)
        beat = ShadowBeat(artifact=artifact, epoch=epoch, lagging=0)
        heartbeats.write(
            Storage(settings),
            Heartbeat(
                model="toy", slice="a", host="h", pid=1, started=heard, updated=heard,
                shadows=(beat,),
            ),
        )  # fmt: skip
        return epoch

    shell("promote", one)
    log_live(settings, 1_000, artifact=one)
    epoch = in_shadow(two)
    assert "--wait SECONDS" in shell("promote", two, expect=2).err
    with ThreadPoolExecutor(1) as elsewhere:
        asking = elsewhere.submit(shell, "promote", two, "--wait", "100", "--json")
        log_shadow(settings, agreed=1_000, artifact=two, against=one, epoch=epoch)
        assert asking.result().json["artifact"] == two
    epoch = in_shadow(one)
    log_shadow(settings, disagreed=1_000, artifact=one, against=two, epoch=epoch)
    assert "disagreement fail" in shell("promote", one, "--wait", "1000", expect=2).err


def test_the_live_artifact_is_its_own_shadow_only_when_asked(shell: Shell, pack: Pack) -> None:
    """``--same`` measures the noise floor."""
    one = pack(times(1))
    shell("promote", one)
    assert "add --same" in shell("shadow", "start", one, expect=2).err
    assert shell("shadow", "start", one, "--same", "--json").json["same"] is True


@pytest.mark.slow
def test_a_model_runs_on_the_preprocessing_of_another(shell: Shell, pack: Pack) -> None:
    """``--preprocessing``: the history says of which, and it cannot be promoted."""
    one, two = pack(times(1)), pack(times(100))
    shell("promote", one)
    started = shell("shadow", "start", two, "--preprocessing", one, "--json").json
    tag = started["artifact"]
    assert started["combination"]["preprocessing"]["tag"] == one
    text = shell("history").out.replace("\n", " ")
    assert f"the model of {two} with the preprocessing of {one}" in " ".join(text.split())
    status = " ".join(shell("status").out.split())
    assert f"the model of {two} with the preprocessing of {one}" in status
    refused = " ".join(shell("promote", tag, "--force", expect=2).err.split())
    assert f"promote {two}, or train a model on that preprocessing" in refused
    assert "combined of two" in " ".join(shell("artifacts").out.split())
    assert f"the preprocessing of {one}" in " ".join(shell("inspect", tag).out.split())


def test_the_policy_of_the_deployment_sets_the_sample(shell: Shell, pack: Pack) -> None:
    """``shadow/policy.toml`` beside the command, as a server has it."""
    one, two = pack(times(1)), pack(times(100))
    (shell.folder / "shadow").mkdir()
    (shell.folder / "shadow" / "policy.toml").write_text("[sampling]\nfraction = 0.125\n")
    shell("promote", one)
    assert shell("shadow", "start", two, "--json").json["fraction"] == 0.125


@pytest.mark.parametrize("command", [("status",), ("history",), ("rollback",)])
def test_an_empty_storage_root_is_a_plain_error(shell: Shell, command: tuple[str, ...]) -> None:
    """The error says where it looked and what to do, and the exit code is 2."""
    done = shell(*command, expect=2)
    lines = done.err.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["error", "at", "hint"]
    assert "GNOMON_ROOT" in done.err
    assert done.out == ""


def test_several_models_need_a_name(shell: Shell, pack: Pack) -> None:
    """The error lists them."""
    shell("promote", pack(times(1)))
    shell("promote", pack(times(1), "other"))
    assert "--model" in shell("status", expect=2).err
    assert "other:" in shell("status", "--model", "other").out


def test_an_unknown_artifact_is_told_the_known_ones(shell: Shell, pack: Pack) -> None:
    """The error lists them, as every command's does."""
    one = pack(times(1))
    assert one in shell("promote", "toy:nope", expect=2).err


def test_a_misspelt_setting_is_told_the_right_ones(shell: Shell) -> None:
    """Before anything is done."""
    assert "GNOMON_ROOT" in shell("status", expect=2, GNOMON_ROTO="x").err


@pytest.mark.slow
def test_commands_find_the_server_that_runs(running: Running) -> None:
    """They find it by the storage root: the address is in the heartbeat, the token in its file."""
    text = running.shell("status").out
    assert f"toy at {running.server.url}" in text
    assert re.search(r"(\d+) rows received: \1 answered", text)
    assert running.live in text
    assert re.search(r"(\d+) of \1 rows scored, none failed, 0 behind", text)
    assert re.search(r"100% of \d+ rows disagree with live", text)


@pytest.mark.slow
def test_a_status_for_programs(running: Running) -> None:
    """The same as over HTTP."""
    status = running.shell("status", "--json").json
    assert status["place"] == running.server.url
    [only] = status["slices"]
    assert only["live"]["artifact"] == running.live
    assert only["shadows"][0]["scored"] >= running.rows


@pytest.mark.slow
def test_a_server_is_asked_by_its_address_and_token(running: Running, tmp_path: Path) -> None:
    """Another machine has no access to the storage root."""
    token = (Path(running.server.settings.root) / "control.token").read_text().strip()
    elsewhere = Shell(tmp_path, {})
    words = ("history", "--json", "--url", running.server.url)
    assert "control.token" in elsewhere(*words, expect=2).err
    assert "invalid token" in elsewhere(*words, "--token", "wrong", expect=2).err
    assert elsewhere(*words, "--token", token).json[0]["artifact"] == running.live
    by_variable = elsewhere(
        "history",
        "--json",
        GNOMON_URL=running.server.url,
        GNOMON_CONTROL_TOKEN=token,
    )
    assert by_variable.json[0]["artifact"] == running.live


def test_a_server_that_is_not_there_is_a_plain_error(shell: Shell) -> None:
    """The error has the address that was tried."""
    done = shell("status", "--url", "http://127.0.0.1:9", expect=2)
    assert "http://127.0.0.1:9" in done.err


@pytest.mark.slow
def test_a_running_server_is_promoted_and_rolled_back(running: Running) -> None:
    """The command goes through the server, which answers with the new artifact once the command
    returns.
    """
    with running.server.client() as client:
        assert running.shell("promote", running.spare, expect=2).err.startswith("error:")
        running.shell("promote", running.spare, "--force", "--why", "twice as good")
        assert client.predict({"x": 3.0, "id": "e3"}).prediction == 6.0
        running.shell("rollback", "--why", "it was not")
        assert client.predict({"x": 3.0, "id": "e3"}).prediction == 3.0
        assert client.status().live.artifact == running.live
    last = running.shell("history", "--json").json[-1]
    assert (last["kind"], last["why"]) == ("rollback", "it was not")


def test_a_policy_that_names_no_output_is_refused(shell: Shell, pack: Pack) -> None:
    """A limit on flips would always pass, so starting the shadow and evaluating the gates fail."""
    one, two = pack(times(1)), pack(times(100))
    shell("promote", one)
    policy = shell.folder / "shadow/policy.toml"
    policy.parent.mkdir()

    def decide_on(output: str) -> None:
        policy.write_text(f'[decision]\noutput = "{output}"\nthreshold = 2\n[gates]\nmax_flips = 1')

    says = f"`{two}` has no output `predicton` to decide on"
    decide_on("predicton")
    assert says in shell("shadow", "start", two, expect=2).err.replace("\n", " ")
    decide_on("prediction")
    shell("shadow", "start", two)
    decide_on("predicton")
    for words in (("promote", two, "--check"), ("promote", two)):
        refused = shell(*words, expect=2).err.replace("\n", " ")
        assert says in refused
        assert "its outputs are prediction" in refused


def test_the_policy_of_the_deployment_sets_the_gates(shell: Shell, pack: Pack) -> None:
    """A promotion without a server uses the limits of ``shadow/policy.toml``."""
    settings = Settings(root=str(shell.folder / ".gnomon"))
    one, two = pack(times(1)), pack(times(2))
    shell("promote", one)
    shell("shadow", "start", two)
    log_live(settings, 800, artifact=one)
    log_shadow(settings, agreed=800, artifact=two, against=one)
    assert "1,000 are needed" in shell("promote", two, expect=2).err
    (shell.folder / "shadow").mkdir()
    policy = shell.folder / "shadow" / "policy.toml"
    policy.write_text('[gates]\nmin_rows = 100\nmin_coverage = "off"\nmax_lag_rows = "off"\n')
    assert shell("promote", two, "--json").json["forced"] is False
