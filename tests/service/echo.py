"""A front door on a real server, without a model behind it: it answers a body with itself."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from typing import cast

import uvicorn
from uvicorn.protocols.http import auto

from gnomon.errors import GnomonError
from gnomon.service.connection import take_connections
from gnomon.service.front_door import FrontDoor
from gnomon.service.http.asgi import Receive, Scope, Send, respond
from gnomon.service.http.body_budget import MOST_BODIES, BodyBudget
from gnomon.service.lane.pending_request import Answer
from gnomon.service.slice.runtime import Runtime
from gnomon.settings import Settings


class Echo:
    """A slice that answers a body with itself, and tells which way it came."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests = self.control = self
        self.through_asgi = False
        self.busy = threading.Event()
        self.bodies: list[bytes | bytearray] = []
        self.held = BodyBudget(MOST_BODIES * settings.body_bytes)

    def submit(
        self,
        body: bytes | bytearray,
        client_id: str | None,
        reply: Callable[[Answer], None],
        waited: float = 0.0,
    ) -> None:
        self.bodies.append(body)
        if body == b"bug":
            raise ZeroDivisionError("a bug")
        seen = {"body": body.decode("latin-1"), "id": client_id, "asgi": self.through_asgi}
        delay = 0.0
        if body == b"slow":
            delay = 0.5
            self.busy.set()
        answer = Answer(200, json.dumps(seen).encode())
        asyncio.get_running_loop().call_later(delay, reply, answer)

    async def predict(
        self, body: bytes | bytearray, client_id: str | None, waited: float = 0.0
    ) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.through_asgi = True
        try:
            self.submit(body, client_id, answer.set_result, waited)
        finally:
            self.through_asgi = False
        return await answer

    async def reject(self, error: GnomonError, client_id: str | None) -> Answer:
        return Answer.of(error)


async def _inner(scope: Scope, receive: Receive, send: Send) -> None:
    """BentoML's place: it has one route, and refuses others in its own words."""
    if scope["path"] != "/elsewhere":
        await respond(send, 404, b"Not Found", b"text/plain; charset=utf-8")
        return
    await respond(send, 200, json.dumps({"inner": scope["path"]}).encode())


class Served:
    """A front door on a real server."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.echo = Echo(settings or Settings(client_seconds=5.0, hosts="x"))
        self.door = FrontDoor(_inner, lambda: cast(Runtime, self.echo))
        self._before = auto.AutoHTTPProtocol
        take_connections()
        config = uvicorn.Config(self.door, lifespan="off", log_config=None, server_header=False)
        self.server = uvicorn.Server(config)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()

    def close(self) -> None:
        """Stop the server, and put uvicorn's own protocol back."""
        self.server.should_exit = True
        self.thread.join(20)
        auto.AutoHTTPProtocol = self._before

    def connect(self) -> socket.socket:
        """A new connection, on which what is sent leaves at once."""
        sock = socket.create_connection(self.listener.getsockname(), timeout=20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
