"""The gates of a promotion, evaluated in a separate process.

Reading the log for evidence takes seconds and hundreds of megabytes, some of which libraries never
free. That is too much for a gateway; when a separate process ends, all of it is freed.

``python -m gnomon.rollout.gate_evaluation MODEL ARTIFACT [POLICY]`` prints the gates, or an error,
as JSON.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from gnomon.errors import GnomonError, RolloutError
from gnomon.policy import Policy
from gnomon.rollout.decisions import check
from gnomon.rollout.gate import Gates
from gnomon.settings import Settings
from gnomon.wire_errors import SentError
from gnomon.worker.background import enter_background
from gnomon.worker.spawn import child_environment

__all__ = ["check_in_process", "main"]

NICENESS = 10
SECONDS = 170.0
"""The time limit; it is shorter than a client's time limit for a control call."""


class _Evaluated(msgspec.Struct, tag="gates"):
    gates: Gates


class _Failed(SentError, tag="failed", frozen=True):
    """The reply if the gates cannot be evaluated, with the reason."""


_Reply = _Evaluated | _Failed

_reply: msgspec.json.Decoder[_Reply] = msgspec.json.Decoder(_Reply)


def check_in_process(settings: Settings, model: str, artifact: str, policy: Path | None) -> Gates:
    """Run :func:`gnomon.rollout.check` in another process, and wait for it.

    Args:
        settings: settings with the storage root of the rollout and the log.
        model: the deployment's model name.
        artifact: a tag.
        policy: the policy file; the defaults without one.

    Raises:
        RolloutError: nothing is live, or the process ended without an answer.
        GnomonError: any error while reading the evidence.
    """
    arguments = [model, artifact, *([] if policy is None else [str(policy.absolute())])]
    try:
        process = subprocess.run(
            [sys.executable, "-P", "-m", "gnomon.rollout.gate_evaluation", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=child_environment(settings),
            timeout=SECONDS,
        )
        reply = _reply.decode(process.stdout)
    except subprocess.TimeoutExpired:
        raise RolloutError(
            f"the gates were not evaluated within {SECONDS:g} s",
            hint="evaluate them without a limit: gnomon promote ARTIFACT --check",
        ) from None
    except msgspec.DecodeError:
        raise RolloutError(
            f"the process that evaluates the gates ended with {process.returncode} before it "
            "finished",
            hint="its own message, if any, is on standard error",
        ) from None
    if isinstance(reply, _Failed):
        raise reply.error()
    return reply.gates


def main(arguments: list[str]) -> None:
    """Evaluate the gates and print them."""
    settings = enter_background(niceness=NICENESS)
    model, artifact, *policies = arguments
    reply: _Evaluated | _Failed
    try:
        policy = Policy.read(policies[0]) if policies else Policy()
        reply = _Evaluated(check(settings, model, artifact, policy))
    except GnomonError as error:
        reply = _Failed.of(error)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
