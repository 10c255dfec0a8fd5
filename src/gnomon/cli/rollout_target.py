"""Where a rollout command acts: on a running server, or on the storage root that servers follow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from gnomon.errors import SettingsError
from gnomon.rollout.defaults import find_model
from gnomon.rollout.history import Event
from gnomon.service.auth import find_control_token
from gnomon.service.status import Status
from gnomon.settings import Settings
from gnomon.shadow import slices
from gnomon.storage import Storage

__all__ = ["Target", "find_target", "settings_here"]

_ROOT = "GNOMON_ROOT"
_DEPLOYMENT = ("bentofile.yaml", "bento.yaml")


class Target(Protocol):
    """Takes rollout decisions and says what runs."""

    place: str

    def start_shadow(
        self, artifact: str, fraction: float | None, *, same: bool, force: bool, why: str | None
    ) -> Event:
        """Put an artifact in shadow."""

    def stop_shadow(self, artifact: str, *, why: str | None) -> Event:
        """Take an artifact out of shadow."""

    def promote(self, artifact: str, *, force: bool, why: str | None) -> Event:
        """Make an artifact live."""

    def rollback(self, *, why: str | None) -> Event:
        """Make the previous artifact live again."""

    def pending(self, event: Event) -> str | None:
        """Why a decision that was just recorded is not carried out yet; None if it is."""

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
    settings = settings_here() if url is None else Settings.read()
    if url is None:
        name = model or (artifact.partition(":")[0] if artifact else find_model(settings))
        beats = slices.read(Storage(settings), name)
        url = next((beat.url for beat in beats if beat.url and not beat.is_stale()), None)
        if url is None:
            from gnomon.cli.rollout_at_root import RolloutAtRoot

            return RolloutAtRoot(settings, name)
    from gnomon.cli.rollout_at_server import RolloutAtServer

    return RolloutAtServer(url, token or find_control_token(settings))


def settings_here() -> Settings:
    """The settings of the deployment in this folder, or of the storage root that is set.

    Every command that reads a storage root begins with it: none is taken where nothing says that
    one belongs.

    Raises:
        SettingsError: no root is set or there, and this folder is no deployment.
    """
    settings = Settings.read()
    begun = _ROOT in os.environ or Path(settings.root).exists()
    if not begun and not any(Path(name).is_file() for name in _DEPLOYMENT):
        raise SettingsError(
            "neither a deployment nor a storage root is here",
            where=str(Path.cwd()),
            hint="run this in the deployment's folder, or set GNOMON_ROOT",
        )
    return settings
