"""Properties that packing refuses unless allowed by name; the manifest records what was found."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

from gnomon.errors import PackRefused

__all__ = ["Allowances", "Allowed", "PackWarning"]

Allowed = Literal["batch_dependent", "reads_environment", "reads_files"]
"""``batch_dependent``: an answer depends on the other rows of a batch, so replay may differ from
the served answer. ``reads_environment``, ``reads_files``: the artifact needs environment variables,
or files outside of it, which every machine that serves it must have."""


class PackWarning(UserWarning):
    """The packed artifact works, but not for every request, or not everywhere."""


class Allowances:
    """What the caller of ``pack`` allows, and which of it was needed.

    Args:
        allow: names of :data:`Allowed`.

    Attributes:
        found: what would have been refused, by name.

    Raises:
        PackRefused: a name that is not one of them.
    """

    def __init__(self, allow: Sequence[str]) -> None:
        for name in allow:
            if name not in get_args(Allowed):
                raise PackRefused(
                    f"expected names to allow, got {name!r}",
                    where="allow",
                    hint=f"they are {', '.join(get_args(Allowed))}",
                )
        self._allow = frozenset(allow)
        self.found: dict[str, str] = {}

    @contextmanager
    def of(self, name: Allowed, stacklevel: int) -> Iterator[None]:
        """Turn a refusal in the block into a warning, if it is allowed.

        Raises:
            PackRefused: it is not allowed; the hint says how to allow it.
        """
        try:
            yield
        except PackRefused as refusal:
            self.decide(name, refusal, stacklevel + 2)

    def decide(self, name: Allowed, refusal: PackRefused, stacklevel: int) -> None:
        """Refuse, or warn and record.

        Raises:
            PackRefused: it is not allowed.
        """
        if name not in self._allow:
            hint = f'{refusal.hint}. allow=("{name}",) packs it anyway, and the artifact says so'
            raise PackRefused(refusal.message, where=refusal.where, hint=hint) from refusal
        where = f" at {refusal.where}" if refusal.where else ""
        self.found[name] = f"{refusal.message}{where}"
        warnings.warn(f"allowed, as {name}: {self.found[name]}", PackWarning, stacklevel + 1)
