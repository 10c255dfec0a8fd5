from gnomon.settings import Settings
from gnomon.shadow import skew
from gnomon.shadow.skew import Skew
from gnomon.shadow.storage import Storage


def test_the_last_replay_counts(settings: Settings) -> None:
    """A later word on the same artifact replaces an earlier one."""
    storage = Storage(settings)
    assert skew.read(storage, "toy:a") is None
    skew.write(storage, Skew(artifact="toy:a", digest="d", rows=10, disagreed=10))
    last = Skew(artifact="toy:a", digest="d", rows=20, disagreed=0, report="r.html")
    skew.write(storage, last)
    assert skew.read(storage, "toy:a") == last
    assert skew.read(storage, "toy:b") is None


def test_another_versions_word_is_none(settings: Settings) -> None:
    """What cannot be read is not known, which a gate answers with unknown."""
    storage = Storage(settings)
    skew.write(storage, Skew(format=2, artifact="toy:a", digest="d", rows=1, disagreed=0))
    assert skew.read(storage, "toy:a") is None
    storage.write("skew/toy/a.json", b"fine")
    assert skew.read(storage, "toy:a") is None
