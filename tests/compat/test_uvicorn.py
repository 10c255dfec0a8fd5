"""The private parts of uvicorn that Gnomon uses exist; a failure names what a release changed."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import auto

from gnomon.compat import uvicorn as private


def gone(what: str) -> str:
    """The sentence for a part that a release has removed or changed."""
    return (
        f"uvicorn {version('uvicorn')} has no {what} as Gnomon knows it: the gateway cannot serve "
        "with it; see gnomon.compat.uvicorn and gnomon.service.connection"
    )


def test_a_connection_is_made_by_the_function_that_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """uvicorn looks it up when a server starts, if BentoML left the choice to it."""
    monkeypatch.setattr(auto, "AutoHTTPProtocol", auto.AutoHTTPProtocol)
    keywords: list[str] = []

    def make(**given: Any) -> asyncio.Protocol:
        keywords.extend(given)
        return asyncio.Protocol()

    private.make_connections_with(make)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Never called."""

    async def connect() -> None:
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        while not keywords:
            await asyncio.sleep(0.01)
        writer.close()
        server.servers[0].close()

    asyncio.run(asyncio.wait_for(connect(), 20))
    assert {"config", "server_state", "app_state"} <= set(keywords), gone(
        "call of its protocols with config, server_state and app_state"
    )


def test_a_request_cycle_is_made_as_before() -> None:
    """Its parameters, and the attributes that the connection sets and reads, are those of
    before.
    """
    parameters = inspect.signature(private.RequestResponseCycle).parameters
    assert set(parameters) == {
        "scope", "transport", "flow", "logger", "access_logger", "access_log", "default_headers",
        "message_event", "expect_100_continue", "keep_alive", "on_response",
    }, gone("RequestResponseCycle with these parameters")  # fmt: skip
    given: dict[str, Any] = dict.fromkeys(parameters)
    cycle = private.RequestResponseCycle(**given)
    for name in (
        "body", "more_body", "disconnected", "keep_alive", "waiting_for_100_continue",
        "response_started", "response_complete", "message_event", "run_asgi", "receive", "send",
    ):  # fmt: skip
        assert hasattr(cycle, name), gone(f"`{name}` of RequestResponseCycle")


def test_the_state_of_a_server_has_what_connections_keep_there() -> None:
    """Who is connected, what runs, and the headers of every answer."""
    state = private.ServerState()
    for name in ("connections", "tasks", "default_headers", "total_requests"):
        assert hasattr(state, name), gone(f"`{name}` of ServerState")


def test_a_configuration_has_what_connections_read() -> None:
    """The application, and how long a connection may be idle."""
    config = private.Config("module:app")
    for name in ("app", "root_path", "timeout_keep_alive", "timeout_graceful_shutdown"):
        assert hasattr(config, name), gone(f"`{name}` of Config")
