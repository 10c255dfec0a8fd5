"""Packing: from a fitted pipeline to an artifact that was verified in a separate process."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace
from sklearn.utils.validation import check_is_fitted

from gnomon.artifact import fresh_process, golden, store
from gnomon.artifact.artifact import Artifact, examine
from gnomon.artifact.checks import leakage_checks
from gnomon.artifact.checks.allowances import Allowances, Allowed, PackWarning
from gnomon.artifact.checks.round_trip import check_round_trip, raised
from gnomon.artifact.checks.unseen_values import (
    warn_of_infinities,
    warn_of_unanswered,
    warn_of_unseen,
)
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
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.serialization.trust import check_allowed, is_known_safe
from gnomon.artifact.target import as_target
from gnomon.artifact.training_input import as_fitted, given_table, other_columns
from gnomon.artifact.vendored_code import vendoring
from gnomon.contract.contract import Contract
from gnomon.contract.frames import as_input, as_trained
from gnomon.contract.inference import infer_contract
from gnomon.contract.training_table import Carry, TrainingTable
from gnomon.contract.unusual_rows import null_rows, unusual_rows
from gnomon.errors import GnomonError, PackRefused, UntrustedTypes
from gnomon.leakage import KnownAt
from gnomon.name_lists import as_names
from gnomon.pipeline.batch_dependent_steps import with_known_hint
from gnomon.pipeline.invariance import check_rows_alone
from gnomon.pipeline.methods import as_columns, method
from gnomon.pipeline.model_outputs import described
from gnomon.pipeline.predicting import outputs
from gnomon.pipeline.seeds import seeds as seeds_of
from gnomon.pipeline.seeds import warn_of_unseeded

__all__ = ["pack"]

ROWS_ALONE = 24
"""How many rows, in addition to some with nulls, are also predicted one by one, to check that none
depends on the other rows of its batch."""

OTHER_ROWS = 500
"""How many other rows are added to them in a larger batch."""


def pack(
    name: str,
    pipeline: Any,
    X: Any,  # noqa: N803 - scikit-learn's own name for it
    y: Any = None,
    *,
    carry: Carry = (),
    timezone: str | None = None,
    feature_names: Sequence[str] = (),
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
    allow: Sequence[Allowed] = (),
) -> Artifact:
    """Make an artifact of a fitted pipeline and put it into BentoML's model store.

    Args:
        name: lower-case letters, digits, ``-``, ``_`` and ``.``.
        pipeline: a fitted model, including its preprocessing: any object that predicts or
            transforms.
        X: the data it was fitted on, from which contract, profile and golden rows are made: a frame
            of pandas or polars, an Arrow table, a Series or a list of texts, a list of
            dictionaries, or an array.
        y: the target it was fitted on; checked for leakage, and only its hash is kept. With several
            targets, the outputs are named after its columns.
        carry: columns that requests have in addition to the features; they are logged and used to
            join and sample, but not given to the pipeline. Names of columns of ``X`` that it was
            not fitted on, or a frame with as many rows.
        timezone: the zone of timestamp columns without a zone.
        feature_names: names of an array's columns, in order; by default ``x0``, ``x1``…
        contract: what requests must contain; by default inferred from ``X``.
        code: modules to vendor in addition to those that the pipeline's classes come from and that
            these import: a module, its name, or its file or folder.
        entity_key: the columns that together identify what a prediction is about.
        event_time: the column with the time the prediction was requested.
        serializer: ``skops``, or ``pickle`` if skops cannot store a step.
        trusted: full names of types and functions to trust in addition to the user's own,
            scikit-learn's, numpy's and scipy's.
        lineage: anything to record about the origin of data and code.
        seeds: random seeds of the training; by default the pipeline's ``random_state`` parameters,
            with a warning for steps that drew without a seed.
        golden_rows: how many rows to record step by step.
        version: a name for this version; by default a time stamp and six random digits.
        holdout: rows and their targets that it was not fitted on, to check the split.
        known_at: by feature, when its value was known: a column of ``X``, or a time for each row.
        leakage: ``warn`` of features that leak the target, ``refuse`` to pack them, or ``off``;
            see ``docs/leakage.md``.
        allow: what to pack although it would be refused: ``batch_dependent``,
            ``reads_environment``, ``reads_files``. The artifact records what was found.

    Warns:
        PackWarning: requests that the contract accepts will fail, or something was allowed.
        LeakageWarning: the training data contains what is not yet known at serving time.
        SeedWarning: a step drew random numbers without a seed.

    Raises:
        PackRefused: online predictions would differ from offline ones; it says why.
        UntrustedTypes: the pipeline contains types that are not trusted yet.
        ContractError: no contract can be inferred, or the one given does not fit ``X``.
    """
    created = datetime.now(UTC)
    version = version or store.new_version(created)
    store.check_name(name, version)
    allowances = Allowances(allow)
    y = as_target(y, stacklevel=2)
    table = given_table(X, feature_names, carry)
    check_training(pipeline, table, y)
    if golden_rows < 1:
        raise PackRefused(f"expected at least one golden row, got {golden_rows}")
    if contract is None:
        times = {n for pair in (known_at or {}).items() for n in pair if isinstance(n, str)}
        kept = {*as_names(entity_key), *as_names(event_time or ()), *times}
        table = as_fitted(pipeline, table, stacklevel=2, kept=kept)
    X = table.frame  # noqa: N806
    rows = golden.choose_rows(X, golden_rows)
    contract = contract or _infer(pipeline, table, y, rows, entity_key, event_time, timezone)
    own = vendoring.find_code(pipeline, code)
    check_round_trip(pipeline, rows, contract)
    with allowances.of("batch_dependent", stacklevel=2):
        check_batch_invariance(pipeline, X, contract, stacklevel=4)
    warn_of_infinities(X, contract, stacklevel=2)
    warn_of_unanswered(pipeline, rows, contract, stacklevel=2)
    warn_of_unseen(pipeline, rows, contract, stacklevel=2)
    found = None
    if leakage != "off":
        found = leakage_checks.check_leakage(
            pipeline, X, y, contract, holdout=holdout, known_at=known_at
        )
        leakage_checks.decide(found, leakage, stacklevel=2)
    drawn = seeds_of(pipeline, len(X)) if seeds is None else dict(seeds)
    if seeds is None:
        warn_of_unseeded(drawn, stacklevel=2)
    content = pipeline_bytes.dump(pipeline, serializer)
    types = pipeline_bytes.named_types(content, serializer)

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
        manifest = Manifest(
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
        )
        manifest.write(folder)
        for what, refusal in fresh_process.in_fresh_process(folder):
            allowances.decide(what, refusal, stacklevel=2)
        replace(manifest, allowed=allowances.found).write(folder)
        path = store.publish(folder, name, version, created)
    return examine(path, keys=None)  # it cannot be signed yet


def check_training(pipeline: Any, table: TrainingTable, y: Any) -> None:
    """Refuse arguments from which no artifact can be made.

    Raises:
        PackRefused: no rows, a target of another length, or a pipeline that is not fitted.
    """
    if isinstance(pipeline, type):
        raise PackRefused(
            f"expected a fitted pipeline, got the class {pipeline.__name__}",
            hint=f"make one and fit it: {pipeline.__name__}().fit(X, y)",
        )
    X = table.frame  # noqa: N806
    if X.empty:
        raise PackRefused("X has no rows or no columns", hint="pass the training frame")
    if y is not None and len(y) != len(X):
        raise PackRefused(f"X has {len(X)} rows, but y has {len(y)}")
    if not _is_fitted(pipeline, table.given(X.iloc[:1])):
        raise PackRefused(
            "the pipeline is not fitted", hint="call pipeline.fit(X, y) before packing it"
        )


def check_batch_invariance(
    pipeline: Any,
    X: pd.DataFrame,  # noqa: N803
    contract: Contract,
    stacklevel: int = 1,
) -> None:
    """Refuse a pipeline whose answer for a row depends on the other rows of its batch.

    It predicts rows of every kind: with a null in each column that has any, and rows that training
    may not have had; all in the form of a request.

    Warns:
        PackWarning: only a row in which everything nullable is null depends on other rows.

    Raises:
        PackRefused: an answer, or its type, depends on other rows.
    """
    few = golden.choose_rows(X, ROWS_ALONE)
    few = pd.concat([few, null_rows(X, few)])
    spaced = np.linspace(0, len(X) - 1, num=min(OTHER_ROWS, len(X)), dtype=int)
    probed, other_rows = (as_trained(rows, contract) for rows in (few, X.iloc[spaced]))

    def check_with(unusual: pd.DataFrame) -> None:
        check_rows_alone(
            pipeline,
            probed,
            lambda frame: outputs(pipeline, as_input(frame, contract), contract),
            unusual=unusual,
            others=other_rows,
            given=lambda frame: as_input(frame, contract),
        )

    try:
        check_with(unusual_rows(few, contract))
    except PackRefused as refusal:
        try:
            # IterativeImputer, for example, handles a batch of only nulls by another rule.
            check_with(unusual_rows(few, contract, nulls=False))
        except PackRefused as other:
            raise with_known_hint(other, pipeline) from None
        warnings.warn(
            "a row in which every nullable feature is null gets another answer when alone, in "
            f"{refusal.where}: {refusal.message}. Training had no such row; to refuse such "
            "requests, set nullable=False for a feature",
            PackWarning,
            stacklevel + 1,
        )


def accept_types(
    content: bytes, serializer: Serializer, modules: Mapping[str, str], trusted: Sequence[str]
) -> tuple[str, ...]:
    """Return the types of a skops file that skops does not trust, if all of them may be trusted.

    The user's own types are vendored with the artifact, and the artifact needs scikit-learn, numpy
    and scipy anyway; all other types must be named in ``trusted``.

    Raises:
        UntrustedTypes: some types are neither.
    """
    found = pipeline_bytes.named(io.BytesIO(content), serializer)
    own = {module.partition(".")[0] for module in modules}
    for one in found:
        check_allowed(one, one.module.partition(".")[0] in own, "the pipeline")
    if serializer == "pickle":
        return ()
    types = pipeline_bytes.untrusted_types(content)
    refused = [
        name
        for name in types
        if name not in trusted
        and not is_known_safe(name)
        and not any(name.startswith(f"{module}.") for module in modules)
    ]
    if refused:
        raise UntrustedTypes(
            f"the pipeline contains types that are not trusted: {', '.join(refused)}",
            hint=f"if you know them, pass trusted={refused!r}",
        )
    return tuple(types)


def data_digest(X: pd.DataFrame, y: Any) -> str:  # noqa: N803
    """Return the SHA-256 of a frame's columns, types and values, and of the target."""
    digest = hashlib.sha256()
    for name, column in X.items():
        digest.update(f"{name}\0{column.dtype}\0".encode())
        digest.update(_hashes(column))
    if y is not None:
        digest.update(b"y\0")
        for target in as_columns(y):
            digest.update(_hashes(pd.Series(target)))
    return digest.hexdigest()


