"""Every command with unusual arguments: no traceback, no hang, and exit code 1 only for a verdict.

The commands are discovered from the command line, so that new ones are included. They run in this
process, each in a folder and a storage root of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pandas as pd
import pytest
import typer.main

from gnomon import cli
from gnomon.cli import serve
from tests.cli.commands import TOP, found, leaves
from tests.cli.running import Shell
from tests.packing import SCRIPT, install, times
from tests.shadow.evidence import log_live

EXAMPLES = 20
"""Command lines for each of some thirty commands."""

SECONDS = 8.0
"""Much more than any of them takes; one that waits for something takes for ever."""

ENDLESS = ("--watch", "-w")

TEXTS = [
    "", " ", "\t", "x\ny", "\x1b[31mred\x1b[0m", "\x07\x7f", "[bold]", "%s{}", "'\"", "\\",
    "ü", "名", "e\u0301", "\u202egnp", "\udcff\udc80", "a" * 300, "x" * 5_000, "ü" * 300,
    "nan", "-nan", "inf", "-inf", "1e999", "0", "-0", "-1", "1.5", "1e-320", str(10**30),
    "true", "null", "None", "-", "--", "---", "-x", "--x=1", "=", "*", "?", "~", "$HOME",
    "toy", "toy:", ":", ":latest", "toy:latest", "toy:none", "a:b:c", "Toy", "toy/..", "toy:../..",
    "..", ".", "../../..", "one,two", "id", "prediction", "2024-05-01", "2024-05-01T25:00",
    "9999-12-31T23:59:59", "2024-05-01T00:00+99:00", "select 1", "select * from log",
    "0001-01-01", "drop table log",
    "http://", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999", "http:///x", "//",
    "http://127.0.0.1:1", "http://\udcff", "127.0.0.1", "0.0.0.0", "::", "::1", "300.1.1.1",
]  # fmt: skip
"""None with a NUL: no argument of a process can hold one."""

PATHS = [
    "gone.csv", "gone/at/all.csv", "folder", "empty.csv", "empty.parquet", "binary.csv",
    "binary.parquet", "text.parquet", "good.csv", "good.parquet", "header.csv", "wide.csv",
    "contract.json", "broken.json", "list.json", "policy.toml", "broken.toml", "fifo",
    "fifo.csv", "fifo.parquet", "fifo.json", "null.csv", "link.csv", "loop.csv", "secret.csv",
    "good.csv/inside", "deployment", "artifact", "damaged", "key", "/dev/null", "/dev/full",
    "ü/名.csv", "out.csv", "out.parquet", "folder/out.csv", "out.txt", "x" * 300 + ".csv",
]  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """Folders to run in, by the state of the storage root in each."""

    folders: dict[str, Path]
    home: Path
    tag: str


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Prepared:
    """A deployment at rest with a log, an empty one, and one whose files are damaged."""
    place = tmp_path_factory.mktemp("fuzz")
    home = place / "bentoml"
    tag = install(packed_once(times(1), "toy", SCRIPT), home)
    shadow = install(packed_once(times(2), "toy", SCRIPT), home)
    folders = {}
    for state in ("empty", "normal", "damaged"):
        folder = place / state / "deep" / "down" / "here"  # ``../..`` leads nowhere else
        folder.mkdir(parents=True)
        _files(folder, home / "models" / tag.replace(":", "/"))
        folders[state] = folder
        shell = Shell(folder, {"BENTOML_HOME": str(home), "GNOMON_ROOT": ".gnomon"})
        if state == "empty":
            continue
        shell("promote", tag)
        shell("shadow", "start", shadow)
        with contextlib.chdir(folder):
            log_live(_settings(folder), 40, artifact=tag)
    _damage(folders["damaged"] / ".gnomon")
    return Prepared(folders, home, tag)


def _settings(folder: Path) -> Any:
    from gnomon.settings import Settings

    return Settings(root=str(folder / ".gnomon"))


def _files(folder: Path, artifact: Path) -> None:
    """A file of every kind that a path could lead to."""
    frame = pd.DataFrame({"x": [1.0, 2.0], "id": ["a", "b"], "prediction": [1.0, 2.0]})
    frame.to_csv(folder / "good.csv", index=False)
    frame.to_parquet(folder / "good.parquet")
    (folder / "folder").mkdir()
    (folder / "deployment").mkdir()
    (folder / "deployment" / "bentofile.yaml").write_text("service: service:svc\n")
    shutil.copytree(artifact, folder / "artifact")
    shutil.copytree(artifact, folder / "damaged")
    (folder / "damaged" / "manifest.json").write_text("{")
    for name in ("empty.csv", "empty.parquet", "key"):
        (folder / name).touch()
    for name in ("binary.csv", "binary.parquet"):
        (folder / name).write_bytes(bytes(range(256)) * 8)
    (folder / "text.parquet").write_text("id,prediction\na,1\n")
    (folder / "header.csv").write_text("id,prediction\n")
    (folder / "wide.csv").write_text(",".join(["a"] * 300) + "\n" + "1\n2,3\n")
    shutil.copy(artifact / "contract.json", folder / "contract.json")
    (folder / "broken.json").write_text('{"format": 3, "task": ')
    (folder / "list.json").write_text("[1, 2]")
    (folder / "policy.toml").write_text("[gates]\nmin_rows = 1\n")
    (folder / "broken.toml").write_text("[gates\n")
    for name in ("fifo", "fifo.csv", "fifo.parquet", "fifo.json"):
        os.mkfifo(folder / name)
    (folder / "null.csv").symlink_to("/dev/null")
    (folder / "link.csv").symlink_to("nowhere.csv")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "secret.csv").write_text("x\n1\n")
    (folder / "secret.csv").chmod(0)


def _damage(root: Path) -> None:
    """Every file of a storage root, cut in the middle."""
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] + b"\xff{")


def value(parameter: Any, rng: random.Random) -> str:
    """An unusual value for an argument or option, or a valid one."""
    if parameter.name == "query":
        return rng.choice(TEXTS)
    kinds = [parameter.bare_type(), *get_args(parameter.bare_type())]
    choices = [choice for kind in kinds for choice in get_args(kind) if isinstance(choice, str)]
    if choices and rng.random() < 0.5:
        return rng.choice(choices)
    if rng.random() < 0.1:
        return "".join(chr(rng.randint(1, 0x2FF)) for _ in range(rng.randint(1, 6)))
    return rng.choice(rng.choice([TEXTS, PATHS]))


FITS = {
    "which": "TAG", "artifact": "TAG", "table": "good.csv", "file": "good.csv", "train": "good.csv",
    "out_file": "out.csv", "holdout": "good.csv", "on": "id", "label": "prediction",
    "policy": "policy.toml", "query": "select 1", "folder": "deployment", "model": "toy",
    "name": "toy", "url": "http://127.0.0.1:1", "against": "contract.json", "key": "key",
}  # fmt: skip
"""Arguments that lead a command as far as where it uses the odd one."""


def nearly_right(path: tuple[str, ...], tag: str, rng: random.Random) -> list[str]:
    """A command line with one unusual argument."""
    takes = [p for p in found(path).params if not getattr(p, "is_flag", False)]  # type: ignore[attr-defined]
    if not takes:
        return [*path]
    odd = rng.choice(takes)
    words = [*path]
    for parameter in takes:
        if parameter is not odd and not parameter.required:
            continue
        fits = FITS.get(parameter.name, "toy").replace("TAG", tag)
        if path[0] == "contract" and parameter.name == "file":
            fits = "contract.json"
        argument = value(parameter, rng) if parameter is odd else fits
        words += [*[o for o in parameter.opts if o.startswith("--")][:1], argument]
    return words


def mixed_up(path: tuple[str, ...], tag: str, rng: random.Random) -> list[str]:
    """A command line with missing, repeated, unknown and misplaced words."""
    words: list[str] = []
    for parameter in found(path).params:  # type: ignore[attr-defined]
        options = [o for o in parameter.opts if o.startswith("-") and o not in ENDLESS]
        if parameter.param_type_name == "option" and not options:
            continue
        if rng.random() > (0.9 if parameter.required else 0.3):
            continue
        for _ in range(2 if rng.random() < 0.1 else 1):
            words += [rng.choice(options)] if options else []
            if not getattr(parameter, "is_flag", False):
                words.append(tag if rng.random() < 0.25 else value(parameter, rng))
    if rng.random() < 0.1:
        words.insert(rng.randint(0, len(words)), rng.choice(TEXTS))
    if rng.random() < 0.2:
        rng.shuffle(words)
    return [*path, *(word for word in words if word not in ENDLESS)]


class Hangs(BaseException):
    """Raised in a command that does not end; ``except Exception`` does not catch it."""


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str


def _alarm(*_: object) -> None:
    raise Hangs


def run(words: list[str], folder: Path) -> Ended:
    """Run a command line in this process, as :func:`gnomon.cli.run` does in its own."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    umask, hook = os.umask(0o077), sys.excepthook
    before = signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    code = 0
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "argv", ["gnomon", *words])
            cli.run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 99
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        os.umask(umask)
        sys.excepthook = hook
    outputs = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Ended(code, *outputs)


