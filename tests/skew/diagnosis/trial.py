"""One trial: rows on both sides, run for real in workers, and the diagnosis of what differs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.skew.trial import outputs_of, with_noise
from gnomon.artifact import Artifact
from gnomon.compare.comparators import compare
from gnomon.offline.column_names import KNOWN_AT
from gnomon.offline.paired_rows import Pairs, with_columns
from gnomon.offline.rerun import Rerun
from gnomon.policy import Policy, Tolerance
from gnomon.report import Diagnosis
from gnomon.skew.diagnosis.diagnose import diagnose
from gnomon.skew.diagnosis.traced_rows import Sampled, trace_scored
from tests.skew.diagnosis.injections import Sides, inject
from tests.skew.diagnosis.worlds import World

__all__ = ["trial"]

EXACT = Policy(skew={"*": Tolerance(absolute=0.0)})


def trial(
    world: World, causes: list[str], strength: float, seed: int, rows: int, sees: str = "all"
) -> Diagnosis | None:
    """Diagnose rows with these causes in them; None when no row diverges.

    Args:
        sees: what the table holds beside the key: ``all`` (features, steps and answers),
            ``features`` (and answers), or ``answers``.
    """
    sides = inject(world, causes, strength, seed, rows)
    served = world.artifact(sides.artifact[0], **sides.artifact[1])
    trained = world.artifact(sides.predicted[0], **sides.predicted[1])
    rerun = world.rerun(served, sides.fault)
    clean = world.rerun(trained)
    offline = world.batch(trained, sides.offline)
    right_outputs = clean.score(offline)
    if sides.feedback:
        _feed_back(world, sides, served, rerun)
    online = world.batch(served, sides.online)
    scored = rerun.alone(online) if sides.alone else rerun.score(online)
    left = with_columns(pa.Table.from_batches([online]), outputs_of(scored))
    right = outputs_of(right_outputs)
    if sides.noise:
        right = with_noise(right, sides.noise)
    if sees != "answers":
        right = with_columns(pa.Table.from_batches([offline]), right)
    if sees == "all":
        right = with_columns(right, world.steps(trained, clean, offline))
    if sides.known is not None:
        right = right.append_column(KNOWN_AT, _times(sides.known))
    policy = EXACT if sides.exact else Policy()
    outputs = outputs_of(right_outputs).schema
    rules = policy.rules(outputs, outputs=served.contract.compared_as, same=True)
    diverged = ~compare(left, right, rules).agreed
    if not diverged.any():
        return None
    sample = Sampled(
        Pairs(_about(sides.online, seed), left, right), diverged, np.ones(len(diverged))
    )
    again = rerun.score(online)
    traced = trace_scored(sample, served, rerun, policy, online, again)

    def others() -> Iterator[tuple[Artifact, Rerun]]:
        for name in ("", "other"):
            other = world.packed.get(name)
            if other is not None and other.tag != served.tag:
                yield other, world.rerun(other)

    with ExitStack():
        return diagnose(
            traced, served, rerun, names=("online", "offline"), confidence=0.95, others=others
        ).diagnosis


def _feed_back(world: World, sides: Sides, served: Artifact, rerun: Rerun) -> None:
    """Each visit's value is the one before's, moved by what the model said then."""
    order = sides.online.groupby("id").cumcount()
    answers = pd.Series(np.zeros(len(order)))
    for turn in range(int(order.max()) + 1):
        rows = np.flatnonzero(order == turn)
        if turn:
            last = answers.groupby(sides.online["id"]).transform(lambda s: s.shift(1).fillna(0))
            sides.online.loc[rows, "recent"] = (
                sides.offline.loc[rows, "recent"] + sides.feedback * last[rows]
            )
        scored = rerun.score(world.batch(served, sides.online.iloc[rows].reset_index(drop=True)))
        names = [n for n in scored.schema.names if n.startswith("probability_")]
        values = scored.column(names[-1] if names else "prediction").to_numpy(zero_copy_only=False)
        answers.iloc[rows] = values


def _about(frame: pd.DataFrame, seed: int) -> pa.Table:
    n = len(frame)
    start = pd.Timestamp("2026-01-05T08:00", tz="UTC")
    arrived = start + pd.to_timedelta(np.arange(n) * 7, unit="s")
    clients = np.random.default_rng(seed).choice(["web", "app", "kiosk"], n)
    return pa.table(
        {
            "request_id": [f"r{i:06d}" for i in range(n)],
            "row": pa.array(np.zeros(n, dtype=np.int32)),
            "arrived": _times(arrived),
            "client_id": clients.tolist(),
            "time": _times(frame["at"]),
            "key_id": frame["id"].tolist(),
            "flipped": np.zeros(n, dtype=bool),
            "difference": np.zeros(n),
        }
    )


def _times(values: pd.Series | pd.DatetimeIndex) -> pa.Array:
    naive = pa.array(pd.DatetimeIndex(values).tz_convert(None).to_numpy())
    return naive.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
