"""Errors sent from one process to another and raised there again as the same class."""

from __future__ import annotations

from typing import Self

import msgspec

from gnomon.errors import GnomonError, WorkerError

__all__ = ["SentError"]


class SentError(msgspec.Struct, frozen=True):
    """An error as JSON; the base of messages that report a refusal.

    Attributes:
        code: names its class; see the tree in :mod:`gnomon.errors`.
        message, where, hint: as in :class:`~gnomon.errors.GnomonError`.
    """

    code: str
    message: str
    where: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, error: GnomonError) -> Self:
        """Return the message that carries an error."""
        return cls(error.code, error.message, error.where, error.hint)

    def error(self, unknown: type[GnomonError] = WorkerError) -> GnomonError:
        """Return the error as it was raised; of class ``unknown`` if no class here has its code."""
        kind = _by_code(GnomonError).get(self.code, unknown)
        error = kind.__new__(kind)  # The subclasses' constructors take other arguments.
        GnomonError.__init__(error, self.message, where=self.where, hint=self.hint)
        return error


def _by_code(class_: type[GnomonError]) -> dict[str, type[GnomonError]]:
    """Map codes to the subclasses of one class; for a shared code, to the one nearest the root."""
    classes: dict[str, type[GnomonError]] = {}
    for child in class_.__subclasses__():
        classes |= _by_code(child)
    return classes | {class_.code: class_}
