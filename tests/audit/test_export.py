"""A bundle has each decision byte for byte, and what it names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gnomon import files
from gnomon.audit import export
from gnomon.audit.bundle import LABELS, LOG, decode_digests, read_bundle
from gnomon.errors import HistoryDamaged, SettingsError
from gnomon.settings import Settings
from gnomon.storage import Storage
from tests.audit.conftest import Key, Root
from tests.bucket import bucket, needs_bucket


def test_the_events_are_the_files_of_the_storage_root(root: Root) -> None:
    """Byte for byte, with each policy and manifest that they name once."""
    written = root.export()
    found = read_bundle(written.path).files
    folder = Path(root.settings.root)
    for number in range(5):
        name = f"{number:06d}.json"
        assert found[f"events/{name}"] == (folder / "rollout/toy" / name).read_bytes()
    assert sum(name.startswith("manifests/") for name in found) == 2
    assert sum(name.startswith("policies/") for name in found) == 1
    assert (written.index.missing, written.index.warnings, written.signer) == ((), (), None)


def test_the_log_and_the_labels_are_in_it_as_digests(root: Root) -> None:
    """The rows stay where they are."""
    storage = Storage(root.settings)
    storage.write("log/toy/_delta_log/00000000000000000000.json", b"{}")
    storage.write("sealed/toy/here.json", b"{}")
    storage.write("labels/toy/part.parquet", b"label")
    found = read_bundle(root.export().path).files
    log = decode_digests(found[LOG], LOG).files
    assert [*log] == ["log/toy/_delta_log/00000000000000000000.json", "sealed/toy/here.json"]
    assert [*decode_digests(found[LABELS], LABELS).files] == ["labels/toy/part.parquet"]


def test_what_is_missing_is_said(root: Root) -> None:
    """A manifest or a policy that is gone does not prevent the export."""
    for folder in ("manifests", "policies"):
        for file in (Path(root.settings.root) / folder).iterdir():
            file.unlink()
    missing = root.export().index.missing
    assert len(missing) == 3
    assert "the manifest of toy:one" in missing[1]


def test_a_range_leaves_decisions_out(root: Root) -> None:
    """By their times; a range without any is refused."""
    events = root.history().events
    index = root.export(start=events[1].at, end=events[3].at).index
    assert (index.first, index.epoch, index.history_epoch) == (1, 3, 5)
    later = events[-1].at + timedelta(seconds=1)
    with pytest.raises(SettingsError, match="no decision about `toy` to export in this range"):
        root.export("other.tar", start=later)
    with pytest.raises(SettingsError, match="no decision about `other` to export"):
        root.export("other.tar", model="other")


def test_a_bundle_is_never_overwritten(root: Root) -> None:
    """It may be the only evidence of what was rewritten since."""
    root.export()
    with pytest.raises(SettingsError, match="never overwritten"):
        root.export()


def test_a_damaged_history_is_not_exported(root: Root) -> None:
    """A bundle of a part would look like the whole."""
    (Path(root.settings.root) / "rollout/toy/000002.json").unlink()
    with pytest.raises(HistoryDamaged, match="000002"):
        root.export()


def test_a_short_retention_is_noted(root: Root) -> None:
    """In the bundle itself, for who reads it later."""
    settings = Settings(root=root.settings.root, retention_days=30)
    index = export(settings, "toy", root.folder / "short.tar").index
    assert "kept for 30 days" in index.warnings[0]


def test_only_its_owner_can_read_it(root: Root, alice: Key) -> None:
    """Reasons and names may be confidential."""
    mode = root.export(key=alice.private).path.stat().st_mode
    assert mode & 0o777 == files.file_mode()


@needs_bucket
@pytest.mark.slow
def test_it_is_exported_from_a_bucket(tmp_path: Path) -> None:
    """The same bundle, whether the storage root is a folder or a bucket."""
    with bucket() as url:
        root = Root(Settings(root=url, spool=str(tmp_path / "spool")), tmp_path)
        root.decide("promote", "toy:one")
        assert len(read_bundle(root.export().path).files) == 5
