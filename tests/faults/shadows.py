"""Shadows with faults next to a healthy live model, and what must hold in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from gnomon.service.client.clients import Client
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.shadow.accounts.accounts import LogAccounts
from gnomon.testing import Server
from tests import packing
from tests.faults.accounts import Accounts
from tests.forking import children_of
from tests.load import Load, feeds, until
from tests.packing import SCRIPT, times

Packed = Callable[[str, str, str], Path]


def install(server: Server, packed_once: Packed, fault: str) -> Path:
    """An artifact, x times 3, with a fault, in the store of a shared server."""
    packed = packed_once(times(3, fault), "toy", SCRIPT)
    home = Path(server.settings.root).parent / "bentoml"
    packing.install(packed, home)
    return home / "models" / "toy" / packed.name


@dataclass(frozen=True)
class Shadow:
    """A shadow that runs from before the first request to after the last."""

    server: Server
    control: Client
    tag: str
    accounts: Accounts
    before: Counter[str]

    @property
    def status(self) -> ShadowStatus:
        """What its slice says of it."""
        (shadow,) = [s for s in self.control.status().shadows if s.artifact == self.tag]
        return shadow

    def processes(self) -> list[psutil.Process]:
        """The holder and the scorer of its worker that are still running."""
        return [child for feed in feeds(self.server) for child in children_of(feed, recursive=True)]

    def feed(self) -> psutil.Process:
        """Its feed."""
        until(lambda: bool(feeds(self.server)), "the feed runs")
        (feed,) = feeds(self.server)
        return feed

    def check(self, seen: Load, *, failed: int = 0, seconds: float = 90.0) -> None:
        """Hold live to having lost and failed nothing, and the shadow to having caught up.

        Args:
            seen: what clients saw since the shadow was started.
            failed: rows that the shadow is to have failed on.
            seconds: how long it may take to catch up.

        Raises:
            AssertionError: any of it is not so, or law 5's accounts do not balance, to the row.
        """
        assert (seen.lost, seen.refused) == (0, [])
        rows = len(seen.acknowledged)
        assert rows
        until(
            lambda: (self.status.eligible, self.status.lagging) == (rows, 0),
            f"{self.tag} catches up on {rows} rows",
            seconds,
        )
        since = self.accounts.check(seen)
        assert since["answered"] == since["received"] == rows
        books = accounts_of(self.accounts.found, self.tag) - self.before
        assert books == Counter(eligible=rows, scored=rows - failed, failed=failed)
        assert (self.status.scored, self.status.failed) == (rows - failed, failed)


def accounts_of(accounts: LogAccounts, tag: str) -> Counter[str]:
    """A shadow's accounts over all of its runs."""
    shadow_accounts = [books for books in accounts.shadows if books.artifact == tag]
    names = ("eligible", "scored", "failed", "lagging")
    return +Counter(
        {name: sum(getattr(books, name) for books in shadow_accounts) for name in names}
    )


@contextmanager
def shadowing(server: Server, tag: str) -> Iterator[Shadow]:
    """Start a shadow before any request, and stop it when all is done."""
    with server.client() as control:
        accounts = Accounts(server)
        before = accounts_of(accounts.found, tag)
        control.start_shadow(tag)
        shadow = Shadow(server, control, tag, accounts, before)
        until(lambda: len(shadow.processes()) == 2, "its worker runs", 120)
        try:
            yield shadow
        finally:
            control.stop_shadow(tag)
            until(lambda: not feeds(server), "the feed leaves")
