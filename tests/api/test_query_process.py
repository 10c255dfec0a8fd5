"""Questions about the log, answered in real processes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gnomon.api import query_process
from gnomon.api.log_query import CheckGates, CheckShadows, MeasureQuality, WantLabels
from gnomon.api.query_answers import answer
from gnomon.api.query_process import QueryProcess
from gnomon.errors import InvalidRequest, RolloutError, WorkerError
from gnomon.policy import Policy
from gnomon.settings import Settings


def ask(settings: Settings, query: object) -> object:
    return answer(settings, "toy", Policy(), query)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_real_process_answers_or_says_why_not(settings: Settings) -> None:
    """The error is the one that it met."""
    with pytest.raises(RolloutError, match="there is no live artifact"):
        QueryProcess(settings, "toy", None, CheckGates(artifact="toy:one")).result()
    found = QueryProcess(settings, "toy", None, CheckShadows()).result()
    assert (found.gates, found.unevaluated) == ((), ())


def test_a_process_that_ends_early_is_no_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash never looks like a verdict; one that takes too long says what to do instead."""
    monkeypatch.setattr(query_process, "sys", SimpleNamespace(executable="/bin/true"))
    process = QueryProcess(settings, "toy", None, CheckGates(artifact="toy:one"))
    with pytest.raises(WorkerError, match="were not evaluated: the process for it ended with 0"):
        process.result()
    process.end()
    with pytest.raises(WorkerError, match="the server stops"):
        process.result()


@pytest.mark.parametrize(
    "query",
    [
        CheckShadows(artifact="other:one"),
        MeasureQuality(artifact="other"),
        WantLabels(artifact="other:one"),
    ],
)
def test_other_models_under_the_root_are_not_shown(settings: Settings, query: object) -> None:
    """The caller's token may be for this model alone."""
    with pytest.raises(InvalidRequest, match="expected an artifact of `toy`"):
        ask(settings, query)
