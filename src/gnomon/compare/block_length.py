"""Blocks of consecutive rows: the units of evidence where bad rows may come in bursts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "FEWEST_BLOCKS",
    "LONGEST_BURST",
    "block_length",
    "block_lengths",
    "block_values",
    "merged_blocks",
]

LONGEST_BURST = 500
"""By default, a burst of so many bad rows is survived although none has been seen yet."""

FEWEST_BLOCKS = 8
"""Fewer blocks are not used. One burst lies in two neighbouring blocks; among the first two it
would decide alone, and a correlation of fewer block means says nothing."""


def block_length(bad: npt.ArrayLike, *, shortest: int = LONGEST_BURST) -> int:
    """Find how many consecutive rows make one unit of evidence.

    Starting from ``shortest``, the length is doubled while the correlation of the means of
    neighbouring blocks is above 2 / sqrt(blocks), about two standard errors of it if the rows are
    independent, and then once more, because a correlation that cannot be seen is not zero.

    It is never below ``shortest``, as rows without a burst say little about bursts: if at most 5%
    may be bad, and there are bursts of 500 rows that make 8%, then nothing bad is seen in the
    first 3,000 rows in more than half of all runs, and single bad rows among them would make the
    stream look independent. A gate that must not pass such a stream needs about 3 x 500 / 5%
    rows, whatever its method. Where bursts are known to be shorter, say so; where rows have an
    entity, use that.

    Args:
        bad: whether each row is bad, in the order of arrival.
        shortest: the longest burst to be survived before any was seen, in rows.

    Returns:
        ``shortest`` times a power of two.

    Source: H. Flyvbjerg, H. G. Petersen, "Error estimates on averages of correlated data",
    J. Chem. Phys. 91 (1989), for doubling blocks until they are uncorrelated.

    >>> block_length([False] * 10_000)
    500
    >>> block_length(([True] * 2_000 + [False] * 8_000) * 10)
    4000
    """
    values = block_values(bad, shortest)
    return shortest * int(block_lengths(values[np.newaxis])[0])


def block_values(bad: npt.ArrayLike, length: int) -> npt.NDArray[np.float64]:
    """Return the share of bad rows of each whole block, which `mean_interval` takes.

    Rows after the last whole block are not used yet, and none are before there are 8 blocks.

    >>> block_values([True, False] * 8 + [True], 2)
    array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    >>> block_values([True] * 15, 2)
    array([], dtype=float64)
    """
    return merged_blocks(np.asarray(bad, np.float64), length)


def block_lengths(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Find the lengths of many streams at once, in blocks of the shortest length.

    Args:
        values: shape (streams, blocks): the share of bad rows of each block of the shortest length.
    """
    found = np.ones(len(values), np.int64)
    correlated = np.arange(len(values))
    length = 1
    while len(correlated):
        means = merged_blocks(values[correlated], length)
        if not means.shape[1]:
            break
        above = _neighbour_correlation(means) > 2 / np.sqrt(means.shape[1])
        correlated = correlated[above]
        # Once for the correlation that was found, once for what may be left.
        length *= 2
        found[correlated] = 2 * length
    return found


def merged_blocks(values: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """Return the means of each ``length`` neighbouring values, along the last axis, as
    `block_values` does.
    """
    blocks = values.shape[-1] // length
    if blocks < FEWEST_BLOCKS:
        return np.empty((*values.shape[:-1], 0))
    whole = values[..., : blocks * length].reshape(*values.shape[:-1], blocks, length)
    return np.asarray(whole.mean(axis=-1), np.float64)


def _neighbour_correlation(means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the correlation of each row of values with itself one later; 0 if all are equal."""
    centred = means - means.mean(axis=1, keepdims=True)
    variances = (centred**2).sum(axis=1)
    products = (centred[:, 1:] * centred[:, :-1]).sum(axis=1)
    correlations = np.zeros(len(means))
    np.divide(products, variances, out=correlations, where=variances > 1e-12)
    return correlations
