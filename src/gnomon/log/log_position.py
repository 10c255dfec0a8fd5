"""How far the log went when it was read, so that the same rows can be found again later."""

from __future__ import annotations

import msgspec

__all__ = ["LogPosition"]


class LogPosition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows of one snapshot of the log, by the address that each row keeps.

    A row belongs to the snapshot if its ``segment`` is not above that of its stream in ``sealed``,
    or if its ``offset``, which is that of the end of its batch, is in a segment of ``unsealed`` and
    not above the end given there.

    Attributes:
        table_version: the version of the sealed table; None where nothing was sealed. The table
            drops old versions after a day, but rows keep their addresses.
        sealed: the last sealed segment of each stream, by ``<slice>/<stream>``.
        unsealed: where each segment that was not sealed ended, in bytes, by
            ``<slice>/<stream>/<segment>``.
    """

    table_version: int | None = None
    sealed: dict[str, int] = {}
    unsealed: dict[str, int] = {}

    def has(self, slice_name: str, stream: str, segment: str, offset: int) -> bool:
        """Return whether the row with this address was in the snapshot."""
        name = f"{slice_name}/{stream}"
        end = self.unsealed.get(f"{name}/{segment}")
        return offset <= end if end is not None else int(segment) <= self.sealed.get(name, -1)
