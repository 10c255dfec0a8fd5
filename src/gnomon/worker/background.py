"""The start of those child processes of a gateway that do not serve live answers."""

from __future__ import annotations

import os
import signal

from gnomon.compat.platform import kill_first
from gnomon.files import apply_umask
from gnomon.printable import log_to_stderr
from gnomon.settings import Settings

__all__ = ["enter_background"]


def enter_background(*, niceness: int, oom_score: int | None = None) -> Settings:
    """Lower this process's priority, log to standard error, and apply the settings' umask.

    SIGTERM and SIGINT are ignored: process managers send them to all processes of a tree, and the
    gateway ends its children itself, once it no longer needs them.

    Args:
        niceness: by how much to raise this process's nice value above the gateway's.
        oom_score: the kernel's ``oom_score_adj``, up to 1,000: the higher, the sooner this process
            is killed when memory is short. Its children inherit it. None keeps the parent's.

    Raises:
        SettingsError: a setting cannot be used.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.nice(niceness)
    if oom_score is not None:
        kill_first(oom_score)
    log_to_stderr()
    settings = Settings.read()
    apply_umask(settings.file_umask)
    return settings
