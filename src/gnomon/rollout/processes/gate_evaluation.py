"""The gates of a promotion, evaluated in a separate process.

Reading the log for evidence takes seconds and hundreds of megabytes, some of which libraries never
free. That is too much for a gateway; when a separate process ends, all of it is freed.

``python -m gnomon.rollout.processes.gate_evaluation MODEL ARTIFACT [POLICY]`` prints the gates, or
an error, as JSON; with ``--watch`` as the artifact, those of the live artifact's watch window.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from gnomon.errors import GnomonError, RolloutError
from gnomon.policy import Policy
from gnomon.rollout.decisions.decisions import check, check_watch
from gnomon.rollout.gate import Gates
from gnomon.settings import Settings
from gnomon.wire_errors import SentError
from gnomon.worker.background import enter_background
from gnomon.worker.spawn import child_environment

__all__ = ["GateProcess", "check_in_process", "main"]

NICENESS = 10
WATCH = "--watch"
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
    return GateProcess(settings, model, artifact, policy).result()


class GateProcess:
    """One evaluation of gates in another process, which another thread may end.

    Args:
        settings: settings with the storage root of the rollout and the log.
        model: the deployment's model name.
        artifact: the tag of a shadow; None: the gates of the live artifact's watch window.
        policy: the policy file; the defaults without one.
    """

    def __init__(
        self, settings: Settings, model: str, artifact: str | None, policy: Path | None
    ) -> None:
        self._arguments = [
            model,
            WATCH if artifact is None else artifact,
            *([] if policy is None else [str(policy.absolute())]),
        ]
        self._environment = child_environment(settings)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ended = False

    def result(self) -> Gates:
        """Run the process and return the gates; see :func:`check_in_process`."""
        process = self._start()
        with process:
            try:
                printed, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise RolloutError(
                    f"the gates were not evaluated within {SECONDS:g} s",
                    hint="evaluate them without a limit: gnomon promote ARTIFACT --check",
                ) from None
        try:
            reply = _reply.decode(printed)
        except msgspec.DecodeError:
            raise RolloutError(
                f"the process that evaluates the gates ended with {process.returncode} before it "
                "finished",
                hint="its own message, if any, is on standard error",
            ) from None
        if isinstance(reply, _Failed):
            raise reply.error()
        return reply.gates

    def end(self) -> None:
        """Kill the process, now or as soon as it would start."""
        with self._lock:
            self._is_ended = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_ended:
                raise RolloutError("the gates were not evaluated, because the server stops")
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "gnomon.rollout.processes.gate_evaluation",
                    *self._arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=self._environment,
            )
            return self._process


def main(arguments: list[str]) -> None:
    """Evaluate the gates and print them."""
    settings = enter_background(niceness=NICENESS)
    model, artifact, *policies = arguments
    reply: _Evaluated | _Failed
    try:
        policy = Policy.read(policies[0]) if policies else Policy()
        if artifact == WATCH:
            reply = _Evaluated(check_watch(settings, model, policy))
        else:
            reply = _Evaluated(check(settings, model, artifact, policy))
    except GnomonError as error:
        reply = _Failed.of(error)
    sys.stdout.buffer.write(msgspec.json.encode(reply))


if __name__ == "__main__":
    main(sys.argv[1:])
