"""Join logged rows with the rows of an offline table."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract import Contract
from gnomon.errors import TableError
from gnomon.offline.column_names import KEYS, KNOWN_AT, LABEL
from gnomon.offline.logged import Range, Rows
from gnomon.offline.offline_table import OfflineTable, key_text
from gnomon.offline.paired_rows import Pairs, about, with_columns
from gnomon.offline.shifts import Shift, Shifted
from gnomon.policy import Policy
from gnomon.report import Count, TableUse
from gnomon.skew.consistency.reported_columns import Kind, only
from gnomon.skew.consistency.tally import Tally
from gnomon.skew.report_assembly import Sides, skew_limit

__all__ = ["NAMES", "Join"]

NAMES = ("online", "offline")


class Join:
    """Logged rows joined by key with the rows of a table; ``contract`` is a joint contract.

    Attributes:
        outputs: the outputs the table has.
        features: the features the table has.
        steps: the step columns the table has.
        traces: whether the verdict rests on step columns, because the table has no output.
        lost: logged rows left out because they could not be run again.
    """

    def __init__(self, table: OfflineTable, contract: Contract) -> None:
        self.table = table
        self.contract = contract
        names = set(table.data.column_names)
        self.outputs = [o.name for o in contract.outputs if o.name in names]
        self.features = [f.name for f in contract.features if f.name in names]
        known = {*self.outputs, *self.features}
        self.steps = [
            name for name in table.data.column_names if name not in {*known, LABEL, KNOWN_AT}
        ]
        self.traces = bool(self.steps) and not self.outputs
        self.lost = 0
        self._rows_by_key = np.zeros(table.codes.max(initial=-1) + 1, dtype=np.int64)
        self._unmatched_rows = 0
        self._unmatched_example: str | None = None
        self._later_rows = 0
        self._later_example: str | None = None

    def tally(self, policy: Policy, sample_rows: int) -> Tally:
        """Return empty sums; outputs decide the verdict, or all columns if there are none."""
        known = [*self.contract.input_schema, *self.contract.output_schema]
        fields = [f for f in known if f.name in {*self.outputs, *self.features}]
        if self.traces:
            fields += [self.table.data.schema.field(name) for name in self.steps]
        answered = self.contract.compared_as
        rules = policy.rules(pa.schema(fields), outputs=answered, same=True)
        judged = self.outputs or list(rules.comparators)
        others = [name for name in rules.comparators if name not in judged]
        has_entities = bool(self.contract.entity_key)
        return Tally(only(rules, judged), only(rules, others), sample_rows, has_entities)

    def pairs(self, rows: Rows) -> Pairs:
        """Return both sides of the logged rows that the table has."""
        keys = pa.table({name: _key(rows, name) for name in self.table.on})
        context = about(rows, self.contract, keys)
        places = self.table.find(keys, context.column("time"))
        matched = np.flatnonzero(places >= 0)
        if len(matched) < len(places):
            self._unmatched_rows += len(places) - len(matched)
            first = int(np.flatnonzero(places < 0)[0])
            self._unmatched_example = self._unmatched_example or key_text(keys, first)
        self._rows_by_key += np.bincount(
            self.table.codes[places[matched]], minlength=len(self._rows_by_key)
        )
        chosen = pa.array(matched)
        context, right = context.take(chosen), self.table.data.take(pa.array(places[matched]))
        self._count_later(context, right, keys.take(chosen))
        return Pairs(context, with_columns(rows.inputs, rows.outputs).take(chosen), right)

    def _count_later(self, context: pa.Table, right: pa.Table, keys: pa.Table) -> None:
        """Count rows for which the table has only values known after the prediction."""
        if KNOWN_AT not in right.column_names:
            return
        later = pc.greater(right.column(KNOWN_AT), context.column("time")).fill_null(False)
        places = np.flatnonzero(later)
        self._later_rows += len(places)
        if len(places):
            self._later_example = self._later_example or key_text(keys, int(places[0]))

    def shifted(self, context: pa.Table, shift: Shift) -> Shifted:
        """Look up joined rows in the table as of another time.

        Args:
            context: the :attr:`Pairs.about` of the rows.
        """
        keys = pa.table({name: context.column(f"key_{name}") for name in self.table.on})
        places = self.table.find(keys, context.column("time"), shift)
        return Shifted(shift, places, self.table.data.take(pa.array(places, mask=places < 0)))

    def refuse_no_match(self) -> None:
        """Raise an error if no key is on both sides: the key is wrong then, not the data.

        Raises:
            TableError: no logged row has a key of the table.
        """
        if self._unmatched_example is not None and not self._rows_by_key.any():
            raise TableError(
                f"no logged row has a key of the table: the log has {self._unmatched_example}, the "
                f"table {self.table.key_at(0) if self.table.rows else 'no rows'}",
                where=self.table.path,
                hint="check that both mean the same thing and cover the same time",
            )

    def use(self) -> TableUse:
        """Return which rows and columns of the table were used."""
        unmatched = np.flatnonzero(self._rows_by_key == 0)
        return TableUse(
            path=self.table.path,
            on=self.table.on,
            rows=self.table.rows,
            keys=len(self._rows_by_key),
            matched=int((self._rows_by_key > 0).sum()),
            repeated=int((self._rows_by_key[self._rows_by_key > 1] - 1).sum()),
            unmatched=self._key(int(unmatched[0])) if len(unmatched) else None,
            used=self.table.used,
            ignored=self.table.ignored,
            known_later=Count(
                reason="known only later", rows=self._later_rows, example=self._later_example
            )
            if self._later_rows
            else None,
        )

    def _key(self, code: int) -> str:
        return self.table.key_at(int(np.flatnonzero(self.table.codes == code)[0]))

    def sides(
        self, source: Range, policy: Policy, verb: str = "compare", options: Sequence[str] = ()
    ) -> Sides:
        """Return the two sides of the comparison, with the command that repeats it."""
        kinds: dict[str, Kind] = {
            **dict.fromkeys(self.outputs, "output"),
            **dict.fromkeys(self.features, "feature"),
            **dict.fromkeys(self.steps, "step"),
        }
        missed = []
        if self._unmatched_rows:
            missed.append(
                Count(
                    reason="not in the table",
                    rows=self._unmatched_rows,
                    example=self._unmatched_example,
                )
            )
        if self.lost:
            missed.append(Count(reason="could not be run again", rows=self.lost))
        return Sides(
            kind="offline",
            left=NAMES[0],
            right=NAMES[1],
            against=self.table.path,
            kinds=kinds,
            keys=self.table.on,
            limit=skew_limit(policy),
            command=self._command(source, verb, options),
            missed=tuple(missed),
        )

    def _command(self, source: Range, verb: str, options: Sequence[str]) -> str:
        keys = [word for name in self.table.on for word in ("--on", name)]
        words = ["gnomon", verb, source.artifact.tag, "--table", self.table.path, *keys]
        return shlex.join([*words, *options, *source.options()])


def _key(rows: Rows, name: str) -> pa.ChunkedArray:
    return (rows.envelope if name in KEYS else rows.inputs).column(name)
