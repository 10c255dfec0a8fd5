"""Private parts of circus (the distribution kantoku), with which BentoML supervises processes.

Only the process that starts gateways imports this. Seen in kantoku 0.18.3 and BentoML 1.4.39.
Without it ``bentoml serve`` ends at once with an import error.
"""

from __future__ import annotations

from typing import Any

from bentoml._internal.utils import circus
from circus.exc import ConflictError

__all__ = ["Arbiter", "ConflictError", "supervise_with"]

Arbiter: Any = circus.Arbiter
"""BentoML's class for the process that starts and restarts all others."""


def supervise_with(arbiter: type) -> None:
    """Make BentoML use this class for its arbiter.

    Replaces ``Arbiter`` in the module where BentoML looks it up. How often an arbiter checks its
    processes is a parameter of circus that BentoML does not expose.
    """
    replaced: Any = circus
    replaced.Arbiter = arbiter
