"""Estimators known to answer a row depending on its batch: why, and what to do."""

from __future__ import annotations

from typing import Any

from gnomon.errors import PackRefused
from gnomon.pipeline.tracing import leaves

__all__ = ["with_known_hint"]

_TOGETHER = (
    "{name} solves for all rows of a batch together, until the batch as a whole has converged; use "
    "TruncatedSVD or PCA, or fit it with a far smaller tol and a larger max_iter"
)
_HINTS = {
    "DummyClassifier": '{name} draws a label for each place in the batch: use strategy="prior"',
    "MiniBatchNMF": _TOGETHER,
    "NMF": _TOGETHER,
}
"""Hints by scikit-learn class."""


def with_known_hint(refusal: PackRefused, pipeline: Any) -> PackRefused:
    """Return the refusal with the hint for the class concerned, if one is known."""
    hint = _HINTS.get(kind := _class_of(refusal.where or "", pipeline))
    if hint is None:
        return refusal
    return PackRefused(refusal.message, where=refusal.where, hint=hint.format(name=kind))


def _class_of(where: str, pipeline: Any) -> str:
    """Return the class of the step named in ``where``, else of the last step."""
    kind, _, rest = where.partition(" `")
    if kind == "step":
        steps = {path: type(step).__name__ for path, step in leaves(pipeline)}
        return steps.get(rest.partition("`")[0], "")
    last = getattr(pipeline, "best_estimator_", pipeline)
    while getattr(last, "steps", None):
        last = last.steps[-1][1]
    return type(last).__name__
