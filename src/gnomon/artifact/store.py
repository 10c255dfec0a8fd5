"""The store of artifacts: BentoML's model store, ``$BENTOML_HOME/models/<name>/<version>``.

BentoML does not lock the store, so an artifact is put into it by one rename, and ``latest`` is
replaced under Gnomon's lock. This module does not import bentoml, because workers use it too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from gnomon import files
from gnomon.artifact.environment import Environment
from gnomon.artifact.folder import ArtifactFolder, parsing
from gnomon.artifact.manifest import MANIFEST, SEAL, TAG_PART
from gnomon.errors import ArtifactCorrupt, PackRefused, UnknownArtifact

__all__ = ["check_model", "not_a_tag", "resolve", "tags"]

_STAGING_SECONDS = 86_400.0
"""No pack takes this long."""

_TAG_PART = re.compile(TAG_PART)


def home() -> Path:
    """Return BentoML's home folder."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")


def models() -> Path:
    """Return the folder of the model store."""
    return home() / "models"


def tags(name: str | None = None) -> list[str]:
    """Return the tags of the artifacts in the store, newest first within each name.

    Combined artifacts, which are for debugging, come after all others.

    Raises:
        UnknownArtifact: ``name`` cannot be the name of a model.
    """
    if name is not None:
        check_model(name)
    names = sorted(path.name for path in _folders(models())) if name is None else [name]
    return [
        f"{name}:{version}"
        for name in names
        for _, version in sorted(
            ((_age_order(path), path.name) for path in _versions(name)), reverse=True
        )
    ]


def resolve(which: object) -> Path:
    """Return the folder of an artifact.

    Args:
        which: ``name:version``, ``name:latest``, ``name``, or the path of a folder.

    Raises:
        UnknownArtifact: there is none, or the version after the colon is empty.
    """
    if isinstance(which, Path) or (isinstance(which, str) and os.sep in which):
        return _folder(Path(which))
    if not isinstance(which, str) or which[:1] in ("", ":") or which.endswith(":"):
        raise not_a_tag(which)
    name, _, version = which.partition(":")
    if not _is_tag(name, version or "latest"):
        raise _unknown(which, name)
    if version in ("", "latest"):
        version = _latest(name)
    path = models() / name / version
    if not _is_artifact(path):
        raise _unknown(which, name)
    return path


def not_a_tag(which: object) -> UnknownArtifact:
    """Return the refusal of something that names no artifact, such as a loaded one."""
    loaded = hasattr(which, "artifact")
    got = (f"`{which}`" if which else "an empty text") if isinstance(which, str) else None
    return UnknownArtifact(
        f"expected the tag of an artifact, got {got or type(which).__name__}",
        hint="give its `.artifact`"
        if loaded
        else "give NAME or NAME:VERSION, or what gnomon.pack returned",
    )


def check_model(name: str) -> None:
    """Refuse a text that cannot be the name of a model, before it becomes part of a path.

    Raises:
        UnknownArtifact: it says what a name consists of.
    """
    if not _is_tag(name):
        raise UnknownArtifact(
            "expected the name of a model, got " + (f"`{name}`" if name else "an empty text"),
            hint="a name has lower-case letters, digits, `-`, `_` and `.`",
        )


def check_tag(path: Path, name: str, version: str) -> None:
    """Refuse an artifact that is in the store under another tag than that of its manifest.

    A signature is valid for a tag: an old signed artifact under a newer tag would bring back its
    faults.

    Args:
        path: its folder.
        name: its manifest's name.
        version: its manifest's version.

    Raises:
        ArtifactCorrupt: the tag is another artifact's, or not a tag.
    """
    if not _is_tag(name, version):
        raise ArtifactCorrupt(
            "expected the name and version of an artifact in its manifest, got "
            f"{f'{name}:{version}'[:80]!a}",
            where=str(path),
        )
    if path.parent.parent.absolute() != models().absolute():
        return
    if path.is_symlink() or path.parent.is_symlink():
        raise ArtifactCorrupt(
            "the store has a link here instead of an artifact",
            where=str(path),
            hint="copy the artifact into the store",
        )
    if (path.parent.name, path.name) != (name, version):
        raise ArtifactCorrupt(
            f"this folder is for {path.parent.name}:{path.name}, but contains {name}:{version}",
            where=str(path),
            hint="move it to its folder in the store, or pack again",
        )


def check_name(name: str, version: str) -> None:
    """Refuse a name or version that BentoML would not accept.

    Raises:
        PackRefused: it says what is allowed.
    """
    for what, value in (("name", name), ("version", version)):
        if not _TAG_PART.fullmatch(value):
            raise PackRefused(
                f"`{value}` cannot be an artifact's {what}",
                hint="use up to 63 lower-case letters, digits, `-`, `_` and `.`, "
                "with a letter or digit first and last",
            )


