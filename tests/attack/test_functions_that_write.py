"""Functions of joblib, pandas and PyYAML that open files or evaluate text cannot be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gnomon.artifact import inspect
from gnomon.errors import UntrustedTypes
from tests.attack.forging import call, claims, plant, reseal


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("joblib.backports", "make_memmap", ("/tmp/gnomon-attack", "uint8", "w+", 0, [8])),
        ("joblib.disk", "mkdirp", ("/tmp/gnomon-attack",)),
        ("joblib", "load", ("/tmp/gnomon-attack",)),
        ("pandas", "HDFStore", ("/tmp/gnomon-attack",)),
        ("pandas", "ExcelWriter", ("/tmp/gnomon-attack.xlsx",)),
        ("yaml", "unsafe_load", ("!!python/object/apply:os.system ['true']",)),
    ],
)
def test_it_is_refused(copied: Path, module: str, name: str, arguments: tuple[Any, ...]) -> None:
    plant(copied, call(module, name, *arguments))
    reseal(copied)
    claims(copied, f"{module}.{name}", trusted=True)
    with pytest.raises(UntrustedTypes):
        inspect(copied)
