"""Rollout decisions taken on a running server, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from gnomon.cli.options import me
from gnomon.rollout.history import RolloutEvent
from gnomon.service.client import query_calls
from gnomon.service.client.clients import Client
from gnomon.service.status.slice_status import Status
from gnomon.tokens.token_text import TokenText

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RolloutAtServer", "ServerQueries", "client_at"]


class ServerQueries(Client):
    """A server that is asked about its log and labels, over HTTP."""

    def wanted_table(
        self,
        artifact: str,
        *,
        rows: int,
        metric: str | None,
        start: datetime | None,
        end: datetime | None,
    ) -> pa.Table:
        """Return what :meth:`Client.wanted_labels` does as a table, which has columns if empty."""
        import pyarrow as pa

        found = self._send(query_calls.wanted_labels(artifact, rows, metric, start, end))
        if found.rows:
            return pa.Table.from_pylist(list(found.rows))
        return pa.table({name: pa.array([], pa.string()) for name in found.columns})


def client_at(url: str, token: str | None) -> ServerQueries:
    """Return a client that decides as the holder of a token, or as this machine's account."""
    return ServerQueries(url, control_token=token, by=_on_behalf(token))


class RolloutAtServer(Client):
    """A running server, over HTTP."""

    def __init__(self, url: str, token: str | None) -> None:
        super().__init__(url, control_token=token, by=_on_behalf(token))
        self.place = url

    def pending(self, event: RolloutEvent) -> str | None:
        if event.kind not in ("promote", "rollback"):
            return None
        status = self.status()
        live = None if status.live is None else status.live.artifact
        if live == event.artifact:
            return None
        now = f"{live} is still live" if live else "no artifact is live yet"
        return f"{now}: {status.error or f'{event.artifact} is being loaded'}"

    def slices(self) -> list[Status]:
        return [self.status()]


def _on_behalf(token: str | None) -> str | None:
    """Return this machine's account; None for a named token, which says itself who decides."""
    named = token is not None and TokenText.parse(token.encode()) is not None
    return None if named else me()
