"""The sealed table and the segments as one dataset."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.errors import LogError
from gnomon.log.reader import InferenceLog
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import Position, stream_folder
from gnomon.log.segments.schema import request_schema
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.log.snapshot import Snapshot
from gnomon.log.table import delta
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from tests.log.rows import NOON, REQUESTS_SCHEMA, SHADOW_SCHEMA, ids_of, live, settings, shadow

Open = Callable[..., SegmentWriter]


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def open_stream(setup: Settings) -> Iterator[Open]:
    """Opens writers, and closes them after the test."""
    opened: list[SegmentWriter] = []

    def make(
        stream: str = "requests", schema: pa.Schema = REQUESTS_SCHEMA, slice_name: str = "a"
    ) -> SegmentWriter:
        folder = stream_folder(setup, "flights", slice_name, stream)
        writer = SegmentWriter(folder, schema, settings=setup)
        opened.append(writer)
        return writer

    yield make
    for writer in opened:
        writer.close()


def sealed_version(setup: Settings) -> int:
    table = LogTable(setup, "flights").load()
    return -1 if table is None else table.version()


def ids(setup: Settings, **where: Any) -> list[str]:
    log = InferenceLog(setup, "flights")
    return ids_of(list(log.scan(columns=["request_id"], **where)))


def test_a_missing_log_lists_the_models_that_have_one(setup: Settings, open_stream: Open) -> None:
    """The error lists the models that were served."""
    with pytest.raises(LogError, match=r"no log of a model `flights`.*send it a request first"):
        InferenceLog(setup, "flights").table()
    open_stream()
    with pytest.raises(LogError, match=r"no log of a model `fligths`.*there are logs of flights"):
        InferenceLog(setup, "fligths").sql("SELECT 1")


def test_a_log_without_rows_is_empty(setup: Settings, open_stream: Open) -> None:
    """A server that had no request yet has a log, of no rows."""
    stream_folder(setup, "flights", "a", "requests").mkdir(parents=True)
    assert InferenceLog(setup, "flights").table().num_rows == 0
    open_stream()
    assert InferenceLog(setup, "flights").table().num_rows == 0
    assert InferenceLog(setup, "flights").sql("FROM log").num_rows == 0


def test_sealed_and_unsealed_rows_are_one_dataset(setup: Settings, open_stream: Open) -> None:
    """All columns and values are the same whether a row is in the table or in a segment."""
    writer = open_stream()
    writer.append(live(["a"], unknown=[["x", "y"]], raw=b"\0\xff"))
    before = InferenceLog(setup, "flights").table()
    writer.rotate()
    writer.fsync()
    assert Sealer(setup, "flights").seal() == 1
    assert InferenceLog(setup, "flights").table() == before
    writer.append(live(["b"]))
    assert ids(setup) == ["a", "b"]


def test_sealed_rows_are_read_by_small_groups_in_their_order(
    setup: Settings, open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader holds one group of rows, however long the table is."""
    monkeypatch.setattr(delta, "ROW_GROUP_ROWS", 4)
    names = [f"r{number}" for number in range(10)]
    writer = open_stream()
    writer.append(live(names))
    writer.rotate()
    writer.fsync()
    assert Sealer(setup, "flights").seal() == 1
    batches = list(InferenceLog(setup, "flights").scan(columns=["request_id"]))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert ids_of(batches) == names


def test_a_row_has_the_address_where_it_was_written(setup: Settings, open_stream: Open) -> None:
    """Slice, stream, segment and offset; a shadow's source is its live row's address."""
    writer = open_stream()
    writer.append(live(["a"]))
    end = writer.append(live(["b", "c"]))
    table = InferenceLog(setup, "flights").table(
        columns=["slice", "stream", "segment", "offset", "request_id"]
    )
    assert table.to_pylist()[1:] == [
        {
            "slice": "a",
            "stream": "requests",
            "segment": "00000000",
            "offset": end,
            "request_id": request_id,
        }
        for request_id in "bc"
    ]


