"""Calls that only some operating systems have, each with a portable replacement.

:mod:`~gnomon.compat.platform.linux` has the calls of Linux, and
:mod:`~gnomon.compat.platform.portable` the same functions with POSIX and Python alone. Each process
uses one of the two. ``GNOMON_PORTABLE=1`` selects the portable one on Linux too: that is how it is
tested, and how to find out whether a system-specific call causes a problem. ``docs/platforms.md``
lists the limits of the portable implementation.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

VARIABLE = "GNOMON_PORTABLE"
"""Only in the environment: a process chooses before it reads other settings."""

IS_PORTABLE = sys.platform != "linux" or os.environ.get(VARIABLE, "").lower() in ("1", "true")
"""Whether this process uses the portable implementation."""

# Both modules list the same names in ``__all__``; a test compares the two lists.
if TYPE_CHECKING or not IS_PORTABLE:
    from gnomon.compat.platform.linux import *  # noqa: F403
    from gnomon.compat.platform.linux import __all__ as _shared
else:
    from gnomon.compat.platform.portable import *  # noqa: F403
    from gnomon.compat.platform.portable import __all__ as _shared

__all__ = ["IS_PORTABLE", "VARIABLE"]
__all__ += _shared
