"""An artifact as far as drift is measured on it: its contract and its training profile."""

from __future__ import annotations

from typing import NamedTuple, cast

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.artifact.profile import SCHEMA, _counted
from gnomon.contract import Contract


class Profiled(NamedTuple):
    """What is read of an artifact.

    Attributes:
        contract: its contract.
        tag: its tag.
        inputs: its training rows.
        outputs: its answers to them; None to leave them out of the profile.
    """

    contract: Contract
    tag: str
    inputs: pa.Table
    outputs: pa.Table | None = None

    def profile(self) -> pa.Table:
        """Profile the columns as packing does."""
        rows = []
        for kind, table in (("input", self.inputs), ("output", self.outputs)):
            for name in [] if table is None else table.column_names:
                column = table.column(name).combine_chunks()
                rows.append({"kind": kind, "name": name, **_counted(column)})
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def golden(self) -> pa.Table:
        """There are no steps."""
        return pa.table({})


def profiled(
    contract: Contract, tag: str, inputs: pa.Table, outputs: pa.Table | None = None
) -> Artifact:
    """Return such an artifact."""
    return cast(Artifact, Profiled(contract, tag, inputs, outputs))
