"""A query sees the log and nothing else, unless it is said to be unsafe."""

from __future__ import annotations

import functools
import http.server
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.errors import LogError
from gnomon.log.reader import InferenceLog
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder
from gnomon.log.segments.segment_writer import SegmentWriter
from tests.log.rows import REQUESTS_SCHEMA, live, settings

SECRET = "the-secret-of-the-machine"
ROWS = 300


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> InferenceLog:
    """A log of which one part is sealed and one is not."""
    setup = settings(tmp_path_factory.mktemp("logged"))
    folder = stream_folder(setup, "flights", "a", "requests")
    with closing(SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)) as writer:
        for part in range(3):
            writer.append(live([f"r{part:02d}{n:03d}" for n in range(ROWS // 3)]))
            if part == 1:
                writer.rotate()
                Sealer(setup, "flights").seal()
    return InferenceLog(setup, "flights")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a file that no query may read."""
    (tmp_path / "secret.csv").write_text(f"word\n{SECRET}\n")
    (tmp_path / "secret.json").write_text(f'{{"word": "{SECRET}"}}\n')
    pq.write_table(pa.table({"word": [SECRET]}), tmp_path / "secret.parquet")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", SECRET)
    return tmp_path


READS = [
    "FROM 'secret.csv'",
    "FROM 'secret.parquet'",
    "FROM 'secret.json'",
    "FROM 'secret.*'",
    "FROM read_csv('secret.csv')",
    "FROM read_csv_auto('secret.csv')",
    "FROM read_text('secret.csv')",
    "FROM read_blob('secret.csv')",
    "FROM read_json('secret.json')",
    "FROM read_ndjson_objects('secret.json')",
    "FROM read_parquet('secret.parquet')",
    "FROM parquet_metadata('secret.parquet')",
    "FROM parquet_kv_metadata('secret.parquet')",
    "FROM sniff_csv('secret.csv')",
    "FROM glob('*')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_csv('/dev/stdin')",
    "FROM query('FROM read_text(''secret.csv'')')",
    "FROM query_table('secret.csv')",
    "PREPARE p AS FROM read_text('secret.csv'); EXECUTE p",
    "CREATE MACRO m() AS TABLE FROM read_text('secret.csv'); FROM m()",
    "CREATE TEMP VIEW v AS FROM read_text('secret.csv'); FROM v",
    "CREATE TABLE q (word VARCHAR); COPY q FROM 'secret.csv'; FROM q",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''secret.csv'')'))",
    "SUMMARIZE 'secret.csv'",
    "SELECT (SELECT content FROM read_text('secret.csv')) FROM log",
    "ATTACH 'secret.csv' AS s",
    "IMPORT DATABASE '.'",
    "FROM sqlite_scan('secret.csv', 't')",
    "FROM secret_of_python",
    "SELECT getenv('SECRET')",
]
"""Every way that DuckDB has to read a file, a variable of the environment, or one of Python."""


@pytest.mark.parametrize("query", READS)
def test_a_query_reads_nothing_but_the_log(log: InferenceLog, here: Path, query: str) -> None:
    """Each query is refused, and the answer contains nothing of the file."""
    secret_of_python = pa.table({"word": [SECRET]})
    with pytest.raises(LogError) as caught:
        log.sql(query)
    assert SECRET not in str(caught.value)
    assert secret_of_python.num_rows == 1


WRITES = [
    "COPY log TO 'out/copy.csv'",
    "COPY (SELECT 1) TO 'out/copy.parquet'",
    "COPY log TO 'out/parts' (FORMAT parquet, PARTITION_BY (role))",
    "COPY (SELECT 1) TO '/dev/stderr'",
    "EXPORT DATABASE 'out/exported'",
    "ATTACH 'out/new.db' AS n",
    "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'a')",
    "CALL enable_logging(storage = 'file', storage_path = 'out/logged')",
    "SET profiling_output = 'out/profile.json'",
    "PRAGMA profile_output = 'out/profile.json'",
    "SET log_query_path = 'out/queries'",
    "INSTALL httpfs",
    "FORCE INSTALL json",
    "LOAD 'out/evil.duckdb_extension'",
    "UPDATE EXTENSIONS",
]
"""Every way to write a file, or to load code."""


@pytest.mark.parametrize("query", WRITES)
def test_a_query_writes_nothing(log: InferenceLog, here: Path, query: str) -> None:
    """Each of these is refused, and leaves no file."""
    with pytest.raises(LogError):
        log.sql(query)
    assert os.listdir(here / "out") == []


@pytest.mark.parametrize(
    "query",
    [
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET GLOBAL enable_external_access = true",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "PRAGMA enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET allowed_paths = ['/etc/passwd']",
        "SET python_enable_replacements = true",
        "SET python_scan_all_frames = true",
        "SET autoinstall_known_extensions = true",
        "SET allow_unsigned_extensions = true",
        "SET custom_extension_repository = 'http://127.0.0.1'",
        "SET temp_directory = 'out'",
        "SET secret_directory = 'out'",
        "SET file_search_path = '/etc'",
    ],
)
def test_no_query_lifts_the_restrictions(log: InferenceLog, here: Path, query: str) -> None:
    """A query cannot lift them alone or in front of a forbidden query."""
    for whole in (query, f"{query}; FROM read_text('secret.csv')"):
        with pytest.raises(LogError):
            log.sql(whole)


@pytest.mark.parametrize("query", ["", ";", "-- nothing"])
def test_an_empty_query_is_refused(log: InferenceLog, query: str) -> None:
    """The error says what to write, without a traceback."""
    with pytest.raises(LogError, match="expected SQL, got nothing"):
        log.sql(query)


@pytest.fixture
def calls() -> Iterator[tuple[str, list[str]]]:
    """A server of this machine, and the paths it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


def test_a_query_opens_no_connection(log: InferenceLog, calls: tuple[str, list[str]]) -> None:
    """No address is called: not for data, not for a database, not for an extension."""
    url, paths = calls
    for query in (
        f"FROM read_csv('{url}/data.csv')",
        f"FROM '{url}/data.parquet'",
        f"ATTACH '{url}/data.db'",
        f"INSTALL evil FROM '{url}'",
        f"COPY log TO '{url}/log.csv'",
        f"SET custom_extension_repository = '{url}'; INSTALL httpfs",
    ):
        with pytest.raises(LogError):
            log.sql(query)
    assert paths == []


def test_what_is_refused_says_how_to_allow_it(log: InferenceLog, here: Path) -> None:
    """The error names an option that works, for a file and for a variable."""
    with pytest.raises(LogError, match=r"can read the log but no files.*--unsafe.*unsafe=True"):
        log.sql("FROM read_csv('secret.csv')")
    assert log.sql("FROM read_csv('secret.csv')", unsafe=True).to_pylist() == [{"word": SECRET}]
    log.sql("COPY (SELECT count(*) AS n FROM log) TO 'out/n.csv'", unsafe=True)
    assert (here / "out/n.csv").read_text() == f"n\n{ROWS}\n"


def test_a_query_can_use_every_part_of_the_log(log: InferenceLog) -> None:
    """Sealed and unsealed rows, tables of one's own, and views over the log."""
    assert log.sql("SELECT count(*) AS n FROM log").to_pylist() == [{"n": ROWS}]
    result = log.sql(
        "CREATE TEMP TABLE mine AS SELECT DISTINCT role FROM log; SELECT role FROM mine"
    )
    assert result.to_pylist() == [{"role": "live"}]


def test_what_does_not_fit_in_memory_still_spills(
    log: InferenceLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query may use only the temporary folder, which is removed afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    small = {"memory_limit": "60MB", "threads": "1"}
    monkeypatch.setattr(duckdb, "connect", functools.partial(duckdb.connect, config=small))
    with log.snapshot() as snapshot, snapshot.connection() as opened:
        opened.execute(
            "CREATE TEMP TABLE big AS SELECT range AS x, hash(range) AS y FROM range(3e6::INT)"
        )
        result = opened.sql("SELECT sum(m) FROM (SELECT max(x) OVER (ORDER BY y) AS m FROM big)")
        assert result.fetchall()[0][0] > 0
        (folder,) = tmp_path.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert sum(path.stat().st_size for path in folder.iterdir()) > 0
    assert list(tmp_path.iterdir()) == []
