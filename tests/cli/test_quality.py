"""The quality of shadows by labels that a running server has taken."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

import gnomon
from gnomon.cli.show.estimates import show_estimates
from gnomon.estimates import EstimatedChunk, QualityEstimate
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.estimates.quality_estimate import Reference
from tests.cli.conftest import Running, compared
from tests.load import until

pytestmark = pytest.mark.slow


class Labelled(NamedTuple):
    """A running server whose rows have labels.

    Attributes:
        running: the server.
        wanted: what `gnomon labels wanted` printed when 30 of 70 rows had one; live is right there.
        imported: what `gnomon labels import` said of three more, which it listed.
    """

    running: Running
    wanted: list[str]
    imported: dict[str, int]


@pytest.fixture(scope="module")
def labels(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """30 rows are labelled by a request, three by a file."""
    with running.server.client() as client:
        answers = [client.predict({"x": float(n), "id": f"q{n}"}) for n in range(1, 31)]
        given = [
            {"request_id": answer.request_id, "row": 0, "value": float(n)}
            for n, answer in enumerate(answers, 1)
        ]
        assert client.label(given).accepted == 30
        until(lambda: compared(client) >= 70, "the shadow has scored them", 60)
    wanted = running.shell("labels", "wanted", running.shadow, "--rows", "3").out
    header, *rows = wanted.strip().splitlines()
    file = tmp_path_factory.mktemp("labels") / "wanted.csv"
    file.write_text("\n".join([header, *(f"{row}7.5" for row in rows)]) + "\n")
    imported = running.shell("labels", "import", str(file), "--json").json
    return Labelled(running, [header, *rows], imported)


@pytest.fixture
def labelled(labels: Labelled) -> Running:
    """The server."""
    return labels.running


def test_each_running_shadow_is_compared_with_live(labelled: Running) -> None:
    """Both losses, the difference with its interval, and which rows count."""
    shell = labelled.shell
    report = shell("quality", "--json").json
    [shadow] = report["shadows"]
    assert (shadow["artifact"], shadow["live"]) == (labelled.shadow, labelled.live)
    absolute = shadow["metrics"][0]
    assert (absolute["metric"], absolute["rows"]) == ("absolute_error", 33)
    assert absolute["live"] < 5 < 50 < absolute["shadow"]
    assert absolute["interval"][0] > 0
    shown = shell("quality", labelled.shadow).out
    assert "33 of 70 rows that both answered have a label" in shown
    assert "absolute_error" in shown
    assert "of live's losses and 33 of the shadow's are above 63" in shown


def test_the_gate_of_a_promotion_is_judged_by_them(labelled: Running) -> None:
    """A policy with a limit refuses the worse shadow, and says on what."""
    policy = Path(labelled.shell.folder) / "by_labels.toml"
    policy.write_text("[quality]\nmax_increase = {absolute_error = 1.0}\n")
    done = labelled.shell(
        "promote", labelled.shadow, "--check", "--json", "--policy", str(policy), expect=1
    )
    gate = next(g for g in done.json["gates"] if g["name"] == "quality_absolute_error")
    assert gate["verdict"] == "fail"
    assert "on 33 labelled rows (33 entities)" in gate["says"]


def test_python_gives_the_same(labelled: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As structs, and as a frame."""
    monkeypatch.setenv("BENTOML_HOME", labelled.shell.environment["BENTOML_HOME"])
    report = gnomon.measure_quality(
        "toy", policy=gnomon.Policy(), settings=labelled.server.settings
    )
    assert report.shadows[0].metrics[0].rows == 33
    assert report.to_frame()["metric"].tolist() == ["absolute_error", "squared_error"]


def test_wanted_labels_are_filled_in_and_imported(labels: Labelled) -> None:
    """The rows on which the answers are farthest apart; a label makes a row no longer wanted."""
    header, *rows = labels.wanted
    assert header.replace('"', "") == (
        "request_id,row,arrived,id,live_prediction,shadow_prediction,effect,value"
    )
    assert (len(rows), labels.imported["stored"]) == (3, 3)
    running = labels.running
    again = running.shell("labels", "wanted", running.shadow, "--json").json
    done = {row.split(",")[0].strip('"') for row in rows}
    assert len(again) == 37
    assert done.isdisjoint(row["request_id"] for row in again)


def test_a_metric_that_there_is_not_is_an_error(labelled: Running) -> None:
    """With those that there are."""
    words = ["labels", "wanted", labelled.shadow, "--metric"]
    done = labelled.shell(*words, "brier", expect=2)
    assert "it needs probabilities of both" in done.err
    assert "absolute_error, squared_error" in done.err
    done = labelled.shell(*words, "foo", expect=2)
    assert "there is no metric `foo`; their metrics are absolute_error, squared_error" in done.err


