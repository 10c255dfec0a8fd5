"""Where a rollout command acts: on a running server, or on the storage root servers follow."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gnomon.cli.options import me
from gnomon.errors import SettingsError
from gnomon.service.auth import find_control_token
from gnomon.service.client import Client
from gnomon.service.status import Books, Live, ShadowStatus, Status
from gnomon.settings import Settings
from gnomon.shadow import rollout, slices
from gnomon.shadow.history import Event, History, RolloutState
from gnomon.shadow.policy import Policy
from gnomon.shadow.slices import Heartbeat
from gnomon.shadow.storage import Storage

__all__ = ["POLICY", "Target", "find_model", "find_policy", "find_target"]

POLICY = Path("shadow/policy.toml")
"""Where a deployment keeps its policy, seen from its root."""


class Target(Protocol):
    """Takes rollout decisions and says what runs."""

    place: str

    def start_shadow(
        self, artifact: str, fraction: float | None, *, same: bool, why: str | None
    ) -> Event:
        """Put an artifact in shadow."""

    def stop_shadow(self, artifact: str, *, why: str | None) -> Event:
        """Take an artifact out of shadow."""

    def promote(self, artifact: str, *, force: bool, why: str | None) -> Event:
        """Make an artifact live."""

    def rollback(self, *, why: str | None) -> Event:
        """Make the previous artifact live again."""

    def status(self) -> list[Status]:
        """What runs: one entry a slice."""

    def history(self) -> list[Event]:
        """Every decision, oldest first."""


def find_target(
    url: str | None, token: str | None, *, model: str | None = None, artifact: str | None = None
) -> Target:
    """The server at ``url``; else one the storage root knows to be running; else the root.

    Args:
        url: a server's base URL.
        token: its control token; the storage root's by default.
        model: the model's name, where the root holds several.
        artifact: a tag, which names the model too.

    Raises:
        SettingsError: there is no such server, and nothing under the storage root.
    """
    settings = Settings.read()
    if url is not None:
        return _server(url, token, settings)
    name = model or (artifact.partition(":")[0] if artifact else find_model(settings))
    running = [
        beat for beat in slices.read(Storage(settings), name) if beat.url and not beat.is_stale()
    ]
    if running and running[0].url:
        return _server(running[0].url, token, settings)
    return _Root(settings, name)


def find_model(settings: Settings) -> str:
    """The one model under the storage root.

    Raises:
        SettingsError: there is none, or more than one.
    """
    storage = Storage(settings)
    names = {
        path.split("/")[1] for folder in ("rollout", "slices") for path in storage.names(folder)
    }
    if len(names) == 1:
        return names.pop()
    if names:
        raise SettingsError(
            f"the storage root holds several models: {', '.join(sorted(names))}",
            where=settings.root,
            hint="say which: --model NAME",
        )
    raise SettingsError(
        "no deployment has run with this storage root yet",
        where=settings.root,
        hint="run this in the deployment's folder, set GNOMON_ROOT, or give --url",
    )


def find_policy(path: Path | None = None) -> Policy:
    """The policy of a file, of the deployment in this folder, or the defaults."""
    if path is None and not POLICY.exists():
        return Policy()
    return Policy.read(path or POLICY)


def _server(url: str, token: str | None, settings: Settings) -> Target:
    return _Server(url, token or find_control_token(settings))


class _Server:
    """A running server, over HTTP."""

    def __init__(self, url: str, token: str | None) -> None:
        self.place = url
        self._client = Client(url, control_token=token, by=me())

    def start_shadow(
        self, artifact: str, fraction: float | None, *, same: bool, why: str | None
    ) -> Event:
        return self._client.start_shadow(artifact, fraction, same=same, why=why)

    def stop_shadow(self, artifact: str, *, why: str | None) -> Event:
        return self._client.stop_shadow(artifact, why=why)

    def promote(self, artifact: str, *, force: bool, why: str | None) -> Event:
        return self._client.promote(artifact, force=force, why=why)

    def rollback(self, *, why: str | None) -> Event:
        return self._client.rollback(why=why)

    def status(self) -> list[Status]:
        return [self._client.status()]

    def history(self) -> list[Event]:
        return self._client.history()


class _Root:
    """The storage root: every server of the model follows what is recorded there."""

    def __init__(self, settings: Settings, model: str) -> None:
        self.place = settings.root
        self._settings = settings
        self._model = model

    def start_shadow(
        self, artifact: str, fraction: float | None, *, same: bool, why: str | None
    ) -> Event:
        return rollout.start_shadow(
            self._settings,
            self._model,
            artifact,
            fraction=find_policy().sampling.fraction if fraction is None else fraction,
            same=same,
            by=me(),
            why=why,
        )

    def stop_shadow(self, artifact: str, *, why: str | None) -> Event:
        return rollout.stop_shadow(self._settings, self._model, artifact, by=me(), why=why)

    def promote(self, artifact: str, *, force: bool, why: str | None) -> Event:
        return rollout.promote(
            self._settings,
            self._model,
            artifact,
            policy=find_policy(),
            force=force,
            by=me(),
            why=why,
        )

    def rollback(self, *, why: str | None) -> Event:
        return rollout.rollback(self._settings, self._model, by=me(), why=why)

    def status(self) -> list[Status]:
        history = self._history()
        beats = slices.read(Storage(self._settings), self._model)
        running = [beat for beat in beats if not beat.is_stale()]
        return [_status(beat, history) for beat in running] or [_at_rest(self._model, history)]

    def history(self) -> list[Event]:
        return self._history().events

    def _history(self) -> History:
        history = History(Storage(self._settings), self._model)
        history.refresh()
        return history


def _status(beat: Heartbeat, history: History) -> Status:
    """What a slice last reported of itself."""
    state = history.state
    return Status(
        model=beat.model,
        ready=beat.live is not None,
        slice=beat.slice,
        started=beat.started,
        epoch=beat.epoch,
        live=_live(beat.live, history),
        previous=beat.previous,
        shadows=tuple(_shadow(tag, beat, state) for tag in state.shadows),
        books=Books(**beat.books),
    )


def _at_rest(model: str, history: History) -> Status:
    """What a server would run if there were one."""
    state = history.state
    return Status(
        model=model,
        ready=False,
        epoch=state.epoch,
        live=_live(state.live, history),
        previous=state.previous,
        shadows=tuple(
            ShadowStatus(artifact=tag, fraction=shadow.fraction, since=shadow.at, state="at rest")
            for tag, shadow in state.shadows.items()
        ),
        error="no server is running",
    )


def _live(tag: str | None, history: History) -> Live | None:
    if tag is None:
        return None
    decided = [e for e in history.events if e.artifact == tag and e.kind in ("promote", "rollback")]
    return Live(
        artifact=tag,
        digest=decided[-1].digest if decided else None,
        since=decided[-1].at if decided else None,
    )


def _shadow(tag: str, beat: Heartbeat, state: RolloutState) -> ShadowStatus:
    shadow, said = state.shadows[tag], beat.shadow(tag)
    if said is None:
        return ShadowStatus(
            artifact=tag, fraction=shadow.fraction, since=shadow.at, state="starting"
        )
    return ShadowStatus(
        artifact=tag,
        fraction=shadow.fraction,
        since=shadow.at,
        state="running" if said.error is None and said.pid is not None else "failing",
        eligible=said.scored + said.failed + said.lagging,
        scored=said.scored,
        failed=said.failed,
        lagging=said.lagging,
        error=said.error,
    )
