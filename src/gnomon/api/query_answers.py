"""The process that answers one question about the log: see :mod:`gnomon.api.query_process`.

``python -m gnomon.api.query_answers MODEL QUERY [POLICY]``, with a query as JSON, prints the
answer, or an error, as JSON. Each answer imports what it needs; only some need pandas.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import msgspec

from gnomon.api.log_query import (
    AnyLogQuery,
    AuditBundle,
    CheckedGates,
    CheckGates,
    CheckHistory,
    CheckShadows,
    CheckWatch,
    CountLabels,
    EstimateQuality,
    ExportAudit,
    GateChecks,
    MeasureQuality,
    Unevaluated,
    WantedLabels,
    WantLabels,
)
from gnomon.api.query_process import Answered, FailedQuery
from gnomon.errors import GnomonError, InvalidRequest, SettingsError
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.policy import Policy
from gnomon.rollout.named_artifacts import model_of
from gnomon.settings import Settings
from gnomon.worker.background import enter_background

__all__ = ["answer", "main"]

NICENESS = 10

_query: msgspec.json.Decoder[AnyLogQuery] = msgspec.json.Decoder(AnyLogQuery)


def answer(settings: Settings, model: str, policy: Policy, query: AnyLogQuery) -> object:
    """Return the answer to a question; see :func:`~gnomon.api.log_query.reply_of` for its type.

    Raises:
        GnomonError: there is none, for the reason given.
    """
    match query:
        case CheckGates(artifact=artifact):
            from gnomon.rollout.decisions.gate_checks import check

            return check(settings, model, artifact, policy)
        case CheckWatch():
            from gnomon.rollout.decisions.gate_checks import check_watch

            return check_watch(settings, model, policy)
        case CheckShadows():
            return _shadows(settings, model, policy, query)
        case CheckHistory(artifact=artifact):
            from gnomon.api.queries import check_gates_on_history

            gates = check_gates_on_history(
                _own(model, artifact),
                start=query.start,
                end=query.end,
                policy=policy,
                settings=settings,
            )
            return CheckedGates.of(gates)
        case CountLabels():
            from gnomon.api.labels import label_status

            return label_status(model, policy=policy, settings=settings)
        case MeasureQuality():
            from gnomon.api.quality import measure_quality

            which = model if query.artifact is None else _own(model, query.artifact)
            return measure_quality(
                which, start=query.start, end=query.end, policy=policy, settings=settings
            )
        case EstimateQuality():
            return _estimates(settings, model, policy, query)
        case WantLabels():
            return _wanted(settings, model, policy, query)
        case ExportAudit():
            return _bundle(settings, model, query)


def _shadows(settings: Settings, model: str, policy: Policy, query: CheckShadows) -> GateChecks:
    from gnomon.api.shadow_gates import gates_of
    from gnomon.rollout.decisions.gate_checks import check
    from gnomon.rollout.history import newest_history

    if query.artifact is not None:
        gates = check(settings, model, _own(model, query.artifact), policy)
        return GateChecks(gates=(CheckedGates.of(gates),))
    tags = newest_history(settings, model).state.compared
    found = [*gates_of(tags, policy=policy, settings=settings)]
    return GateChecks(
        gates=tuple(CheckedGates.of(each) for each in found if not isinstance(each, Unevaluated)),
        unevaluated=tuple(each for each in found if isinstance(each, Unevaluated)),
    )


def _wanted(settings: Settings, model: str, policy: Policy, query: WantLabels) -> WantedLabels:
    from gnomon.api.quality import wanted_labels

    found = wanted_labels(
        _own(model, query.artifact),
        rows=query.rows,
        metric=query.metric,
        start=query.start,
        end=query.end,
        policy=policy,
        settings=settings,
    )
    return WantedLabels(rows=tuple(found.to_pylist()), columns=tuple(found.column_names))


def _estimates(
    settings: Settings, model: str, policy: Policy, query: EstimateQuality
) -> EstimateReport:
    from gnomon.api.estimates import estimate_quality

    return estimate_quality(
        model if query.artifact is None else _own(model, query.artifact),
        start=query.start,
        end=query.end,
        chunk=None if query.chunk_hours is None else timedelta(hours=query.chunk_hours),
        policy=policy,
        settings=settings,
    )


def _bundle(settings: Settings, model: str, query: ExportAudit) -> AuditBundle:
    from gnomon.audit import export

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.tar"
        try:
            written = export(settings, model, path, start=query.start, end=query.end)
        except SettingsError as error:  # The range is the caller's.
            raise InvalidRequest(error.message, where="start") from None
        name = f"audit-{model}-{written.index.epoch}.tar"
        return AuditBundle(name=name, content=path.read_bytes())


def _own(model: str, artifact: str) -> str:
    """Return an artifact's tag, if it is one of this model: others are not this server's to show.

    Raises:
        InvalidRequest: it is of another model.
    """
    if model_of(artifact) != model:
        raise InvalidRequest(
            f"expected an artifact of `{model}`, which is served here, got `{artifact}`",
            where="artifact",
        )
    return artifact


def main(arguments: list[str]) -> None:
    """Answer one question and print the reply."""
    settings = enter_background(niceness=NICENESS)
    model, query, *policies = arguments
    reply: Answered | FailedQuery
    try:
        policy = Policy.read(policies[0]) if policies else Policy()
        found = answer(settings, model, policy, _query.decode(query))
        reply = Answered(msgspec.Raw(msgspec.json.encode(found)))
    except GnomonError as error:
        reply = FailedQuery.of(error)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
