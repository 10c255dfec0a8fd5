"""What every part of the story needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gnomon
from demo.output import DemoOutput
from demo.place import DemoFailed, Place

__all__ = ["CANDIDATE", "LIVE", "OFFLINE", "RELEASE", "SKEWED", "Rows", "Stage"]

RELEASE = "1"
LIVE = f"flights:logistic-{RELEASE}"
CANDIDATE = f"flights:boosting-{RELEASE}"
SKEWED = f"flights:boosting-{RELEASE}-utc"

OFFLINE = f"boosting-{RELEASE}.parquet"
"""What the trained ``boosting`` pipeline, whose weights both candidates have, predicts offline."""

CATCH_UP_SECONDS = 120.0

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """A running server, and what tells of it.

    Attributes:
        output: where it is written.
        place: where everything is kept.
        url: the server's.
        client: holds the control token.
    """

    output: DemoOutput
    place: Place
    url: str
    client: gnomon.AsyncClient

    def gnomon(self, *arguments: str, expect: int = 0) -> None:
        """Run a ``gnomon`` command and show what it prints.

        Raises:
            DemoFailed: it exited with anything but ``expect``.
        """
        printed = self.place.python("gnomon", *arguments, expect=expect)
        self.output.quote(" ".join(("gnomon", *arguments)), printed)

    async def catch_up(self, rows: int) -> None:
        """Return once every shadow has scored this many rows.

        Raises:
            DemoFailed: one has not, in time.
        """
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while any(shadow.scored < rows for shadow in (await self.client.status()).shadows):
            if time.monotonic() > deadline:
                shadows = (await self.client.status()).shadows
                raise DemoFailed(f"the shadows have not scored {rows:,} rows: {shadows}")
            await asyncio.sleep(0.05)