@pytest.fixture(autouse=True)
def alone(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own settings, no network except loopback, no server and no editor that waits."""
    for name in [name for name in os.environ if name.startswith("GNOMON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GNOMON_ROOT", ".gnomon")
    monkeypatch.setenv("BENTOML_HOME", str(prepared.home))
    monkeypatch.setenv("VISUAL", "true")
    monkeypatch.setenv("COLUMNS", "200")
    resolve = socket.getaddrinfo

    def near(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
        if name not in (None, "", "localhost", "::1", "::", "0.0.0.0") and not str(name).startswith(
            "127."
        ):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", near)
    ended = SimpleNamespace(poll=_no_server, wait=lambda: 1, terminate=lambda: None)
    monkeypatch.setattr(serve, "subprocess", SimpleNamespace(Popen=lambda *_, **__: ended))
    # A process builds the command line once; to do so takes four times as long as most commands.
    monkeypatch.setattr(typer.main, "get_command", lambda _: TOP)


def _no_server() -> int:
    """Replaces BentoML, which would print the error and exit."""
    print("error: no server is started here", file=sys.stderr)
    return 1


@pytest.mark.parametrize("path", leaves(TOP), ids=" ".join)
def test_no_argument_breaks_a_command(path: tuple[str, ...], prepared: Prepared) -> None:
    """It exits with 0, 1 or 2: with 1 it printed a finding, with 2 an error."""

    for number in range(EXAMPLES):
        # The same ones each time, or what nobody has changed would fail one day.
        rng = random.Random(f"{path} {number}")
        words = rng.choice([nearly_right, mixed_up])(path, prepared.tag, rng)
        state = rng.choice(sorted(prepared.folders))
        try:
            ended = run(words, prepared.folders[state])
        except Hangs:
            pytest.fail(f"it does not end: {json.dumps(words)} in {state}")
        description = f"{json.dumps(words)} in {state}: {ended}"
        assert ended.code in (0, 1, 2), description
        assert "Traceback" not in ended.err, description
        assert "\x1b" not in ended.out + ended.err, description
        if ended.code == 1:
            assert ended.out.strip(), description
        if ended.code == 2:
            assert "rror" in ended.err or "Usage:" in ended.err, description
            assert len(ended.err) < 20_000, description
