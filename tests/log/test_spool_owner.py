"""A spool belongs to one storage root."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.errors import LogError, LogUnavailable
from gnomon.log import InferenceLog
from gnomon.log.open_segments import close_now
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import CLOSE, stream_folder, stream_segments
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.log.spool_owner import claim_spool
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.rows import REQUESTS_SCHEMA, live


def of_root(folder: Path, name: str) -> Settings:
    """A storage root, and a spool that others are set to as well."""
    return Settings(root=str(folder / name), spool=str(folder / "spool"))


def test_the_first_root_claims_a_spool(tmp_path: Path) -> None:
    """It may claim it again; another root gets an error that names the owner, and nothing is
    created there.
    """
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(first, "flights")
    claim_spool(first, "flights")
    with pytest.raises(LogUnavailable, match=r"another storage root, which was .*/first; .*second"):
        claim_spool(second, "flights")
    assert not (tmp_path / "second").exists()
    claim_spool(second, "trips")


def test_a_root_that_has_served_cannot_claim_the_spool_of_another(tmp_path: Path) -> None:
    """Each had a spool of its own until the setting was changed."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(Settings(root=second.root, spool=str(tmp_path / "own")), "flights")
    claim_spool(first, "flights")
    with pytest.raises(LogUnavailable, match="another storage root"):
        claim_spool(second, "flights")


def test_a_moved_root_keeps_its_spool(tmp_path: Path) -> None:
    """Its identity is in it, not in its path."""
    claim_spool(of_root(tmp_path, "here"), "flights")
    (tmp_path / "here").rename(tmp_path / "there")
    claim_spool(of_root(tmp_path, "there"), "flights")


def test_an_emptied_root_is_usable_after_repair(tmp_path: Path) -> None:
    """Until then, or until it is mounted again, nothing is written."""
    first = of_root(tmp_path, "first")
    claim_spool(first, "flights")
    shutil.rmtree(first.root)
    with pytest.raises(LogUnavailable, match=r"emptied .* is not mounted.*gnomon log repair"):
        claim_spool(first, "flights")
    repair(first, "flights")
    claim_spool(first, "flights")


def test_a_copied_root_and_spool_can_be_served(tmp_path: Path) -> None:
    """It may be served, and so may a root whose identity alone was deleted."""
    claim_spool(Settings(root=str(tmp_path / "root")), "flights")
    shutil.copytree(tmp_path / "root", tmp_path / "copy")
    claim_spool(Settings(root=str(tmp_path / "copy")), "flights")
    (tmp_path / "root" / "root.json").unlink()
    claim_spool(Settings(root=str(tmp_path / "root")), "flights")


def write(settings: Settings, ids: str) -> Path:
    """A closed segment with a row for each letter; the stream it is in."""
    folder = stream_folder(settings, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=settings)
    writer.append(live(list(ids)))
    writer.rotate()
    writer.close()
    return folder


def test_the_spool_in_one_root_is_not_claimed_by_another(tmp_path: Path) -> None:
    """It would have to be configured by mistake; the rows stay with their root."""
    first = Settings(root=str(tmp_path / "first"))
    second = Settings(root=str(tmp_path / "second"), spool=str(tmp_path / "first" / "spool"))
    claim_spool(first, "flights")
    write(first, "ab")
    with pytest.raises(LogUnavailable, match="another storage root"):
        claim_spool(second, "flights")
    with pytest.raises(LogUnavailable, match="another storage root"):
        Sealer(second, "flights").seal()
    assert Sealer(first, "flights").seal() == 1


@pytest.mark.parametrize("sealed", [False, True])
def test_a_new_root_neither_seals_nor_repairs_the_spool_of_another(
    tmp_path: Path, sealed: bool
) -> None:
    """It has no identity yet and is not mistaken for an emptied first root, for which a repair
    would count rows as lost.
    """
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(first, "flights")
    write(first, "ab")
    if sealed:
        Sealer(first, "flights").seal()
        write(first, "c")
    for refused in (
        Sealer(second, "flights").seal,
        Sealer(second, "flights").maintain,
        lambda: repair(second, "flights"),
        lambda: close_now(second, "flights", 0.1),
    ):
        with pytest.raises((LogError, LogUnavailable), match=r"another storage root|second"):
            refused()
    assert not (tmp_path / "second").exists()
    Sealer(first, "flights").seal()
    accounts = balance(InferenceLog(first, "flights"))
    assert accounts.balanced
    assert accounts.live.received == (3 if sealed else 2)
    assert "lost" not in accounts.explain()


