"""Exit code 1 is a verdict; a command that fails has another code."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gnomon import infer_contract
from gnomon.cli.exit_codes import CRASHED, FAILED, of_process
from tests.cli.commands import TOP, found, leaves
from tests.cli.running import Shell
from tests.forking import run_python

FAULTY = """
import os, sys
from gnomon.cli import main

path, line = os.environ["FAULT"].rsplit(":", 1)

def fault(frame, event, argument):
    if frame.f_code.co_filename == path and frame.f_code.co_firstlineno == int(line):
        raise ZeroDivisionError("a fault inside the command")

sys.settrace(fault)
main()
"""
"""The command line, in a process in which the function behind a command raises as it is called."""


PARSED = {"--role": "viewer", "--until": "2030-01-01T00:00+00:00", "number": "1"}
"""Required options and arguments that do not take any text."""


def words(path: tuple[str, ...]) -> list[str]:
    """A command line that Typer accepts for a command: something for all that is required."""
    needed: list[str] = []
    for parameter in found(path).params:  # type: ignore[attr-defined]
        if parameter.required:
            option = parameter.opts[0]
            word = PARSED.get(option, "toy")
            needed += [option, word] if option.startswith("-") else [word]
    return [*path, *needed]


@pytest.mark.parametrize("path", leaves(TOP), ids=" ".join)
def test_an_error_inside_any_command_is_not_a_verdict(path: tuple[str, ...], shell: Shell) -> None:
    """An exception in the function of any command exits with 3 and shows where it was raised."""
    code = inspect.unwrap(found(path).callback).__code__  # type: ignore[attr-defined]
    script = shell.folder / "faulty.py"
    script.write_text(FAULTY)
    fault = {"FAULT": f"{code.co_filename}:{code.co_firstlineno}"}
    done = run_python(
        [str(script), *words(path)], cwd=shell.folder, env={**shell.variables, **fault}
    )
    assert "a fault inside the command" in done.stderr, done.stderr
    assert done.returncode == CRASHED


@pytest.mark.parametrize("path", leaves(TOP), ids=" ".join)
def test_a_storage_root_that_is_not_a_folder_is_not_a_verdict(
    path: tuple[str, ...], shell: Shell
) -> None:
    """Each command that needs the root fails on it; none of them says that a check failed."""
    root = shell.folder / "a-file"
    root.write_text("not a folder")
    done = shell(*words(path), expect=None, GNOMON_ROOT=str(root))
    assert done.code != 1, done.out + done.err


def test_a_damaged_contract_is_not_a_verdict(shell: Shell) -> None:
    """``gnomon check`` of a file that was cut."""
    (shell.folder / "contract.json").write_bytes(b'{"format": 2, "task": "regr')
    (shell.folder / "rows.csv").write_text("x\n1\n")
    done = shell("check", "contract.json", "--table", "rows.csv", expect=FAILED)
    assert "contract.json" in done.err


def test_a_file_that_may_not_be_read_is_an_error_with_its_name(shell: Shell) -> None:
    """The operating system's refusal is shown like other errors, without a traceback."""
    (shell.folder / "contract.json").mkdir()
    assert "contract.json" in shell("check", "contract.json", expect=FAILED).err


def into_closed_pipe(shell: Shell, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose output nobody reads, as with ``gnomon ... | true``."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "gnomon", *words],
            cwd=shell.folder,
            env=dict(shell.variables),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)


def test_a_closed_pipe_is_not_a_verdict(shell: Shell) -> None:
    """``gnomon --help | true``: the reader closes before the first line."""
    ended = into_closed_pipe(shell, "artifacts")
    assert ended.returncode in (0, FAILED), ended.stderr


@pytest.mark.parametrize(("column", "verdict"), [("x", 0), ("y", 1)])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_closed_pipe_does_not_change_a_verdict(
    column: str, verdict: int, as_json: bool, shell: Shell
) -> None:
    """``gnomon check ... | head``: the exit code is that of the check, however much is read."""
    contract = infer_contract(pd.DataFrame({"x": [1.0, 2.0]}), task="regression")
    contract.write(shell.folder / "contract.json")
    (shell.folder / "rows.csv").write_text(f"{column}\n1\n")
    words = ("check", "contract.json", "--table", "rows.csv", *(["--json"] if as_json else []))
    assert shell(*words, expect=verdict).out
    ended = into_closed_pipe(shell, *words)
    assert ended.returncode == verdict, ended.stderr
    assert not ended.stderr


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, FAILED), (4, 4), (-9, 137)])
def test_the_exit_code_of_a_server_passes_through_except_1(code: int, expected: int) -> None:
    """Its exit code passes through ``gnomon serve``, but for 1."""
    assert of_process(code) == expected


def test_a_verdict_is_1(shell: Shell) -> None:
    """The rows violate the contract: the check was done, and failed."""
    contract = Path(__file__).parents[1] / "data" / "contract-1.json"
    (shell.folder / "rows.csv").write_text("nothing_of_it\n1\n")
    assert shell("check", str(contract), "--table", "rows.csv", expect=1).out