def _is_fitted(pipeline: Any, row: Any) -> bool:
    """Return whether a pipeline is fitted by scikit-learn's rule, or else predicts a row.

    A class whose learned attributes have no trailing underscore may be fitted too, and so may one
    that is not derived from ``BaseEstimator``, of which scikit-learn does not know.
    """
    try:
        check_is_fitted(pipeline)
    except AttributeError:  # also the base of NotFittedError
        answers = (method(pipeline, role) for role in ("prediction", "value", "score"))
        answer = next(filter(None, answers), None)
        try:
            return answer is not None and answer(row) is not None
        except Exception:  # the user's code
            return False
    except TypeError:  # it has no `fit`
        return True
    return True


def _hashes(column: pd.Series[Any]) -> bytes:
    holds_any = column.dtype == object or isinstance(column.dtype, pd.ArrowDtype)
    if holds_any and any(isinstance(value, list | np.ndarray) for value in column):
        column = pd.Series([repr(np.asarray(value).tolist()) for value in column])
    hashes = pd.util.hash_pandas_object(column, index=False, categorize=True)
    return hashes.to_numpy().tobytes()


def _infer(
    pipeline: Any,
    table: TrainingTable,
    y: Any,
    rows: pd.DataFrame,
    entity_key: str | Sequence[str],
    event_time: str | None,
    timezone: str | None,
) -> Contract:
    try:
        answers = described(pipeline, table.given(rows), y)
    except GnomonError:
        raise
    except Exception as error:
        raise other_columns(pipeline, table) or raised(error, table.frame) from error
    return infer_contract(
        table,
        task=answers.task,
        classes=answers.classes,
        outputs=answers.outputs,
        entity_key=entity_key,
        event_time=event_time,
        timezone=timezone,
    )
