"""The private parts of BentoML that Gnomon uses exist; a failure names what a release changed."""

from __future__ import annotations

import inspect
import warnings
from importlib.metadata import version

import pytest

with warnings.catch_warnings():  # BentoML uses what its own dependencies have deprecated.
    warnings.simplefilter("ignore")
    from _bentoml_impl.server.app import ServiceAppFactory
    from bentoml._internal.server.http import instruments

    from gnomon.compat import bentoml as private
    from gnomon.service.deployment import GatewayService, gateway
    from gnomon.service.route_metrics import TrafficMetrics

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as above, for a service


def gone(what: str, then: str) -> str:
    """The sentence for a part that a release has removed or changed."""
    return f"bentoml {version('bentoml')} has no {what} as Gnomon knows it: {then}"


def test_a_service_can_be_wrapped() -> None:
    """It makes its application and its instance by methods that a subclass may override."""
    assert "is_main" in inspect.signature(private.Service.to_asgi).parameters, gone(
        "`Service.to_asgi(is_main)`", "Gnomon's front door is not in front of it"
    )
    assert callable(private.Service.__call__)


def test_a_service_is_found_where_it_is_declared() -> None:
    """Its module is the one that called :func:`gateway`, not Gnomon's."""
    service = gateway("flights")
    assert isinstance(service, GatewayService)
    assert service._caller_module == __name__, gone(
        "`Service._caller_module`", "its gateway processes would import another module"
    )
    globals()["service"] = service
    try:
        assert service.import_string.endswith(f"{__name__}:service"), gone(
            "`Service.import_string` made of `_caller_module`",
            "its gateway processes would import another module",
        )
    finally:
        del globals()["service"]


def test_an_application_counts_with_the_class_that_was_given() -> None:
    """BentoML looks the class up where Gnomon replaces it, each time it makes an application.

    ``tests/service/test_route_metrics.py`` sees on a running server that it does.
    """
    source = inspect.getsource(ServiceAppFactory.middlewares.fget)
    looked_up = f"from {instruments.__name__} import"
    assert all(name in source for name in (looked_up, "RunnerTrafficMetricsMiddleware")), gone(
        "RunnerTrafficMetricsMiddleware that is looked up when an application is made",
        "paths that clients choose become labels of metrics",
    )
    assert issubclass(TrafficMetrics, private.RunnerTrafficMetricsMiddleware)


def test_traffic_is_counted_by_the_path_of_the_scope() -> None:
    """The middleware reads the path that Gnomon replaces by the route's."""
    source = inspect.getsource(private.RunnerTrafficMetricsMiddleware.__call__)
    assert 'scope["path"]' in source, gone(
        'use of `scope["path"]` in RunnerTrafficMetricsMiddleware',
        "paths that clients choose become labels of metrics",
    )
