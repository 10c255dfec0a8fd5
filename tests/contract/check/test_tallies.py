"""The memory for findings is bounded, whatever is checked."""

from __future__ import annotations

import numpy as np

from gnomon.contract.check.batches import rows_hit
from gnomon.contract.check.column_judge import MOST_EXAMPLES, MOST_GOT, BrokenRule
from gnomon.contract.check.tallies import MOST_SHOWN, MOST_UNKNOWN, OTHERS, BatchRows, Tallies

NOWHERE = BatchRows(lambda place: place, None)


def unknown(rows: int = 1) -> BrokenRule:
    """Rows with a field that is no feature."""
    return rows_hit("unknown", "no such field", "allowed", np.arange(rows), ["1"])


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    """Beyond a thousand they are counted together."""
    tallies = Tallies()
    for number in range(MOST_UNKNOWN + 500):
        tallies.count(f"x{number}", unknown(), NOWHERE)
    findings = list(tallies.findings(10_000))
    assert len(findings) <= MOST_UNKNOWN + 2
    assert sum(finding.rows for finding in findings) == MOST_UNKNOWN + 500
    assert findings[-1].feature == OTHERS


def test_rows_are_counted_when_values_no_longer_are() -> None:
    """The most frequent values are shown; rows and examples stay what they were."""
    tallies = Tallies()
    for number in range(3):
        values = [str(number * 1000 + i) for i in range(300)] + ["often"] * 50
        hit = rows_hit("type", "integer", "broken", np.arange(350), values)
        tallies.count("x", hit, NOWHERE)
    (finding,) = tallies.findings(1_050)
    assert (finding.rows, finding.share) == (1_050, 1.0)
    assert len(finding.examples) == MOST_EXAMPLES
    assert len(finding.got) == MOST_SHOWN < MOST_GOT
    assert finding.got["often"] == 150


def test_what_breaks_nothing_is_not_kept() -> None:
    """A rule that no row breaks is not a finding."""
    tallies = Tallies()
    tallies.count("x", unknown(0), NOWHERE)
    assert list(tallies.findings(1)) == []
