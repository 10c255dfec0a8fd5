"""BentoML's HTTP metrics, with labels that clients cannot choose.

BentoML labels its counters with the path of the request. Each new path that a client requests would
add series that stay in memory, in the metrics' files and in Prometheus forever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.routing import BaseRoute, Match

from gnomon.compat.bentoml import RunnerTrafficMetricsMiddleware, count_traffic_with
from gnomon.service.http.asgi import ASGI, Receive, Scope, Send

__all__ = ["OTHER", "count_by_route"]

OTHER = "other"
"""The label of every path without a route."""
REQUESTED_PATH = "gnomon.path"
"""The key of a scope for the requested path, while BentoML sees the path of the route."""


def count_by_route() -> None:
    """Make BentoML's applications count with :class:`TrafficMetrics`."""
    count_traffic_with(TrafficMetrics)


class TrafficMetrics(RunnerTrafficMetricsMiddleware):
    """Counts a request under the declared path of its route, or as ``other``."""

    def __init__(self, app: ASGI, **options: Any) -> None:
        super().__init__(_with_requested_path(app), **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if "path" in scope:
            label = route_of(scope, scope["app"].routes)
            scope = {**scope, "path": label, REQUESTED_PATH: scope["path"]}
        await super().__call__(scope, receive, send)


def route_of(scope: Scope, routes: Iterable[BaseRoute]) -> str:
    """Return the declared path of a request's route: ``/items/{id}``, not ``/items/7``."""
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            return str(getattr(route, "path", OTHER)) or OTHER
    return OTHER


def _with_requested_path(app: ASGI) -> ASGI:
    async def app_with_path(scope: Scope, receive: Receive, send: Send) -> None:
        if REQUESTED_PATH in scope:
            scope = dict(scope)
            scope["path"] = scope.pop(REQUESTED_PATH)
        await app(scope, receive, send)

    return app_with_path
