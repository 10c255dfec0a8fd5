"""UUID version 7."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from gnomon.log import request_ids
from gnomon.log.request_ids import arrival, new_request_id


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_it() -> None:
    """The standard library reads it, and its first 48 bits are Unix milliseconds."""
    before = time.time_ns() // 1_000_000
    text = new_request_id()
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_ids_grow_in_the_order_they_are_made() -> None:
    """They grow also within one millisecond, which holds hundreds of them."""
    ids = [new_request_id() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_threads_never_make_the_same_id() -> None:
    """The counter is shared."""
    with ThreadPoolExecutor(4) as pool:
        id_lists = list(pool.map(lambda _: [new_request_id() for _ in range(2_000)], range(4)))
    assert len({id_ for ids in id_lists for id_ in ids}) == 8_000


def test_a_clock_set_back_or_a_full_counter_keeps_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time in the ids never decreases, and a full counter borrows a millisecond."""
    generate = request_ids._Generator()
    now = time.time_ns()
    monkeypatch.setattr(request_ids.time, "time_ns", lambda: now)
    first = generate()
    monkeypatch.setattr(request_ids.time, "time_ns", lambda: now - 10**12)
    second = generate()
    generate._counter = 2**42 - 1
    third = generate()
    assert first < second < third
    assert uuid.UUID(third).int >> 80 == now // 1_000_000 + 1


def test_an_id_whose_time_no_calendar_has_did_not_arrive() -> None:
    """Anybody may send such an id: its year is 10889."""
    assert arrival("ffffffff-ffff-7fff-bfff-ffffffffffff") is None
    assert arrival("order-7") is None
