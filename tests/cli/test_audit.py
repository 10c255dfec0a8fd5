"""``gnomon audit``: export a bundle, and verify it where nothing else is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gnomon.rollout.history import RolloutEvent, open_history
from gnomon.settings import Settings
from tests.cli.running import Shell


@pytest.fixture(autouse=True)
def decided(shell: Shell) -> None:
    """Two decisions about a model."""
    history = open_history(Settings(root=str(shell.folder / ".gnomon")), "toy")
    for tag, forced in (("one", False), ("two", True)):
        event = RolloutEvent(kind="promote", artifact=f"toy:{tag}", forced=forced, by="ann")
        history.append(msgspec.structs.replace(event, why="[b]tested[/b]"))


def test_a_bundle_is_verified_without_the_storage_root(shell: Shell, tmp_path: Path) -> None:
    """In an empty folder and environment; the exit code is the verdict."""
    shell("sign", "--new-key", "alice")
    exported = shell("audit", "export", "--key", "alice", GNOMON_RETENTION_DAYS="30").out
    assert "audit-toy-2.tar: 2 decisions about toy, signed by SHA256:" in exported
    assert "note: the log is kept for 30 days" in exported
    assert "Check it: gnomon audit verify audit-toy-2.tar --key alice.pub" in exported
    elsewhere = tmp_path / "auditor"
    elsewhere.mkdir()
    auditor = Shell(elsewhere, {})
    bundle, key = "../audit-toy-2.tar", "../alice.pub"
    said = auditor("audit", "verify", bundle, "--key", key, "--model", "toy").out
    assert "2 decisions about toy, exported" in said
    assert "This bundle is as it was exported, and a trusted key signed it." in said
    assert "No bundle proves:" in said
    assert list(elsewhere.iterdir()) == []
    report = auditor("audit", "verify", bundle, "--json", expect=1).json
    assert (report["verdict"], report["model"]) == ("not_proven", "toy")
    assert "does not prove who made it" in auditor("audit", "verify", bundle, expect=1).out
    content = bytearray(Path(shell.folder / "audit-toy-2.tar").read_bytes())
    content[3000] ^= 1
    Path(elsewhere / "changed.tar").write_bytes(content)
    changed = auditor("audit", "verify", "changed.tar", "--key", key, expect=1).out
    assert "Do not rely on this bundle." in changed
    assert "cannot read the bundle" in auditor("audit", "verify", "none.tar", expect=2).err


def test_an_unsigned_export_says_what_is_missing(shell: Shell) -> None:
    """It proves less; a file that exists is not overwritten; a range without decisions is none."""
    said = shell("audit", "export", "--out", "a.tar").out
    assert "a.tar: 2 decisions about toy, not signed." in said
    assert "Sign it with --key FILE" in said
    assert "never overwritten" in shell("audit", "export", "--out", "a.tar", expect=2).err
    document = shell("audit", "export", "--out", "b.tar", "--end", "2100-01-01", "--json").json
    assert (document["path"], document["signer"], document["epoch"]) == ("b.tar", None, 2)
    assert "in this range" in shell("audit", "export", "--start", "2100-01-01", expect=2).err
    extended = shell("audit", "verify", "b.tar", "--extends", "a.tar", expect=1).out
    assert "it has 2 decisions of the earlier bundle, unchanged" in extended
