"""Mirrors ``gnomon.cli.artifacts`` and ``gnomon.cli.inspect``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import Shell
from tests.packing import Pack, times


def test_artifacts_are_listed_newest_first(shell: Shell, pack: Pack, own_home: Path) -> None:
    """By tag, on any terminal; a damaged one is named and does not hide the others."""
    assert "no such artifact" in shell("artifacts").out
    one, two, other = pack(times(1)), pack(times(100)), pack(times(1), "other")
    listed = [entry["artifact"] for entry in shell("artifacts", "toy", "--json").json]
    assert sorted(listed) == sorted([one, two])
    assert listed == sorted(listed, reverse=True)
    (own_home / "models" / other.replace(":", "/") / "manifest.json").write_text("{")
    told = shell("artifacts", COLUMNS="60").out
    assert all(tag in told for tag in (one, two, other))
    entries = {entry["artifact"]: entry for entry in shell("artifacts", "--json").json}
    assert entries[other]["error"]["code"] == "artifact_corrupt"
    assert entries[one]["bytes"] > 0


def test_an_artifact_is_shown_without_running_it(shell: Shell, pack: Pack) -> None:
    """Contract, environment, files, vendored code and trusted types."""
    tag = pack(times(1))
    told = shell("inspect", "toy").out
    for words in (
        tag,
        "hashes and types are as packed",
        "1 to 64",
        "float",
        "key",
        "preprocessing.Times",
        "scikit-learn",
        "pipeline.skops",
        "regression",
    ):
        assert words in told, words
    said = shell("inspect", tag, "--json").json
    assert [feature["name"] for feature in said["contract"]["features"]] == ["x", "id"]
    assert said["manifest"]["modules"] == {"preprocessing": "preprocessing.py"}


def test_a_tampered_artifact_is_refused(shell: Shell, pack: Pack, own_home: Path) -> None:
    """The file is named, and nothing of it is shown as true."""
    tag = pack(times(1))
    code = own_home / "models" / tag.replace(":", "/") / "code" / "preprocessing.py"
    code.write_text(code.read_text() + "\nFACTOR = 3\n")
    done = shell("inspect", tag, expect=2)
    assert "preprocessing.py" in done.err
    assert done.out == ""
