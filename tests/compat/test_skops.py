"""What Gnomon assumes about skops is true."""

from __future__ import annotations

import subprocess
import sys

import pytest
import skops
from skops.io._persist import NODE_TYPE_MAPPING
from skops.io._protocol import PROTOCOL

from gnomon.artifact.serialization import skops_file


@pytest.mark.slow
def test_the_list_of_estimators_is_not_made() -> None:
    """A worker imports skops, and not all of scikit-learn with it."""
    code = (
        "import sys; from gnomon.compat.skops import import_without_estimators as load; load(); "
        "print('sklearn.gaussian_process' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", (
        f"skops {skops.__version__} makes its list of estimators elsewhere: every worker imports "
        "all of scikit-learn again; see gnomon.compat.skops.import_without_estimators"
    )


def test_every_loader_is_known() -> None:
    """A loader that Gnomon does not know is refused when an artifact is inspected."""
    loaders = {name for name, protocol in NODE_TYPE_MAPPING if protocol == PROTOCOL}
    unknown = loaders - skops_file.LOADERS
    assert not unknown, (
        f"skops {skops.__version__} has loaders that skops_file.py does not know: "
        f"{', '.join(sorted(unknown))}. Artifacts with such a node are refused; read what each "
        "does with the name in its node, then add it"
    )


def test_the_protocol_that_is_written_is_read() -> None:
    """What this skops writes can be packed."""
    assert PROTOCOL in skops_file.PROTOCOLS, (
        f"skops {skops.__version__} writes protocol {PROTOCOL}, which skops_file.py "
        "does not read: nothing can be packed"
    )
