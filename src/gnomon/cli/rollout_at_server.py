"""Rollout decisions taken on a running server, over HTTP."""

from __future__ import annotations

from datetime import datetime

from gnomon.cli.options import me
from gnomon.rollout.history import RolloutEvent
from gnomon.service.access.identity import Identity
from gnomon.service.client.clients import Client
from gnomon.service.status.slice_status import Status
from gnomon.tokens.token_text import TokenText

__all__ = ["RolloutAtServer", "client_at"]


def client_at(url: str, token: str | None) -> Client:
    """Return a client that decides as the holder of a token, or as this machine's account."""
    named = token is not None and TokenText.parse(token.encode()) is not None
    # A named token says who decides. This machine's account is then nobody's to decide for.
    return Client(url, control_token=token, by=None if named else me())


class RolloutAtServer:
    """A running server, over HTTP."""

    def __init__(self, url: str, token: str | None) -> None:
        self.place = url
        self._client = client_at(url, token)

    def start_shadow(
        self,
        artifact: str,
        fraction: float | None,
        *,
        same: bool,
        preprocessing: str | None,
        force: bool,
        why: str | None,
    ) -> RolloutEvent:
        return self._client.start_shadow(
            artifact, fraction, same=same, preprocessing=preprocessing, force=force, why=why
        )

    def stop_shadow(self, artifact: str, *, why: str | None) -> RolloutEvent:
        return self._client.stop_shadow(artifact, why=why)

    def add_excuse(
        self, target: str, artifact: str | None, *, owner: str, until: datetime, why: str
    ) -> RolloutEvent:
        return self._client.add_excuse(target, artifact=artifact, owner=owner, until=until, why=why)

    def end_excuse(self, number: int, *, why: str | None) -> RolloutEvent:
        return self._client.end_excuse(number, why=why)

    def promote(self, artifact: str, *, force: bool, why: str | None) -> RolloutEvent:
        return self._client.promote(artifact, force=force, why=why)

    def approve(self, artifact: str, *, why: str | None) -> RolloutEvent:
        return self._client.approve(artifact, why=why)

    def withdraw(self, artifact: str | None, *, why: str | None) -> RolloutEvent:
        return self._client.withdraw(artifact, why=why)

    def rollback(self, *, why: str | None) -> RolloutEvent:
        return self._client.rollback(why=why)

    def pending(self, event: RolloutEvent) -> str | None:
        if event.kind not in ("promote", "rollback"):
            return None
        status = self._client.status()
        live = None if status.live is None else status.live.artifact
        if live == event.artifact:
            return None
        now = f"{live} is still live" if live else "no artifact is live yet"
        return f"{now}: {status.error or f'{event.artifact} is being loaded'}"

    def status(self) -> list[Status]:
        return [self._client.status()]

    def whoami(self) -> Identity | None:
        return self._client.whoami()

    def history(self) -> list[RolloutEvent]:
        return self._client.history()
