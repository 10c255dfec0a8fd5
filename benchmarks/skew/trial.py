"""One trial: a fault in real rows, both sides run in real workers, and the diagnosis."""

from __future__ import annotations

import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

import gnomon
from benchmarks.skew.datasets import DataSet, load
from benchmarks.skew.decoys import CONTROLS
from benchmarks.skew.faults import FAULTS
from benchmarks.skew.truth import Fault, NotApplicable, Sides, Truth, scope_of
from gnomon.artifact import Artifact
from gnomon.compare.comparators import compare
from gnomon.contract.frames import from_frame
from gnomon.offline.column_names import KNOWN_AT
from gnomon.offline.paired_rows import Pairs, with_columns
from gnomon.offline.rerun import Rerun, step_columns
from gnomon.policy import Policy, Tolerance
from gnomon.report import Diagnosis
from gnomon.settings import Settings
from gnomon.skew.diagnosis.diagnose import diagnose
from gnomon.skew.diagnosis.traced_rows import Sampled, trace_scored
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR

__all__ = ["EVERY", "Case", "Result", "Workbench", "drawn", "run"]

EVERY: dict[str, Fault] = {**FAULTS, **CONTROLS}

SPOILED = "spoiled-"
"""How the versions of artifacts begin that one trial alone needs."""

ATTEMPTS = 4
"""How often columns and strengths are drawn anew when no answer changes."""

ENOUGH = 10
"""So many answers must differ; else columns are drawn anew, until the attempts are used up."""


@dataclass(frozen=True)
class Case:
    """What is drawn for one trial."""

    dataset: str
    fault: str
    scope: str
    seed: int
    sees: str
    rows: int

    @property
    def name(self) -> str:
        """As ``--only`` takes it."""
        return f"{self.dataset}/{self.fault}/{self.scope}/{self.seed}/{self.sees}/{self.rows}"

    @classmethod
    def named(cls, name: str) -> Case:
        """Return the case of a name."""
        dataset, fault, scope, seed, sees, rows = name.split("/")
        return cls(dataset, fault, scope, int(seed), sees, int(rows))

    @property
    def split(self) -> str:
        """``dev`` or ``held-out``: half of the pairs of data set and fault each."""
        return "dev" if zlib.crc32(f"{self.dataset}/{self.fault}".encode()) % 2 else "held-out"


@dataclass
class Result:
    """A trial that ran.

    Attributes:
        diverged: how many rows do.
        attempt: which draw of columns and strengths it was.
        sides: what was drawn.
        seconds: how long the diagnosis took, without the preparation.
    """

    truths: list[Truth]
    found: Diagnosis | None
    diverged: int = 0
    rows: int = 0
    attempt: int = 0
    sides: Sides | None = None
    seconds: float = 0.0


@dataclass
class Workbench:
    """A data set's artifacts, each with a worker; they end with the ``stack`` or with a trial."""

    data: DataSet
    stack: ExitStack = field(default_factory=ExitStack)
    spoiled: ExitStack = field(default_factory=ExitStack)
    numbers: Iterator[int] = field(default_factory=count)
    packed: dict[str, Artifact] = field(default_factory=dict)
    running: dict[str, tuple[Rerun, Path]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str) -> Workbench:
        """Load a data set."""
        return cls(load(name))

    def artifact(self, version: str = "first", spoil: Any = None) -> Artifact:
        """Return an artifact, packed once; ``other`` was trained on later rows."""
        if version not in self.packed:
            data = self.data
            shift = data.half // 3 if version == "other" else 0
            rows = slice(shift, shift + data.half)
            frame = data.frame.iloc[rows].reset_index(drop=True)
            fitted = data.build().fit(
                frame.drop(columns=list(data.unused)), data.target.iloc[rows].reset_index(drop=True)
            )
            if spoil is not None:
                spoil(fitted)
            self.packed[version] = gnomon.pack(
                data.name,
                fitted,
                frame.drop(columns=["id", *data.unused]),
                carry=frame[["id", *data.unused]],
                entity_key=("id",),
                event_time="at",
                version=version,
                leakage="off",
            )
        return self.packed[version]

    def worker(self, version: str, purpose: str = "", code: str = "") -> Rerun:
        """Return the worker of an artifact; its code has a fault from now on, or none."""
        key = version + purpose
        if key not in self.running:
            flag = Path(tempfile.mkdtemp()) / "fault"
            os.environ["SKEW_BENCH"] = str(flag)
            settings = Settings.read()
            artifact = self.packed[version]
            stack = self.spoiled if version.startswith(SPOILED) else self.stack
            client = stack.enter_context(WorkerClient(artifact, settings))
            del os.environ["SKEW_BENCH"]
            self.running[key] = Rerun(client, artifact, settings), flag
        rerun, flag = self.running[key]
        flag.write_text(code)
        return rerun

    def end_spoiled(self) -> None:
        """End the workers of artifacts that one trial alone needed."""
        self.spoiled.close()
        for kept in (self.packed, self.running):
            for key in [key for key in kept if key.startswith(SPOILED)]:
                del kept[key]


