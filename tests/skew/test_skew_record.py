import pytest
from msgspec.structs import replace

from gnomon.errors import NewerFormat, UnreadableFile
from gnomon.report import Report
from gnomon.settings import Settings
from gnomon.skew import skew_record
from gnomon.skew.skew_record import SkewRecord
from gnomon.storage import Storage
from tests.report.example import a_healthy_report, a_report


def test_the_last_replay_counts(settings: Settings) -> None:
    """A later word on the same artifact replaces an earlier one."""
    storage = Storage(settings)
    assert skew_record.read(storage, "toy:a") is None
    skew_record.write(storage, SkewRecord(artifact="toy:a", digest="d", rows=10, disagreed=10))
    last = SkewRecord(artifact="toy:a", digest="d", rows=20, disagreed=0, report="r.html")
    skew_record.write(storage, last)
    assert skew_record.read(storage, "toy:a") == last
    assert skew_record.read(storage, "toy:b") is None


def test_what_cannot_be_read_is_not_taken_for_never_replayed(settings: Settings) -> None:
    """A newer version's verdict and a damaged one are refused by name."""
    storage = Storage(settings)
    skew_record.write(
        storage, SkewRecord(format=2, artifact="toy:a", digest="d", rows=1, disagreed=0)
    )
    with pytest.raises(NewerFormat, match=r"has format 2; .* reads up to 1 at skew/toy/a\.json"):
        skew_record.read(storage, "toy:a")
    for content in (b"", b"fine", b"\0" * 64, b"{}"):
        storage.write("skew/toy/a.json", content)
        with pytest.raises(UnreadableFile, match=r"skew/toy/a\.json"):
            skew_record.read(storage, "toy:a")


@pytest.mark.parametrize(
    ("report", "replaces"),
    [
        (a_healthy_report(), True),
        (replace(a_healthy_report(), against="trips:3"), False),
        (replace(a_healthy_report(), verdict="unknown"), False),
        (a_report(), True),
        (replace(a_report(), verdict="unknown"), False),
    ],
)
def test_only_what_says_how_the_artifact_fared_replaces_it(
    report: Report, replaces: bool, settings: Settings
) -> None:
    """A replay through another artifact, and an inconclusive one, keep the evidence of the skew
    gate; an offline table is evidence, whatever its name.
    """
    storage = Storage(settings)
    before = SkewRecord(artifact="trips:2", digest="d", rows=20, disagreed=0, report="r.html")
    skew_record.write(storage, before)
    skew_record.record(storage, report, "s.html")
    after = skew_record.read(storage, "trips:2")
    if not replaces:
        assert after == before
        return
    assert after is not None
    assert (after.digest, after.report) == (report.subject.digest, "s.html")
    assert (after.rows, after.disagreed) == (report.divergence.of, report.divergence.rows)
    assert after.by_unit == report.by_unit
