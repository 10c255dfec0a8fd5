"""The contract: what each feature and output is, the decoding of requests, and exact frames.

Only the modules that are used are imported: reading a contract needs neither pandas nor
scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.contract.check.contract_report import ContractReport
    from gnomon.contract.check.row_check import Check, check_frame
    from gnomon.contract.contract import Contract, Feature, Output
    from gnomon.contract.decoding import Decoded, Decoder
    from gnomon.contract.frames import from_frame, to_frame
    from gnomon.contract.inference import infer_contract

__all__ = [
    "Check",
    "Contract",
    "ContractReport",
    "Decoded",
    "Decoder",
    "Feature",
    "Output",
    "check_frame",
    "from_frame",
    "infer_contract",
    "to_frame",
]

_HOMES = {
    "Check": "check.row_check",
    "ContractReport": "check.contract_report",
    "Contract": "contract",
    "Decoded": "decoding",
    "Decoder": "decoding",
    "Feature": "contract",
    "Output": "contract",
    "check_frame": "check.row_check",
    "from_frame": "frames",
    "infer_contract": "inference",
    "to_frame": "frames",
}

__getattr__ = lazy(__name__, _HOMES)
