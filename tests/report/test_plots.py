import pytest

from gnomon.report import Axis, Bucket, Distribution, MetricsBucket, OverTime, Timeline, plots


def shape(left: tuple[int, ...], right: tuple[int, ...]) -> Distribution:
    edges = tuple(float(i) for i in range(len(left) + 1))
    return Distribution(
        axis=Axis(label="x"), rows=sum(left), sampled=sum(left), left=left, right=right, edges=edges
    )


def test_bars_fill_the_axis_and_stand_as_high_as_their_share() -> None:
    """Two of four rows in a bin are half of an axis that ends at 100%."""
    plot = plots.histogram(shape((1, 3), (2, 2)), ("online", "offline"))
    assert plot.y[-1].text == "100%"
    assert [(bar.x, bar.width, bar.height) for bar in plot.bars] == [(0, 50, 25), (50, 50, 75)]
    assert plot.outline == (
        "M0 100L0.000 50.000L50.000 50.000L50.000 50.000L100.000 50.000L100 100"
    )
    assert plot.bars[0].title == "0 to 1: online 1 row, offline 2 rows"


def test_the_axis_ends_on_a_round_number_above_the_tallest_bar() -> None:
    """No bar leaves the box, and most of the box is used."""
    for tallest in (1, 2, 3, 7, 33, 99, 100):
        rows = [0] * 10
        rows[0], rows[1] = tallest, 100 - tallest
        plot = plots.histogram(shape(tuple(rows), tuple(rows)), ("a", "b"))
        highest = max(bar.height for bar in plot.bars)
        assert 40 <= highest <= 100 + 1e-9


def test_labels_are_pairs_in_percent_of_the_longest() -> None:
    """Each label with its share on either side."""
    labels = Distribution(
        axis=Axis(label="x"),
        rows=100,
        sampled=100,
        left=(80, 20),
        right=(40, 60),
        labels=("a", "b"),
    )
    first, second = plots.pairs(labels)
    assert (first.left, first.right, first.left_text) == (100, 50, "80%")
    assert (second.left, second.right, second.right_text) == (25, 75, "60%")
    assert plots.pairs(shape((1,), (1,))) == ()


def buckets(*counts: tuple[int, int, int]) -> Timeline:
    return Timeline(
        axis=Axis(label="arrival", unit="UTC"),
        seconds=3_600.0,
        buckets=tuple(
            Bucket(
                start=f"2024-01-01T{hour:02d}:00:00+00:00",
                end=f"2024-01-01T{hour + 1:02d}:00:00+00:00",
                rows=rows,
                diverged=diverged,
            )
            for hour, rows, diverged in counts
        ),
    )


def test_time_is_to_scale_with_gaps() -> None:
    """An hour without rows leaves a gap as wide as an hour."""
    plot = plots.over_time(buckets((0, 10, 5), (3, 10, 0)))
    assert [(bar.x, bar.width) for bar in plot.bars] == [(0, 25), (75, 25)]
    assert [bar.height for bar in plot.bars] == [100, 0]
    assert plot.y[-1].text == "50%"
    assert plot.bars[0].title == "2024-01-01 00:00: 50% of 10 rows diverge"
    assert [tick.at for tick in plot.x] == [0, 100]


@pytest.mark.parametrize("diverged", [0, 10])
def test_one_bucket_fills_the_box(diverged: int) -> None:
    """A single hour, with nothing or everything diverging."""
    plot = plots.over_time(buckets((5, 10, diverged)))
    assert [(bar.x, bar.width, bar.height) for bar in plot.bars] == [(0, 100, 10.0 * diverged)]


def test_a_columns_course_lies_on_the_axis_of_all() -> None:
    """An hour of a day is a twenty-fourth of it, as high as the share that diverges."""
    column = OverTime(
        column="hour",
        kind="step",
        seconds=3_600.0,
        sampled=True,
        buckets=(
            MetricsBucket(
                start="1970-01-01T06:00:00+00:00",
                rows=8,
                coverage=0.5,
                consistency=0.25,
                exact_rate=0.125,
                left_null=0.5,
                right_null=0.0,
                both_null=0.0,
            ),
        ),
    )
    (bar,) = plots.column_over_time(column, 0.0, 86_400.0)
    assert (bar.x, bar.width, bar.height) == (25, 100 / 24, 75)
    assert bar.title == (
        "1970-01-01 06:00: 75% of 8 rows diverge, 12.5% exact, 50% with both values"
    )


def test_the_label_of_a_time_beside_another_is_left_out() -> None:
    """The middle bucket may lie anywhere on the axis, when there are gaps."""
    hours = [f"2024-01-01T{hour:02d}:00:00+00:00" for hour in (0, 4, 5, 9, 10)]
    assert [tick.at for tick in plots.time_ticks(hours, 3_600.0)] == [0, 50, 100]
    assert [tick.at for tick in plots.time_ticks([hours[0], *hours[3:]], 3_600.0)] == [0, 100]
