"""The live workers of a gateway that was killed, taken over by the next gateway.

The process that starts gateways makes a pair of sockets for each slice before it starts any. A
gateway sends itself one packet over its pair, the *offer*: the descriptors of its live workers. It
is never read while the gateway runs, so the kernel keeps the descriptors open when the gateway is
killed, until the process that starts gateways ends too. Then nobody has the tether of a worker any
more, and it ends (:mod:`gnomon.worker.adopted_process`). The next gateway looks at the offer of
its slice.

A worker is taken over only if this gateway would start the very same: the same artifact, settings
and environment, the same files of Gnomon and the same installed packages. Any other is killed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import select
import socket
import sys
from pathlib import Path

import bentoml
import msgspec

import gnomon
from gnomon.artifact import Artifact
from gnomon.compat.platform import IS_PORTABLE, adopt_orphans, recv_packet
from gnomon.service.batching import Lane
from gnomon.settings import Settings
from gnomon.version import __version__
from gnomon.worker import messages
from gnomon.worker.adopted_process import HolderHandle
from gnomon.worker.spawn import child_environment

__all__ = ["Takeover", "prepare_takeover"]

logger = logging.getLogger("gnomon")

PAIRS = "_GNOMON_TAKEOVER"
"""The variable that tells gateways the descriptors of the pairs: ``7-8,9-10`` for two slices."""
A_HANDLE = 3
"""Descriptors of one worker in an offer."""


def prepare_takeover(slices: int) -> None:
    """To be called in the process that serves a deployment, before it starts gateways.

    It becomes the parent of what a killed gateway leaves: it waits for all its children, so none
    stays as a zombie, and whoever lists the processes of a server finds them. In the portable way
    nothing is left and nothing is taken over: the next gateway loads the artifact again.
    """
    if IS_PORTABLE:
        return
    adopt_orphans()
    os.environ[PAIRS] = ",".join(_inheritable_pair() for _ in range(slices))


class Takeover:
    """What this gateway found of the one before, and what it leaves to the next.

    To be made when nothing is loaded yet.

    Args:
        settings: the slice's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._ends = _own_pair()
        self._offered: list[HolderHandle] | None = None
        self._process = _fingerprint(settings)
        self._found: list[HolderHandle] = []
        self._of = ""
        if self._ends is None:
            return
        try:
            self._look()
        except (OSError, ValueError) as error:  # Such as that of another version of Gnomon.
            logger.warning("cannot read what the previous gateway offers: %s", error)
            self._withdraw()

    def claim(self, artifact: Artifact) -> list[HolderHandle]:
        """The workers found, if they are what would be started for an artifact now.

        Others are killed. What was claimed is not found again.
        """
        if self._of != self._identity(artifact):
            self._end_found()
        found, self._found = self._found, []
        return found

    def offer(self, live: Lane | None) -> None:
        """Leave the workers of what is live to the next gateway, should this one be killed.

        Called now and then: a worker that was replaced is offered again. What was found and
        is not claimed by now is ended: the artifact was refused, or could not be read.
        """
        self._end_found()
        if self._ends is None or live is None:
            return
        handles = live.outliving()[: (messages.MOST_DESCRIPTORS - 1) // A_HANDLE]
        if handles == self._offered:
            return
        self._withdraw()
        self._offered = handles
        me = os.pidfd_open(os.getpid())
        numbers = [n for h in handles for n in (h.control.fileno(), h.tether.fileno(), h.process)]
        try:
            socket.send_fds(self._ends[0], [self._identity(live.artifact).encode()], [me, *numbers])
        except OSError as error:
            logger.warning(
                "if this gateway is killed, the next one must load the artifact again: %s", error
            )
        finally:
            os.close(me)

    def close(self) -> None:
        """Leave nothing: this gateway stops as it was told to."""
        self._end_found()
        if self._ends is not None:
            self._withdraw()
            for end in self._ends:
                end.close()
            self._ends = None

    def _look(self) -> None:
        """Take what the offer names, and leave the offer: this gateway may be killed as well."""
        assert self._ends is not None
        try:
            packet, numbers = recv_packet(self._ends[1], socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        owner, *rest = numbers
        if not _has_ended(owner):  # Two gateways of one slice: this one has no business here.
            for end in self._ends:
                end.close()
            self._ends = None
            _close([owner, *rest])
            return
        os.close(owner)
        self._of = packet.decode()
        for control, tether, process in zip(*[iter(rest)] * A_HANDLE, strict=True):
            sockets = socket.socket(fileno=control), socket.socket(fileno=tether)
            self._found.append(HolderHandle(*sockets, process))

    def _end_found(self) -> None:
        if self._found:
            logger.info(
                "the worker of the previous gateway does not match the deployment: ended it"
            )
        while self._found:
            self._found.pop().end()

    def _withdraw(self) -> None:
        assert self._ends is not None
        try:
            while True:
                _close(recv_packet(self._ends[1], socket.MSG_DONTWAIT)[1])
        except BlockingIOError:
            return

    def _identity(self, artifact: Artifact) -> str:
        """What a worker of an artifact is that this gateway starts."""
        parts = [self._process, artifact.digest, str(artifact.path)]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _inheritable_pair() -> str:
    numbers = []
    for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET):
        end.set_inheritable(True)
        numbers.append(str(end.detach()))
    return "-".join(numbers)


def _own_pair() -> tuple[socket.socket, socket.socket] | None:
    """This slice's pair. Those of other slices are closed, or they would live as long as this."""
    pairs = [pair.split("-") for pair in os.environ.pop(PAIRS, "").split(",") if pair]
    mine = (bentoml.server_context.worker_index or 1) - 1
    own = None
    for index, pair in enumerate(pairs):
        ends = [socket.socket(fileno=int(number)) for number in pair]
        if index == mine:
            own = ends[0], ends[1]
            for end in ends:
                end.set_inheritable(False)
        else:
            for end in ends:
                end.close()
    return own


def _fingerprint(settings: Settings) -> str:
    """What all workers that this process starts have in common."""
    home = Path(gnomon.__file__).parent
    files = [(path, path.stat()) for path in sorted(home.rglob("*.py"))]
    packages = [Path(name) for name in sys.path if name.endswith("-packages")]
    parts = [
        sys.executable,
        sys.version,
        __version__,
        sorted(child_environment(settings).items()),
        [(str(path), status.st_mtime_ns, status.st_size) for path, status in files],
        [(str(path), path.stat().st_mtime_ns) for path in packages if path.is_dir()],
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _has_ended(process: int) -> bool:
    ended = select.poll()
    ended.register(process, select.POLLIN)
    return bool(ended.poll(0))


def _close(numbers: list[int]) -> None:
    for number in numbers:
        os.close(number)
