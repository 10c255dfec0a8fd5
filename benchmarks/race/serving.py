"""A contender's process: started, checked for right answers, and ended with its children."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.race import environments
from benchmarks.race.cases import Case
from benchmarks.race.contenders import Contender
from gnomon import rollout
from gnomon.settings import Settings
from gnomon.testing import free_port

__all__ = ["Served", "WrongAnswer", "check", "serving"]

START_SECONDS = 120.0
POLL_SECONDS = 0.01

CHECKED = 32
"""Requests of the check, all sent at once, so that batches of different rows are checked too."""

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Served:
    """A contender that answers.

    Attributes:
        url: where predictions are asked for.
        root: for Gnomon, its storage root.
        seconds: from the start of its process to its first answer.
    """

    url: str
    root: Path
    seconds: float


class WrongAnswer(Exception):
    """A contender does not answer, or its answer differs from the bare pipeline's."""


@contextmanager
def serving(contender: Contender, case: Case, work: Path) -> Iterator[Served]:
    """Serve a case until the block ends.

    Raises:
        WrongAnswer: it does not start.
    """
    folder = work / "contender"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    places = {"port": str(free_port()), "spare": str(free_port()), "folder": str(folder)}
    binaries = environments.make(contender.environment)
    variables = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        **{name: value.format(**places) for name, value in contender.variables.items()},
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(environments.ROOT),
        "PIPELINE": str(case.file),
        "MODEL": case.model,
        "GNOMON_ROOT": str(folder / "root"),
        "OMP_NUM_THREADS": "1",
    }
    if contender.shadowed is not None:
        roll_out(case, folder / "root", contender.shadowed)
    log = (folder / "output.log").open("wb")

    def start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        name, *arguments = (part.format(**places) for part in command)
        return subprocess.Popen(
            [binaries / name, *arguments],
            cwd=environments.ROOT, env=variables, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    if contender.prepare:
        start(contender.prepare).wait()
    began = time.perf_counter()
    process = start(contender.command)
    url = f"http://127.0.0.1:{places['port']}{contender.path}"
    try:
        wait(url, contender, case, process, folder / "output.log")
        yield Served(url, folder / "root", time.perf_counter() - began)
    finally:
        end(process)
        log.close()


def roll_out(case: Case, root: Path, shadowed: bool) -> None:
    """Record what a fresh storage root serves."""
    settings = Settings(root=str(root))
    rollout.promote(settings, case.model, case.live)
    if shadowed:
        rollout.start_shadow(settings, case.model, case.shadow)


def wait(
    url: str, contender: Contender, case: Case, process: subprocess.Popen[bytes], log: Path
) -> None:
    """Until a prediction is answered.

    Raises:
        WrongAnswer: it ended, or did not answer in time.
    """
    limit = time.monotonic() + START_SECONDS
    body = contender.wrap(case.records[0])
    with httpx.Client(timeout=10) as client:
        while time.monotonic() < limit and process.poll() is None:
            with suppress(httpx.HTTPError):
                if client.post(url, json=body).status_code == 200:
                    return
            time.sleep(POLL_SECONDS)
    tail = log.read_text(errors="replace")[-3000:]
    raise WrongAnswer(f"{contender.name} does not answer on {case.name}. Its output ends:\n{tail}")


def check(url: str, contender: Contender, case: Case) -> None:
    """Compare the answers with those of the bare pipeline.

    Raises:
        WrongAnswer: an answer differs.
    """

    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            bodies = [contender.wrap(record) for record in case.records[:CHECKED]]
            return await asyncio.gather(*(client.post(url, json=body) for body in bodies))

    for response, expected in zip(asyncio.run(ask_all()), case.answers, strict=False):
        found = contender.read(response.json(), list(expected[1])) if response.is_success else None
        if found is None or not agree(found, expected):
            raise WrongAnswer(
                f"{contender.name} on {case.name}: expected {expected}, got {response.text}"
            )


def agree(found: tuple[str, dict[str, float]], expected: tuple[str, dict[str, float]]) -> bool:
    """Return whether labels are the same and probabilities equal except for rounding."""
    return found[0] == expected[0] and all(
        abs(found[1][name] - probability) <= TOLERANCE for name, probability in expected[1].items()
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL to the whole session: some leave their workers behind."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
