"""Mirrors ``gnomon.log.spool_owner``: a spool is one storage root's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.errors import LogUnavailable
from gnomon.log.layout import stream_folder, stream_segments
from gnomon.log.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segment_writer import SegmentWriter
from gnomon.log.spool_owner import claim_spool
from gnomon.settings import Settings
from tests.log.rows import REQUESTS_SCHEMA, live


def of_root(folder: Path, name: str) -> Settings:
    """A storage root, and a spool that others are set to as well."""
    return Settings(root=str(folder / name), spool=str(folder / "spool"))


def test_the_first_root_has_it(tmp_path: Path) -> None:
    """It may claim it again; another root is told whose it is, and nothing is made there."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(first, "flights")
    claim_spool(first, "flights")
    with pytest.raises(LogUnavailable, match=r"another storage root, which was .*/first; .*second"):
        claim_spool(second, "flights")
    assert not (tmp_path / "second").exists()
    claim_spool(second, "trips")


def test_a_root_that_has_served_is_another_all_the_same(tmp_path: Path) -> None:
    """Each had a spool of its own until the setting was changed."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(Settings(root=second.root, spool=str(tmp_path / "own")), "flights")
    claim_spool(first, "flights")
    with pytest.raises(LogUnavailable, match="another storage root"):
        claim_spool(second, "flights")


def test_a_root_that_moved_keeps_it(tmp_path: Path) -> None:
    """Its identity is in it, not in its path."""
    claim_spool(of_root(tmp_path, "here"), "flights")
    (tmp_path / "here").rename(tmp_path / "there")
    claim_spool(of_root(tmp_path, "there"), "flights")


def test_a_root_that_was_emptied_may_go_on_once_repaired(tmp_path: Path) -> None:
    """Until then, or until it is mounted again, nothing more is written."""
    first = of_root(tmp_path, "first")
    claim_spool(first, "flights")
    shutil.rmtree(first.root)
    with pytest.raises(LogUnavailable, match=r"emptied .* is not mounted.*gnomon log repair"):
        claim_spool(first, "flights")
    repair(first, "flights")
    claim_spool(first, "flights")


def test_a_spool_in_its_root_needs_no_claim(tmp_path: Path) -> None:
    """A copy of the folder is whole."""
    claim_spool(Settings(root=str(tmp_path / "root")), "flights")
    assert not (tmp_path / "root").exists()


def test_neither_sealed_nor_repaired_for_another_root(tmp_path: Path) -> None:
    """Its rows would be in the wrong table."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(first, "flights")
    claim_spool(Settings(root=second.root, spool=str(tmp_path / "own")), "flights")
    folder = stream_folder(first, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=first)
    writer.append(live(["a"]))
    writer.rotate()
    writer.close()
    with pytest.raises(LogUnavailable, match="another storage root"):
        Sealer(second, "flights").seal()
    with pytest.raises(LogUnavailable, match="another storage root"):
        repair(second, "flights")
    assert [segment.sequence for segment in stream_segments(folder)] == [0, 1]
    assert Sealer(first, "flights").seal() == 1
