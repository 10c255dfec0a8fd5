"""What a name or a tag stands for: a model, an artifact, its role; the only model by default."""

from __future__ import annotations

from pathlib import Path

from gnomon.artifact import Artifact, inspect
from gnomon.artifact.store import check_model, not_a_tag
from gnomon.errors import RolloutError, SettingsError
from gnomon.log.segments.layout import folders
from gnomon.log.snapshot import Role
from gnomon.rollout.history import RolloutEvent, fold, newest_history
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = [
    "find_artifact",
    "find_model",
    "find_role",
    "full_tag",
    "inspect_of",
    "model_of",
    "tag_of",
    "version_of",
]


def tag_of(artifact: object) -> str:
    """Return the tag of an artifact that is given as itself or by its tag.

    Raises:
        UnknownArtifact: it is neither, the version after the colon is empty, or what is before it
            cannot be the name of a model, which becomes part of paths.
    """
    if isinstance(artifact, Artifact):
        return artifact.tag
    if not isinstance(artifact, str) or not model_of(artifact) or artifact.endswith(":"):
        raise not_a_tag(artifact)
    check_model(model_of(artifact))
    return artifact


def model_of(tag: str) -> str:
    """Return the model whose artifact a tag names: what is before the colon."""
    return tag.partition(":")[0]


def version_of(which: object) -> str | None:
    """Return the tag if it names one artifact; None if a model is named, or nothing is.

    Raises:
        UnknownArtifact: what is given is neither.
    """
    tag = None if which is None else tag_of(which)
    return tag if tag is not None and ":" in tag else None


def full_tag(which: str) -> str:
    """Return a full tag unchanged, and resolve a name or ``latest`` in the store.

    Raises:
        ArtifactError, UnknownArtifact: what the store has under that name does not pass inspection.
    """
    _, _, version = which.partition(":")
    return inspect(which).tag if version in ("", "latest") else which


def inspect_of(model: str, which: str) -> Artifact:
    """Inspect an artifact that must be one of a model.

    Raises:
        ArtifactError, UnknownArtifact: it does not pass inspection.
        RolloutError: it is of another model.
    """
    inspected = inspect(which)
    if inspected.name != model:
        raise RolloutError(
            f"`{inspected.tag}` is not an artifact of `{model}`",
            hint=f'pack it with gnomon.pack("{model}", …) to serve it here',
        )
    return inspected


def find_model(settings: Settings, which: object = None) -> str:
    """Return the model that is given by its name or by an artifact; else the only one of the root.

    Args:
        settings: settings with the storage root.
        which: a model's name, a tag, or an artifact; None for the only model.

    Raises:
        SettingsError: none is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    if which is not None:
        name = model_of(tag_of(which))
        check_model(name)
        return name
    storage = Storage(settings)
    paths = [path.split("/") for folder in ("rollout", "slices") for path in storage.names(folder)]
    names = {path[1] for path in paths if len(path) == 3}
    names |= {Path(path).stem for path in storage.names("heads")}  # Also of a lost history,
    if settings.local_spool is not None:  # and of a lost storage root.
        names |= {folder.name for folder in folders(settings.local_spool)}
    if len(names) == 1:
        return names.pop()
    if names:
        raise SettingsError(
            f"the storage root has several models: {', '.join(sorted(names))}",
            where=settings.root,
            hint="choose one: --model NAME, in Python model=NAME",
        )
    raise SettingsError(
        "no deployment has run with this storage root yet",
        where=settings.root,
        hint="run this in the deployment's folder, set GNOMON_ROOT, or give --url",
    )


def find_artifact(settings: Settings, which: str | Artifact) -> Artifact:
    """Return the artifact of a tag, or the live one of a model; an artifact is inspected again.

    Raises:
        ArtifactError, UnknownArtifact: it does not pass inspection.
    """
    if isinstance(which, Artifact):
        return inspect(which)
    tag = tag_of(which)
    live = None if version_of(tag) else fold(_events(settings, tag)).live
    return inspect(live or tag)


def find_role(settings: Settings, artifact: Artifact) -> Role:
    """Return the role of the answers to use: live unless the artifact was only ever a shadow."""
    kinds = {e.kind for e in _events(settings, artifact.name) if e.artifact == artifact.tag}
    return "shadow" if kinds and not kinds & {"promote", "rollback"} else "live"


def _events(settings: Settings, model: str) -> list[RolloutEvent]:
    return newest_history(settings, model).events