@pytest.mark.parametrize("sealed", [True, False])
def test_rows_are_chosen_by_role_artifact_outcome_and_time(
    setup: Settings, open_stream: Open, sealed: bool
) -> None:
    """The filters give the same rows from the table and from segments; ``end`` is exclusive."""
    requests, other = open_stream(), open_stream("shadow-2", SHADOW_SCHEMA)
    later = NOON + dt.timedelta(seconds=1)
    end = requests.append(live(["a", "b"], arrived=[NOON, later], outcome=["answered", "failed"]))
    other.append(shadow(["a"], Position(0, end)))
    if sealed:
        requests.rotate()
        requests.fsync()
        other.rotate()
        other.fsync()
        Sealer(setup, "flights").seal()
    assert ids(setup, role="live") == ["a", "b"]
    assert ids(setup, role="shadow") == ["a"]
    assert ids(setup, artifact="flights:2") == ["a"]
    assert ids(setup, artifact="flights:3") == []
    assert ids(setup, outcome="failed") == ["b"]
    assert ids(setup, role="live", start=later) == ["b"]
    assert ids(setup, role="live", end=later) == ["a"]
    assert ids(setup, role="live", start=later.replace(tzinfo=None)) == ["b"]


def test_an_unknown_column_is_refused_with_the_known_columns(
    setup: Settings, open_stream: Open
) -> None:
    """The error lists the columns."""
    open_stream().append(live(["a"]))
    with pytest.raises(LogError, match=r"no column `input_huor`.*input_hour"):
        InferenceLog(setup, "flights").table(columns=["input_huor"])


def test_sql_reads_sealed_and_unsealed_rows(setup: Settings, open_stream: Open) -> None:
    """A query may use the log more than once, as joining shadow with live does."""
    requests, other = open_stream(), open_stream("shadow-2", SHADOW_SCHEMA)
    for name in ("a", "b"):
        end = requests.append(live([name], output_prediction=0.25))
        other.append(shadow([name], requests.position, output_prediction=0.5))
        assert requests.position.offset == end
        if name == "a":
            requests.rotate()
            requests.fsync()
            other.rotate()
            other.fsync()
            Sealer(setup, "flights").seal()
    result = InferenceLog(setup, "flights").sql(
        """
        SELECT request_id, s.output_prediction - l.output_prediction AS difference, s.arrived
        FROM log AS l JOIN log AS s USING (request_id, row)
        WHERE l.role = 'live' AND s.role = 'shadow' ORDER BY request_id
        """
    )
    assert result.to_pylist() == [
        {"request_id": name, "difference": 0.25, "arrived": NOON} for name in "ab"
    ]
    assert result.schema.field("arrived").type == pa.timestamp("us", tz="UTC")


def test_a_wrong_query_raises_the_message_of_duckdb(setup: Settings, open_stream: Open) -> None:
    """No traceback of another library."""
    open_stream()
    with pytest.raises(LogError, match=r"(?s)DuckDB: .*\"outcom\".*the relation `log`"):
        InferenceLog(setup, "flights").sql("SELECT outcom FROM log")


def contract(kind: str) -> Contract:
    return Contract(
        task="regression",
        features=(
            Feature(name="hour", type=kind, dtype="x"),  # type: ignore[arg-type]
            Feature(name="Hour", type="float", dtype="x"),
            Feature(name="at", type="timestamp", dtype="x", timezone="America/New_York"),
            Feature(name="a b,c@d^E", type="float", dtype="x"),
        ),
        outputs=(Output(name="prediction", type="float"),),
    )


