"""Text of clients, tables and decisions is shown as text: in the terminal, in logs and in files."""

from __future__ import annotations

import ast
import csv
import gc
import io
import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pandas as pd
import pytest
import typer.main

import gnomon
from gnomon.cli import run as run_command
from gnomon.errors import SettingsError
from gnomon.settings import Settings
from gnomon.testing import Server, serving
from tests.cli.commands import TOP
from tests.cli.running import Shell
from tests.load import until
from tests.packing import SCRIPT, install, times, write_service

pytestmark = [
    pytest.mark.slow,
    # A command leaves its connections to the end of its process, which here goes on.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EVIL = "e\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp\u2028\r\n\tFORGED: all is well\x7f[bold]:bomb:"
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2066-\u2069]")
"""What must not be in any output; line breaks and tabs are ours."""
STYLE = re.compile(r"\x1b\[[0-9;]*m")
FORMULA = '=HYPERLINK("http://evil.example";"click")'

SOURCE = times(1).replace(
    'raise ValueError("negative x")',
    'print("user code saw", *X["id"]); raise ValueError("negative x of " + X["id"].iloc[0])',
)
"""User code that quotes what it was sent, when it prints and when it fails."""


@dataclass(frozen=True)
class Attacked:
    """A server that was sent hostile text wherever a client can send text, and in a decision."""

    server: Server
    shell: Shell
    live: str
    shadow: str


