"""pyarrow imports pandas only when it is allowed to."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAKES_ARRAYS = """
import sys
import numpy as np
import pyarrow as pa
{before}
pa.array(["a", None]), pa.scalar(1), pa.array(np.arange(3.0), from_pandas=True)
print("pandas" in sys.modules)
import pandas as pd
print(pd.Series([1]).sum())
"""


@pytest.mark.parametrize(
    ("before", "imported"),
    [
        ("", "True"),
        ("from gnomon.compat.pyarrow import leave_pandas_out; leave_pandas_out()", "False"),
    ],
)
def test_pandas_is_left_out(before: str, imported: str) -> None:
    """Arrays are made without it, and pandas itself still works."""
    code = MAKES_ARRAYS.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [imported, "1"], (
        "pyarrow imports pandas at other times: see gnomon.compat.pyarrow.leave_pandas_out"
    )
