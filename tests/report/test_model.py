import msgspec
import pytest

from gnomon.errors import UnreadableFile
from gnomon.report import Report, share
from tests.report.example import a_column, a_healthy_report, a_report


@pytest.mark.parametrize("report", [a_report(), a_healthy_report()])
def test_json_gives_the_report_back(report: Report) -> None:
    """Nothing is lost on the way to JSON and back, and the version is in it."""
    assert Report.from_json(report.to_json()) == report
    assert msgspec.json.decode(report.to_json())["format"] == 1


def test_what_is_no_report_is_refused() -> None:
    """A reader of another JSON file gets an error, not an empty report."""
    with pytest.raises(UnreadableFile, match="not a report"):
        Report.from_json(b'{"format": 1}')


def test_only_divergence_stops_a_pipeline() -> None:
    """``diverged`` is the verdict, not the presence of a differing row."""
    assert a_report().diverged
    assert not a_healthy_report().diverged


def test_a_column_knows_its_place() -> None:
    """Steps by their path; inputs and outputs by that name."""
    step = a_column("columns/clock/hour", "step", 0, {})
    assert (step.place, step.bare) == ("columns/clock", "hour")
    feature = a_column("miles/hour", "feature", 0, {})
    assert (feature.place, feature.bare) == ("inputs", "miles/hour")
    assert a_column("prediction", "output", 0, {}).place == "outputs"


def test_a_share_holds_its_interval() -> None:
    """Counts, share and interval; of nothing, nothing is known."""
    found = share(10, 1_000, 0.95)
    assert found.low < found.share == 0.01 < found.high < 0.05
    nothing = share(0, 0, 0.95)
    assert (nothing.share, nothing.low, nothing.high) == (0.0, 0.0, 1.0)
