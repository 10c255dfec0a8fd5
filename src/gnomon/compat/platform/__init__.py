"""Calls that only some operating systems have, each with a portable way beside it.

:mod:`~gnomon.compat.platform.linux` has the calls of Linux, and
:mod:`~gnomon.compat.platform.portable` the same functions by what POSIX and Python promise. One of
the two is taken here, once a process. ``GNOMON_PORTABLE=1`` takes the portable way on Linux too:
that is how it is tested, and how to find out whether a special call is to blame for something.
``docs/platforms.md`` says what the portable way does less well.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

__all__ = [
    "IS_PORTABLE",
    "VARIABLE",
    "ChildWatch",
    "RunQueue",
    "adopt_orphans",
    "control_pair",
    "die_with_parent",
    "die_with_tether",
    "end_with_socket",
    "is_running",
    "kill_first",
    "limit_memory",
    "limit_unread",
    "memory_folder",
    "outlive_socket",
    "own_descriptors",
    "process_space",
    "process_start",
    "raise_descriptors",
    "recv_packet",
    "reserve",
    "send_packet",
    "stop_listening",
    "sync_content",
    "sync_descriptor",
]

VARIABLE = "GNOMON_PORTABLE"
"""Only in the environment: a process takes its way before it reads other settings."""

IS_PORTABLE = sys.platform != "linux" or os.environ.get(VARIABLE, "").lower() in ("1", "true")
"""Whether this process takes the portable way."""

if TYPE_CHECKING or not IS_PORTABLE:
    from gnomon.compat.platform.linux import (
        ChildWatch,
        RunQueue,
        adopt_orphans,
        control_pair,
        die_with_parent,
        die_with_tether,
        end_with_socket,
        is_running,
        kill_first,
        limit_memory,
        limit_unread,
        memory_folder,
        outlive_socket,
        own_descriptors,
        process_space,
        process_start,
        raise_descriptors,
        recv_packet,
        reserve,
        send_packet,
        stop_listening,
        sync_content,
        sync_descriptor,
    )
else:
    from gnomon.compat.platform.portable import (
        ChildWatch,
        RunQueue,
        adopt_orphans,
        control_pair,
        die_with_parent,
        die_with_tether,
        end_with_socket,
        is_running,
        kill_first,
        limit_memory,
        limit_unread,
        memory_folder,
        outlive_socket,
        own_descriptors,
        process_space,
        process_start,
        raise_descriptors,
        recv_packet,
        reserve,
        send_packet,
        stop_listening,
        sync_content,
        sync_descriptor,
    )
