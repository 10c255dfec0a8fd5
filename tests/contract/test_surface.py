"""The public names of the package, and what its import costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gnomon import contract

CONTRACT = """
import sys
from gnomon.contract import Contract, Decoder, Feature, Output
contract = Contract(
    task="regression",
    features=(Feature(name="x", type="float", dtype="float64"),),
    outputs=(Output(name="prediction", type="float"),),
)
"""


def run(program: str) -> str:
    """What a program prints, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_every_public_name_is_there() -> None:
    """The package's surface is these names, each where it says."""
    assert contract.__all__ == [
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
    for name in contract.__all__:
        assert getattr(contract, name).__name__ == name


def test_an_unknown_name_is_no_attribute() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="to_frames"):
        _ = contract.to_frames


def test_a_contract_needs_neither_pandas_nor_sklearn() -> None:
    """Whatever only reads contracts stays light."""
    program = CONTRACT + "print({'pandas', 'sklearn', 'scipy'} & set(sys.modules))"
    assert run(program) == "set()"


def test_the_first_request_imports_nothing() -> None:
    """What decoding needs is imported with the decoder: no request waits for an import."""
    program = CONTRACT + (
        "decoder = Decoder(contract)\n"
        "before = set(sys.modules)\n"
        "decoder.batch(decoder.decode(b'{\"x\": 1}').rows)\n"
        "print(set(sys.modules) - before)"
    )
    assert run(program) == "set()"
