import pytest

from gnomon.errors import NewerFormat, UnreadableFile
from gnomon.settings import Settings
from gnomon.skew import last_replay
from gnomon.skew.last_replay import Skew
from gnomon.storage import Storage


def test_the_last_replay_counts(settings: Settings) -> None:
    """A later word on the same artifact replaces an earlier one."""
    storage = Storage(settings)
    assert last_replay.read(storage, "toy:a") is None
    last_replay.write(storage, Skew(artifact="toy:a", digest="d", rows=10, disagreed=10))
    last = Skew(artifact="toy:a", digest="d", rows=20, disagreed=0, report="r.html")
    last_replay.write(storage, last)
    assert last_replay.read(storage, "toy:a") == last
    assert last_replay.read(storage, "toy:b") is None


def test_what_cannot_be_read_is_not_taken_for_never_replayed(settings: Settings) -> None:
    """A newer version's verdict and a damaged one are refused by name."""
    storage = Storage(settings)
    last_replay.write(storage, Skew(format=2, artifact="toy:a", digest="d", rows=1, disagreed=0))
    with pytest.raises(NewerFormat, match=r"has format 2; .* reads up to 1 at skew/toy/a\.json"):
        last_replay.read(storage, "toy:a")
    for content in (b"", b"fine", b"\0" * 64, b"{}"):
        storage.write("skew/toy/a.json", content)
        with pytest.raises(UnreadableFile, match=r"skew/toy/a\.json"):
            last_replay.read(storage, "toy:a")
