"""Mirrors ``gnomon.service.streaming.record_sources``."""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import BodyTooLarge
from gnomon.service.streaming.record_sources import LineSource


def records(source: LineSource) -> list[tuple[int, bytes]]:
    """Every record there is now, with its number."""
    found: list[tuple[int, bytes]] = []
    while (part := source.take(7)) is not None:
        found += zip(part.numbers, part.payload.split(b"\n"), strict=True)
    return found


@given(
    body=st.lists(
        st.sampled_from([b"\n", b"\r\n", b"\n\n\n", b" ", b"\t", b"\x0b", b"{}", b"a b"])
    ),
    cuts=st.lists(st.integers(0, 60), max_size=5),
)
def test_lines_are_numbered_as_in_an_editor(body: list[bytes], cuts: list[int]) -> None:
    """However the body is cut; empty lines are skipped, and counted."""
    whole = b"".join(body)
    source = LineSource(1_000)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    for start, end in itertools.pairwise(places):
        source.feed(whole[start:end])
    source.end()
    expected = [
        (number, line.strip()) for number, line in enumerate(whole.split(b"\n"), 1) if line.strip()
    ]
    assert records(source) == expected
    assert source.size == 0


def test_empty_lines_cost_nothing_each() -> None:
    """Compressed, a million of them are a hundred bytes; each took time of the event loop."""
    source, steps = LineSource(1_000), 0

    def count(*_: Any) -> Any:
        nonlocal steps
        steps += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        source.feed(b"\n" * 65_536 + b"{}\n")
    finally:
        sys.settrace(before)
    assert steps < 100
    assert records(source) == [(65_537, b"{}")]


def test_a_line_without_end_is_refused() -> None:
    """With its number."""
    source = LineSource(100)
    source.feed(json.dumps({"x": 1}).encode() + b"\n")
    with pytest.raises(BodyTooLarge) as refused:
        source.feed(b"a" * 101)
    assert refused.value.where == "line 2"
