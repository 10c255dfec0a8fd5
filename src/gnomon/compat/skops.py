"""Private parts of skops that Gnomon uses.

Beside this, :mod:`gnomon.artifact.skops_file` reads skops's files by itself, and so knows the names
that skops gives its loaders. ``tests/compat/test_skops.py`` holds both to the installed release.
"""

from __future__ import annotations

__all__ = ["import_without_estimators"]


def import_without_estimators() -> None:
    """Import skops without the list of the estimators that it trusts by itself.

    To make the list it imports the whole of scikit-learn: a seventh of a worker's start, and 11 MB.
    skops has no option for it, so ``sklearn.utils.all_estimators``, which it calls when it is
    imported, is another function meanwhile. Seen in skops 0.13 to 0.16. If skops asks elsewhere,
    the list is made: that takes longer and changes nothing else.
    """
    import sklearn.utils

    all_estimators = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        import skops.io  # noqa: F401
    finally:
        sklearn.utils.all_estimators = all_estimators
