"""Logged requests run through one half of an artifact with the other half of another.

Two artifacts differ in their preprocessing, in their model, or in both. With B's preprocessing
under A's model, and B's model on A's preprocessing, each half is exchanged alone: what then differs
from A is caused by it, and what differs only with both is an interaction. A itself is run again
too, so that rows that it answers differently each time are not taken for an effect of a half.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gnomon.artifact import Artifact
from gnomon.artifact.combining.combination import combine
from gnomon.compare.comparators import Compared, compare
from gnomon.errors import PackRefused
from gnomon.offline.logged import Range
from gnomon.offline.paired_rows import Pairs
from gnomon.offline.rerun import LazyRerun
from gnomon.policy import Policy, Rules
from gnomon.report import HalfEffect, Halves
from gnomon.settings import Settings
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS
from gnomon.skew.replay_run import ReplayRun

__all__ = ["Exchanged", "HalfExchange", "exchanged_halves"]

Mask = npt.NDArray[np.bool_]


class Exchanged(NamedTuple):
    """An artifact, and the combined ones with one half of another.

    Attributes:
        itself: the artifact whose answers are compared.
        preprocessing: its model on the other's preprocessing.
        model: the other's model on its preprocessing.
    """

    itself: Artifact
    preprocessing: Artifact
    model: Artifact


def exchanged_halves(artifact: Artifact, through: Artifact | None) -> Exchanged:
    """Return both combined artifacts; they are made, or found in the store.

    Raises:
        PackRefused: there is no other artifact, or the halves do not fit; the message says why.
        GnomonError: as :func:`gnomon.artifact.combining.combination.combine`.
    """
    if through is None:
        raise PackRefused(
            "one artifact alone has no halves to exchange",
            hint="name another one: --through TAG, in Python through=TAG",
        )
    return Exchanged(artifact, combine(artifact, through), combine(through, artifact))


@dataclass(slots=True)
class _Changes:
    """The mean size of changes over the rows that differ."""

    total: float = 0.0
    rows: int = 0

    def add(self, differences: npt.NDArray[np.float64]) -> None:
        finite = differences[np.isfinite(differences)]
        self.total += float(finite.sum())
        self.rows += len(finite)

    @property
    def mean(self) -> float | None:
        return self.total / self.rows if self.rows else None


@dataclass(slots=True)
class HalfCounts:
    """Rows by the halves whose exchange makes them differ; see :class:`gnomon.report.Halves`."""

    differ: int = 0
    preprocessing: int = 0
    model: int = 0
    either: int = 0
    together: int = 0
    cancelled: int = 0
    unstable: int = 0
    changes: dict[str, _Changes] = field(
        default_factory=lambda: {name: _Changes() for name in ("both", "preprocessing", "model")}
    )

    def add(
        self, itself: Compared, both: Compared, preprocessing: Compared, model: Compared
    ) -> None:
        """Count the same rows, as answered by the artifact, the other one, and with each half."""
        stable = itself.agreed
        self.unstable += int((~stable).sum())
        differ, by_preprocessing, by_model = (
            stable & ~compared.agreed for compared in (both, preprocessing, model)
        )
        self.differ += int(differ.sum())
        self.preprocessing += int((differ & by_preprocessing & ~by_model).sum())
        self.model += int((differ & ~by_preprocessing & by_model).sum())
        self.either += int((differ & by_preprocessing & by_model).sum())
        self.together += int((differ & ~by_preprocessing & ~by_model).sum())
        self.cancelled += int((stable & ~differ & (by_preprocessing | by_model)).sum())
        named = (("both", both), ("preprocessing", preprocessing), ("model", model))
        for name, compared in named:
            self.changes[name].add(compared.difference[differ])

    @property
    def makes(self) -> Literal["preprocessing", "model", "both", "none", "few"]:
        """The half that makes the difference, by the rule of a confirmed cause."""
        if not self.differ:
            return "none"
        if self.differ < FEWEST_ROWS:
            return "few"
        if self.preprocessing >= CONFIRMED * self.differ:
            return "preprocessing"
        return "model" if self.model >= CONFIRMED * self.differ else "both"


class HalfExchange:
    """The rows of a replay, run also through the artifact itself and with each half exchanged.

    Args:
        exchanged: the artifacts.
        source: the rows that are replayed.
        policy: the tolerances.
        rules: those that the replay itself judges by.
        settings: settings of the workers.
        stack: ends the workers.
    """

    def __init__(
        self,
        exchanged: Exchanged,
        source: Range,
        policy: Policy,
        rules: Rules,
        settings: Settings,
        stack: ExitStack,
    ) -> None:
        self._exchanged, self._rules = exchanged, rules
        self._counts = HalfCounts()
        self._runs = [ReplayRun(exchanged.itself, one, policy, 0) for one in exchanged]
        self._pairs = [
            _pairs(run, one, source, settings, stack)
            for run, one in zip(self._runs, exchanged, strict=True)
        ]

    def add(self, pairs: Pairs) -> None:
        """Run the rows of the next chunk of the replay, and count them."""
        both = compare(pairs.left, pairs.right, self._rules)
        itself, preprocessing, model = (self._next(other, pairs) for other in self._pairs)
        self._counts.add(itself, both, preprocessing, model)

    def counted(self) -> Halves:
        """Return what was counted of all chunks."""
        counts, changes = self._counts, self._counts.changes
        _, of_preprocessing, of_model = self._runs
        return Halves(
            makes=counts.makes,
            preprocessing=HalfEffect(
                artifact=self._exchanged.preprocessing.tag,
                alone=counts.preprocessing,
                mean_change=changes["preprocessing"].mean,
                unanswered=of_preprocessing.unanswered_rows,
            ),
            model=HalfEffect(
                artifact=self._exchanged.model.tag,
                alone=counts.model,
                mean_change=changes["model"].mean,
                unanswered=of_model.unanswered_rows,
            ),
            differ=counts.differ,
            either=counts.either,
            together=counts.together,
            cancelled=counts.cancelled,
            unstable=counts.unstable,
            mean_change=changes["both"].mean,
        )

    def _next(self, others: Iterator[Pairs], pairs: Pairs) -> Compared:
        """Compare the same rows of another run: both read the same snapshot in the same chunks."""
        other = next(others)
        assert other.about.select(["request_id", "row"]).equals(
            pairs.about.select(["request_id", "row"])
        )
        return compare(other.left, other.right, self._rules)


def _pairs(
    run: ReplayRun, through: Artifact, source: Range, settings: Settings, stack: ExitStack
) -> Iterator[Pairs]:
    own = Range(
        source.log,
        source.artifact,
        source.role,
        source.start,
        source.end,
        source.limit,
        joint=run.contract,
    )
    workers = stack.enter_context(ExitStack())  # closed after the scorer that uses them
    scorer = ThreadPoolExecutor(1, "score")
    stack.callback(scorer.shutdown, cancel_futures=True)
    return run.pairs(own, LazyRerun(workers, through, settings), scorer)
