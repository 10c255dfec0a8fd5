"""Times on the command line, also those that clocks show twice or never."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import typer

from gnomon.cli.ranges import parse_time


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks there are changed on 2026-03-29 and 2026-10-25."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_without_an_offset_is_local() -> None:
    """In summer and in winter; an offset is kept, also of a time that is ambiguous without it."""
    assert parse_time("2026-07-01T12:00") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert parse_time("2026-12-01T12:00") == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert parse_time("2026-10-25T02:30+01:00") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert parse_time("2026-10-25T02:30Z") == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "often"), [("2026-10-25T02:30", "twice"), ("2026-03-29T02:30", "never")]
)
def test_a_time_that_clocks_show_twice_or_never_is_refused(text: str, often: str) -> None:
    """The answer may differ by an hour of decisions; both offsets are offered."""
    with pytest.raises(typer.BadParameter) as caught:
        parse_time(text)
    assert f"happens {often} in this machine's time zone" in str(caught.value)
    for offset in ("+01:00", "+02:00"):
        assert offset in str(caught.value)


@pytest.mark.parametrize("text", ["9999-12-30T10:00", "0001-01-01T23:30:00Z"])
def test_a_time_at_the_end_of_the_calendar_is_refused(text: str) -> None:
    """It has no equivalent in every time zone, in which a server may compute with it."""
    with pytest.raises(typer.BadParameter, match="a time from 0001-01-02 to 9999-12-30 in UTC"):
        parse_time(text)


@pytest.mark.parametrize("text", ["noon", "", "0001-01-01", "9999-12-31T23:59:59-23:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Also dates that have no equivalent in this time zone."""
    with pytest.raises(typer.BadParameter, match="expected a time such as"):
        parse_time(text)