def test_only_a_shadow_of_live_has_rows_that_both_answered(labelled: Running) -> None:
    """Nothing, with exit code 0, was the answer for live itself and for what never ran."""
    for at in ([], ["--url", labelled.server.url]):
        for words in (["quality"], ["labels", "wanted"]):
            done = labelled.shell(*words, labelled.live, *at, expect=2)
            assert "is live already, so there is nothing to judge it against" in done.err
            done = labelled.shell(*words, labelled.spare, *at, expect=2)
            assert f"was never a shadow of {labelled.live}, which is live" in done.err
            done = labelled.shell(*words, "toy:nope", *at, expect=2)
            assert labelled.live in done.err


def test_a_range_that_ends_before_it_starts_is_refused(labelled: Running) -> None:
    """At the command line as at a server."""
    for at in ([], ["--url", labelled.server.url]):
        for words in (
            ["quality", "--start", "2026-05-02", "--end", "2026-05-01"],
            ["promote", labelled.spare, "--check", "--on-history", "2026-05-02..2026-05-01"],
        ):
            done = labelled.shell(*words, *at, expect=2)
            assert "expected a range that ends after it starts" in done.err
    done = labelled.shell(
        "check", labelled.live, "--start", "2026-05-02", "--end", "2026-05-01", expect=2
    )
    assert "expected a range that ends after it starts" in done.err


def test_a_shadow_without_labels_says_so(labelled: Running) -> None:
    """Rows from before the labels: nothing is compared, and nothing fails."""
    shown = labelled.shell("quality", "--end", "2020-01-01").out
    assert "0 of 0 rows that both answered have a label" in shown


def test_an_artifact_is_judged_on_history_before_it_runs(labelled: Running, tmp_path: Path) -> None:
    """The spare, which never ran, answers two x: it is replayed, and its gates say so."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[gates]\nmin_rows = 10\n[quality]\nmax_increase = {absolute_error = 0.0}\n")
    words = ["promote", labelled.spare, "--check", "--policy", str(policy), "--json"]
    done = labelled.shell(*words, "--on-history", "..", expect=1)
    gates = {gate["name"]: gate for gate in done.json["gates"]}
    assert list(gates) == ["rows", "disagreement", "failed", "quality_absolute_error"]
    assert (gates["rows"]["value"], gates["disagreement"]["count"]) == (70, 70)
    assert gates["quality_absolute_error"]["verdict"] == "fail"
    none = labelled.shell(*words, "--on-history", "..2020-01-01", expect=1).json
    [rows] = none["gates"]
    assert (none["verdict"], rows["value"]) == ("no_data", 0)
    assert rows["says"].startswith(f"{labelled.live}, which is live, answered no row in this range")
    assert rows["awaits"]["says"].startswith("give a range between 20")


def test_a_server_replays_and_estimates_too(labelled: Running) -> None:
    """By its own policy, which is the default here, it says what the commands on the root say."""
    at = ["--url", labelled.server.url]
    for words in (
        ["promote", labelled.spare, "--check", "--on-history", "..2100-01-01"],
        ["quality", "--estimate", "--chunk", "2h"],
        ["quality", labelled.shadow, "--estimate"],
        ["labels", "wanted", labelled.shadow, "--rows", "3"],
    ):
        code = 1 if words[0] == "promote" else 0
        here, there = (
            labelled.shell(*words, *more, "--json", expect=code).json for more in ([], at)
        )
        assert there == here
    wanted = ["labels", "wanted", labelled.shadow, "--rows", "3"]
    assert labelled.shell(*wanted, *at).out == labelled.shell(*wanted).out
    done = labelled.shell(*wanted[:-1], "20000", *at, expect=2)
    assert 'expected `int` <= 10000, got "20000"' in done.err
    done = labelled.shell("quality", "--estimate", "--reference", "x.csv", *at, expect=2)
    assert "--reference cannot be used at a server" in done.err
    done = labelled.shell("promote", labelled.live, "--check", "--on-history", "..", *at, expect=2)
    assert "is live already, so there is nothing to judge it against" in done.err


def test_history_is_only_checked(labelled: Running) -> None:
    """Nothing is promoted on a replay; live itself is not judged."""
    done = labelled.shell("promote", labelled.spare, "--on-history", "..", expect=2)
    assert "--on-history needs --check" in done.err
    done = labelled.shell("promote", labelled.live, "--check", "--on-history", "..", expect=2)
    assert "is live" in done.err
    done = labelled.shell("promote", labelled.spare, "--check", "--on-history", "today", expect=2)
    assert "expected START..END" in done.err


ANY_DRIFT = "[drift]\n" + "".join(
    f"{name} = inf\n"
    for name in ("psi", "js", "ks", "wasserstein", "linf", "nulls", "new", "outside")
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 labelled rows: a label is above x by 2."""
    file = tmp_path_factory.mktemp("reference") / "reference.csv"
    rows = [f"{n % 60}.5,k{n},{n % 60 + 2.5}" for n in range(600)]
    file.write_text("\n".join(["x,id,late", *rows]) + "\n")
    return file


