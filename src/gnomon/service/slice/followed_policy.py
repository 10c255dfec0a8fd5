"""A policy file that is read again when it changes."""

from __future__ import annotations

import logging
from pathlib import Path

from gnomon.errors import GnomonError
from gnomon.policy import Policy

__all__ = ["FollowedPolicy"]

logger = logging.getLogger("gnomon")


class FollowedPolicy:
    """The newest content of a policy file that could be read.

    Args:
        path: the file; the defaults apply without one.

    Raises:
        PolicyError, NewerFormat: the file cannot be read, or is not a policy of this version.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen = self._version()
        self.policy = Policy() if path is None else Policy.read(path)

    def refresh(self) -> None:
        """Read the file if it changed; one that cannot be read is logged, and the last one stays.

        This blocks for a millisecond at most, and for less if the file is the same.
        """
        if self._path is None or (version := self._version()) == self._seen:
            return
        self._seen = version
        try:
            self.policy = Policy.read(self._path)
        except GnomonError as error:
            logger.error("the policy as it was before goes on: %s", error)

    def _version(self) -> tuple[int, int, int] | None:
        """Return what differs after a change; None if the file is not there."""
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