@pytest.mark.parametrize("seal", [(), (0,), (0, 1), (0, 1, 2)])
def test_columns_change_type_and_lose_nothing(
    setup: Settings, open_stream: Open, seal: tuple[int, ...]
) -> None:
    """One feature as integer, float and string: one column to read, and the exact ones with
    their types. Names that differ only in case, or have unusual characters, stay apart, in
    sealed and unsealed rows.
    """
    large = 2**53 + 1
    writer = open_stream()
    for number, (kind, value) in enumerate([("integer", large), ("float", 1.5), ("string", "x")]):
        schema = request_schema(contract(kind))
        writer.rotate(schema)
        writer.fsync()
        values = {"input_hour": value, "input_Hour": 7.0, "input_at": NOON, "input_a b,c@d^E": 3.0}
        writer.append(live([str(number)], schema, **values))
        writer.rotate()
        writer.fsync()
        if number in seal:
            Sealer(setup, "flights").seal()
    columns = [
        "input_hour@int64",
        "input_hour@double",
        "input_hour@string",
        "input_Hour",
        "input_at",
        "input_a b,c@d^E",
    ]
    log = InferenceLog(setup, "flights")
    same = {"input_Hour": 7.0, "input_at": NOON, "input_a b,c@d^E": 3.0}
    exact = [[large, None, None], [None, 1.5, None], [None, None, "x"]]
    expected = [dict(zip(columns, [*values, *same.values()], strict=True)) for values in exact]
    rows = log.table(columns=["request_id", *columns]).sort_by("request_id")
    assert rows.drop_columns("request_id").to_pylist() == expected
    united = log.table(columns=["input_hour", "request_id"]).sort_by("request_id")
    assert united.column("input_hour").to_pylist() == [str(large), "1.5", "x"]
    queried = log.sql('SELECT input_hour, "input_hour@int64" AS n FROM log ORDER BY request_id')
    assert queried.to_pydict() == {
        "input_hour": [str(large), "1.5", "x"],
        "n": [large, None, None],
    }


@pytest.mark.parametrize("seal", [(), (0,), (0, 1), (0, 1, 2)])
def test_lists_dates_and_decimals_change_type_and_lose_nothing(
    setup: Settings, open_stream: Open, seal: tuple[int, ...]
) -> None:
    """They are read alike from segments and from the table, even if another artifact gave the
    feature another type.
    """
    day, price, tags = dt.date(2020, 2, 29), Decimal("12345678901234567890.25"), ["a", None, "c"]
    kinds: list[dict[str, tuple[dict[str, Any], Any]]] = [
        {
            "v": ({"type": "list", "items": "float"}, [1.0, 0.1]),
            "d": ({"type": "date"}, day),
            "p": ({"type": "decimal", "scale": 2}, price),
        },
        {
            "v": ({"type": "list", "items": "string"}, tags),
            "d": ({"type": "timestamp"}, NOON),
            "p": ({"type": "decimal", "scale": 3}, Decimal("0.125")),
        },
        {
            "v": ({"type": "float"}, 2.5),
            "d": ({"type": "string"}, "29.2."),
            "p": ({"type": "integer"}, 7),
        },
    ]
    writer = open_stream()
    for number, features in enumerate(kinds):
        schema = request_schema(
            Contract(
                task="regression",
                features=tuple(Feature(name=n, dtype="x", **k) for n, (k, _) in features.items()),
                outputs=(Output(name="prediction", type="float"),),
            )
        )
        writer.rotate(schema)
        writer.fsync()
        inputs = {f"input_{name}": [value] for name, (_, value) in features.items()}
        writer.append(live([str(number)], schema, **inputs))
        writer.rotate()
        writer.fsync()
        if number in seal:
            Sealer(setup, "flights").seal()
    log = InferenceLog(setup, "flights")
    exact = {
        "input_v@list(double)": [[1.0, 0.1], None, None],
        "input_v@list(string)": [None, tags, None],
        "input_v@double": [None, None, 2.5],
        "input_d@date32[day]": [day, None, None],
        "input_d@timestamp": [None, NOON, None],
        "input_p@decimal128(38, 2)": [price, None, None],
        "input_p@decimal128(38, 3)": [None, Decimal("0.125"), None],
        "input_p@int64": [None, None, 7],
    }
    rows = log.table(columns=["request_id", *exact]).sort_by("request_id")
    assert rows.drop_columns("request_id").to_pydict() == exact
    united = log.table(columns=["request_id", "input_v", "input_p"]).sort_by("request_id")
    texts = ["[1.0,0.1]", '["a",null,"c"]', "2.5"]
    assert united.column("input_v").to_pylist() == texts
    queried = log.sql("SELECT input_v FROM log ORDER BY request_id")
    assert queried.column("input_v").to_pylist() == texts


