"""Private parts of BentoML that a gateway uses. What supervises gateways is in
:mod:`gnomon.compat.circus`.

Seen in 1.4.39. Without one of these the gateway does not start: an import fails, in the process
that would serve.
"""

from __future__ import annotations

from typing import Any

from _bentoml_sdk import Service
from bentoml._internal.server.http import instruments
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware

__all__ = ["RunnerTrafficMetricsMiddleware", "Service", "count_traffic_with", "declared_in"]

# ``Service`` is what the public decorator ``bentoml.service`` makes of a class. A service whose
# outermost application is ours has to override ``to_asgi`` and the making of its instance, for
# which there is no hook.


def count_traffic_with(middleware: type) -> None:
    """Have BentoML's applications count their requests by this class.

    Replaces ``RunnerTrafficMetricsMiddleware`` in the module where BentoML looks it up when it
    makes an application. BentoML labels its counters with the path that a client sent, and has no
    setting for it.

    Args:
        middleware: a subclass of it.
    """
    replaced: Any = instruments
    replaced.RunnerTrafficMetricsMiddleware = middleware


def declared_in(service: Any, module: str) -> None:
    """Tell a service in which module it is a name, for its other processes to import it from.

    Sets ``_caller_module``. BentoML looks for the caller of the class, and would find Gnomon
    instead of the deployment.
    """
    service._caller_module = module
