"""Work in a fork of the process, so that all memory it uses is freed.

Arrow's pools, deltalake's runtime and the C library keep the memory they have allocated. A process
that did such work for months would grow; a fork's memory is freed when it ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import warnings
from collections.abc import Callable

from gnomon.compat.platform import die_with_parent
from gnomon.printable import print_traceback

__all__ = ["in_fork"]


BEAT_SECONDS = 1.0


def in_fork(work: Callable[[], bytes], beat: Callable[[], None]) -> bytes | None:
    """Run ``work`` in a fork and return its result; None if the fork ended before it had one.

    Args:
        work: the work to do.
        beat: called in this process once a second meanwhile.

    This process must not have threads: a fork could wait forever for a lock that one of them holds.
    The fork ends with this process.
    """
    parent, (ours, theirs) = os.getpid(), os.pipe()
    with warnings.catch_warnings():
        # The portable way of die_with_parent is a thread, which only sleeps and holds no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        status = 1
        try:
            die_with_parent(parent)
            with os.fdopen(theirs, "wb") as pipe:
                pipe.write(work())
            status = 0
        except BaseException as error:
            print_traceback(error)
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(status)
    os.close(theirs)
    result = b""
    try:
        while True:
            if not select.select([ours], [], [], BEAT_SECONDS)[0]:
                beat()
            elif chunk := os.read(ours, 65_536):
                result += chunk
            else:
                break
    finally:
        os.close(ours)
    return result if os.waitpid(pid, 0)[1] == 0 else None
