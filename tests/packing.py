"""Toy artifacts, packed by a separate process, because their module name is always the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from gnomon.testing import Server, serving
from tests.forking import run_python

TIMES = '''
import os, signal, time
from sklearn.base import BaseEstimator, TransformerMixin

FACTOR = {factor}

class Times(TransformerMixin, BaseEstimator):
    """x times FACTOR; some values of x do what real code does on its worst day."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        if any(name.startswith("online") for name in X["id"]):
            {fault}
        for value in X["x"]:
            if value == -666:
                os.kill(os.getpid(), signal.SIGSEGV)
            if value == -999:
                time.sleep(3600)
            if value == -1:
                raise ValueError("negative x")
        return X[["x"]] * FACTOR

    def get_feature_names_out(self, names=None):
        return ["x"]
'''
"""User code: the ``preprocessing.py`` of a toy artifact, a template."""

SLOW_TO_LOAD = """
import os, time
if "GNOMON_ROOT" in os.environ:
    time.sleep(3600)
"""
"""Put before a toy's code: where it is served, it is never imported to its end."""

SCRIPT = """
import sys
import numpy as np, pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
import gnomon
from preprocessing import Times

x = np.arange(1.0, 65.0)
frame = pd.DataFrame({"x": x, "id": [f"e{i:03d}" for i in range(64)]})
pipeline = make_pipeline(Times(), LinearRegression(fit_intercept=False))
pipeline.fit(frame, x)
pipeline[-1].coef_ = np.array([1.0])
print(gnomon.pack(sys.argv[1], pipeline, frame, x, entity_key=("id",)).tag)
"""


class Pack(Protocol):
    """Packs user code and gives the tag."""

    def __call__(self, source: str, name: str = "toy", script: str = SCRIPT) -> str: ...


def pack_in_process(folder: Path, home: Path, source: str, name: str, script: str = SCRIPT) -> str:
    """Write ``preprocessing.py`` to a folder, run the script there, give the tag it prints."""
    folder.mkdir(parents=True)
    (folder / "preprocessing.py").write_text(source)
    (folder / "pack.py").write_text(script)
    environment = {**os.environ, "BENTOML_HOME": str(home)}
    done = run_python(["pack.py", name], cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def install(packed: Path, home: Path) -> str:
    """Put an artifact that was packed elsewhere into a BentoML home, once; its tag."""
    name = packed.parent.name
    copy = home / "models" / name / packed.name
    if not copy.exists():
        shutil.copytree(packed, copy)
    return f"{name}:{packed.name}"


def write_service(folder: Path, arguments: str = '"toy"') -> None:
    """Make a folder a deployment of this gateway."""
    (folder / "service").mkdir(parents=True, exist_ok=True)
    (folder / "service" / "__init__.py").write_text(
        f"from gnomon.service import gateway\n\nGateway = gateway({arguments})\n"
    )


@contextmanager
def serving_packed(packed: Path, place: Path, arguments: str = '"toy"') -> Iterator[Server]:
    """Serve an artifact that was packed elsewhere: deployment, store and root are in ``place``."""
    home, folder = place / "bentoml", place / "deployment"
    install(packed, home)
    write_service(folder, arguments)
    with serving(folder, place / "root", environment={"BENTOML_HOME": str(home)}) as server:
        yield server


def times(factor: float, fault: str = "pass") -> str:
    """Code whose prediction for x is x times ``factor``.

    ``fault`` is a statement it runs on rows whose id starts with ``online``: not while it is
    packed and verified, only once it serves.
    """
    return TIMES.format(factor=factor, fault=fault)


HALF_MORE = times(1.0).replace('X[["x"]] * FACTOR', 'X[["x"]] * (1.0 + 0.5 * (X[["x"]] > 5))')
"""The live code, but for x above 5 the answer is half as much again."""

PAID = SCRIPT.replace('"id": [', '"fee": x, "id": [').replace(
    'entity_key=("id",)', 'entity_key=("id",), carry=("fee",)'
)
"""The script with one more feature, which clients of the other artifacts do not send. It is carried
because the pipeline does not read it, and would be left out of the contract."""

KEYLESS = SCRIPT.replace(', entity_key=("id",)', "")
"""The script without an entity key."""
