from gnomon.shadow.feed.pace import Pace


def test_batches_grow_until_they_take_a_second() -> None:
    """A call that costs 12 ms however many rows it has is given as many as allowed."""
    pace = Pace(2048)
    assert pace.rows < 2048
    pace.took(pace.rows, 12_000)
    assert pace.rows == 2048


def test_a_slow_shadow_gets_small_batches() -> None:
    """20 ms a row are 50 rows a second; a row of ten seconds goes alone."""
    pace = Pace(2048)
    pace.took(64, 64 * 20_000)
    assert pace.rows == 50
    pace.took(1, 10_000_000)
    assert pace.rows == 1


def test_a_batch_that_was_not_scored_says_nothing() -> None:
    """No time was measured because no worker survived."""
    pace = Pace(10)
    pace.took(10, 0)
    assert pace.rows == 10


def test_rows_are_scored_as_live_scored_them_until_they_are_enough() -> None:
    """A hundred batches of each size, by powers of two; then the first rows of each larger batch.

    Batches that are not larger anyway do not count.
    """
    pace = Pace(2048)
    pace.took(64, 64)
    assert [pace.like_live(1, 1000, first=False) for _ in range(102)] == [1] * 100 + [0] * 2
    assert [pace.like_live(9, 1000, first=False) for _ in range(102)] == [9] * 100 + [0] * 2
    assert pace.like_live(1, 1000, first=True) == 1
    assert pace.like_live(30, 30, first=True) == 0
