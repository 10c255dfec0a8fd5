"""The gates of all running shadows, each evaluated although another one's cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gnomon.api.log_query import Unevaluated
from gnomon.errors import GnomonError
from gnomon.policy import Policy
from gnomon.rollout.decisions.gate_checks import check
from gnomon.rollout.gate import Gates
from gnomon.rollout.named_artifacts import model_of
from gnomon.settings import Settings

__all__ = ["gates_of"]


def gates_of(
    tags: Iterable[str], *, policy: Policy, settings: Settings
) -> Iterator[Gates | Unevaluated]:
    """Evaluate the gates of shadows, or say why they cannot be evaluated."""
    for tag in tags:
        try:
            yield check(settings, model_of(tag), tag, policy)
        except GnomonError as error:
            yield Unevaluated(artifact=tag, error=str(error))
