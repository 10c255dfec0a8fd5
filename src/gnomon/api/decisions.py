"""The public decisions of a rollout, recorded in the storage root that servers follow.

Unless they are given, the storage root is read from the environment, and the policy is that of the
deployment in this folder: the gates that decide are those that :func:`gnomon.check_gates` shows.
:mod:`gnomon.rollout` has what servers decide with, whose policy is given.
"""

from __future__ import annotations

from datetime import datetime

from gnomon import rollout
from gnomon.artifact import Artifact
from gnomon.policy import Policy, find_policy
from gnomon.rollout.history import RolloutEvent
from gnomon.rollout.named_artifacts import find_model, model_of, tag_of, version_of
from gnomon.settings import Settings

__all__ = [
    "add_excuse",
    "end_excuse",
    "promote",
    "rollback",
    "start_shadow",
    "stop_shadow",
    "withdraw",
]


def start_shadow(
    artifact: str | Artifact,
    fraction: float | None = None,
    *,
    same: bool = False,
    preprocessing: str | Artifact | None = None,
    policy: Policy | None = None,
    force: bool = False,
    by: str | None = None,
    why: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """Start a shadow: it scores a sample of the requests, and its answers go only to the log.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        fraction: the share of entities (requests, without an entity key) that it scores, above 0
            and at most 1; the policy's when not given.
        same: allow the live artifact itself, which measures the noise floor.
        preprocessing: another artifact, or its tag, on whose preprocessing the model of this one
            is to run. Both are verified and combined to an artifact that is only for debugging:
            the event names it.
        policy: the rules of its comparison; when not given, the policy of the deployment in this
            folder.
        force: start it even if its contract refuses today's requests; this is recorded.
        by: who decides.
        why: the reason, for the history.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: it, or the live artifact, does not pass inspection.
        IncompatibleContract: it would refuse requests that the live artifact gets.
        PackRefused: it cannot run on that preprocessing; the message says which column does not
            fit.
        PolicyError: the policy cannot be read, or names an output that it does not have.
        RolloutError: nothing is live, it is live, or it is already a running shadow.
        RolloutConflict: another decision was recorded meanwhile.
    """
    rules, tag = policy or find_policy(), tag_of(artifact)
    return rollout.start_shadow(
        settings or Settings.read(),
        model_of(tag),
        tag,
        fraction=rules.sampling.fraction if fraction is None else fraction,
        same=same,
        preprocessing=None if preprocessing is None else tag_of(preprocessing),
        policy=rules,
        force=force,
        by=by,
        why=why,
    )


def stop_shadow(
    artifact: str | Artifact,
    *,
    by: str | None = None,
    why: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """Stop a shadow. Its artifact need not be in the store any more.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        by: who decides.
        why: the reason, for the history.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        RolloutError: it is not a running shadow.
        RolloutConflict: another decision was recorded meanwhile.
    """
    tag = tag_of(artifact)
    return rollout.stop_shadow(settings or Settings.read(), model_of(tag), tag, by=by, why=why)


def add_excuse(
    target: str,
    artifact: str | Artifact,
    *,
    owner: str,
    until: datetime,
    why: str,
    by: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """Excuse an output column or a segment in the gates of disagreement and flips.

    Its rows are still counted and shown; the gates judge the others.

    Args:
        target: an output column, or ``FEATURE=VALUE`` such as ``origin=JFK``.
        artifact: the shadow whose differences are excused: a tag, or what :func:`~gnomon.pack`
            returned; a model's name alone means its newest version.
        owner: who answers for it.
        until: its end, with a time zone.
        why: the reason.
        by: who records it.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: the artifact cannot be inspected.
        RolloutError: it is no running shadow, has no such column or feature, or the end has passed.
        RolloutConflict: another decision was recorded meanwhile.
    """
    tag = tag_of(artifact)
    return rollout.add_excuse(
        settings or Settings.read(),
        model_of(tag),
        target,
        artifact=tag,
        owner=owner,
        until=until,
        by=by,
        why=why,
    )


def end_excuse(
    number: int,
    model: str | Artifact | None = None,
    *,
    by: str | None = None,
    why: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """End an excuse: its rows count again.

    Args:
        number: the number of the excuse in the history.
        model: the model, an artifact or its tag, if the storage root has several.
        by: who decides.
        why: the reason, for the history.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        RolloutError: there is no such excuse.
        RolloutConflict: another decision was recorded meanwhile.
    """
    settings = settings or Settings.read()
    return rollout.end_excuse(settings, find_model(settings, model), number, by=by, why=why)


def promote(
    artifact: str | Artifact,
    *,
    policy: Policy | None = None,
    force: bool = False,
    by: str | None = None,
    why: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """Make an artifact live, if its gates pass. A model's first artifact has no gates to pass.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        policy: the limits; when not given, the policy of the deployment in this folder.
        force: promote even if gates do not pass; the history records that.
        by: who decides.
        why: the reason, for the history.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        GateRefused: a gate fails, or the artifact is not a running shadow.
        GateUndecided: no gate fails, but one does not have enough evidence.
        PolicyError: the policy cannot be read, or names an output that it does not have.
        RolloutError: it is live already.
        RolloutConflict: another decision was recorded meanwhile.

    Example::

        if gnomon.check_gates("flights:latest").verdict == "pass":
            gnomon.promote("flights:latest", by="ann", why="fewer late flights missed")
    """
    tag = tag_of(artifact)
    return rollout.promote(
        settings or Settings.read(),
        model_of(tag),
        tag,
        policy=policy or find_policy(),
        force=force,
        by=by,
        why=why,
    )


def rollback(
    model: str | Artifact | None = None,
    *,
    by: str | None = None,
    why: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """Make the previous artifact live again; no gates are evaluated.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        by: who decides.
        why: the reason, for the history.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: that artifact does not pass inspection any more.
        RolloutError: there is no previous artifact.
        RolloutConflict: another decision was recorded meanwhile.
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    settings = settings or Settings.read()
    return rollout.rollback(settings, find_model(settings, model), by=by, why=why)


def withdraw(
    which: str | Artifact | None = None,
    *,
    by: str | None = None,
    why: str | None = None,
    settings: Settings | None = None,
) -> RolloutEvent:
    """Withdraw a proposed promotion: nobody can approve it any more. What is live stays so.

    Args:
        which: the proposed artifact or its tag; the only proposal of a model by its name, or of the
            only model under the storage root when not given.
        by: who decides.
        why: the reason, for the history.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        RolloutError: there is no such proposal, or it has expired, or it is not clear which.
        RolloutConflict: another decision was recorded meanwhile.
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    settings = settings or Settings.read()
    model = find_model(settings, which)
    return rollout.withdraw(settings, model, version_of(which), by=by, why=why)
