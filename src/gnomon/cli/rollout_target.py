"""The target of a rollout command: a running server, or the storage root that servers follow."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from gnomon.errors import SettingsError
from gnomon.rollout.history import RolloutEvent
from gnomon.rollout.named_artifacts import find_model
from gnomon.service.access.control_token import find_control_token
from gnomon.service.access.identity import Identity
from gnomon.service.status.slice_status import Status
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.storage import Storage

__all__ = ["RolloutTarget", "find_target", "server_at", "settings_here"]

if TYPE_CHECKING:
    from gnomon.cli.rollout_at_server import ServerQueries

_ROOT = "GNOMON_ROOT"
_DEPLOYMENT = ("bentofile.yaml", "bento.yaml")


class RolloutTarget(Protocol):
    """Takes rollout decisions and returns the status."""

    place: str

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
        """Start a shadow."""

    def stop_shadow(self, artifact: str, *, why: str | None) -> RolloutEvent:
        """Stop a shadow."""

    def add_excuse(
        self, target: str, *, artifact: str | None, owner: str, until: datetime, why: str
    ) -> RolloutEvent:
        """Excuse a column or a segment."""

    def end_excuse(self, number: int, *, why: str | None) -> RolloutEvent:
        """End an excuse."""

    def promote(self, artifact: str, *, force: bool, why: str | None) -> RolloutEvent:
        """Make an artifact live."""

    def approve(self, artifact: str, *, why: str | None) -> RolloutEvent:
        """Promote an artifact that another person has proposed."""

    def withdraw(self, artifact: str | None, *, why: str | None) -> RolloutEvent:
        """Withdraw a proposed promotion."""

    def rollback(self, *, why: str | None) -> RolloutEvent:
        """Make the previous artifact live again."""

    def pending(self, event: RolloutEvent) -> str | None:
        """Return why a decision just recorded is not carried out yet; None if it is."""

    def slices(self) -> list[Status]:
        """Return the status of each slice."""

    def whoami(self) -> Identity | None:
        """Return who the server takes this command for; None if there is no server."""

    def history(self) -> list[RolloutEvent]:
        """Return every decision, oldest first."""


def find_target(
    url: str | None, token: str | None, *, model: str | None = None, artifact: str | None = None
) -> RolloutTarget:
    """Return the server at ``url``, or else a running server of the storage root, or else the root.

    Args:
        url: a server's base URL.
        token: a named token or the control token; by default GNOMON_TOKEN, else the control token
            of the settings or of the storage root.
        model: the model's name, if the root has several.
        artifact: a tag, which includes the model's name.

    Raises:
        SettingsError: there is no such server, and nothing under the storage root.
    """
    settings = settings_here() if url is None else Settings.read()
    if url is None:
        name = find_model(settings, artifact if model is None else model)
        beats = heartbeats.read(Storage(settings), name)
        url = next((beat.url for beat in beats if beat.url and not beat.is_stale()), None)
        if url is None:
            from gnomon.cli.rollout_at_root import RolloutAtRoot

            return RolloutAtRoot(settings, name)
    from gnomon.cli.rollout_at_server import RolloutAtServer

    return RolloutAtServer(url, token or settings.token or find_control_token(settings))


def server_at(url: str | None, token: str | None, **elsewhere: object) -> ServerQueries | None:
    """Return a client of the server at ``url``; None without one: the storage root is then read.

    Args:
        url: a server's base URL.
        token: as for :func:`find_target`.
        elsewhere: options that only the storage root knows, by their names.

    Raises:
        typer.BadParameter: such an option is given together with ``url``.
    """
    if url is None:
        return None
    for name, value in elsewhere.items():
        if value not in (None, False):
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(
                f"{option} cannot be used at a server, which has its own policy and log: leave it "
                "out, or leave out --url and unset GNOMON_URL"
            )
    from gnomon.cli.rollout_at_server import client_at

    settings = Settings.read()
    return client_at(url, token or settings.token or find_control_token(settings))


def settings_here() -> Settings:
    """Return the settings of the deployment in this folder, or of the storage root that is set.

    Every command that reads a storage root calls it first, so that no command creates a root in an
    unrelated folder.

    Raises:
        SettingsError: no root is set or exists, and this folder is not a deployment.
    """
    settings = Settings.read()
    root_exists = _ROOT in os.environ or Path(settings.root).exists()
    if not root_exists and not any(Path(name).is_file() for name in _DEPLOYMENT):
        raise SettingsError(
            "neither a deployment nor a storage root is here",
            where=str(Path.cwd()),
            hint="run this in the deployment's folder, or set GNOMON_ROOT",
        )
    return settings
