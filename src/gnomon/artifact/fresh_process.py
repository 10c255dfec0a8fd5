"""The check that an artifact works in a process that can import only packages and its own code."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gnomon.artifact.checks.allowances import Allowed
from gnomon.artifact.checks.newly_accepted_values import NewValue, first_refused, in_words
from gnomon.artifact.isolated_process import run_isolated
from gnomon.errors import ContractError, GnomonError, GoldenMismatch, PackRefused
from gnomon.name_lists import listed
from gnomon.settings import TRUSTED_KEYS

if TYPE_CHECKING:
    from gnomon.artifact.loading import LoadedArtifact

__all__ = ["accepted_in_fresh_process", "in_fresh_process", "main"]

_EVERY_MACHINE_HAS = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TZ|LANG|LANGUAGE|LC_\w+|TMPDIR|TEMP|TMP|XDG_\w+|VIRTUAL_ENV"
    r"|(LD|DYLD)_\w+|\w+_NUM_THREADS|(OMP|KMP|MKL|OPENBLAS|CUDA|NVIDIA)_\w+|GNOMON_\w+|BENTOML_HOME"
    r"|(COVERAGE|COV_CORE)_\w+"
)
"""Variables that every machine sets, or that say how to compute, not what."""

_SHOWN = 3

_REMEMBER = (
    "a step uses something that it does not keep, such as a variable of its module or of a class "
    "that `fit` changes: keep that in an attribute of the step; or it calls `hash`, which returns "
    "other values in each process: use zlib.crc32"
)
"""On the machine that packed it, nothing else is likely to differ."""


class Seen(msgspec.Struct, kw_only=True):
    """What an artifact accessed outside of its folder while it was loaded and verified.

    Attributes:
        read: files that it read.
        missing: files that it looked for and that do not exist.
        variables: environment variables that it looked up and that are not set.
    """

    read: list[str] = []
    missing: list[str] = []
    variables: list[str] = []


class Verdict(msgspec.Struct):
    """Whether an artifact loaded and verified, or why not; the last line that a check prints."""

    code: str
    message: str
    hint: str | None = None
    seen: Seen = msgspec.field(default_factory=Seen)

    @property
    def works(self) -> bool:
        """Whether the artifact loaded and verified."""
        return self.code == ""


def accepted_in_fresh_process(folder: Path, values: list[NewValue]) -> None:
    """Try the pipeline on values that a changed contract accepts, in a new interpreter.

    Raises:
        ContractError: the pipeline does not accept a value; it names the value and the step.
    """
    with tempfile.TemporaryDirectory() as empty:
        verdict = _run(folder, dict(os.environ), empty, values)
    if not verdict.works:
        raise ContractError(verdict.message, hint=verdict.hint)


def in_fresh_process(folder: Path) -> list[tuple[Allowed, PackRefused]]:
    """Load and verify an artifact in a new interpreter that sees only the artifact's user code.

    Neither the working directory nor ``PYTHONPATH`` nor the user's own packages are on its path,
    its working directory is empty, and it has only the environment variables of every machine.

    It needs no signature: an artifact that is being packed has none yet.

    Returns:
        What the artifact needs of this machine, files or variables, to be refused unless allowed.

    Raises:
        PackRefused: it does not load, or the golden rows differ.
    """
    everything = {name: value for name, value in os.environ.items() if name != TRUSTED_KEYS}
    usual = {n: value for n, value in everything.items() if _EVERY_MACHINE_HAS.fullmatch(n)}
    with tempfile.TemporaryDirectory() as empty:
        verdict = _run(folder, usual, empty)
        found: list[tuple[Allowed, PackRefused]] = []
        asked = [name for name in verdict.seen.variables if name in everything]
        if not verdict.works and asked:
            again = _run(folder, everything, empty)
            if again.works or again.seen.missing != verdict.seen.missing:
                found.append(("reads_environment", _needs_variables(asked, verdict)))
                verdict = again
    local_files = [name for name in verdict.seen.missing if Path(name).is_file()]
    if not verdict.works and local_files:  # exist here, but not in an empty folder
        again = _run(folder, everything, os.getcwd())
        if again.works:
            return [*found, ("reads_files", _needs_files(local_files, "the working directory"))]
    if not verdict.works:
        raise PackRefused(
            f"the artifact does not work in a fresh process: {verdict.message}",
            hint=_REMEMBER if verdict.code == GoldenMismatch.code else verdict.hint,
        )
    if verdict.seen.read:
        found.append(("reads_files", _needs_files(verdict.seen.read, "this machine")))
    return found


def _needs_variables(names: list[str], without: Verdict) -> PackRefused:
    return PackRefused(
        f"the artifact needs the environment variable {listed(names, _SHOWN, '`{}`')}, "
        f"which other machines do not have: without it, {without.message}",
        where="the environment",
        hint="read it when the step is fitted, and keep the value in an attribute of the step",
    )


def _needs_files(names: list[str], of: str) -> PackRefused:
    return PackRefused(
        f"the artifact reads {listed(names, _SHOWN, '`{}`')} of {of}, which other "
        "machines do not have",
        where=names[0],
        hint="read it when the step is fitted, and keep its content in an attribute of the step; "
        "or put it into the package of the step's code, and open it next to `__file__`",
    )


def _run(
    folder: Path,
    environment: dict[str, str],
    working_directory: str,
    values: list[NewValue] | None = None,
) -> Verdict:
    done = run_isolated(__name__, (str(folder), _as_json(values)), environment, working_directory)
    last = done.stdout.splitlines()[-1:] or [""]
    try:
        return msgspec.json.decode(last[0], type=Verdict)
    except msgspec.DecodeError:
        why = f"it ended with status {done.returncode}: {done.stderr[-2000:]}"
        return Verdict("ended", why)


def _as_json(values: list[NewValue] | None) -> str:
    return msgspec.json.encode(values or []).decode()


def main(folder: str, values: str = "[]") -> None:
    """Load and verify one artifact, and print a verdict; exit with 1 if it fails.

    Args:
        folder: the artifact's folder.
        values: values to try on it, as JSON; each a :class:`NewValue`.
    """
    from gnomon.artifact.checks.outside_reads import watching
    from gnomon.artifact.loading import load
    from gnomon.compat.skops import import_without_estimators

    import_without_estimators()
    verdict = Verdict("", "")
    with watching(Path(folder)) as seen:
        try:
            loaded = load(Path(folder))
            verdict = _tried(loaded, msgspec.json.decode(values, type=list[NewValue]))
        except GnomonError as error:
            verdict = Verdict(error.code, error.message, error.hint)
    verdict.seen = Seen(
        read=sorted(seen.read), missing=sorted(seen.missing), variables=sorted(seen.variables)
    )
    print(msgspec.json.encode(verdict).decode())
    sys.exit(0 if verdict.works else 1)


def _tried(loaded: LoadedArtifact, values: list[NewValue]) -> Verdict:
    if not values:
        return Verdict("", "")
    artifact = loaded.artifact
    found = first_refused(loaded.pipeline, artifact.golden(), artifact.contract, values)
    if found is None:
        return Verdict("", "")
    value, why = found
    return Verdict(
        "refused",
        f"the contract would accept {in_words(value)}, and the pipeline does not: {why}",
        f"leave `{value.key}` of `{value.feature}` as it was, or train a pipeline that takes it",
    )
