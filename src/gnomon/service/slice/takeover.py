"""The takeover of a killed gateway's live workers by the next gateway.

The process that starts gateways makes a pair of sockets for each slice before it starts any. A
gateway sends itself one packet over its pair, the *offer*: the descriptors of its live workers. The
offer is not read while the gateway runs, so the kernel keeps the descriptors open when the gateway
is killed, until the process that starts gateways ends too. Then no process has a worker's tether
any more, and the worker ends (:mod:`gnomon.worker.adopted_process`). The next gateway reads the
offer of its slice.

A worker is taken over only if this gateway would start an identical one: the same artifact,
settings and environment, the same files of Gnomon and the same installed packages. Any other is
killed.
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
from gnomon.service.lane.batching import Lane
from gnomon.settings import Settings
from gnomon.version import __version__
from gnomon.worker import messages
from gnomon.worker.adopted_process import HolderHandle
from gnomon.worker.spawn import child_environment

__all__ = ["Takeover", "prepare_takeover"]

logger = logging.getLogger("gnomon")

PAIRS = "_GNOMON_TAKEOVER"
"""The variable with the descriptors of the pairs: ``7-8,9-10`` for two slices."""
A_HANDLE = 3
"""The number of descriptors of one worker in an offer."""


def prepare_takeover(slices: int) -> None:
    """Make the pairs of sockets; to be called in the serving process before it starts gateways.

    This process also becomes the parent of a killed gateway's children. It waits for all its
    children, so none remains as a zombie, and they are listed among the server's processes. In the
    portable implementation nothing is taken over: the next gateway loads the artifact again.
    """
    if IS_PORTABLE:
        return
    adopt_orphans()
    os.environ[PAIRS] = ",".join(_inheritable_pair() for _ in range(slices))


class Takeover:
    """The workers that this gateway found from the previous one, and its offer to the next.

    To be made before an artifact is loaded.

    Args:
        settings: the slice's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._ends = _own_pair()
        self._offered: list[HolderHandle] | None = None
        self._process = _fingerprint(settings)
        self._found_workers: list[HolderHandle] = []
        self._found_identity = ""
        if self._ends is None:
            return
        try:
            self._look()
        except (OSError, ValueError) as error:  # Such as an offer of another version of Gnomon.
            logger.warning("cannot read the offer of the previous gateway: %s", error)
            self._withdraw()

    def claim(self, artifact: Artifact) -> list[HolderHandle]:
        """Return the workers found, if they are identical to those an artifact would get now.

        Other workers are killed. A second call returns none.
        """
        if self._found_identity != self._identity(artifact):
            self._end_found()
        handles, self._found_workers = self._found_workers, []
        return handles

    def offer(self, live: Lane | None) -> None:
        """Offer the live workers to the next gateway, in case this one is killed.

        To be called regularly: a worker that was replaced is offered again. Workers that were found
        but not claimed by now are ended: their artifact was refused, or could not be read.
        """
        self._end_found()
        if self._ends is None or live is None:
            return
        handles = live.outliving()[: (messages.MOST_DESCRIPTORS - 1) // A_HANDLE]
        if handles == self._offered:
            return
        self._withdraw()
        self._offered = handles
        own_pidfd = os.pidfd_open(os.getpid())
        numbers = [n for h in handles for n in (h.control.fileno(), h.tether.fileno(), h.process)]
        try:
            socket.send_fds(
                self._ends[0], [self._identity(live.artifact).encode()], [own_pidfd, *numbers]
            )
        except OSError as error:
            logger.warning(
                "if this gateway is killed, the next one must load the artifact again: %s", error
            )
        finally:
            os.close(own_pidfd)

    def close(self) -> None:
        """Withdraw the offer, because this gateway stops intentionally."""
        self._end_found()
        if self._ends is not None:
            self._withdraw()
            for end in self._ends:
                end.close()
            self._ends = None

    def _look(self) -> None:
        """Take the workers in the offer without removing it, as this gateway may be killed too."""
        assert self._ends is not None
        try:
            packet, numbers = recv_packet(self._ends[1], socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        owner, *rest = numbers
        if not _has_ended(owner):  # Another gateway of this slice runs: leave its workers alone.
            for end in self._ends:
                end.close()
            self._ends = None
            _close([owner, *rest])
            return
        os.close(owner)
        self._found_identity = packet.decode()
        for control, tether, process in zip(*[iter(rest)] * A_HANDLE, strict=True):
            sockets = socket.socket(fileno=control), socket.socket(fileno=tether)
            self._found_workers.append(HolderHandle(*sockets, process))

    def _end_found(self) -> None:
        if self._found_workers:
            logger.info(
                "the worker of the previous gateway does not match the deployment: ended it"
            )
        while self._found_workers:
            self._found_workers.pop().end()

    def _withdraw(self) -> None:
        assert self._ends is not None
        try:
            while True:
                _close(recv_packet(self._ends[1], socket.MSG_DONTWAIT)[1])
        except BlockingIOError:
            return

    def _identity(self, artifact: Artifact) -> str:
        """Return the identity of the workers that this gateway would start for an artifact."""
        parts = [self._process, artifact.digest, str(artifact.path)]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _inheritable_pair() -> str:
    numbers = []
    for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET):
        end.set_inheritable(True)
        numbers.append(str(end.detach()))
    return "-".join(numbers)


def _own_pair() -> tuple[socket.socket, socket.socket] | None:
    """Return this slice's pair, and close those of other slices, which must not keep them open."""
    pairs = [pair.split("-") for pair in os.environ.pop(PAIRS, "").split(",") if pair]
    own_index = (bentoml.server_context.worker_index or 1) - 1
    own_pair = None
    for index, pair in enumerate(pairs):
        ends = [socket.socket(fileno=int(number)) for number in pair]
        if index == own_index:
            own_pair = ends[0], ends[1]
            for end in ends:
                end.set_inheritable(False)
        else:
            for end in ends:
                end.close()
    return own_pair


def _fingerprint(settings: Settings) -> str:
    """Return the identity that all workers started by this process share."""
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
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))


def _close(numbers: list[int]) -> None:
    for number in numbers:
        os.close(number)
