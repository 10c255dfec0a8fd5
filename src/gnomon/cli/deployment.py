"""The policy in a deployment's folder, and the model under its storage root."""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import SettingsError
from gnomon.policy import Policy
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["POLICY", "find_model", "find_policy"]

POLICY = Path("shadow/policy.toml")
"""Where a deployment keeps its policy, seen from its root."""


def find_model(settings: Settings) -> str:
    """The one model under the storage root.

    Raises:
        SettingsError: there is none, or more than one.
    """
    storage = Storage(settings)
    paths = [path.split("/") for folder in ("rollout", "slices") for path in storage.names(folder)]
    names = {path[1] for path in paths if len(path) == 3}
    names |= {
        Path(path).stem for path in storage.names("heads")
    }  # Of a history that was lost, too.
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
