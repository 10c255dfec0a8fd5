"""Access to a fitted pipeline: its answers, its steps, its seeds, and its fast paths.

Only the modules that are used are imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.pipeline.invariance import check_rows_alone
    from gnomon.pipeline.predicting import outputs
    from gnomon.pipeline.seeds import SeedWarning
    from gnomon.pipeline.tracing import trace

__all__ = ["SeedWarning", "check_rows_alone", "outputs", "trace"]

_HOMES = {
    "SeedWarning": "seeds",
    "check_rows_alone": "invariance",
    "outputs": "predicting",
    "trace": "tracing",
}

__getattr__ = lazy(__name__, _HOMES)