def test_numbers_of_several_types_read_as_floats(setup: Settings, open_stream: Open) -> None:
    """An integer that became a float is still a number to compute with."""
    writer = open_stream()
    for kind, value in (("integer", 2), ("float", 1.5)):
        schema = request_schema(contract(kind))
        writer.rotate(schema)
        writer.fsync()
        writer.append(live(["a"], schema, input_hour=value))
    table = InferenceLog(setup, "flights").table(columns=["input_hour"])
    assert table.column("input_hour").to_pylist() == [2.0, 1.5]


def test_a_snapshot_does_not_change(setup: Settings, open_stream: Open) -> None:
    """What is appended, sealed and compacted after it does not change what it gives."""
    writer = open_stream()
    writer.append(live(["a"]))
    sealer = Sealer(setup, "flights")
    with InferenceLog(setup, "flights").snapshot() as snapshot:
        writer.append(live(["b"]))
        writer.rotate()
        writer.fsync()
        sealer.seal()
        sealer.maintain()
        assert ids_of(list(snapshot.scan())) == ["a"]
    with InferenceLog(setup, "flights").snapshot() as snapshot:
        writer.append(live(["c"]))
        writer.rotate()
        writer.fsync()
        sealer.seal()
        sealer.maintain()
        assert ids_of(list(snapshot.scan())) == ["a", "b"]
        assert ids_of(list(snapshot.scan())) == ["a", "b"]


class Racing(LogTable):
    """A table into which segments are sealed right after it was loaded, a few times."""

    def __init__(self, setup: Settings, times: int) -> None:
        super().__init__(setup, "flights")
        self._sealer = Sealer(setup, "flights")
        self._writer = SegmentWriter(
            stream_folder(setup, "flights", "a", "requests"), REQUESTS_SCHEMA, settings=setup
        )
        self._left = times

    def load(self) -> DeltaTable | None:
        table = super().load()
        if self._left:
            self._left -= 1
            self._writer.append(live([f"{self._left}"]))
            self._writer.rotate()
            self._writer.fsync()
            self._sealer.seal()
        return table


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2, 3, 60])
def test_a_row_sealed_between_two_looks_is_read_once(setup: Settings, times: int) -> None:
    """Whether it is read just before or just after its commit."""
    racing = Racing(setup, times)
    folder = stream_folder(setup, "flights", "a", "requests").parent.parent
    with Snapshot(racing, folder) as snapshot:
        rows = ids_of(list(snapshot.scan()))
    logged = [str(number) for number in range(times - 1, -1, -1)]
    assert sorted(rows) == sorted(logged[: len(rows)])
    assert rows
    racing._writer.close()


@pytest.mark.slow
def test_every_row_is_read_once_while_sealing_runs(setup: Settings) -> None:
    """Readers see a growing prefix of what a writer appends, no row twice, none left out."""
    folder = stream_folder(setup, "flights", "a", "requests")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.log.rows", str(folder), "w"],
        stdout=subprocess.DEVNULL,
    )
    done = threading.Event()

    def seal() -> None:
        sealer = Sealer(setup, "flights")
        while not done.is_set():
            sealer.seal()

    with ThreadPoolExecutor(1) as pool:
        try:
            while not folder.exists():
                assert process.poll() is None
            sealing = pool.submit(seal)
            before = 0
            while before < 1_000 or sealed_version(setup) < 10:
                numbers = sorted(int(name.removeprefix("w-")) for name in ids(setup))
                assert numbers == list(range(len(numbers)))
                assert len(numbers) >= before
                before = len(numbers)
                assert process.poll() is None
                assert not sealing.done() or sealing.result()
        finally:
            done.set()
            process.kill()
            process.wait()


@pytest.mark.usefixtures("fresh_children")
def test_reading_imports_no_heavy_library_until_used() -> None:
    """A gateway that writes the log does not pay for Delta and DuckDB."""
    code = (
        "import sys, gnomon.log, gnomon.log.seal; "
        "print({'deltalake', 'duckdb', 'pandas', 'pyarrow.dataset'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
