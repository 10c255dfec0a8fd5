"""Packing: from a fitted pipeline to an artifact that was verified in a process of its own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from gnomon.artifact import fresh_process, golden, leakage_checks, serialization, store, vendoring
from gnomon.artifact.artifact import Artifact, examine
from gnomon.artifact.environment import Environment
from gnomon.artifact.manifest import (
    CHECKS,
    CODE,
    CONTRACT,
    GOLDEN,
    MODEL_YAML,
    PIPELINE,
    PROFILE,
    REQUIREMENTS,
    Lineage,
    Manifest,
    Serializer,
    hash_files,
)
from gnomon.artifact.profile import profile
from gnomon.artifact.trust import check_allowed, is_known_safe
from gnomon.contract.contract import Contract
from gnomon.contract.frames import from_frame, to_frame
from gnomon.contract.inference import infer_contract
from gnomon.contract.unusual import null_rows, unusual_rows
from gnomon.errors import GnomonError, PackRefused, UntrustedTypes
from gnomon.leakage import KnownAt
from gnomon.name_lists import as_names
from gnomon.pipeline.invariance import check_rows_alone
from gnomon.pipeline.predicting import outputs
from gnomon.pipeline.seeds import seeds as seeds_of
from gnomon.pipeline.seeds import warn_of_unseeded

__all__ = ["pack"]

ROWS_ALONE = 24
"""How many rows, and some with nulls, are also asked one by one, to see that none depends on
the rest of its batch."""

ROWS_BESIDE = 500
"""How many other rows are with them in a larger batch."""


def pack(
    name: str,
    pipeline: Any,
    X: pd.DataFrame,  # noqa: N803 - scikit-learn's own name for it
    y: Any = None,
    *,
    contract: Contract | None = None,
    code: vendoring.Code = (),
    entity_key: str | Sequence[str] = (),
    event_time: str | None = None,
    serializer: Serializer = "skops",
    trusted: str | Sequence[str] = (),
    lineage: Mapping[str, Any] | None = None,
    seeds: Mapping[str, Any] | None = None,
    golden_rows: int = 64,
    version: str | None = None,
    holdout: leakage_checks.Holdout | None = None,
    known_at: KnownAt | None = None,
    leakage: leakage_checks.Leakage = "warn",
) -> Artifact:
    """Make an artifact of a fitted pipeline and put it into BentoML's model store.

    Args:
        name: lower-case letters, digits, ``-``, ``_`` and ``.``.
        pipeline: a fitted classifier or regressor, preprocessing included.
        X: the frame it was fitted on; contract, profile and golden rows are taken from it.
        y: the target it was fitted on; checked for leakage, and only its hash is kept.
        contract: what requests must hold; inferred from ``X`` when not given.
        code: modules to vendor besides those the pipeline's classes come from and what they
            import: a module, its name, or its file or folder.
        entity_key: the columns that together identify the entity predicted for.
        event_time: the column with the time the prediction was requested.
        serializer: ``skops``, or ``pickle`` where skops cannot store a step.
        trusted: types and functions to trust besides the user's own, scikit-learn's, numpy's and
            scipy's, by their full names.
        lineage: anything to record of where data and code come from.
        seeds: random seeds of the training; the pipeline's ``random_state`` parameters when not
            given, with a warning of steps that drew without one.
        golden_rows: how many rows to record step by step.
        version: a name for this version; a time stamp and six random digits when not given.
        holdout: rows and their targets that it was not fitted on, to check the split with.
        known_at: by feature, when its value was known: a column of ``X``, or a time for each row.
        leakage: ``warn`` of features that leak the target, ``refuse`` to pack them, or ``off``;
            see ``docs/leakage.md``.

    Warns:
        LeakageWarning: the training data holds what is not known yet at serving time.
        SeedWarning: a step drew random numbers without a seed.

    Raises:
        PackRefused: the served answers would differ from the offline ones, and why.
        UntrustedTypes: the pipeline holds types that are not trusted yet.
        ContractError: no contract can be inferred, or the one given does not fit ``X``.
    """
    created = datetime.now(UTC)
    version = version or store.new_version(created)
    store.check_name(name, version)
    check_training(pipeline, X, y)
    if golden_rows < 1:
        raise PackRefused(f"expected at least one golden row, got {golden_rows}")
    contract = contract or _infer(pipeline, X, entity_key, event_time)
    own = vendoring.find_code(pipeline, code)
    rows = golden.choose_rows(X, golden_rows)
    check_faithful(pipeline, rows, contract)
    check_batch_invariance(pipeline, X, contract)
    found = None
    if leakage != "off":
        found = leakage_checks.check_leakage(
            pipeline, X, y, contract, holdout=holdout, known_at=known_at
        )
        leakage_checks.decide(found, leakage, stacklevel=2)
    drawn = seeds_of(pipeline, len(X)) if seeds is None else dict(seeds)
    if seeds is None:
        warn_of_unseeded(drawn, stacklevel=2)
    content = serialization.dump(pipeline, serializer)
    types = serialization.named_types(content, serializer)

    with store.staging() as folder:
        modules = vendoring.vendor(own, folder / CODE)
        accepted = accept_types(content, serializer, modules, as_names(trusted))
        environment = Environment.here(vendoring.distributions(own, types))
        (folder / PIPELINE[serializer]).write_bytes(content)
        contract.write(folder / CONTRACT)
        golden.write(golden.record(pipeline, rows, contract), folder / GOLDEN)
        golden.write(profile(pipeline, X, contract), folder / PROFILE)
        if found is not None:
            (folder / CHECKS).write_bytes(found.to_json())
        (folder / REQUIREMENTS).write_text(environment.requirements)
        (folder / MODEL_YAML).write_text(store.model_yaml(name, version, created, environment))
        commit, dirty = vendoring.commit(own.values())
        Manifest(
            name=name,
            version=version,
            created=created,
            serializer=serializer,
            environment=environment,
            lineage=Lineage(
                rows=len(X),
                columns=len(X.columns),
                data=data_digest(X, y),
                commit=commit,
                dirty=dirty,
                given=dict(lineage or {}),
            ),
            seeds=drawn,
            types=types,
            trusted=accepted,
            modules=modules,
            files=dict(hash_files(folder)),
        ).write(folder)
        fresh_process.in_fresh_process(folder)
        path = store.publish(folder, name, version, created)
    return examine(path, keys=None)  # it cannot be signed yet


def check_training(pipeline: Any, X: Any, y: Any) -> None:  # noqa: N803
    """Refuse arguments no artifact can be made of.

    Raises:
        PackRefused: not a frame, no rows, a target of another length, a pipeline that is not
            fitted or is neither a classifier nor a regressor.
    """
    if not isinstance(X, pd.DataFrame):
        raise PackRefused(
            f"expected a pandas DataFrame for X, got {type(X).__module__}.{type(X).__qualname__}",
            hint="the contract is made of column names and types; fit and pack with the frame",
        )
    if X.empty:
        raise PackRefused("X has no rows or no columns", hint="pass the training frame")
    if y is not None and len(y) != len(X):
        raise PackRefused(f"X has {len(X)} rows, but y has {len(y)}")
    if not _predicts(pipeline):
        raise PackRefused(
            f"expected a classifier or a regressor, got {type(pipeline).__qualname__}",
            hint="pass the whole pipeline, with the model as its last step",
        )
    try:
        check_is_fitted(pipeline)
    except NotFittedError:
        raise PackRefused(
            "the pipeline is not fitted", hint="call pipeline.fit(X, y) before packing it"
        ) from None


def check_faithful(pipeline: Any, rows: pd.DataFrame, contract: Contract) -> None:
    """Refuse a contract that cannot carry the pipeline's input.

    The rows must get the same answers after the trip through the contract's types that every
    request makes.

    Raises:
        PackRefused: an answer changes on the way, or the pipeline raises.
    """
    try:
        direct = outputs(pipeline, rows, contract)
        travelled = outputs(pipeline, to_frame(from_frame(rows, contract), contract), contract)
    except GnomonError:
        raise
    except Exception as error:
        raise PackRefused(
            f"the pipeline raised {type(error).__name__} on rows of X: {error}",
            hint="pass the frame it was fitted on, and a contract with the same columns",
        ) from error
    for name, left, right in zip(
        direct.schema.names, direct.columns, travelled.columns, strict=True
    ):
        if not left.equals(right):
            raise PackRefused(
                f"`{name}` is not the same for rows that came through the contract",
                where=name,
                hint="a column's type in the contract is not what the pipeline was fitted on",
            )


def check_batch_invariance(pipeline: Any, X: pd.DataFrame, contract: Contract) -> None:  # noqa: N803
    """Refuse a pipeline whose answer for a row depends on the rows that come with it.

    Asked are rows of every kind: with a null in each column that has any, and such as training
    may not have had; all as a request would bring them.

    Raises:
        PackRefused: an answer, or its type, depends on other rows.
    """
    few = golden.choose_rows(X, ROWS_ALONE)
    few = pd.concat([few, null_rows(X, few)])
    spaced = np.linspace(0, len(X) - 1, num=min(ROWS_BESIDE, len(X)), dtype=int)
    asked, beside = (
        to_frame(from_frame(rows, contract), contract) for rows in (few, X.iloc[spaced])
    )
    check_rows_alone(
        pipeline,
        asked,
        lambda frame: outputs(pipeline, frame, contract),
        unusual=unusual_rows(few, contract),
        others=beside,
    )


def accept_types(
    content: bytes, serializer: Serializer, modules: Mapping[str, str], trusted: Sequence[str]
) -> tuple[str, ...]:
    """The types of a skops file that skops does not trust by itself, when all may be trusted.

    The user's own are vendored with the artifact, and scikit-learn, numpy and scipy are what the
    artifact runs on; everything else has to be named.

    Raises:
        UntrustedTypes: some are neither.
    """
    found = serialization.named(io.BytesIO(content), serializer)
    own = {module.partition(".")[0] for module in modules}
    for one in found:
        check_allowed(one, one.module.partition(".")[0] in own, "the pipeline")
    if serializer == "pickle":
        return ()
    types = serialization.untrusted_types(content)
    refused = [
        name
        for name in types
        if name not in trusted
        and not is_known_safe(name)
        and not any(name.startswith(f"{module}.") for module in modules)
    ]
    if refused:
        raise UntrustedTypes(
            f"the pipeline holds types that are not trusted: {', '.join(refused)}",
            hint=f"if you know them, pass trusted={refused!r}",
        )
    return tuple(types)


def data_digest(X: pd.DataFrame, y: Any) -> str:  # noqa: N803
    """SHA-256 over a frame's columns, types and values, and over the target."""
    digest = hashlib.sha256()
    for name, column in X.items():
        digest.update(f"{name}\0{column.dtype}\0".encode())
        digest.update(_hashes(column))
    if y is not None:
        digest.update(b"y\0")
        digest.update(_hashes(pd.Series(np.asarray(y))))
    return digest.hexdigest()


def _predicts(pipeline: Any) -> bool:
    try:
        return bool(is_classifier(pipeline) or is_regressor(pipeline))
    except (AttributeError, TypeError):  # no estimator at all
        return False


def _hashes(column: pd.Series[Any]) -> bytes:
    hashes = pd.util.hash_pandas_object(column, index=False, categorize=True)
    return hashes.to_numpy().tobytes()


def _infer(
    pipeline: Any, frame: pd.DataFrame, entity_key: str | Sequence[str], event_time: str | None
) -> Contract:
    classifier = is_classifier(pipeline)
    return infer_contract(
        frame,
        task="classification" if classifier else "regression",
        classes=tuple(np.asarray(pipeline.classes_).tolist()) if classifier else (),
        probabilities=hasattr(pipeline, "predict_proba"),
        entity_key=entity_key,
        event_time=event_time,
    )
