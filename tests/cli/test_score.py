"""Scoring the rows of a file with an artifact."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from gnomon.log import InferenceLog
from gnomon.testing import serving
from tests.cli.running import Shell
from tests.packing import SCRIPT, Pack, times, write_service

ROWS = pd.DataFrame(
    {"x": [1.5, -1.0, None, 4.0], "id": ["001", "b", "c", "d"], "note": ["p", "q", "r", "s"]}
)

CLOCK = """
from sklearn.base import BaseEstimator, TransformerMixin

class Times(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X.assign(x=X["x"] + X["at"].dt.hour)[["x"]]
"""
CLOCK_SCRIPT = (
    SCRIPT.replace(
        "frame = ",
        'at = pd.date_range("2024-10-26 20:00", periods=64, freq="15min")\nframe = ',
    )
    .replace("range(64)]}", 'range(64)], "at": at}')
    .replace('("id",)', '("id",), timezone="Europe/Berlin"')
)


@pytest.mark.slow
def test_a_clock_without_a_zone_is_that_of_training(shell: Shell, pack: Pack) -> None:
    """Files with times in the zone declared at packing can be scored and checked, also through a
    server. A local time that does not exist is refused.
    """
    tag = pack(CLOCK, "clock", CLOCK_SCRIPT)
    frame = pd.DataFrame(
        {
            "x": [1.0, 2.0, 3.0, 4.0],
            "id": list("abcd"),
            "at": pd.to_datetime(
                ["2024-10-26 20:15", "2024-10-27 02:30", "2024-10-27 09:00", "2024-03-31 02:30"]
            ),
        }
    )
    frame.to_csv(shell.folder / "rows.csv", index=False)
    frame.to_parquet(shell.folder / "rows.parquet")
    frame[:3].to_csv(shell.folder / "good.csv", index=False)
    frame[:3].to_parquet(shell.folder / "good.parquet")
    deployment = shell.folder / "deployment"
    write_service(deployment, '"clock"')
    with serving(deployment, deployment / "root") as server:
        for ending in ("csv", "parquet"):
            rows = f"rows.{ending}"
            shell("score", tag, rows, "--out", "out.parquet", expect=1)
            scored = pd.read_parquet(shell.folder / "out.parquet")
            assert scored["prediction"].tolist()[:3] == [21.0, 4.0, 12.0]
            assert "expected timestamp with an offset" in scored["error"][3]
            shell("score", rows, "--out", "there.parquet", "--url", server.url, expect=1)
            there = pd.read_parquet(shell.folder / "there.parquet")
            pd.testing.assert_frame_equal(there, scored)
    for ending in ("csv", "parquet"):
        shell("check", tag, "--table", f"good.{ending}")


@pytest.mark.parametrize(("read", "ending"), [(pd.read_csv, "csv"), (pd.read_parquet, "parquet")])
def test_a_file_is_scored_as_requests_are(
    shell: Shell, pack: Pack, read: object, ending: str
) -> None:
    """Rows that the contract refuses or the pipeline fails on say why; keys stay text."""
    tag, rows, out = pack(times(2)), shell.folder / f"rows.{ending}", f"out.{ending}"
    ROWS.to_csv(rows, index=False) if ending == "csv" else ROWS.to_parquet(rows)
    summary = shell("score", tag, rows.name, "--out", out, "--json", expect=1).json
    assert (summary["artifact"], summary["rows"], summary["failed"]) == (tag, 4, 2)
    options = {"dtype": {"id": str}} if ending == "csv" else {}
    scored = read(shell.folder / out, **options)  # type: ignore[operator]
    assert list(scored.columns) == ["id", "prediction", "error"]
    assert scored["id"].tolist() == ["001", "b", "c", "d"]
    assert scored["prediction"].tolist()[::3] == [3.0, 8.0]
    assert scored["prediction"].isna().tolist() == [False, True, True, False]
    assert "negative x" in scored["error"][1]
    assert scored["error"][2].startswith("expected float, got null at $.x. send a value")


def test_columns_of_the_file_are_kept_beside_the_answers(shell: Shell, pack: Pack) -> None:
    """The requested columns are kept; unknown ones are named, and nothing is written."""
    tag = pack(times(2))
    good = ROWS.iloc[[0, 3]].assign(prediction=0.0)
    good.to_csv(shell.folder / "rows.csv", index=False)
    shell("score", tag, "rows.csv", "--out", "out.csv", "--keep", "note", "--keep", "id")
    assert list(pd.read_csv(shell.folder / "out.csv").columns) == [
        "note",
        "id",
        "prediction",
        "error",
    ]
    for options, message in (
        (["--keep", "nothing"], "has no column `nothing`"),
        (["--keep", "prediction"], "--keep which columns"),
        (["--out", "out.json"], "should end in one of .csv"),
        (["--out", "none/out.csv"], "cannot write the table"),
    ):
        words = ["score", tag, "rows.csv", "--out", "other.csv", *options]
        assert message in shell(*words, expect=2).err
    assert "no such file" in shell("score", tag, "none.csv", "--out", "o.csv", expect=2).err
    assert not Path(shell.folder, "other.csv").exists()


@pytest.mark.slow
def test_a_file_is_scored_through_a_server(
    shell: Shell, pack: Pack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The output is the same in every format, and the rows are in the server's log."""
    tag = pack(times(2))
    ROWS.to_csv(shell.folder / "rows.csv", index=False)
    ROWS.to_parquet(shell.folder / "rows.parquet")
    ROWS[:0].to_parquet(shell.folder / "none.parquet")
    folder = tmp_path_factory.mktemp("deployment")
    write_service(folder)
    with serving(folder, folder / "root", environment={"GNOMON_PREDICT_TOKEN": "t"}) as server:
        there = ("--url", server.url, "--token", "t")
        for name in ("rows.csv", "rows.parquet"):
            summary = shell("score", name, "--out", "there.csv", "--json", *there, expect=1).json
            assert (summary["artifact"], summary["rows"], summary["failed"]) == (tag, 4, 2)
            shell("score", tag, name, "--out", "here.csv", expect=1)
            assert (shell.folder / "there.csv").read_text() == (
                shell.folder / "here.csv"
            ).read_text()
        shell("score", "none.parquet", "--out", "none.csv", *there)
        assert "token" in shell("score", "rows.csv", "--out", "o.csv", *there[:2], expect=2).err
        message = shell("score", tag, "rows.csv", "--out", "o.csv", *there, expect=2).err
        assert "do not name one" in message
        assert "no such file" in shell("score", "no.csv", "--out", "o.csv", *there, expect=2).err
        rows = InferenceLog(server.settings, "toy").sql("select count(*) as n from log").to_pylist()
        assert rows[0]["n"] >= 8
    assert "no answer" in shell("score", "rows.csv", "--out", "o.csv", *there, expect=2).err
    assert "name the artifact" in shell("score", "rows.csv", "--out", "o.csv", expect=2).err
    assert not (shell.folder / "o.csv").exists()