def test_quality_is_estimated_from_a_labelled_table(
    labelled: Running, reference: Path, tmp_path: Path
) -> None:
    """Of live and the shadow, from their own answers to it; live is off by 2, as there."""
    policy = tmp_path / "policy.toml"
    policy.write_text(ANY_DRIFT)
    words = ["quality", "--estimate", "--reference", str(reference), "--label", "late"]
    words += ["--chunk", "28d", "--policy", str(policy)]
    live, shadow = labelled.shell(*words, "--json").json["artifacts"]
    assert (live["artifact"], live["role"]) == (labelled.live, "live")
    assert (shadow["artifact"], shadow["role"]) == (labelled.shadow, "shadow")
    assert (live["method"], live["reference"]["rows"]) == ("DLE", 600)
    absolute = live["chunks"][-1]["metrics"][0]
    assert (absolute["metric"], round(absolute["estimate"], 1)) == ("absolute_error", 2.0)
    assert shadow["chunks"][-1]["metrics"][0]["estimate"] > 3
    shown = labelled.shell(*words).out
    assert f"{labelled.live}, live: estimated by DLE from 600 labelled rows of {reference}" in shown
    assert "No gate rests on them." in shown


def test_drifted_inputs_make_an_estimate_unknown(labelled: Running, reference: Path) -> None:
    """By the policy's limits; and the page of it says which."""
    words = ["quality", labelled.live, "--estimate", "--reference", str(reference)]
    shown = labelled.shell(*words, "--label", "late", "--chunk", "28d").out
    assert "UNKNOWN from" in shown
    assert "x" in shown


def test_few_labels_of_the_log_are_no_reference(labelled: Running) -> None:
    """It says how many there are, and how many are needed; a file may be given instead."""
    shown = labelled.shell("quality", "--estimate").out
    assert "UNKNOWN, the reference has 33 rows with a label; 500 are needed" in shown


def test_mistakes_about_estimates_are_explained(
    labelled: Running, reference: Path, tmp_path: Path
) -> None:
    """Options without --estimate, a column that is not there, a row that the contract refuses."""
    shell = labelled.shell
    assert "are for --estimate" in shell("quality", "--chunk", "1d", expect=2).err
    words = ["quality", "--estimate", "--reference"]
    done = shell(*words, str(reference), expect=2)
    assert "no column `label` with labels" in done.err
    broken = tmp_path / "broken.csv"
    broken.write_text("x,id,label\n1.0,a,1.0\n,b,1.0\n")
    assert "the contract refuses a row of the reference" in shell(*words, str(broken), expect=2).err


def test_no_row_wanted_is_a_header_here_and_at_a_server(labelled: Running) -> None:
    """So that a script reads the same columns from both."""
    words = ["labels", "wanted", labelled.shadow, "--end", "2020-01-01"]
    here = labelled.shell(*words).out
    assert here.splitlines() == [labelled.shell("labels", "wanted", labelled.shadow).out.split()[0]]
    assert labelled.shell(*words, "--url", labelled.server.url).out == here


def test_chunks_that_are_unknown_for_the_same_reason_are_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their numbers may differ."""
    hour, start = timedelta(hours=1), datetime(2026, 12, 1, tzinfo=UTC)
    reasons = [f"few: age ({n:,} rows count as {n // 7})" for n in (1_655, 90)] + ["outside: 7%"]
    chunks = tuple(
        EstimatedChunk(
            start=start + n * hour, end=start + (n + 1) * hour, rows=9, state="unknown", reason=why
        )
        for n, why in enumerate(reasons)
    )
    found = QualityEstimate(
        artifact="toy:1", role="live", confidence=0.95, method="DLE", chunks=chunks,
        reference=Reference(source="log", rows=9, used=9),
    )  # fmt: skip
    show_estimates(EstimateReport(model="toy", live="toy:1", artifacts=(found,)))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("UNKNOWN")]
    assert len(said) == 2
    assert re.fullmatch(
        r"UNKNOWN in 2 chunks, the first from .*: few: age \(1,655 rows .*", said[0]
    )
    assert re.fullmatch(r"UNKNOWN from .*: outside: 7%", said[1])
