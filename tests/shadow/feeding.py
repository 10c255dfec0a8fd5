"""A slice's request log written as a gateway would, and real feed processes reading it."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.log import (
    REQUESTS,
    Position,
    SegmentWriter,
    Tail,
    new_request_id,
    request_schema,
    shadow_stream,
    stream_folder,
)
from gnomon.settings import Settings
from gnomon.shadow.feed.progress import Progress
from gnomon.worker.spawn import child_environment
from tests.fork_server import Popen

SLICE = "here"
PATIENCE = 120.0
"""Seconds. A feed runs niced: on a machine with other work it starts slowly."""


class Requests:
    """The requests of one slice, answered by a live artifact that predicts x times 1."""

    def __init__(
        self, settings: Settings, live: Artifact, slice_name: str = SLICE, *, words: bool = False
    ) -> None:
        self.live = live
        self._words = words
        self._schema = request_schema(live.contract)
        if words:
            place = self._schema.get_field_index("output_prediction")
            self._schema = self._schema.set(place, pa.field("output_prediction", pa.string()))
        folder = stream_folder(settings, live.name, slice_name, REQUESTS)
        self._writer = SegmentWriter(folder, self._schema, settings=settings)

    @property
    def position(self) -> Position:
        """The end of the log."""
        return self._writer.position

    def answer(self, *bodies: Any, outcome: str = "answered") -> list[str]:
        """Log requests in one batch, each a record or ``{"rows": [...]}``; give their ids."""
        rows: list[dict[str, Any]] = []
        ids = []
        for body in bodies:
            request = new_request_id()
            ids.append(request)
            raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
            records = body.get("rows", [body]) if isinstance(body, dict) else [{}]
            values = [r["x"] if isinstance(r.get("x"), float) else None for r in records]
            rows += [
                {
                    "request_id": request,
                    "row": row,
                    "role": "live",
                    "outcome": outcome,
                    "arrived": datetime.now(UTC),
                    "protocol": "json",
                    "raw": raw if row == 0 else None,
                    "artifact": self.live.tag,
                    "digest": self.live.digest,
                    "epoch": 1,
                    "scored_us": 500,
                    "batch_rows": 1,
                    "input_x": x,
                    "input_id": record.get("id"),
                    "output_prediction": str(x) if self._words else x,
                }
                for row, (record, x) in enumerate(zip(records, values, strict=True))
            ]
        self._writer.append(pa.RecordBatch.from_pylist(rows, schema=self._schema))
        return ids

    def rotate(self) -> None:
        """Begin the next segment."""
        self._writer.rotate()

    def close(self) -> None:
        """Close the log, so that other processes can use it."""
        self._writer.close()


class FeedProcess:
    """A feed as its gateway starts it; a context manager that closes the parent socket.

    It and its worker are forked from a process that has imported what they need.
    """

    def __init__(
        self,
        settings: Settings,
        shadow: Artifact,
        *,
        since: Position | str = "0:0",
        fraction: float = 1.0,
        epoch: int = 2,
        policy: Path | None = None,
        slice_name: str = SLICE,
    ) -> None:
        self._parent_socket, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory()
        self._said = Path(self._folder.name) / "said"
        arguments = [
            "--slice", slice_name, "--artifact", shadow.tag,
            *(part for name in shadow.contract.entity_key for part in ("--entity-key", name)),
            "--fraction", repr(fraction), "--since", str(since), "--epoch", str(epoch),
            *(["--policy", str(policy)] if policy else []), "--parent-socket",
        ]  # fmt: skip
        with theirs:
            Popen.start_server()
            self.process = _start_module(
                "gnomon.shadow.feed",
                arguments,
                theirs,
                env=child_environment(settings),
                said=self._said,
            )
        self._lines = self._parent_socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def reports(self, until: Callable[[Progress], bool]) -> Progress:
        """The first report that satisfies ``until``."""
        limit = time.monotonic() + PATIENCE
        last = None
        while time.monotonic() < limit:
            readable, _, _ = select.select([self._parent_socket], [], [], 1.0)
            if not readable and self.process.poll() is None:
                continue
            line = self._lines.readline()
            assert line, f"the feed ended after {last}: {self.stderr()}"
            last = msgspec.convert(json.loads(line), Progress)
            if until(last):
                return last
        raise AssertionError(f"not within {PATIENCE} s; last: {last}")

    def caught_up(self, eligible: int) -> Progress:
        """The report that so many rows are eligible and none lags."""
        return self.reports(lambda p: p.count_eligible() == eligible and p.lagging == 0)

    def stderr(self) -> str:
        """What it has said."""
        return self._said.read_text()

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.wait()
        self._release()

    def close(self) -> int:
        """Close the parent socket; the exit code."""
        self._release()
        return self.process.wait(timeout=30)

    def _release(self) -> None:
        self._lines.close()
        self._parent_socket.close()
        self._folder.cleanup()


def _start_module(
    module: str,
    arguments: Sequence[str],
    sock: socket.socket,
    *,
    env: Mapping[str, str],
    said: Path,
) -> subprocess.Popen[bytes]:
    with said.open("wb") as output:
        return Popen(
            [sys.executable, "-P", "-m", module, *arguments, str(sock.fileno())],
            pass_fds=[sock.fileno()],
            env=dict(env),
            stdout=output,
            stderr=output,
        )


def records(settings: Settings, shadow: Artifact) -> list[dict[str, Any]]:
    """Everything the shadow has recorded, in order."""
    folder = stream_folder(settings, shadow.name, SLICE, shadow_stream(shadow.version))
    tail = Tail(folder)
    found: list[dict[str, Any]] = []
    while batches := tail.poll():
        for _, batch in batches:
            found += batch.to_pylist()
    tail.close()
    return found


def wait_for(condition: Callable[[], Any]) -> Any:
    """What ``condition`` gives once it gives something true."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come about"
        select.select([], [], [], 0.01)  # Leaves the processor to the feed, which runs niced.
    return found


def row(x: float, entity: str = "e") -> dict[str, Any]:
    """One record of the toy artifact."""
    return {"x": x, "id": entity}