def run(bench: Workbench, case: Case) -> Result:
    """Run one trial.

    Raises:
        NotApplicable: the data set has no column or no rows for this fault.
    """
    result = None
    for attempt in range(ATTEMPTS):
        try:
            sides, truths = drawn(bench.data, case, attempt)
            result = _diagnosed(bench, case, sides, truths, last=attempt == ATTEMPTS - 1)
        except NotApplicable:
            continue
        finally:
            bench.end_spoiled()
        result.attempt, result.sides = attempt, sides
        if result.found is not None or EVERY[case.fault].group == "healthy":
            break
    if result is None:
        raise NotApplicable
    return result


def drawn(data: DataSet, case: Case, attempt: int) -> tuple[Sides, list[Truth]]:
    """Return the rows of a trial and what is true of them, without running it.

    Raises:
        NotApplicable: it was drawn by other rules than those of today.
    """
    of = zlib.crc32(f"{case.dataset}/{case.fault}/{case.scope}/{case.seed}".encode())
    rng = np.random.default_rng([of, attempt])
    frame = data.sample(case.rows, rng)
    client = rng.choice(np.array(["web", "app", "kiosk"]), len(frame))
    sides = Sides(data, rng, frame.copy(), frame.copy(), client)
    sides = scope_of(sides, case.scope)
    return sides, EVERY[case.fault].put(sides)


def _diagnosed(
    bench: Workbench, case: Case, sides: Sides, truths: list[Truth], *, last: bool
) -> Result:
    trained = bench.artifact("first")
    offline_artifact = bench.artifact("other" if sides.other else "first")
    version = "first"
    if sides.spoil is not None:
        version = f"{SPOILED}{next(bench.numbers)}"
    served = bench.artifact(version, sides.spoil)
    clean = bench.worker("other" if sides.other else "first")
    rerun = bench.worker(version, "serving", sides.code)
    offline = _batch(trained, sides.offline)
    right_outputs = clean.score(offline)
    if sides.feedback is not None:
        _feed_back(sides, served, rerun)
    online = _batch(served, sides.online)
    if sides.alone:
        scored = rerun.alone(online)
    elif EVERY[case.fault].group == "healthy":
        scored = rerun.in_batches(online, 7)
    else:
        scored = rerun.score(online)
    failed = np.asarray(scored.column(ERROR).is_valid())
    if failed.any():  # the server answers these with an error: there is nothing to compare
        if (~failed).sum() < case.rows / 4:
            raise NotApplicable
        return _diagnosed(bench, case, _without(sides, failed), truths, last=last)
    left = with_columns(pa.Table.from_batches([online]), outputs_of(scored))
    outputs = outputs_of(right_outputs)
    right = with_noise(outputs, sides.noise) if sides.noise else outputs
    if case.sees != "answers":
        kept = sides.offline.assign(**sides.stored)
        right = with_columns(pa.Table.from_batches([_batch(trained, kept)]), right)
    if case.sees == "all":
        right = with_columns(right, clean.trace(offline, step_columns(offline_artifact)))
    if sides.known is not None:
        right = right.append_column(KNOWN_AT, _times(sides.known))
    policy = Policy(skew={"*": Tolerance(absolute=0.0)}) if sides.exact else Policy()
    rules = policy.rules(outputs.schema, outputs=served.contract.compared_as, same=True)
    diverged = ~compare(left, right, rules).agreed
    differ = int(diverged.sum())
    if differ == 0 or (differ < ENOUGH and not last):
        return Result(truths, None, differ, len(diverged))
    pairs = Pairs(_about(sides), left, right)
    sample = Sampled(pairs, diverged, np.ones(len(diverged)))

    # What the answers of a spoiled artifact should have been is nowhere in the store.
    def others() -> Iterator[tuple[Artifact, Rerun]]:
        yield bench.artifact("other"), bench.worker("other")

    start = time.monotonic()
    traced = trace_scored(sample, served, rerun, policy, online, rerun.score(online))
    found = diagnose(
        traced, served, rerun, names=("online", "offline"), confidence=0.95, others=others
    ).diagnosis
    return Result(truths, found, differ, len(diverged), seconds=time.monotonic() - start)


