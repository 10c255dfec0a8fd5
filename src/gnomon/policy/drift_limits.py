"""The limits of drift, training data against served data."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

__all__ = ["DriftLimits"]


class DriftLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a column may differ from training before it counts as drifted; ``inf``: never.

    The first four defaults match each other: a normal distribution whose mean moves by half a
    standard deviation, a medium effect (Cohen, *Statistical Power Analysis*, 1988), has a PSI of
    0.25, a Jensen-Shannon distance of 0.21, a Kolmogorov-Smirnov distance of 0.20 and a Wasserstein
    distance of 0.5.

    Attributes:
        psi: population stability index. Siddiqi, *Credit Risk Scorecards* (2006): below 0.1 little
            has changed, above 0.25 the population has shifted.
        js: Jensen-Shannon distance, base 2, from 0 to 1.
        ks: Kolmogorov-Smirnov distance, from 0 to 1.
        wasserstein: Wasserstein distance in standard deviations of the training column.
        linf: the largest change of the share of one bin or value. NannyML also uses 0.1.
        nulls: change of the share of nulls.
        new: share of rows with a value that training did not have.
        outside: share of rows outside of training's range.
        ignore: columns, by name or ``*`` pattern, that are measured but not judged.
    """

    psi: float = 0.25
    js: float = 0.2
    ks: float = 0.2
    wasserstein: float = 0.5
    linf: float = 0.1
    nulls: float = 0.05
    new: float = 0.01
    outside: float = 0.01
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.limits.items():
            if not value > 0:
                raise ValueError(f"expected `{name}` above 0, got {value}")

    @property
    def limits(self) -> dict[str, float]:
        """Every limit by its metric."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "ignore"}

    def ignores(self, name: str) -> bool:
        """Return whether a column is not judged."""
        return any(fnmatchcase(name, pattern) for pattern in self.ignore)
