"""Decisions on excuses: to excuse a column or a segment, and to end an excuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from gnomon.artifact import inspect
from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature
from gnomon.errors import RolloutError
from gnomon.name_lists import did_you_mean, listed
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.evidence.excuse import MOST_DAYS, Excuse, excused_columns, parse_excuse
from gnomon.rollout.history import History, RolloutEvent, RolloutState, up_to_date
from gnomon.rollout.watch_window import open_watch
from gnomon.settings import Settings

__all__ = ["add_excuse", "end_excuse"]


def add_excuse(
    settings: Settings,
    model: str,
    target: str,
    *,
    artifact: str | None = None,
    owner: str,
    until: datetime,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
) -> RolloutEvent:
    """Excuse an output column, or the rows of a segment, in the gates of disagreement and flips.

    Args:
        settings: settings with the storage root of the rollout.
        model: the deployment's model name.
        target: an output column, or ``FEATURE=VALUE``.
        artifact: the tag whose differences are excused: a running shadow, or the live artifact
            while it is watched. If it is not given, the only shadow, or without one the artifact
            that is watched.
        owner: who answers for it.
        until: its end.
        by: who records it.
        why: the reason, which is required.
        history: the history as read so far; it is updated. Without it, it is read again.

    Raises:
        ArtifactError, UnknownArtifact: the artifact cannot be inspected.
        RolloutError: it has no such column or feature, the end has passed or is more than 366
            days away, there is no reason, or it is not clear of which shadow.
        RolloutConflict: another decision was recorded meanwhile.
    """
    if not why:
        raise RolloutError("expected a reason for the excuse", hint="add one with --why")
    excuse = parse_excuse(target, owner, until)
    now = datetime.now(UTC)
    if until > now + timedelta(days=MOST_DAYS):
        raise RolloutError(
            f"an excuse ends within {MOST_DAYS} days, got {until.isoformat(timespec='minutes')}",
            hint="give an end by which the cause is mended, and add it again if it is not; a "
            "difference that is to stay is a matter of the policy's tolerances",
        )
    if until <= now:
        raise RolloutError(
            f"the excuse would have ended already, at {until.isoformat(timespec='minutes')}",
            hint="give an end in the future",
        )
    history = up_to_date(history, settings, model)
    tag = _tag(history.state, artifact)
    _check_target(tag, excuse, inspect(tag).contract)
    event = RolloutEvent(kind="excuse", artifact=tag, excuse=excuse, why=why, **signed(by))
    return history.append(event)


def end_excuse(
    settings: Settings,
    model: str,
    number: int,
    *,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
) -> RolloutEvent:
    """End an excuse: all rows count again from now on.

    Args:
        settings: settings with the storage root of the rollout.
        model: the deployment's model name.
        number: the number of the excuse, as the history and the status have it.
        by: who decides.
        why: the reason, for the history.
        history: the history as read so far; it is updated. Without it, it is read again.

    Raises:
        RolloutError: there is no such excuse, or it was ended.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    tags = {excuse.number: excuse.artifact for excuse in history.state.excuses}
    event = RolloutEvent(
        kind="excuse_end", artifact=tags.get(number, model), ends=number, why=why, **signed(by)
    )
    return history.append(event)


def _tag(state: RolloutState, artifact: str | None) -> str:
    """Return the full tag of the artifact whose differences are excused."""
    shadows = [tag for tag, shadow in state.shadows.items() if not shadow.reverse]
    watch = open_watch(state.watch)
    can_be = shadows if watch is None else [*shadows, watch.artifact]
    default = shadows or can_be
    if artifact is None and len(default) == 1:
        return default[0]
    tag = artifact
    if artifact is not None and artifact not in can_be:
        tag = inspect(artifact).tag
    if tag not in can_be:
        given = "no artifact is given" if tag is None else f"`{tag}` is neither"
        named = f"give one with --tag (over HTTP: artifact): {', '.join(can_be)}"
        raise RolloutError(
            f"an excuse is of a running shadow, or of a live artifact that is watched; {given}",
            hint=named if can_be else "none runs: start it with `gnomon shadow start`",
        )
    return tag


def _check_target(tag: str, excuse: Excuse, contract: Contract) -> None:
    if excuse.column is not None:
        outputs = contract.output_schema.names
        if excuse.column not in outputs:
            raise RolloutError(
                f"`{tag}` has no output column `{excuse.column}` to excuse",
                hint=f"its columns are {listed(outputs)}; a segment is FEATURE=VALUE",
            )
        covered = excused_columns(excuse, contract.outputs)
        if set(covered) == set(outputs):
            which = "is the only output" if len(outputs) == 1 else "and its complement are all"
            which += "" if len(outputs) == 1 else " outputs"
            raise RolloutError(
                f"`{excuse.column}` {which} of `{tag}`, so nothing would be compared",
                hint="excuse a segment, or change the tolerance in the policy",
            )
        return
    types = {feature.name: feature.arrow.type for feature in contract.features}
    if excuse.feature not in types:
        raise RolloutError(
            f"`{tag}` has no feature `{excuse.feature}`",
            hint=f"its features are {listed([*types])}",
        )
    try:
        pa.scalar(excuse.value).cast(types[excuse.feature])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise RolloutError(
            f"`{excuse.value}` is no value of `{excuse.feature}`, which is of type "
            f"{types[excuse.feature]}"
        ) from None
    _check_value(contract.feature(excuse.feature), excuse.value or "")


def _check_value(feature: Feature, value: str) -> None:
    """Refuse a value that no row can have, or that is probably a known one misspelt."""
    known = [str(category) for category in feature.domain or ()]
    if feature.domain is None or value in known:
        return
    meant = did_you_mean(value, known, f"`{feature.name}={{}}`")
    if meant is not None or feature.outside == "error":
        raise RolloutError(
            f"`{value}` is not among the values of `{feature.name}` in the contract",
            hint=f"{meant or 'rows with it are refused'}; the values are {listed(known)}",
        )
