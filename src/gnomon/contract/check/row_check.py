"""The check of rows against a contract: what a server would refuse, and what it would accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from gnomon.contract.check.batches import (
    Batch,
    Frame,
    batch_from_records,
    batch_from_table,
    columns_of,
    rows_hit,
)
from gnomon.contract.check.column_judge import Judge, Judged, Times
from gnomon.contract.check.contract_report import LEVELS, CheckFinding, ContractReport
from gnomon.contract.check.freshness import stale
from gnomon.contract.check.sample import NumberSample
from gnomon.contract.check.tallies import BatchRows, Label, Tallies
from gnomon.contract.check.units import Trained, suspect_unit, trained
from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature
from gnomon.contract.remedies import VALUE_RULES, missing_hint, rule_hint
from gnomon.errors import InvalidRequest

__all__ = ["Check", "check_frame"]


def check_frame(
    frame: Frame, contract: Contract, *, profile: pa.Table | None = None, text: bool = False
) -> ContractReport:
    """Check the rows of a frame against a contract, as if each were sent to a server.

    Args:
        frame: a DataFrame or an Arrow table; its columns have the names of the features.
        contract: the contract that the rows should satisfy.
        profile: the artifact's training profile, to check the units of numbers.
        text: whether the frame comes from a source without types, such as a CSV file.

    >>> import pandas as pd
    >>> from gnomon.contract import Contract, Feature, Output
    >>> contract = Contract(
    ...     task="regression",
    ...     features=(Feature(name="x", type="float", dtype="float64", maximum=9.0),),
    ...     outputs=(Output(name="prediction", type="float"),),
    ... )
    >>> checked = check_frame(pd.DataFrame({"x": [1.0, None, 10.0]}), contract)
    >>> [(found.rule, found.level, found.rows) for found in checked.findings]
    [('null', 'broken', 1), ('range', 'allowed', 1)]
    """
    check = Check(contract, profile)
    check.add_frame(frame, text=text)
    return check.result()


class Check:
    """A check that counts violations of a contract in bounded memory and can be merged.

    Args:
        contract: the contract that the rows should satisfy.
        profile: the artifact's training profile, to check the units of numbers.
    """

    def __init__(self, contract: Contract, profile: pa.Table | None = None) -> None:
        self.contract = contract
        self.rows = 0
        self._features = {feature.name: feature for feature in contract.features}
        self._judges = {
            text: {f.name: Judge(f, text=text) for f in contract.features} for text in (False, True)
        }
        self._tallies = Tallies()
        self._training = {} if profile is None else trained(profile)
        self._samples = {name: NumberSample() for name in self._training}
        self._unchecked: dict[str, None] = {}
        if profile is None:
            self._unchecked["unit: there is no training profile to compare with"] = None

    def add_frame(self, frame: Frame, *, text: bool = False) -> None:
        """Check the rows of a frame against the contract.

        Ages are computed from the contract's event time, if the frame has it: a frame does not say
        when it is sent.
        """
        first = self.rows
        batch = batch_from_table(columns_of(frame), self._features)
        judged = self._judge(batch, text=text)
        event = self.contract.event_time
        arrived = judged[event].times if event in judged else None
        self._count(batch, judged, BatchRows(lambda place: first + place, arrived))

    def add_records(self, records: Sequence[Any], label: Label, arrived: Times) -> None:
        """Check records from the parsed JSON of requests against the contract.

        Args:
            records: the rows of any number of requests.
            label: returns the name of the record at a position.
            arrived: when each arrived.
        """
        batch = batch_from_records(records, self._features)
        self._count(batch, self._judge(batch, text=False), BatchRows(label, arrived))

    def add_unreadable(self, error: InvalidRequest, label: str, arrived: Times) -> None:
        """Add a body without records; it counts as one row."""
        expected, _, got = error.message.partition(", got ")
        hit = rows_hit("body", expected.removeprefix("expected "), "broken", [0], [got or "a body"])
        self._tallies.count("$", hit, BatchRows(lambda place: label, arrived))
        self.rows += 1

    def add_unknown(self, names: Sequence[str], label: str, arrived: Times) -> None:
        """Add fields of a body next to its ``rows``; they add no row."""
        for name in names:
            hit = rows_hit("unknown", "no such field", "allowed", [0], ["a field next to `rows`"])
            self._tallies.count(name, hit, BatchRows(lambda place: label, arrived))

    def merge(self, other: Check) -> None:
        """Add what another check of the same contract found in later rows."""
        self.rows += other.rows
        self._tallies.merge(other._tallies)
        self._unchecked.update(other._unchecked)
        for name, sample in other._samples.items():
            self._samples[name].merge(sample)

    def result(self) -> ContractReport:
        """Return what was found so far."""
        findings = [*map(self._with_hint, self._tallies.findings(self.rows)), *self._suspected()]
        order = [*self._features]
        place = {name: order.index(name) if name in order else len(order) for name in order}
        findings.sort(
            key=lambda finding: (
                LEVELS.index(finding.level),
                place.get(finding.feature, len(order)),
                -finding.rows,
            )
        )
        return ContractReport(
            rows=self.rows, findings=tuple(findings), unchecked=tuple(self._unchecked)
        )

    def _with_hint(self, finding: CheckFinding) -> CheckFinding:
        """Add a hint to a finding, if a server would refuse the rows."""
        feature = self._features.get(finding.feature)
        if feature is None or finding.level != "broken":
            return finding
        if finding.rule == "missing":
            hint = missing_hint(feature, self._tallies.unknown())
        elif finding.rule in VALUE_RULES:
            hint = rule_hint(feature, finding.rule)
        else:
            return finding
        return msgspec.structs.replace(finding, hint=hint)

    def _judge(self, batch: Batch, *, text: bool) -> dict[str, Judged]:
        """Check each column; rows are numbered as in the batch."""
        return {
            name: _placed(self._judges[text][name](column), places, batch.rows)
            for name, (column, places) in batch.columns.items()
        }

    def _count(self, batch: Batch, judged: dict[str, Judged], rows: BatchRows) -> None:
        self._tallies.count("$", batch.shapeless, rows)
        for name, feature in self._features.items():
            places = batch.columns[name][1] if name in batch.columns else np.array([], np.int64)
            self._count_left_out(feature, batch, places, rows)
            if name in judged:
                self._count_judged(feature, judged[name], rows)
        for name, hit in batch.unknown.items():
            self._tallies.count(name, hit, rows)
        self.rows += batch.rows

    def _count_left_out(self, feature: Feature, batch: Batch, places: Any, rows: BatchRows) -> None:
        left_out = np.ones(batch.rows, dtype=bool)
        left_out[places] = False
        left_out[batch.shapeless.places] = False
        level = "broken" if feature.missing == "error" else "allowed"
        missing_places = np.flatnonzero(left_out)
        hit = rows_hit("missing", feature.type, level, missing_places, ["no such field"])  # type: ignore[arg-type]
        self._tallies.count(feature.name, hit, rows)

    def _count_judged(self, feature: Feature, judged: Judged, rows: BatchRows) -> None:
        for hit in judged.hits:
            self._tallies.count(feature.name, hit, rows)
        if feature.name in self._samples and judged.numbers is not None:
            self._samples[feature.name].add(judged.numbers)
        if feature.max_age is None or judged.times is None:
            return
        if rows.arrived is None or rows.arrived is judged.times:
            why = f"{feature.name}: its age, because it is unknown when the rows were sent"
            self._unchecked[why] = None
            return
        for hit in stale(feature, judged.times, rows.arrived):
            self._tallies.count(feature.name, hit, rows)

    def _suspected(self) -> list[CheckFinding]:
        suspicions = {
            name: self._suspect(name, training) for name, training in self._training.items()
        }
        return [finding for finding in suspicions.values() if finding is not None]

    def _suspect(self, name: str, training: Trained) -> CheckFinding | None:
        sample = self._samples[name]
        conversion = suspect_unit(sample.values, training)
        if conversion is None:
            return None
        unit = self._features[name].unit or "as in training"
        return CheckFinding(
            feature=name,
            rule="unit",
            level="suspected",
            expected=f"{unit}, median {training.median:.6g}",
            got={f"median {np.median(sample.values):.6g}": sample.seen},
            rows=sample.seen,
            of=self.rows,
            share=sample.seen / self.rows,
            hint=f"as if converted: {conversion}",
        )


def _placed(judged: Judged, places: Any, rows: int) -> Judged:
    """Move the result for some rows of a batch to the positions of these rows."""
    if len(places) == rows:
        return judged
    hits = [hit._replace(places=places[hit.places]) for hit in judged.hits]
    times = judged.times
    if times is not None:
        micros, known = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=bool)
        micros[places], known[places] = times
        times = Times(micros, known)
    return Judged(hits, judged.numbers, times)
