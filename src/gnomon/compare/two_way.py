"""The evidence of rows that repeat each other in two ways, by entity and in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["combined_evidence"]


def combined_evidence(
    kinds: Sequence[npt.ArrayLike], rows: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Combine the evidence of units of several kinds, none of which alone is independent.

    An outage makes rows of many entities bad together, and a bad entity rows at many times. The
    variance of the mean is then that by entity plus that by time, less that of rows, which both
    contain. A log e-value is about half the squared distance from the mean over the variance, so
    its reciprocal stands for the variance: 1 / L = 1 / L_entities + 1 / L_blocks - 1 / L_rows. L is
    never more than the least of the kinds, and 0 where one of them is not positive.

    Args:
        kinds: `log_e_values` of the units of each kind, at one mean.
        rows: those of the rows, as if they were independent.

    Source: A. C. Cameron, J. B. Gelbach, D. L. Miller, "Robust inference with multiway
    clustering", J. Bus. Econ. Stat. 29 (2011), for the variance. That it holds at every look is
    not proven: `benchmarks.gates` simulates it.

    >>> float(combined_evidence([4.0, 4.0], 4.0)), float(combined_evidence([4.0, 4.0], 400.0))
    (4.0, 2.01005...)
    """
    least = np.min(np.broadcast_arrays(*kinds), axis=0)
    positive = least > 0
    parts = [1 / np.where(positive, kind, 1.0) for kind in kinds]
    of_rows = np.where(np.asarray(rows) > 0, rows, np.inf)
    together = np.maximum(np.sum(np.broadcast_arrays(*parts), axis=0) - 1 / of_rows, 1e-300)
    return np.where(positive, np.minimum(least, 1 / together), 0.0)
