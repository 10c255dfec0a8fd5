"""How long a server's event loop is held by one turn, told apart from what the machine adds.

While an event loop runs the callbacks that are due, nobody is answered. How long that takes on the
clock says little on a busy machine. ``loop_turns.c``, loaded into the server's processes with
``LD_PRELOAD``, keeps for each turn the processor time it used, and how long it stood ready and was
given no processor. The server's own code is unchanged.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["LoopTurns", "Turn"]

KEPT = 1 << 16
"""Turns kept by process; see ``loop_turns.c``."""
_COUNT = struct.Struct("<QQ")
_TURN = struct.Struct("<QQQQ")


class Turn(NamedTuple):
    """One turn of an event loop, in seconds.

    Attributes:
        began: on the clock of ``time.monotonic``.
        wall: how long it took.
        cpu: processor time of the loop's thread.
        waited: how long the thread was ready to run and had no processor.
    """

    began: float
    wall: float
    cpu: float
    waited: float

    @property
    def held(self) -> float:
        """How long it would have taken with a processor to itself: computing, and waiting for the
        interpreter's lock or a disk."""
        return self.wall - self.waited


class LoopTurns:
    """The turns of processes that are started with its ``environment``.

    Args:
        folder: where the library and the turns are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        library = folder / "loop_turns.so"
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise SystemExit("expected a C compiler, found none: install gcc")
        source = Path(__file__).with_name("loop_turns.c")
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(library), "LOOP_TURNS": str(folder)}

    def between(self, pid: int, began: float, ended: float) -> list[Turn]:
        """Return the turns of half a millisecond or more that a process began in that time."""
        with (self._folder / str(pid)).open("rb") as file:
            book = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with book:
            count, _ = _COUNT.unpack_from(book)
            places = [n % KEPT for n in range(max(0, count - KEPT), count)]
            turns = [_TURN.unpack_from(book, _COUNT.size + _TURN.size * n) for n in places]
        seconds = (Turn(*(value / 1e9 for value in turn)) for turn in turns)
        return [turn for turn in seconds if began <= turn.began <= ended]
