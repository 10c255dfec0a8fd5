"""scikit-learn's experimental estimators, which exist only after a module is imported."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from gnomon.artifact.serialization.trust import NameReference

__all__ = ["enable_experimental"]

_ENABLED_BY = {
    "HalvingGridSearchCV": "sklearn.experimental.enable_halving_search_cv",
    "HalvingRandomSearchCV": "sklearn.experimental.enable_halving_search_cv",
    "IterativeImputer": "sklearn.experimental.enable_iterative_imputer",
}


def enable_experimental(found: Iterable[NameReference]) -> None:
    """Import the modules that enable the experimental estimators among these names.

    The user's code did this for training; the process that loads the pipeline must do it too.
    """
    for one in found:
        if one.name in _ENABLED_BY and one.module.partition(".")[0] == "sklearn":
            import_module(_ENABLED_BY[one.name])
