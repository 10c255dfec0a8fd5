"""The first step of a gateway's child process that serves no live answers itself."""

from __future__ import annotations

import os
import signal

from gnomon.compat.platform import kill_first
from gnomon.files import apply_umask
from gnomon.printable import log_to_stderr
from gnomon.settings import Settings

__all__ = ["enter_background"]


def enter_background(*, niceness: int, oom_score: int | None = None) -> Settings:
    """Give way to live, log to standard error, and make files as the settings say.

    SIGTERM and SIGINT are ignored: process managers send them to whole process trees, and the
    gateway ends its children itself, once it needs them no more.

    Args:
        niceness: how far below the gateway this process stands when the processor is short.
        oom_score: the kernel's ``oom_score_adj``, up to 1,000: the higher, the sooner this process
            is killed when memory is short. Its children inherit it. None: the parent's.

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