def test_a_writer_for_another_root_is_not_asked_to_close_its_segments(tmp_path: Path) -> None:
    """No mark is left for its server."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(first, "flights")
    claim_spool(Settings(root=second.root, spool=str(tmp_path / "own")), "flights")
    folder = stream_folder(first, "flights", "a", "requests")
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=first)
    writer.append(live(["a"]))
    with pytest.raises(LogUnavailable, match="another storage root"):
        close_now(second, "flights", 0.1)
    assert not (folder / CLOSE).exists()
    writer.close()


def test_a_spool_of_an_earlier_release_is_claimed_by_the_root_that_has_its_rows(
    tmp_path: Path,
) -> None:
    """Another root that comes first does not block it."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    write(first, "ab")
    Sealer(first, "flights").seal()
    assert not list(tmp_path.rglob("root.json"))
    with pytest.raises(LogUnavailable, match=r"2 rows of a/requests had been sealed.*GNOMON_ROOT"):
        claim_spool(second, "flights")
    with pytest.raises(LogError, match="2 rows of a/requests had been sealed"):
        Sealer(second, "flights").seal()
    claim_spool(first, "flights")
    with pytest.raises(LogUnavailable, match="another storage root"):
        claim_spool(second, "flights")


@pytest.mark.parametrize("damaged", ["root", "spool"])
@pytest.mark.parametrize("content", [b"", bytes(80), b"\xff{", b'{"format":1}'])
def test_a_damaged_identity_is_repaired(tmp_path: Path, damaged: str, content: bytes) -> None:
    """The identity is restored from its copy, and the damaged file is kept."""
    first = of_root(tmp_path, "first")
    claim_spool(first, "flights")
    other = tmp_path / "first" / "root.json"
    path = other if damaged == "root" else tmp_path / "spool" / "flights" / "root.json"
    path.write_bytes(content)
    with pytest.raises(LogUnavailable, match=r"not a storage root's identity.*gnomon log repair"):
        claim_spool(first, "flights")
    [moved] = repair(first, "flights").lists
    assert (tmp_path / "first" / moved).read_bytes() == content
    claim_spool(first, "flights")
    assert repair(first, "flights").is_whole


def test_repair_refuses_a_root_with_another_identity(tmp_path: Path) -> None:
    """If another model's server has started in an emptied root, the root has another identity."""
    first = of_root(tmp_path, "first")
    claim_spool(first, "flights")
    shutil.rmtree(first.root)
    claim_spool(first, "trips")
    claimed = tmp_path / "spool" / "flights" / "root.json"
    for refused in (claim_spool, repair):
        with pytest.raises(LogUnavailable, match=rf"remove {claimed}, then gnomon log repair"):
            refused(first, "flights")
    claimed.unlink()
    repair(first, "flights")
    claim_spool(first, "flights")


def test_a_spool_is_neither_sealed_nor_repaired_for_another_root(tmp_path: Path) -> None:
    """Its rows would be in the wrong table."""
    first, second = of_root(tmp_path, "first"), of_root(tmp_path, "second")
    claim_spool(first, "flights")
    claim_spool(Settings(root=second.root, spool=str(tmp_path / "own")), "flights")
    folder = write(first, "a")
    with pytest.raises(LogUnavailable, match="another storage root"):
        Sealer(second, "flights").seal()
    with pytest.raises(LogUnavailable, match="another storage root"):
        repair(second, "flights")
    assert [segment.sequence for segment in stream_segments(folder)] == [0, 1]
    assert Sealer(first, "flights").seal() == 1
