"""The log's accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gnomon.errors import LogError
from gnomon.log import STOPPED, InferenceLog, Position, SegmentWriter, stream_folder
from gnomon.log.repair.repair import repair
from gnomon.log.sampling import keep
from gnomon.log.seal import Sealer
from gnomon.settings import Settings
from gnomon.shadow.accounts.accounts import LogAccounts, ShadowAccounts
from gnomon.shadow.accounts.balance import balance
from gnomon.shadow.feed.run import Run
from tests.log.rows import REQUESTS_SCHEMA, SHADOW_SCHEMA, live, settings, shadow


class Slice:
    """One slice of a served model, without the processes."""

    def __init__(self, setup: Settings, name: str = "a") -> None:
        self.settings = setup
        self.name = name
        self._writers: dict[str, SegmentWriter] = {}
        self._run = Run(artifact="flights:2", epoch=1, since="0:0", fraction=1.0)
        self.requests = self._open("requests", REQUESTS_SCHEMA, {})

    def start(self, **values: Any) -> None:
        """Start the shadow, as the feed does."""
        given = {"since": str(self.requests.position), "artifact": "flights:2", "epoch": 1}
        self._run = Run(**{"fraction": 1.0, **given, **values})
        if writer := self._writers.pop("shadow-2", None):
            writer.close()
        (self.folder("shadow-2") / STOPPED).unlink(missing_ok=True)
        self._open("shadow-2", SHADOW_SCHEMA, self._run.metadata)

    def stop(self) -> None:
        """Stop it, as the gateway does."""
        (self.folder("shadow-2") / STOPPED).touch()

    def request(self, *names: str, **values: Any) -> Position:
        """Log requests of one row."""
        self.requests.append(live(names, **values))
        return self.requests.position

    def shadow(self, names: Sequence[str], read_to: Position, **values: Any) -> None:
        """Log what the shadow made of them."""
        given = {"epoch": self._run.epoch, **values}
        self._writers["shadow-2"].append(shadow(names, read_to, **given))

    def rotate(self) -> None:
        for writer in self._writers.values():
            writer.rotate()
            writer.fsync()

    def folder(self, stream: str) -> Path:
        return stream_folder(self.settings, "flights", self.name, stream)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _open(self, stream: str, schema: Any, metadata: dict[str, str]) -> SegmentWriter:
        writer = SegmentWriter(
            self.folder(stream), schema, settings=self.settings, metadata=metadata
        )
        self._writers[stream] = writer
        return writer


@pytest.fixture
def open_slice(tmp_path: Path) -> Iterator[Callable[..., Slice]]:
    opened: list[Slice] = []

    def make(name: str = "a") -> Slice:
        opened.append(Slice(settings(tmp_path), name))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def slice_a(open_slice: Callable[..., Slice]) -> Slice:
    return open_slice()


def accounts(of: Slice) -> LogAccounts:
    return balance(InferenceLog(of.settings, "flights"))


def the_shadow(of: Slice) -> ShadowAccounts:
    (found,) = accounts(of).shadows
    return found


def test_every_outcome_of_live_is_counted(slice_a: Slice) -> None:
    """Rows received are the sum of rows by outcome, and the line says so."""
    outcomes = ["answered", "answered", "rejected", "failed", "timed_out", "shed"]
    slice_a.request(*"abcdef", outcome=outcomes)
    found = accounts(slice_a)
    assert found.balanced
    assert found.explain() == (
        "live: 6 rows received = 2 answered + 1 rejected + 1 failed + 1 timed out + 1 shed"
    )


def test_no_log_is_an_error(tmp_path: Path) -> None:
    """Empty accounts would look balanced."""
    with pytest.raises(LogError, match="no log"):
        balance(InferenceLog(settings(tmp_path), "flights"))


def test_a_log_without_rows_balances(slice_a: Slice) -> None:
    """Nothing received is zero of everything."""
    found = accounts(slice_a)
    assert found.balanced
    assert (found.live.requests, found.live.received, found.shadows) == (0, 0, ())


@pytest.mark.parametrize(
    ("rows", "outcome", "complaint"),
    [
        ([0, 1, 1], "answered", "  1 row is logged more than once"),
        ([0, 2, 3], "answered", "live: 4 rows received ≠ 3 answered"),
        ([0, 1, 2], "lost", "  3 rows are of an unknown outcome `lost`"),
    ],
    ids=["a row twice", "a row missing", "an outcome that is none"],
)
def test_live_books_that_do_not_balance_say_why(
    slice_a: Slice, rows: list[int], outcome: str, complaint: str
) -> None:
    """A request's rows are counted by their numbers."""
    slice_a.request("a", "a", "a", row=rows, outcome=outcome)
    found = accounts(slice_a)
    assert not found.balanced
    assert complaint in found.explain()


