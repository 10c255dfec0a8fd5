"""Where an operating system keeps what it brings."""

from __future__ import annotations

__all__ = ["SYSTEM_FOLDERS"]

SYSTEM_FOLDERS = (
    *("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt"),
    *("/System", "/Library", "/private/etc", "/private/var/db"),
)
"""Of Linux and of macOS. Not the user's, although they may hold anything."""
