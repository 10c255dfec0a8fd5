"""The claim of a slice's name by a gateway, and with it of the request stream."""

from __future__ import annotations

import itertools
import logging
import socket

import bentoml

from gnomon.errors import LogUnavailable
from gnomon.log import REQUESTS, stream_folder
from gnomon.log.segments.layout import StreamBusy
from gnomon.log.spool_owner import claim_spool
from gnomon.service.lane.recording import Recorder
from gnomon.service.tasks import in_thread
from gnomon.settings import Settings

__all__ = ["SliceClaim"]

logger = logging.getLogger("gnomon")


class SliceClaim:
    """The claim of the first slice name on this machine that no other gateway has.

    Names stay the same over restarts, so that a slice continues its streams. A gateway that cannot
    open a log has no name; requests are then refused or served as the settings say.

    Args:
        model: the deployment's model name.
        settings: have the log's folder and the name of this replica.
        recorder: opens the slice's request stream; its lock is the claim.

    Attributes:
        name: the name; empty until a stream was opened.
    """

    def __init__(self, model: str, settings: Settings, recorder: Recorder) -> None:
        self._model = model
        self._settings = settings
        self._recorder = recorder
        self.name = ""

    async def take(self) -> None:
        """Claim a name and open its log. If that fails, the recorder has the reason."""
        last_error = str(self._recorder.error)
        try:
            await in_thread(claim_spool, self._settings, self._model)
            await self._open()
        except LogUnavailable as error:
            self._recorder.error = error.with_traceback(None)
            if str(error) != last_error:
                logger.error("%s", error)

    async def _open(self) -> None:
        """Claim the first name that is free.

        Raises:
            LogUnavailable: the log cannot be opened.
        """
        first = bentoml.server_context.worker_index or 1
        replica = self._settings.replica or socket.gethostname().lower().replace(".", "-")
        for number in itertools.count(first):
            name = f"{replica}-{number}"
            folder = stream_folder(self._settings, self._model, name, REQUESTS)
            try:
                await in_thread(self._recorder.open, folder)
            except StreamBusy:
                continue
            self.name = name
            return
