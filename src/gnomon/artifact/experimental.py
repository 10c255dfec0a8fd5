"""scikit-learn's experimental estimators, which are hidden until a module is imported."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from gnomon.artifact.trust import Named

__all__ = ["enable_experimental"]

_ENABLED_BY = {
    "HalvingGridSearchCV": "sklearn.experimental.enable_halving_search_cv",
    "HalvingRandomSearchCV": "sklearn.experimental.enable_halving_search_cv",
    "IterativeImputer": "sklearn.experimental.enable_iterative_imputer",
}


def enable_experimental(found: Iterable[Named]) -> None:
    """Import what shows the estimators among these names.

    The user's code did so where it was trained; the process that loads the pipeline has to, too.
    """
    for one in found:
        if one.name in _ENABLED_BY and one.module.partition(".")[0] == "sklearn":
            import_module(_ENABLED_BY[one.name])