@pytest.fixture(scope="module")
def attacked(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Iterator[Attacked]:
    """One for the module."""
    place = tmp_path_factory.mktemp("attacked")
    home, root, deployment = place / "bentoml", place / "root", place / "deployment"
    tags = [install(packed_once(source, "toy", SCRIPT), home) for source in (SOURCE, times(2))]
    write_service(deployment)
    environment = {"BENTOML_HOME": str(home), "GNOMON_ROOT": str(root)}
    shell = Shell(deployment, environment)
    shell("promote", tags[0], "--why", EVIL)
    with serving(deployment, root, environment=environment) as server, server.client() as client:
        client.start_shadow(tags[1], why=EVIL)
        attack(server)
        until(lambda: client.status().shadows[0].scored >= 20, "the shadow has scored", 120)
        yield Attacked(server, shell, *tags)


def attack(server: Server) -> None:
    """Hostile field names, keys, values, paths, ids, hosts and bodies."""
    with httpx.Client(base_url=server.url) as client:
        for number in range(20):
            row = {"x": float(number + 1), "id": f"{number}{EVIL}", EVIL: EVIL, FORMULA: FORMULA}
            assert client.post("/predict", json=row).status_code == 200
        for body in ({"x": -1.0, "id": EVIL}, {"x": EVIL, "id": "a"}, {EVIL: 1}, {"id": FORMULA}):
            assert client.post("/predict", json=body).status_code >= 400
        client.post("/predict", content=EVIL.encode())
        for path in ("/%0aFORGED:%20all%20is%20well%1b%5b2J%c2%9b", "/gnomon/%0dFORGED:%1b%5b2J"):
            assert client.get(path).status_code == 404
    host, _, port = server.url.removeprefix("http://").partition(":")
    for line in (b"Host: \x9b2J\x1b", b"Host: localhost\r\nX-Request-Id: \x9b2J\xe2\x80\xae"):
        with socket.create_connection((host, int(port)), timeout=20) as raw:
            raw.sendall(b"POST /predict HTTP/1.1\r\n%s\r\nContent-Length: 2\r\n\r\n{}" % line)
            raw.recv(65536)


def check(text: str) -> None:
    """Check that there is no control character, and no line that a client began."""
    left = STYLE.sub("", text)
    assert not HIDDEN.search(left), ascii(HIDDEN.search(left))
    assert not re.search(r"^\W*FORGED", left, re.MULTILINE), left


def table(path: Path) -> Path:
    """An offline table with hostile keys, values and column names."""
    keys = [f"{number}{EVIL}" for number in range(20)]
    frame = pd.DataFrame({"id": keys, "prediction": 7.0, "x": 1.0, EVIL: EVIL})
    frame.to_parquet(path / "table.parquet")
    return path / "table.parquet"


COMMANDS: list[tuple[str, ...]] = [
    ("status",),
    ("history",),
    ("artifacts",),
    ("inspect", "LIVE"),
    ("check", "LIVE"),
    ("check", "LIVE", "--table", "TABLE"),
    ("check", "SHADOW", "--against", "LIVE"),
    ("check", f"toy:{EVIL}"),
    ("promote", "SHADOW", "--check"),
    ("promote", f"toy:{EVIL}", "--why", EVIL),
    ("shadow", "start", f"toy:{EVIL}"),
    ("replay", "LIVE", "--through", "SHADOW", "--report", "REPORT"),
    ("compare", "LIVE", "--table", "TABLE", "--on", "id", "--report", "REPORT"),
    ("diagnose", "LIVE", "--table", "TABLE", "--on", "id", "--report", "REPORT"),
    ("drift", "LIVE", "--report", "REPORT"),
    ("leakage", "TABLE", "--label", "prediction"),
    ("leakage", "TABLE", "--label", EVIL),
    ("log", "sql", "SELECT * FROM log"),
    ("log", "sql", f'SELECT "{FORMULA}" FROM log -- {EVIL}'),
    ("log", "accounts"),
]


Run = Callable[..., str]


@pytest.fixture
def run(
    attacked: Attacked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command in this process, as to start one takes longer than most; what it printed."""

    def ran(*words: str) -> str:
        names = {
            "LIVE": attacked.live,
            "SHADOW": attacked.shadow,
            "TABLE": str(table(tmp_path)),
            "REPORT": str(tmp_path / "report"),
        }
        for name, value in attacked.shell.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(attacked.shell.folder)
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        monkeypatch.setattr(sys, "argv", ["gnomon", *(names.get(word, word) for word in words)])
        monkeypatch.setattr(typer.main, "get_command", lambda _: TOP)  # A process builds it once.
        gc.freeze()  # So that only what the command leaves is looked through.
        with pytest.raises(SystemExit):
            run_command()
        gc.collect()
        gc.unfreeze()
        printed = capsys.readouterr()
        return f"{printed.out}\n{printed.err}"

    return ran


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: ascii(" ".join(words))[:40])
def test_no_command_prints_control_sequences_of_a_client(
    run: Run, words: tuple[str, ...], tmp_path: Path
) -> None:
    """The page that a command keeps has none either."""
    check(run(*words))
    for page in tmp_path.glob("report*.html"):
        assert not HIDDEN.search(page.read_text()), page


def test_json_output_has_no_control_sequences_of_a_client(run: Run) -> None:
    """JSON allows some characters that a terminal interprets; they are escaped."""
    check(run("history", "--json"))
    check(run("check", "LIVE", "--json"))


def test_coloured_output_has_own_styles_only(attacked: Attacked) -> None:
    """Bold, dim and colours; nothing else."""
    for words in (("history",), ("check", attacked.live)):
        done = attacked.shell(*words, expect=None, FORCE_COLOR="1")
        assert STYLE.search(done.out)
        check(done.out)


def test_hostile_text_is_shown_in_full_with_escapes(attacked: Attacked) -> None:
    """It is complete and escaped; JSON has the exact text."""
    assert r"\x1b]0;title" in attacked.shell("history").out
    decisions = attacked.shell("history", "--json").json
    assert decisions[0]["why"] == EVIL
    result = attacked.shell("check", attacked.live, expect=None)
    assert r"\x1b" in result.out
    assert ":bomb:" in result.out


def test_csv_holds_no_formula(attacked: Attacked) -> None:
    """A cell or a name that a spreadsheet would run is quoted; numbers are as they are."""
    query = f"""SELECT '{FORMULA}' AS "{FORMULA.replace('"', '""')}", '+1' AS plus, '@a' AS at,
                '-1' AS minus, chr(9) || '=1' AS tab, -1 AS number, 'plain' AS plain"""
    done = attacked.shell("log", "sql", query, "--csv")
    names, values = csv.reader(io.StringIO(done.out))
    assert names == ["'" + FORMULA, "plus", "at", "minus", "tab", "number", "plain"]
    assert values == ["'" + FORMULA, "'+1", "'@a", "'-1", "'\t=1", "-1", "plain"]


def test_hostile_text_starts_no_line_in_the_servers_log(attacked: Attacked) -> None:
    """A path, a host or a row quoted by user code stays on the line of the log record."""
    log = attacked.server.log.read_text()
    assert not HIDDEN.search(log)
    assert r"path=/\nFORGED" in log
    assert "user code saw" in log
    for line in log.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT|    |gnomon\.", line), line


def test_answers_quote_as_json(attacked: Attacked) -> None:
    """An error may hold what was sent; it is JSON, and says it is nothing else."""
    answer = httpx.post(f"{attacked.server.url}/predict", json={"x": "<script>", "id": "a"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_error_of_a_server_cannot_control_the_terminal(tmp_path: Path, shell: Shell) -> None:
    """Another program's error at that address is escaped."""
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            error = {"code": "not_ready", "message": EVIL, "where": EVIL, "hint": EVIL}
            body = msgspec.json.encode({"error": error | {"request_id": EVIL}})
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as evil:
        thread = threading.Thread(target=evil.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{evil.server_port}"
            done = shell("status", "--url", url, "--token", "x", expect=2)
        finally:
            evil.shutdown()
            thread.join(20)
    assert not HIDDEN.search(done.err)
    assert not re.search(r"^FORGED", done.err, re.MULTILINE)


@pytest.mark.parametrize("name", ["../up", "a/b", "a\n", "a\x1b[2J", "", "."])
def test_a_replica_is_named_as_a_file_may_be(name: str) -> None:
    """Its slices' folders are named after it."""
    with pytest.raises(SettingsError, match="GNOMON_REPLICA"):
        Settings.read({"GNOMON_REPLICA": name})


def test_no_module_prints_around_the_console() -> None:
    """Console, logs and tracebacks are configured in one place; other prints are read by Gnomon, or
    go through a worker's streams.
    """
    source = Path(gnomon.__file__).parent
    allowed = {
        "Console": {"terminal.py"},
        "print": {
            "printable.py",
            "artifact/fresh_process.py",
            "artifact/combining/children.py",
        },
        "basicConfig": {"printable.py"},
        "print_exc": {"worker/process.py"},
    }
    for path in source.rglob("*.py"):
        text = path.read_text()
        nodes = ast.walk(ast.parse(text)) if any(name in text for name in allowed) else ()
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            on_console = isinstance(node.func, ast.Attribute) and name == "print"
            if name in allowed and not on_console:
                assert str(path.relative_to(source)) in allowed[name], f"{path}: {name}"
