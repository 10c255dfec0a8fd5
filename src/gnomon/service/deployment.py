"""The BentoML service that a deployment exports."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import bentoml
import msgspec

from gnomon.artifact.bundled import bento_of, install_bundled
from gnomon.compat.bentoml import Service, declared_in
from gnomon.compat.pyarrow import leave_pandas_out
from gnomon.errors import GnomonError
from gnomon.files import apply_umask
from gnomon.printable import make_logs_printable, make_tracebacks_printable
from gnomon.service.connection import take_connections
from gnomon.service.front_door import FrontDoor
from gnomon.service.http.asgi import ASGI
from gnomon.service.metric_files import reserve_files
from gnomon.service.origins import origins_of
from gnomon.service.route_metrics import count_by_route
from gnomon.service.slice.runtime import Runtime, open_gateway
from gnomon.service.slice.takeover import prepare_takeover
from gnomon.service.stopping import (
    is_server,
    refuse_connections,
    stop_without_server,
    when_told_to_stop,
)
from gnomon.settings import Settings

__all__ = ["GatewayService", "gateway"]

logger = logging.getLogger("gnomon")


class GatewayService(Service[Any]):  # type: ignore[misc]
    """A BentoML service whose outermost application is Gnomon's front door."""

    instance: Any = None

    def to_asgi(self, is_main: bool = True) -> ASGI:
        """Return BentoML's application behind the front door."""
        make_logs_printable()
        make_tracebacks_printable()
        reserve_files()
        take_connections()
        count_by_route()
        return FrontDoor(super().to_asgi(is_main), self.running)

    def __call__(self) -> Any:
        """Make the service instance, as BentoML does once per process at start-up."""
        self.instance = super().__call__()
        return self.instance

    def running(self) -> Runtime:
        """Return the slice that this process serves.

        Raises:
            RuntimeError: BentoML has not started the service yet.
        """
        runtime: Runtime | None = getattr(self.instance, "runtime", None)
        if runtime is None:
            raise RuntimeError("the service has not been started")
        return runtime


def _keep_out_of(bento: Path, settings: Settings) -> None:
    """Let relative folders of the settings be those of the folder where the server was started.

    BentoML runs its processes in the bento's own folder. A log and a history there would be
    deleted with that version of the bento, and the next version would begin without them.
    """
    if Path.cwd().is_relative_to(bento):  # as in a container
        return
    if settings.is_local:
        os.environ["GNOMON_ROOT"] = str(Path(settings.root).absolute())
    if settings.spool is not None:
        os.environ["GNOMON_SPOOL"] = str(Path(settings.spool).absolute())


def _install(bento: Path, model: str) -> None:
    """Install the bento's artifacts in the store.

    An error is only logged: a server that has no other artifact is then not ready.
    """
    try:
        for tag in install_bundled(bento, model):
            logger.info("installed %s from the bento", tag)
    except (GnomonError, OSError) as error:
        logger.error("cannot install the bento's artifacts in the store: %s", error)


def gateway(model: str, *, policy: Path | str | None = None, **defaults: Any) -> GatewayService:
    """Make the service of a deployment; assign it to a module-level name and point BentoML at it.

    Args:
        model: the artifact name whose rollout this deployment follows.
        policy: the rollout policy file; defaults apply without one.
        **defaults: settings that differ from :class:`~gnomon.settings.Settings`'s defaults;
            ``GNOMON_*`` variables take precedence over them.

    Raises:
        SettingsError: a setting is unknown or unusable.

    Example:
        ``service/__init__.py`` of a deployment::

            from gnomon.service import gateway

            Gateway = gateway("flights", policy=Path("shadow/policy.toml"))
    """
    policy_file = None if policy is None else Path(policy)
    settings = Settings.read(**defaults)
    apply_umask(settings.file_umask)  # Also in BentoML's processes, which import this module.
    origins_of(settings)

    declared_by = sys._getframe(1).f_globals  # noqa: SLF001  # CPython has it
    bento = bento_of(Path(declared_by.get("__file__", "")).absolute())

    class Gateway:
        """Serves the live model; its shadows see the same requests."""

        def __init__(self) -> None:
            self.runtime: Runtime | None = None
            self.opened = AsyncExitStack()

        @bentoml.on_deployment  # type: ignore[untyped-decorator]
        def supervise() -> None:
            from gnomon.service.supervision import restart_promptly  # Gateways need no circus.

            restart_promptly()
            if bento is not None:
                _keep_out_of(bento, settings)
                _install(bento, model)
            is_server()
            prepare_takeover(settings.slices)

        @bentoml.on_startup  # type: ignore[untyped-decorator]
        async def start(self) -> None:
            stop_without_server()
            leave_pandas_out()
            runtime = await self.opened.enter_async_context(
                open_gateway(model, settings, policy_file)
            )
            when_told_to_stop(runtime.give_up_loading)
            if settings.slices == 1:
                when_told_to_stop(refuse_connections())
            self.runtime = runtime
            gc.freeze()  # A full collection of all imported objects would take 250 ms each time.

        @bentoml.on_shutdown  # type: ignore[untyped-decorator]
        async def stop(self) -> None:
            await self.opened.aclose()

        async def __is_ready__(self) -> bool:
            return self.runtime is not None and self.runtime.live is not None

        @bentoml.api  # type: ignore[untyped-decorator]
        async def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
            """Predict for each row; over HTTP the front door answers this route itself."""
            assert self.runtime is not None, "BentoML starts the service first"
            answer = await self.runtime.requests.predict(msgspec.json.encode({"rows": rows}), None)
            reply: dict[str, Any] = msgspec.json.decode(answer.body)
            if "error" in reply:
                raise bentoml.exceptions.InvalidArgument(reply["error"]["message"])
            return reply

    service = GatewayService(
        name="gateway",
        inner=Gateway,
        config={"workers": settings.slices, "traffic": {"timeout": int(settings.deadline) + 5}},
    )
    declared_in(service, declared_by["__name__"])
    return service
