from gnomon.log.ledger import SealedStream


def test_empty_segments_stay_known_when_the_folder_changes_and_comes_back() -> None:
    """A stream whose folder was restored: the file of its empty segment is not waited for, though
    the table reaches further than the ledger after a crash.
    """
    first = SealedStream(identity="a", sequence=4, rows=9, empty=(5, 6, 8))
    assert first.ahead("a", 7) == {7}
    elsewhere = first.continued("b")
    assert (elsewhere.sequence, elsewhere.earlier, elsewhere.empty) == (-1, {"a": 6}, ())
    assert elsewhere.ahead("a", 7) == {7}
    again = elsewhere.continued("a")
    assert (again.sequence, again.begun) == (6, 2)
    assert again.ahead("a", 7) == {7}
