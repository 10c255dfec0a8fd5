"""The log and the count of refused callers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gnomon.errors import GnomonError
from gnomon.quantities import plural
from gnomon.service.http.asgi import Scope

__all__ = ["Refusals"]

logger = logging.getLogger("gnomon")

MOST = 20
SECONDS = 60.0
"""At most 20 refusals a minute are logged: any client can cause more."""


class Refusals:
    """Logs who was refused, from where and what they lacked, and counts all of them.

    No part of a credential is logged: an unknown token may be the mistyped one of a person.

    Args:
        count: counts a refusal, by route and error code.
        clock: the time in seconds.
    """

    def __init__(
        self, count: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._clock = clock
        self._since = -SECONDS
        self._logged = 0
        self._silent = 0

    def add(self, scope: Scope, error: GnomonError, needed: str) -> None:
        """Log and count a refusal.

        Args:
            scope: the request; its path is that of a known route.
            error: why it was refused.
            needed: the role or the token that the route needs.
        """
        self._count(scope["path"], error.code)
        self.report()
        if self._logged >= MOST:
            self._silent += 1
            return
        self._logged += 1
        client = scope.get("client")
        logger.warning(
            "refused %s %s, which needs %s, to a caller at %s: %s",
            scope["method"],
            scope["path"],
            needed,
            "an unknown address" if client is None else client[0],
            error.message,
        )

    def report(self) -> None:
        """Log how many refusals were not logged in the last minute, when it is over."""
        now = self._clock()
        if now - self._since < SECONDS:
            return
        self._since, self._logged, silent, self._silent = now, 0, self._silent, 0
        if silent:
            logger.warning("refused %s more within %g s", plural(silent, "request"), SECONDS)
