"""Rows of an Arrow stream as lines of JSON."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pytest

from gnomon.errors import MalformedBody
from gnomon.service.lane.arrow_records import arrow_lines


def test_a_type_that_arrow_cannot_read_again_is_refused() -> None:
    """Categories that are intervals, as ``pa.Table.from_pandas`` writes them."""
    table = pa.Table.from_pandas(pd.DataFrame({"band": pd.cut([3.0, 30.0], [0, 18, 99])}))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(MalformedBody, match="not an Arrow IPC stream"):
        arrow_lines(sink.getvalue())