def _without(sides: Sides, failed: npt.NDArray[np.bool_]) -> Sides:
    kept = np.flatnonzero(~failed)
    return replace(
        sides,
        online=sides.online.iloc[kept].reset_index(drop=True),
        offline=sides.offline.iloc[kept].reset_index(drop=True),
        client=sides.client[kept],
        where=sides.where[kept],
        known=None if sides.known is None else sides.known.iloc[kept].reset_index(drop=True),
        stored={n: v.iloc[kept].reset_index(drop=True) for n, v in sides.stored.items()},
    )


def _batch(artifact: Artifact, frame: pd.DataFrame) -> pa.RecordBatch:
    return from_frame(frame, artifact.contract)


def _feed_back(sides: Sides, served: Artifact, rerun: Rerun) -> None:
    """Add to the column what the model said of the same entity before."""
    assert sides.feedback is not None
    name, share = sides.feedback
    turns = sides.online.groupby("id").cumcount()
    answers = pd.Series(0.0, index=sides.online.index)
    for turn in range(int(turns.max()) + 1):
        rows = np.flatnonzero(turns == turn)
        if turn:
            last = answers.groupby(sides.online["id"]).shift(1).fillna(0.0)
            moved = sides.offline[name].iloc[rows] + share * last.iloc[rows]
            sides.online.loc[rows, name] = moved.to_numpy()
        scored = rerun.score(_batch(served, sides.online.iloc[rows].reset_index(drop=True)))
        names = [n for n in scored.schema.names if n.startswith("probability_")]
        answer = scored.column(names[-1] if names else "prediction")
        answers.iloc[rows] = answer.to_numpy(zero_copy_only=False)


def outputs_of(scored: pa.RecordBatch) -> pa.Table:
    """Return the answers without their errors."""
    return pa.Table.from_batches([scored]).drop_columns([ERROR])


def with_noise(right: pa.Table, by: float) -> pa.Table:
    """Return answers with other last bits."""
    rng = np.random.default_rng(3)
    for at, field_ in enumerate(right.schema):
        if pa.types.is_floating(field_.type):
            values = right.column(at).to_numpy()
            spoiled = values * (1 + by * rng.standard_normal(len(values)))
            right = right.set_column(at, field_, pa.array(spoiled))
    return right


def _about(sides: Sides) -> pa.Table:
    """Return what the log says about each row; it arrived soon after its event."""
    n = len(sides.offline)
    at = pd.Series(sides.offline["at"])
    delay = np.random.default_rng(n).exponential(2.0, n).round(3)
    arrived = (at + pd.to_timedelta(delay, unit="s")).cummax()
    return pa.table(
        {
            "request_id": [f"r{i:06d}" for i in range(n)],
            "row": pa.array(np.zeros(n, dtype=np.int32)),
            "arrived": _times(arrived),
            "client_id": sides.client.tolist(),
            "time": _times(pd.Series(sides.online["at"])),
            "key_id": sides.online["id"].tolist(),
            "flipped": np.zeros(n, dtype=bool),
            "difference": np.zeros(n),
        }
    )


def _times(values: pd.Series) -> pa.Array:
    naive = pa.array(pd.DatetimeIndex(values).tz_convert(None).to_numpy())
    return naive.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
