"""Which estimators pack and serve: every one that scikit-learn lists, and the usual ones of others.

::

    pip install lightgbm xgboost catboost imbalanced-learn
    python -m benchmarks.estimators

prints the table of ``docs/estimators.md``. Each is fitted, goes through every check of
``gnomon.pack`` but the one in a fresh process, which takes a second, is loaded again, and is asked
for its training
rows as requests would bring them. It takes about a minute.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import chain

from tests.estimators.bringing import Brought, bring
from tests.estimators.candidates import of_others, of_sklearn
from tests.estimators.packing_here import pack_here

_PACKAGES = (
    "scikit-learn", "lightgbm", "xgboost", "xgboost-cpu", "catboost", "imbalanced-learn"
)  # fmt: skip


def main() -> None:
    """Print the table."""
    found = [bring(candidate, pack_here) for candidate in chain(of_sklearn(), of_others())]
    print("\n".join(table(found)))


def table(found: Iterable[Brought]) -> Iterator[str]:
    """The lines of a Markdown document."""
    found = list(found)
    packed = [one for one in found if one.task is not None]
    refused = [one for one in found if one.refusal is not None]
    unfitted = [one for one in found if one.unfitted]
    yield (
        f"{len(found)} estimators: {len(packed)} pack and serve, {len(refused)} are refused, "
        f"{len(unfitted)} could not be fitted alone. With {_versions()}."
    )
    yield ""
    yield "| estimator | task | answers | stored as | types to trust | served as trained |"
    yield "|---|---|---|---|---|---|"
    for one in packed:
        asked = ", ".join(f"`{name}`" for name in one.asked) or "none"
        same = "same bits" if one.difference == 0 else f"within {one.difference:.0e}, relative"
        yield (
            f"| {_name(one)} | {one.task} | {one.answers} | {one.serializer} | {asked} | {same} |"
        )
    yield ""
    yield "| refused | why | what to do |"
    yield "|---|---|---|"
    for one in refused:
        error = one.refusal
        assert error is not None
        yield f"| {_name(one)} | {_cell(error.message)} | {_cell(error.hint or '')} |"
    yield ""
    yield "Not fitted alone: " + "; ".join(
        f"{_name(one)} ({_cell(one.unfitted)})" for one in unfitted
    )


def _name(one: Brought) -> str:
    library = one.candidate.library
    return one.candidate.name if library == "scikit-learn" else f"{one.candidate.name} ({library})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:300]


def _versions() -> str:
    known = []
    for package in _PACKAGES:
        try:
            known.append(f"{package} {version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(known)


if __name__ == "__main__":
    main()
