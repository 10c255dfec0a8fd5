"""Contracts, decoding, exact frames, and what happens inside a pipeline. No user code of its own.

Only the modules that are used are imported: reading a contract needs neither pandas nor
scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.preprocessing.checking import Check, check_frame
    from gnomon.preprocessing.contract import Contract, Feature, Output
    from gnomon.preprocessing.decoding import Decoded, Decoder
    from gnomon.preprocessing.findings import Checked
    from gnomon.preprocessing.frames import from_frame, to_frame
    from gnomon.preprocessing.inference import infer_contract
    from gnomon.preprocessing.invariance import check_rows_alone
    from gnomon.preprocessing.tracing import trace

__all__ = [
    "Check",
    "Checked",
    "Contract",
    "Decoded",
    "Decoder",
    "Feature",
    "Output",
    "check_frame",
    "check_rows_alone",
    "from_frame",
    "infer_contract",
    "to_frame",
    "trace",
]

_HOMES = {
    "Check": "checking",
    "Checked": "findings",
    "Contract": "contract",
    "Decoded": "decoding",
    "Decoder": "decoding",
    "Feature": "contract",
    "Output": "contract",
    "check_frame": "checking",
    "check_rows_alone": "invariance",
    "from_frame": "frames",
    "infer_contract": "inference",
    "to_frame": "frames",
    "trace": "tracing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
