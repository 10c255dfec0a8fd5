"""A fitted pipeline seen from outside: its answers, its steps, its seeds, and its fast paths.

Only the modules that are used are imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
