"""The folders of the operating system's files."""

from __future__ import annotations

__all__ = ["SYSTEM_FOLDERS"]

SYSTEM_FOLDERS = (
    *("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt"),
    *("/System", "/Library", "/private/etc", "/private/var/db"),
)
"""Those of Linux and of macOS. User folders are not listed, whatever they contain."""