@pytest.mark.parametrize("sealed", [False, True])
def test_a_shadow_has_scored_failed_or_yet_to_read_each_row(slice_a: Slice, sealed: bool) -> None:
    """Rows before its start and rows live did not answer are not eligible; crashed is failed."""
    slice_a.request("before")
    slice_a.start()
    first = slice_a.request("a", "b", "c", outcome=["answered", "rejected", "answered"])
    second = slice_a.request("d")
    slice_a.shadow(["a", "c"], first)
    slice_a.shadow(["d"], second, outcome="crashed")
    if sealed:
        slice_a.rotate()
        assert Sealer(slice_a.settings, "flights").seal() == 2
    slice_a.request("e", "f")
    assert the_shadow(slice_a) == ShadowAccounts(
        artifact="flights:2", eligible=5, scored=2, failed=1, lagging=2, lagging_in={"a": 2}
    )
    assert accounts(slice_a).explain().splitlines()[1] == (
        "shadow flights:2: 5 rows eligible = 2 scored + 1 failed + 2 lagging"
    )
    assert accounts(slice_a).balanced


def test_a_sampled_shadow_is_held_to_its_sample(slice_a: Slice) -> None:
    """Eligible is what the sampling keeps, by entity, of rows already read and yet to be read."""
    slice_a.start(fraction=0.4, entity_key=("hour",))
    hours = list(range(24))
    names = [f"r{hour}" for hour in hours]
    kept = keep([str(hour) for hour in hours], 0.4)
    end = slice_a.request(*names, input_hour=hours)
    slice_a.shadow([n for n, k in zip(names, kept, strict=True) if k], end)
    slice_a.request(*names, input_hour=hours, row=1)
    found = the_shadow(slice_a)
    count = int(kept.sum())
    assert 0 < count < 24
    assert (found.eligible, found.scored, found.lagging) == (2 * count, count, count)
    assert found.balanced


def test_rows_read_and_not_recorded_are_missing(slice_a: Slice) -> None:
    """What lies behind the shadow's position without a record is lost, not lagging."""
    slice_a.start()
    slice_a.request("a")
    slice_a.shadow(["b"], slice_a.request("b"))
    found = the_shadow(slice_a)
    assert (found.eligible, found.scored, found.lagging, found.missing) == (2, 1, 0, 1)
    assert not found.balanced
    assert "  1 row is read and not recorded" in accounts(slice_a).explain()


def test_rows_recorded_twice_or_without_need_do_not_balance(slice_a: Slice) -> None:
    """A record too many is as wrong as one too few."""
    slice_a.request("before")
    slice_a.start()
    end = slice_a.request("a")
    for names in (["a"], ["a"], ["before"]):
        slice_a.shadow(names, end)
    found = the_shadow(slice_a)
    assert (found.repeated, found.strange) == (1, 1)
    assert not accounts(slice_a).balanced
    explained = accounts(slice_a).explain()
    assert "≠ 2 scored" in explained
    assert "  1 row is recorded more than once" in explained
    assert "  1 row is recorded and not eligible" in explained


def test_a_stopped_shadow_lags_nothing(slice_a: Slice) -> None:
    """Rows after its last are not for it any more; a new run begins at its own start."""
    slice_a.start()
    slice_a.shadow(["a"], slice_a.request("a"))
    slice_a.stop()
    slice_a.request("b")
    assert the_shadow(slice_a) == ShadowAccounts(artifact="flights:2", eligible=1, scored=1)
    slice_a.start(epoch=2)
    slice_a.request("c")
    assert the_shadow(slice_a) == ShadowAccounts(
        artifact="flights:2", eligible=2, scored=1, lagging=1, lagging_in={"a": 1}
    )
    assert accounts(slice_a).balanced


def test_slices_are_added_up(open_slice: Callable[..., Slice]) -> None:
    """One shadow in two slices has one line; each slice keeps its own place."""
    slices = [open_slice("a"), open_slice("b")]
    for number, each in enumerate(slices):
        each.start()
        each.shadow([f"x{number}"], each.request(f"x{number}"))
    slices[0].request("y")
    assert the_shadow(slices[0]) == ShadowAccounts(
        artifact="flights:2", eligible=3, scored=2, lagging=1, lagging_in={"a": 1}
    )
    assert accounts(slices[0]).balanced
    assert "  1 row is lagging in slice a" in accounts(slices[0]).explain().splitlines()


def test_another_machines_shadow_is_taken_at_its_word(slice_a: Slice) -> None:
    """With only the sealed table, there is nothing to check it against."""
    slice_a.start()
    slice_a.shadow(["a"], slice_a.request("a"))
    slice_a.rotate()
    Sealer(slice_a.settings, "flights").seal()
    elsewhere = Settings(root=slice_a.settings.root, spool=f"{slice_a.settings.root}/none")
    found = balance(InferenceLog(elsewhere, "flights"))
    assert found.balanced
    assert found.shadows == (ShadowAccounts(artifact="flights:2", eligible=1, scored=1),)


def test_rows_that_repair_found_are_not_those_of_a_shadow(open_slice: Callable[..., Slice]) -> None:
    """They belong to an earlier folder of the slice, in which the shadow did not run, but their
    segments have the numbers of segments that it has read.
    """
    old = open_slice()
    for name in "abc":
        old.request(name)
        old.rotate()
    old.close()
    spool = old.settings.spool_path / "flights"
    (spool / "a").rename(spool / "b")
    new = open_slice()
    new.start()
    new.shadow(["d"], new.request("d"))
    new.rotate()
    assert sum(repair(new.settings, "flights").sealed.values()) == 3
    accounts = balance(InferenceLog(new.settings, "flights"))
    assert accounts.balanced
    assert accounts.live.received == 4
    assert [shadow.eligible for shadow in accounts.shadows] == [1]
