"""The model of one artifact on the preprocessing of another, as an artifact of its own.

It is packed, so that log, replay, diagnosis and audit treat it as any other. Both parts are
verified first: each artifact's golden rows give what was recorded, the model alone gives its
recorded answers, and the steps before it give what the preprocessing's artifact recorded.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from gnomon.artifact import store
from gnomon.artifact.artifact import Artifact, examine, inspect
from gnomon.artifact.combining.children import ask
from gnomon.artifact.combining.chosen_code import chosen_code, copy_code
from gnomon.artifact.combining.contract import combined_contract
from gnomon.artifact.combining.parts import JoinRequest, StoredPart, Taken, Which
from gnomon.artifact.manifest import TAG_PART, Combination, Part
from gnomon.contract.contract import Contract
from gnomon.errors import PackRefused, UnknownArtifact
from gnomon.pipeline.model_input import mismatch

__all__ = ["combine", "combined_tag", "planned"]

_TAKING = f"{__package__}.taking"
_JOINING = f"{__package__}.joining"
"""Modules that import data libraries and the user's code: they run in processes of their own."""


def combine(model: str | Path | Artifact, preprocessing: str | Path | Artifact) -> Artifact:
    """Put the model of one artifact on the preprocessing of another into the store.

    If the store has it already, that is returned. It is for debugging: it is never ``latest``, and
    it is refused as the live artifact.

    Args:
        model: the artifact with the last step, the model; as for :func:`gnomon.inspect`.
        preprocessing: the artifact with the steps before it; a version of the same model.

    Returns:
        The artifact ``name:VERSION-on-VERSION``. Its contract has the inputs of ``preprocessing``
        and the outputs of ``model``; :attr:`Manifest.combination` names both by their digests.

    Raises:
        ArtifactError: one of the two does not pass inspection, or :class:`GoldenMismatch`, it does
            not give what was recorded when it was packed.
        ContractError: the inputs of the one contradict the outputs of the other.
        PackRefused: a pipeline has no preprocessing apart from its model, the model cannot take
            what the preprocessing gives, or both import other code of the same name.
        UnknownArtifact: there is none.
        UntrustedSignature: ``GNOMON_TRUSTED_KEYS`` is set, and the combined artifact in the store
            is not signed.
    """
    of_model, of_preprocessing = inspect(model), inspect(preprocessing)
    _check(of_model, of_preprocessing)
    combination = Combination(
        model=Part(tag=of_model.tag, digest=of_model.digest),
        preprocessing=Part(tag=of_preprocessing.tag, digest=of_preprocessing.digest),
    )
    tag = combined_tag(of_model, of_preprocessing)
    return _existing(tag, combination) or _made(tag, combination, of_model, of_preprocessing)


def planned(of_model: Artifact, of_preprocessing: Artifact) -> tuple[str, Contract]:
    """Return the tag and the contract of the combined artifact, without making it.

    Raises:
        ContractError: the inputs of the one contradict the outputs of the other.
        PackRefused: they are not two artifacts of one model, or one is combined itself.
    """
    _check(of_model, of_preprocessing)
    contract = combined_contract(of_model.contract, of_preprocessing.contract)
    return combined_tag(of_model, of_preprocessing), contract


def combined_tag(of_model: Artifact, of_preprocessing: Artifact) -> str:
    """Return the tag of the combined artifact: it follows from the two versions."""
    version = f"{of_model.version}-on-{of_preprocessing.version}"
    if not re.fullmatch(TAG_PART, version):  # It is too long for a version.
        version = f"combined-{hashlib.sha256(version.encode()).hexdigest()[:16]}"
    return f"{of_model.name}:{version}"


def _check(of_model: Artifact, of_preprocessing: Artifact) -> None:
    """Refuse two artifacts whose parts it makes no sense to exchange."""
    for artifact in (of_model, of_preprocessing):
        if (combination := artifact.manifest.combination) is not None:
            raise PackRefused(
                f"{artifact.tag} is itself combined: the model of {combination.model.tag} with the "
                f"preprocessing of {combination.preprocessing.tag}",
                hint="name one of these instead",
            )
    if of_model.name != of_preprocessing.name:
        raise PackRefused(
            f"{of_model.tag} and {of_preprocessing.tag} are not versions of one model",
            hint=f"give two artifacts of `{of_model.name}`",
        )
    if of_model.digest == of_preprocessing.digest:
        raise PackRefused(
            f"the preprocessing of {of_model.tag} is its own already",
            hint="name the artifact whose preprocessing it is to get",
        )


def _existing(tag: str, combination: Combination) -> Artifact | None:
    """Return the artifact if it was made before.

    Raises:
        PackRefused: the store has another one under this tag.
    """
    try:
        found = inspect(tag)
    except UnknownArtifact:
        return None
    if found.manifest.combination != combination:
        raise PackRefused(
            f"the store has another {tag}, which is not of these two artifacts",
            where=str(found.path),
            hint=f"delete it: bentoml models delete {tag}",
        )
    return found


def _made(
    tag: str, combination: Combination, of_model: Artifact, of_preprocessing: Artifact
) -> Artifact:
    contract = combined_contract(of_model.contract, of_preprocessing.contract)
    with tempfile.TemporaryDirectory() as place, store.staging() as folder:
        # Each loads one artifact, for seconds; together they take as long as one.
        with ThreadPoolExecutor(2) as pool:
            taking = partial(_take, place=Path(place))
            model, preprocessing = pool.map(
                taking, (of_model, of_preprocessing), ("model", "preprocessing")
            )
        _check_fit(of_model, model, of_preprocessing, preprocessing)
        from_model, from_preprocessing = chosen_code(
            of_model, model.imports, of_preprocessing, preprocessing.imports
        )
        copy_code(of_model, from_model, folder)
        copy_code(of_preprocessing, from_preprocessing, folder)
        serializers = {of_model.manifest.serializer, of_preprocessing.manifest.serializer}
        created = datetime.now(UTC)
        name, _, version = tag.partition(":")
        join = JoinRequest(
            model=_stored(of_model, model, from_model),
            preprocessing=_stored(of_preprocessing, preprocessing, from_preprocessing),
            step=model.step,
            contract=contract,
            combination=combination,
            version=version,
            created=created,
            serializer="pickle" if "pickle" in serializers else "skops",
        )
        ask(_JOINING, str(folder), msgspec.json.encode(join).decode())
        path = store.publish(folder, name, version, created)
    return examine(path, keys=None)  # it cannot be signed yet


def _take(artifact: Artifact, which: Which, *, place: Path) -> Taken:
    taken = ask(_TAKING, str(artifact.path), artifact.digest, which, str(place / which))
    assert isinstance(taken, Taken)
    return taken


def _stored(artifact: Artifact, taken: Taken, code: tuple[str, ...]) -> StoredPart:
    return StoredPart(folder=str(artifact.path), digest=artifact.digest, file=taken.file, code=code)


def _check_fit(
    of_model: Artifact, model: Taken, of_preprocessing: Artifact, preprocessing: Taken
) -> None:
    """Refuse a preprocessing whose output is not what the model was fitted on.

    Raises:
        PackRefused: it says which column, or what else, does not fit.
    """
    why = mismatch(preprocessing.form, model.form)
    if why is not None:
        raise PackRefused(
            f"the model of {of_model.tag} cannot run on the preprocessing of "
            f"{of_preprocessing.tag}: {why}",
            hint="the two must give their models the same columns; to compare the complete "
            f"artifacts: gnomon replay {of_preprocessing.tag} --through {of_model.tag}",
        )
