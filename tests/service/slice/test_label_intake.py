"""Labels that clients send: stored before they are acknowledged, together where they wait."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from gnomon.errors import InvalidRequest, NotReady, Overloaded, StorageError
from gnomon.labels.label_store import LabelStore, LabelWriter
from gnomon.service.slice import label_intake
from gnomon.service.slice.label_intake import LabelIntake
from gnomon.service.tasks import Tasks
from gnomon.settings import Settings
from tests.labels.labelled_log import CONTRACT


def label(request: str, value: str = "yes") -> bytes:
    return json.dumps({"request_id": request, "value": value}).encode()


def stored(settings: Settings) -> list[str]:
    names: list[str] = LabelStore(settings, "toy").read().column("request_id").to_pylist()
    return names


LIVE = SimpleNamespace(contract=CONTRACT)


def intake(settings: Settings, live: Any = LIVE) -> LabelIntake:
    return LabelIntake(settings, "toy", lambda: live, frozenset, Tasks())


async def sent(labels: LabelIntake, *bodies: bytes) -> list[Any]:
    adding = (labels.add(body, lines=False) for body in bodies)
    return await asyncio.gather(*adding, return_exceptions=True)


def test_what_waits_is_written_at_once_and_a_wrong_body_fails_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write holds the rest up; they are the second."""
    sizes: list[int] = []
    add = LabelWriter.add

    def counted(self: LabelWriter, records: Any) -> None:
        sizes.append(records.num_rows)
        add(self, records)

    monkeypatch.setattr(LabelWriter, "add", counted)

    async def run() -> list[Any]:
        labels = intake(settings)
        first = asyncio.ensure_future(labels.add(label("a"), lines=False))
        await asyncio.sleep(0)
        rest = await sent(labels, label("b"), label("c", "maybe"), label("d"))
        return [await first, *rest]

    first, second, wrong, last = asyncio.run(run())
    assert (first.accepted, second.accepted, last.accepted) == (1, 1, 1)
    assert isinstance(wrong, InvalidRequest)
    assert stored(settings) == ["a", "b", "d"]
    assert sum(sizes) == 3
    assert len(sizes) <= 2


def test_none_of_a_request_is_stored_if_one_of_it_is_wrong(settings: Settings) -> None:
    """The error names it."""
    body = b"[" + label("a") + b"," + label("b", "maybe") + b"]"
    [error] = asyncio.run(sent(intake(settings), body))
    assert error.where == "$[1].value"
    assert stored(settings) == []


def test_a_disk_that_refuses_refuses_all_that_wait_and_the_next_is_stored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is acknowledged that is not on disk."""

    async def run() -> list[Any]:
        labels = intake(settings)
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", _full)
            failed = await sent(labels, label("a"), label("b", "maybe"))
        return [*failed, *await sent(labels, label("c"))]

    def _full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    failed, wrong, fine = asyncio.run(run())
    assert isinstance(failed, StorageError)
    assert isinstance(wrong, InvalidRequest)
    assert fine.accepted == 1
    assert stored(settings) == ["c"]


def test_without_a_live_artifact_no_label_can_be_checked(settings: Settings) -> None:
    """503, as for a prediction."""
    [error] = asyncio.run(sent(intake(settings, None), label("a")))
    assert isinstance(error, NotReady)


def test_a_client_that_goes_away_disturbs_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its label is stored all the same."""
    begun, go_on = threading.Event(), threading.Event()
    add = LabelWriter.add

    def slow(self: LabelWriter, records: Any) -> None:
        begun.set()
        go_on.wait(10)
        add(self, records)

    monkeypatch.setattr(LabelWriter, "add", slow)

    async def run() -> Any:
        labels = intake(settings)
        gone = asyncio.ensure_future(labels.add(label("a"), lines=False))
        await asyncio.to_thread(begun.wait, 10)
        gone.cancel()
        waiting = asyncio.ensure_future(labels.add(label("b"), lines=False))
        await asyncio.sleep(0)
        go_on.set()
        return await waiting

    assert asyncio.run(run()).accepted == 1
    assert stored(settings) == ["a", "b"]


def test_what_waits_for_a_storage_that_hangs_is_bounded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte counts until it is written, also of clients that are gone."""
    begun, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []
    add = LabelWriter.add

    def slow(self: LabelWriter, records: Any) -> None:
        begun.set()
        go_on.wait(10)
        sizes.append(records.num_rows)
        add(self, records)

    monkeypatch.setattr(LabelWriter, "add", slow)
    size = len(label("a"))
    monkeypatch.setattr(label_intake, "WAITING_BYTES", 4 * (size + label_intake.TASK_BYTES))
    monkeypatch.setattr(label_intake, "_BATCH_BYTES", 2 * size)

    async def run() -> tuple[list[Any], int]:
        labels = intake(settings)
        waiting = [asyncio.ensure_future(labels.add(label("a"), lines=False))]
        await asyncio.to_thread(begun.wait, 10)
        waiting += [asyncio.ensure_future(labels.add(label(n), lines=False)) for n in "bcd"]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
        [refused] = await sent(labels, label("e"))
        go_on.set()
        return [refused, *await asyncio.gather(*waiting, return_exceptions=True)], labels.held.bytes

    (refused, *_, last), held = asyncio.run(run())
    assert isinstance(refused, Overloaded)
    assert "bytes of labels are already held" in str(refused)
    assert (last.accepted, held) == (1, 0)
    assert stored(settings) == ["a", "b", "c", "d"]
    assert sizes == [1, 2, 1]


def test_a_storage_that_hangs_holds_none_of_asyncios_threads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read tokens, and end workers; the labels wait in a thread of their own."""
    begun, go_on = threading.Event(), threading.Event()

    def hang(self: LabelWriter, records: Any) -> None:
        begun.set()
        go_on.wait(30)

    monkeypatch.setattr(LabelWriter, "add", hang)

    async def run() -> Any:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        adding = asyncio.ensure_future(intake(settings).add(label("a"), lines=False))
        try:
            while not begun.is_set():
                await asyncio.sleep(0.001)
            assert await asyncio.wait_for(asyncio.to_thread(str, "free"), 10) == "free"
        finally:
            go_on.set()
        return await adding

    assert asyncio.run(run()).accepted == 1


def test_labels_may_be_of_the_classes_of_every_artifact_that_answered(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a shadow that starts while the server runs; contracts are read when that changes."""
    read: list[list[str]] = []

    def contracts(tags: list[str]) -> list[Any]:
        read.append(tags)
        return [structs.replace(CONTRACT, classes=("maybe",)) for _ in tags]

    monkeypatch.setattr(label_intake, "contracts_of", contracts)
    artifacts: frozenset[str] = frozenset()

    async def run() -> list[Any]:
        nonlocal artifacts
        labels = LabelIntake(settings, "toy", lambda: LIVE, lambda: artifacts, Tasks())  # type: ignore[arg-type,return-value]
        [refused] = await sent(labels, label("a", "maybe"))
        artifacts = frozenset(["toy:next"])
        return [refused, *await sent(labels, label("b", "maybe")), *await sent(labels, label("c"))]

    refused, *accepted = asyncio.run(run())
    assert isinstance(refused, InvalidRequest)
    assert [one.accepted for one in accepted] == [1, 1]
    assert read == [[], ["toy:next"]]
