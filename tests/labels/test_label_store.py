"""Labels on disk: complete or not at all, whoever writes and whatever dies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.errors import NewerFormat, UnreadableFile
from gnomon.labels import label_store
from gnomon.labels.label import Label
from gnomon.labels.label_store import LabelStore, LabelWriter
from gnomon.settings import Settings
from tests.bucket import BUCKETS, bucket
from tests.labels.labelled_log import DAY, stored

DATA = Path(__file__).parent / "data"


def batch(*requests: str, **more: timedelta) -> pa.RecordBatch:
    labels = (Label(request_id=request, value="yes") for request in requests)
    return stored(*labels, at=DAY + more.get("after", timedelta(0))).to_batches()[0]


def requests(store: LabelStore) -> list[str]:
    names: list[str] = store.read().column("request_id").to_pylist()
    return names


def test_an_import_that_is_run_again_adds_nothing(settings: Settings) -> None:
    """Also later, and by another process."""
    store = LabelStore(settings, "toy")
    assert store.add(batch("a", "b"))
    assert not store.add(batch("a", "b", after=timedelta(hours=1)))
    assert store.add(batch("b", after=timedelta(hours=1)))
    assert requests(store) == ["a", "b", "b"]


def test_writers_do_not_disturb_each_other(settings: Settings) -> None:
    """Each has files of its own, and the records come in the order of receipt."""
    store = LabelStore(settings, "toy")
    first, second = LabelWriter(store), LabelWriter(LabelStore(settings, "toy"))
    first.add(batch("a"))
    second.add(batch("b", after=timedelta(minutes=1)))
    first.add(batch("c", after=timedelta(minutes=2)))
    assert requests(store) == ["a", "b", "c"]
    assert len(list(Path(settings.root, "labels", "toy").iterdir())) == 2


def test_a_writer_begins_a_file_when_one_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written again for every batch stays small."""
    monkeypatch.setattr(label_store, "_FILE_ROWS", 2)
    writer = LabelWriter(LabelStore(settings, "toy"))
    for name in "abcde":
        writer.add(batch(name))
    paths = Path(settings.root, "labels", "toy").iterdir()
    assert [pq.read_metadata(path).num_rows for path in sorted(paths)] == [2, 2, 1]


def test_what_a_failed_write_held_is_not_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not acknowledged; the next batch is stored without it."""
    store = LabelStore(settings, "toy")
    writer = LabelWriter(store)
    writer.add(batch("a"))
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", _full)
        with pytest.raises(Exception, match="No space left"):
            writer.add(batch("b"))
    writer.add(batch("c"))
    assert requests(store) == ["a", "c"]


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_the_labels_of_a_time_can_be_read_again(settings: Settings) -> None:
    """What a decision rested on."""
    store = LabelStore(settings, "toy")
    store.add(batch("a"))
    store.add(batch("b", after=timedelta(days=1)))
    assert store.read(DAY + timedelta(hours=1)).column("request_id").to_pylist() == ["a"]


@pytest.mark.slow
@pytest.mark.parametrize("server", BUCKETS)
def test_a_bucket_keeps_labels_as_a_folder_does(server: str) -> None:
    """Writers have files of their own, and an import adds its rows once."""
    with bucket(server) as url:
        store = LabelStore(Settings(root=url), "toy")
        assert store.read().num_rows == 0
        writer = LabelWriter(store)
        writer.add(batch("a"))
        writer.add(batch("b", after=timedelta(minutes=1)))
        LabelWriter(store).add(batch("c", after=timedelta(minutes=2)))
        again = batch("d", after=timedelta(minutes=3))
        assert [store.add(again), store.add(again)] == [True, False]
        assert requests(store) == ["a", "b", "c", "d"]


def test_nothing_is_read_where_nothing_was_written(settings: Settings) -> None:
    """Reading makes no folder."""
    assert LabelStore(settings, "toy").read().num_rows == 0
    assert not Path(settings.root, "labels").exists()


def test_a_file_of_format_1_is_read(settings: Settings) -> None:
    """As the first release with labels wrote it."""
    _put(settings, (DATA / "labels-1.parquet").read_bytes())
    first, second = LabelStore(settings, "toy").read().to_pylist()
    assert first["value"] == "yes"
    assert (first["request_id"], first["row"]) == ("01a228b9-4b8c-730e-b5ba-2b8f719e7180", 0)
    assert (second["entity_key"], second["entity"]) == ('["customer"]', '["a"]')
    assert second["event_time"] == DAY
    assert second["correction"] == 1


@pytest.mark.parametrize(
    ("damage", "error", "says"),
    [
        (lambda t: t.replace_schema_metadata({"gnomon.labels": "2"}), NewerFormat, "format 2"),
        (lambda t: t.replace_schema_metadata(), UnreadableFile, "another Parquet file"),
        (lambda t: None, UnreadableFile, "not a file of labels"),
    ],
)
def test_a_newer_or_damaged_file_is_refused_by_name(
    settings: Settings,
    damage: Callable[[pa.Table], pa.Table | None],
    error: type[Exception],
    says: str,
) -> None:
    """It is never taken for one that is not there."""
    table = damage(pq.read_table(DATA / "labels-1.parquet"))
    sink = pa.BufferOutputStream()
    if table is not None:
        pq.write_table(table, sink)
    _put(settings, sink.getvalue().to_pybytes())
    with pytest.raises(error, match=says) as caught:
        LabelStore(settings, "toy").read()
    assert getattr(caught.value, "where", None) == "labels/toy/file.parquet"


def _put(settings: Settings, content: bytes) -> None:
    folder = Path(settings.root, "labels", "toy")
    folder.mkdir(parents=True)
    (folder / "file.parquet").write_bytes(content)
