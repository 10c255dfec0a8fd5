"""An environment for each contender, created once, and again when its requirements change."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

__all__ = ["make", "versions"]

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "benchmarks" / "contenders" / "requirements"
FOLDER = ROOT / ".bench"

SHOWN = (
    "bentoml",
    "fastapi",
    "joblib",
    "litserve",
    "mlflow",
    "mlserver",
    "msgspec",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
    "starlette",
    "uvicorn",
    "uvloop",
)

VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": sys.version.split()[0]}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def make(name: str | None) -> Path:
    """The ``bin`` folder of an environment; of the running one for None.

    Args:
        name: a file of ``benchmarks/contenders/requirements``, without its ending.

    Raises:
        SystemExit: pip could not install it; it has said why.
    """
    if name is None:
        return Path(sys.executable).parent
    folder, stamp = FOLDER / name, FOLDER / name / "made-from"
    made_from = sys.version + "".join(
        file.read_text() for file in (REQUIREMENTS / f"{name}.txt", ROOT / "constraints.txt")
    )
    if not stamp.exists() or stamp.read_text() != made_from:
        print(f"making the environment {folder.relative_to(ROOT)} (once) ...", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq"]
        install += ["--disable-pip-version-check", "-r", str(REQUIREMENTS / f"{name}.txt")]
        if subprocess.run(install).returncode:
            sys.exit(f"pip could not install benchmarks/contenders/requirements/{name}.txt")
        stamp.write_text(made_from)
    return folder / "bin"


@cache
def versions(name: str | None) -> dict[str, str]:
    """Return the versions of the packages that matter in an environment."""
    command = [str(make(name) / "python"), "-c", VERSIONS, *SHOWN]
    found: dict[str, str] = json.loads(
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    )
    return found
