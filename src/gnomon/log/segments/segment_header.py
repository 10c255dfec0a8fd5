"""Where a segment belongs, as the metadata of its schema says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.ledger import FOUND
from gnomon.log.segments.ipc_messages import messages
from gnomon.log.segments.schema import SEGMENT_KEY

__all__ = ["IDENTITY_KEY", "Home", "home", "identity_of_segments"]

IDENTITY_KEY = b"gnomon.identity"
_KEYS = (b"gnomon.slice", b"gnomon.stream", IDENTITY_KEY, SEGMENT_KEY)


class Home(NamedTuple):
    """The place of a segment: its slice, its stream, the identity of that folder, its number."""

    slice: str
    stream: str
    identity: str
    segment: str

    @property
    def name(self) -> str:
        """``<slice>/<stream>/<segment>``."""
        return f"{self.slice}/{self.stream}/{self.segment}"

    @property
    def key(self) -> str:
        """The key of the stream, as in the sealed table."""
        return f"{self.slice}/{self.stream}/{self.identity}"

    def found(self, mark: str) -> Home:
        """Return the place in the table of a segment whose own place another one has.

        Its slice has a name of its own: other segments have the same numbers, and the shadows of
        the slice never saw these rows. Each segment has its own identity, so that they may be found
        in any order.

        Args:
            mark: the random mark of the segment.
        """
        identity = f"{self.identity}{FOUND}{mark}"
        return self._replace(slice=f"{self.slice}~{self.identity[:8]}", identity=identity)

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """This as the metadata of a segment's schema."""
        return dict(zip(_KEYS, map(str.encode, self), strict=True))

    def folder(self, spool: Path) -> Path | None:
        """Return the stream's folder in a model's spool; None if the names are none of folders."""
        for part in (self.slice, self.stream):
            if part in ("", ".", "..") or Path(part).name != part:
                return None
        return spool / self.slice / self.stream


def home(metadata: Mapping[bytes, bytes]) -> Home:
    """Return where the metadata of a segment's schema says it belongs."""
    return Home(*(metadata.get(key, b"?").decode(errors="replace") for key in _KEYS))


def identity_of_segments(folder: Path) -> str | None:
    """Return the identity of a stream's folder from its newest readable segment; None if none."""
    for path in sorted(folder.glob("*.arrows"), reverse=True):
        try:
            with path.open("rb") as file:
                _, message = next(messages(file.fileno(), 0), (0, None))
            found = None if message is None else home(pa.ipc.read_schema(message).metadata or {})
        except (OSError, LogError, pa.ArrowException):
            continue
        if found is not None and (found.slice, found.stream) == (folder.parent.name, folder.name):
            return found.identity
    return None
