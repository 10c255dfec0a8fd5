"""Labels from Python, without a server: from a file into the storage root, and their count."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import gnomon
from gnomon.errors import TableError
from gnomon.settings import Settings
from tests.packing import Pack, times
from tests.shadow.evidence import log_live


@pytest.mark.slow
def test_labels_of_a_file_are_counted_with_the_answers(
    settings: Settings, pack: Pack, tmp_path: Path
) -> None:
    """By the contract of the live artifact; a second import finds them stored."""
    live = pack(times(1.0))
    gnomon.promote(live, settings=settings)
    log_live(settings, 3, artifact=live)
    ids = gnomon.open_log(settings=settings).to_frame(columns="request_id")["request_id"]
    file = tmp_path / "labels.csv"
    pd.DataFrame({"id_of_answer": ids, "y": [1.5, 2.0, None]}).to_csv(file, index=False)
    columns = {"request_id": "id_of_answer", "value": "y"}
    found = gnomon.import_labels(file, columns=columns, settings=settings)
    assert (found.rows, found.stored, found.empty) == (3, 2, 1)
    assert gnomon.import_labels(file, columns=columns, settings=settings).known == 2
    status = gnomon.label_status(live, settings=settings)
    assert (status.model, status.received, status.fates["counted"]) == ("toy", 2, 2)
    assert status.overview().title == "toy: 2 of 3 answered rows have a label"
    with pytest.raises(TableError, match="request_id"):
        gnomon.import_labels(file, columns={"value": "y"}, settings=settings)
