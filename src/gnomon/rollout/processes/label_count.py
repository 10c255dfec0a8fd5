"""The status of labels, counted in a separate process, as the log is read in full for it.

``python -m gnomon.rollout.processes.label_count MODEL [POLICY]`` prints it, or an error, as JSON.
See :mod:`gnomon.rollout.processes.gate_evaluation` for why a gateway does not do such work itself.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from gnomon.errors import GnomonError, LogError
from gnomon.labels.label_counts import LabelStatus
from gnomon.labels.label_status import EXAMPLES, label_status
from gnomon.labels.label_store import LabelStore
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.decisions.defaults import find_artifact
from gnomon.rollout.processes.gate_evaluation import NICENESS, SECONDS
from gnomon.settings import Settings
from gnomon.wire_errors import SentError
from gnomon.worker.background import enter_background
from gnomon.worker.spawn import child_environment

__all__ = ["count_in_process", "count_labels", "main"]


class _Counted(msgspec.Struct, tag="counted"):
    status: LabelStatus


class _Failed(SentError, tag="failed", frozen=True):
    """The reply if the labels cannot be counted, with the reason."""


_reply: msgspec.json.Decoder[_Counted | _Failed] = msgspec.json.Decoder(_Counted | _Failed)


def count_labels(
    settings: Settings, model: str, policy: Policy, *, examples: int | None = EXAMPLES
) -> LabelStatus:
    """Count the labels of a model by the contract of its live artifact.

    Args:
        examples: see :func:`gnomon.labels.label_status.label_status`.

    Raises:
        LogError: there is no log of the model.
        NewerFormat, UnreadableFile: a file of labels cannot be read.
    """
    contract = find_artifact(settings, model).contract
    records = LabelStore(settings, model).read()
    log = InferenceLog(settings, model)
    return label_status(log, records, contract, model, policy.labels, examples=examples)


def count_in_process(settings: Settings, model: str, policy: Path | None) -> LabelStatus:
    """Run :func:`count_labels` in another process, and wait for it.

    Args:
        settings: settings with the storage root.
        model: the model's name.
        policy: the policy file; the defaults without one.

    Raises:
        LogError: the process ended without an answer, or took too long.
        GnomonError: any error of ``count_labels``.
    """
    arguments = [model, *([] if policy is None else [str(policy.absolute())])]
    try:
        process = subprocess.run(
            [sys.executable, "-P", "-m", "gnomon.rollout.processes.label_count", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=child_environment(settings),
            timeout=SECONDS,
        )
        reply = _reply.decode(process.stdout)
    except subprocess.TimeoutExpired:
        raise LogError(
            f"the labels were not counted within {SECONDS:g} s",
            hint="count them without a limit: gnomon labels status",
        ) from None
    except msgspec.DecodeError:
        raise LogError(
            f"the process that counts labels ended with {process.returncode} before it finished",
            hint="its own message, if any, is on standard error",
        ) from None
    if isinstance(reply, _Failed):
        raise reply.error()
    return reply.status


def main(arguments: list[str]) -> None:
    """Count the labels and print the result."""
    settings = enter_background(niceness=NICENESS)
    model, *policies = arguments
    reply: _Counted | _Failed
    try:
        policy = Policy.read(policies[0]) if policies else Policy()
        reply = _Counted(count_labels(settings, model, policy))
    except GnomonError as error:
        reply = _Failed.of(error)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