def new_version(created: datetime) -> str:
    """Return a version that sorts by time and that no other pack will choose."""
    return f"{created:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a folder on the store's file system to build in; remove it unless published."""
    parent = home() / "staging"
    files.make_folder(parent)
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix="pack-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, name: str, version: str, created: datetime) -> Path:
    """Move a finished artifact into the store and point ``latest`` at the newest one.

    A combined artifact does not become ``latest``.
    It is on disk when this returns; after a power failure it is there completely or not at all.

    Raises:
        PackRefused: the store has that version already.
    """
    path = models() / name / version
    files.make_folder(path.parent)
    for parent in (models(), path.parent):
        files.narrow(parent)  # BentoML makes its store with the umask of its process.
    folder.chmod(files.folder_mode())  # until here only its owner has access
    files.sync_tree(folder)
    try:
        folder.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise PackRefused(
            f"the store already has {name}:{version}",
            where=str(path),
            hint="choose another version, or leave `version` out",
        ) from None
    files.sync_folder(path.parent)
    if not _head(path).is_combined:
        _point_latest(path, created)
    return path


def model_yaml(name: str, version: str, created: datetime, environment: Environment) -> str:
    """Return the description that BentoML's own commands need to list the artifact."""
    return f"""\
name: {name}
version: {version}
module: gnomon.artifact
labels:
  made_by: gnomon
options: {{}}
metadata: {{}}
context:
  framework_name: scikit-learn
  framework_versions:
    scikit-learn: "{environment.packages["scikit-learn"]}"
  bentoml_version: "{environment.packages["bentoml"]}"
  python_version: "{environment.python}"
signatures: {{}}
api_version: v1
creation_time: '{created.isoformat()}'
"""


def _point_latest(path: Path, created: datetime) -> None:
    """Replace ``latest`` unless it already names a newer artifact."""
    with _locked(path.parent):
        latest = path.parent / "latest"
        current = path.parent / latest.read_text().strip() if latest.is_file() else None
        if current and _is_artifact(current) and (_head(current).created or created) > created:
            return
        files.replace(latest, path.name.encode())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, files.file_mode())
    with os.fdopen(descriptor, "w") as lock:
        with contextlib.suppress(PermissionError):  # Another account of the group made it.
            os.fchmod(descriptor, files.file_mode())
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _latest(name: str) -> str:
    latest = models() / name / "latest"
    if latest.is_file():
        version = latest.read_text().strip()
        if version and _is_artifact(models() / name / version):
            return version
    newest = tags(name)
    if not newest:
        raise _unknown(name, name)
    return newest[0].partition(":")[2]


def _folder(path: Path) -> Path:
    path = path.absolute()
    try:
        found = _is_artifact(path)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise UnknownArtifact(
            f"cannot look for an artifact here: {error.strerror}", where=str(path)
        ) from None
    if not found:
        raise UnknownArtifact("no artifact in this folder", where=str(path))
    return path


def _unknown(which: str, name: str) -> UnknownArtifact:
    versions = tags(name) if _is_tag(name) else []
    names = sorted({tag.partition(":")[0] for tag in tags()})
    known = versions[:5] or names
    return UnknownArtifact(
        f"no artifact `{which}` in the store",
        where=str(models()),
        hint="the store has " + ", ".join(known) if known else "the store has no artifact yet",
    )


def _is_tag(*parts: str) -> bool:
    return all(_TAG_PART.fullmatch(part) for part in parts)


def _folders(path: Path) -> list[Path]:
    return [child for child in path.iterdir() if child.is_dir()] if path.is_dir() else []


def _versions(name: str) -> list[Path]:
    return [path for path in _folders(models() / name) if _is_artifact(path)]


def _is_artifact(path: Path) -> bool:
    """Return whether Gnomon packed this; the seal shows it even if the manifest is lost."""
    return (path / MANIFEST).is_file() or (path / SEAL).is_file()


class _Head(msgspec.Struct):
    """What the order of versions depends on; ``created`` is None if the manifest is damaged."""

    created: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    combination: object = None

    @property
    def is_combined(self) -> bool:
        return self.combination is not None


def _head(path: Path) -> _Head:
    """Return when an artifact was packed and whether it is combined, by its manifest."""
    try:
        content = ArtifactFolder(path).read(MANIFEST)
        with parsing(MANIFEST, path):
            return msgspec.json.decode(content, type=_Head)
    except ArtifactCorrupt:
        return _Head()


def _age_order(path: Path) -> tuple[bool, datetime]:
    """Return a sort key by age; a damaged artifact counts as the newest, a combined one as old.

    So a damaged one's error is shown, instead of an older artifact being used silently.
    """
    head = _head(path)
    return not head.is_combined, head.created or datetime.max.replace(tzinfo=UTC)


def _sweep(staging: Path) -> None:
    """Remove the folders of packs that were killed."""
    limit = time.time() - _STAGING_SECONDS
    for folder in _folders(staging):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < limit:
                shutil.rmtree(folder)
