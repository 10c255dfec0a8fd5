"""Private parts of BentoML that a gateway uses; :mod:`gnomon.compat.circus` has those of its
supervisor.

Seen in 1.4.39. Without one of these the gateway does not start: an import fails in the serving
process.
"""

from __future__ import annotations

from typing import Any

from _bentoml_sdk import Service
from bentoml._internal.server.http import instruments
from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware

__all__ = ["RunnerTrafficMetricsMiddleware", "Service", "count_traffic_with", "declared_in"]

# The public decorator ``bentoml.service`` makes a ``Service`` from a class. To make Gnomon's the
# outermost application, a service has to override ``to_asgi`` and the creation of its instance:
# there is no hook for these.


def count_traffic_with(middleware: type) -> None:
    """Make BentoML's applications count their requests with this class.

    Replaces ``RunnerTrafficMetricsMiddleware`` in the module where BentoML looks it up when it
    makes an application. BentoML labels its counters with the path that a client sent, and has no
    setting to change that.

    Args:
        middleware: a subclass of ``RunnerTrafficMetricsMiddleware``.
    """
    replaced: Any = instruments
    replaced.RunnerTrafficMetricsMiddleware = middleware


def declared_in(service: Any, module: str) -> None:
    """Set the module in which a service is defined, from which its other processes import it.

    Sets ``_caller_module``. By default BentoML uses the module that calls the class: that would be
    Gnomon instead of the deployment.
    """
    service._caller_module = module
