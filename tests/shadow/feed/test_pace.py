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
    """No time was taken where no worker survived."""
    pace = Pace(10)
    pace.took(10, 0)
    assert pace.rows == 10
