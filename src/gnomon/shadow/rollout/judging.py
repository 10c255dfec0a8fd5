"""The gates of a promotion, asked in a process of its own.

To read the log for evidence takes seconds and hundreds of megabytes, of which libraries keep a part
for good. A gateway has neither to spare; a process that ends gives all of it back.

``python -m gnomon.shadow.rollout.judging MODEL ARTIFACT [POLICY]`` prints the gates, or an error,
as JSON.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from gnomon.errors import GnomonError, RolloutError
from gnomon.files import apply_umask
from gnomon.printable import log_to_stderr
from gnomon.settings import Settings
from gnomon.shadow.policy import Policy
from gnomon.shadow.rollout.decisions import check
from gnomon.shadow.rollout.gates import Gates
from gnomon.worker.frames import Refused
from gnomon.worker.spawn import child_environment

__all__ = ["gates_elsewhere", "main"]

NICENESS = 10
SECONDS = 170.0
"""Less than a client waits for a control call."""


class _Found(msgspec.Struct, tag="gates"):
    gates: Gates


class _Failed(Refused, tag="failed", frozen=True):
    """The gates cannot be asked, and why."""


_Reply = _Found | _Failed

_reply: msgspec.json.Decoder[_Reply] = msgspec.json.Decoder(_Reply)


def gates_elsewhere(settings: Settings, model: str, artifact: str, policy: Path | None) -> Gates:
    """The same as :func:`gnomon.shadow.rollout.check`, by another process; it blocks.

    Args:
        settings: where rollout and log are.
        model: the deployment's model name.
        artifact: a tag.
        policy: the policy file; the defaults without one.

    Raises:
        RolloutError: nothing is live, or the process ended without an answer.
        GnomonError: whatever reading the evidence raises.
    """
    more = [] if policy is None else [str(policy.absolute())]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gnomon.shadow.rollout.judging", model, artifact, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=child_environment(settings),
            timeout=SECONDS,
        )
        reply = _reply.decode(done.stdout)
    except subprocess.TimeoutExpired:
        raise RolloutError(
            f"the gates were not asked within {SECONDS:g} s", hint="ask them: gnomon check --gates"
        ) from None
    except msgspec.DecodeError:
        raise RolloutError(
            f"the process that asks the gates ended with {done.returncode} before it was done",
            hint="its own message, if any, is on standard error",
        ) from None
    if isinstance(reply, _Failed):
        raise reply.error()
    return reply.gates


def main(arguments: list[str]) -> None:
    """Ask the gates and print them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    log_to_stderr()
    settings = Settings.read()
    apply_umask(settings.file_umask)
    model, artifact, *more = arguments
    reply: _Found | _Failed
    try:
        policy = Policy.read(more[0]) if more else Policy()
        reply = _Found(check(settings, model, artifact, policy))
    except GnomonError as error:
        reply = _Failed(type(error).__name__, error.message, error.where, error.hint)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
