"""Listing artifacts, and inspecting one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.attack.forging import of_another_python, reseal
from tests.cli.running import Shell
from tests.packing import SCRIPT, Pack, times


def test_artifacts_are_listed_newest_first(shell: Shell, pack: Pack, own_home: Path) -> None:
    """They are listed by tag on any terminal; a damaged one is named and does not hide the
    others.
    """
    assert "has no artifact;" in shell("artifacts").out
    one, two, other = pack(times(1)), pack(times(100)), pack(times(1), "other")
    listed = [entry["artifact"] for entry in shell("artifacts", "toy", "--json").json]
    assert sorted(listed) == sorted([one, two])
    assert listed == sorted(listed, reverse=True)
    (own_home / "models" / other.replace(":", "/") / "manifest.json").write_text("{")
    text = shell("artifacts", COLUMNS="60").out
    assert all(tag in text for tag in (one, two, other))
    entries = {entry["artifact"]: entry for entry in shell("artifacts", "--json").json}
    assert entries[other]["error"]["code"] == "artifact_corrupt"
    assert entries[one]["bytes"] > 0


def test_a_text_that_is_no_name_lists_nothing(shell: Shell, pack: Pack) -> None:
    """An empty name, as from an unset variable, listed every artifact; a tag listed none."""
    tag = pack(times(1))
    for text, got in (("", "an empty text"), (tag, f"`{tag}`"), ("../toy", "`../toy`")):
        refused = shell("artifacts", text, expect=2).err
        assert f"expected the name of a model, got {got}" in " ".join(refused.split())


def test_an_artifact_is_shown_without_running_it(shell: Shell, pack: Pack) -> None:
    """Contract, environment, files, vendored code and trusted types."""
    tag = pack(times(1))
    text = shell("inspect", "toy").out
    for words in (
        tag,
        "not signed: its hashes detect damage, not who made it",
        "everything in its files",
        "made from state in the file",
        "1 to 64",
        "float",
        "key",
        "preprocessing.Times",
        "scikit-learn",
        "pipeline.skops",
        "regression",
    ):
        assert words in text, words
    document = shell("inspect", tag, "--json").json
    assert [feature["name"] for feature in document["contract"]["features"]] == ["x", "id"]
    assert document["manifest"]["modules"] == {"preprocessing": "preprocessing.py"}


def test_a_tampered_artifact_is_refused(shell: Shell, pack: Pack, own_home: Path) -> None:
    """The file is named, and none of the artifact's content is shown."""
    tag = pack(times(1))
    code = own_home / "models" / tag.replace(":", "/") / "code" / "preprocessing.py"
    code.write_text(code.read_text() + "\nFACTOR = 3\n")
    done = shell("inspect", tag, expect=2)
    assert "preprocessing.py" in done.err
    assert done.out == ""


def test_a_pickle_is_shown_as_what_it_is(shell: Shell, pack: Pack) -> None:
    """Its list of types is not all that it may run."""
    tag = pack(times(1), "toy", SCRIPT.replace("entity_key", 'serializer="pickle", entity_key'))
    assert "runs arbitrary code" in shell("inspect", tag).out


def test_control_characters_reach_no_terminal(shell: Shell, pack: Pack, own_home: Path) -> None:
    """A manifest may contain characters that clear the screen or overwrite lines."""
    folder = own_home / "models" / pack(times(1)).replace(":", "/")
    lineage = json.loads((folder / "manifest.json").read_bytes())["lineage"]
    reseal(folder, lineage=lineage | {"given": {"a\x1b[2J": "\x1b]0;x\x07"}, "commit": "\x1b[1m"})
    assert "\x1b" not in shell("inspect", str(folder)).out
    assert "\x1b" not in shell("artifacts").out


def test_an_artifact_is_signed_and_then_served_by_whoever_trusts_the_key(
    shell: Shell, pack: Pack, tmp_path: Path
) -> None:
    """A key is made and an artifact signed with it; no unsigned artifact is inspected or
    promoted.
    """
    tag, other = pack(times(1)), pack(times(2))
    key = shell("sign", "--new-key", "key", "--comment", "ours", "--json").json
    assert (tmp_path / "key.pub").read_text() == f"{key['public']} ours\n"
    assert (
        shell("sign", tag, "--key", "key").out.strip()
        == f"{tag} is signed by {key['fingerprint']}."
    )
    trusting = {"GNOMON_TRUSTED_KEYS": "key.pub"}
    text = shell("inspect", tag, **trusting).out
    assert f"signed by {key['fingerprint']} ours" in text
    for words in (("inspect", other), ("promote", other), ("shadow", "start", other)):
        assert "is not signed" in shell(*words, expect=2, **trusting).err
    shell("promote", tag, **trusting)
    (signer,) = shell("inspect", tag, "--json", **trusting).json["signers"]
    assert (signer["fingerprint"], signer["trusted"]) == (key["fingerprint"], True)
    assert "not checked" in shell("inspect", tag).out


def test_sign_takes_a_tag_and_a_key_or_makes_one(shell: Shell, pack: Pack) -> None:
    """The command says when it has made a key."""
    tag = pack(times(1))
    for words in (("sign",), ("sign", tag), ("sign", tag, "--key", "k", "--new-key", "l")):
        assert "--new-key FILE alone" in shell(*words, expect=2).err
    assert "cannot read the key" in shell("sign", tag, "--key", "nowhere", expect=2).err


def test_an_artifact_of_another_python_is_shown(shell: Shell, pack: Pack, own_home: Path) -> None:
    """Its contract too; the error at the end says that it cannot be loaded here."""
    tag = pack(times(1))
    of_another_python(own_home / "models" / tag.replace(":", "/"))
    shown = shell("inspect", tag, expect=2)
    assert "Inputs" in shown.out
    assert "packed with Python 3.9.1, but this process runs" in shown.err
