"""The step of a pipeline that raises."""

from __future__ import annotations

from typing import Any, NamedTuple

from gnomon.errors import PredictionFailed
from gnomon.pipeline.tracing import leaves, trace

__all__ = ["FailingStep", "failing_step"]


class FailingStep(NamedTuple):
    """A step that raised.

    Attributes:
        path: the step's path, such as ``columns/carrier``.
        kind: the step's class.
    """

    path: str
    kind: str

    def __str__(self) -> str:
        return f"step `{self.path}` ({self.kind})"


def failing_step(pipeline: Any, given: Any) -> FailingStep | None:
    """Return the first transformer that raises on these rows; None if only the model may raise."""
    try:
        trace(pipeline, given)
    except PredictionFailed as error:
        path = error.where or ""
        kinds = {path: type(step).__qualname__ for path, step in leaves(pipeline)}
        return FailingStep(path, kinds.get(path, "a step"))
    except Exception:  # a pipeline that cannot be traced step by step
        return None
    return None
