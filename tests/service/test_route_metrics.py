"""However many names clients invent, the server's metrics keep their size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gnomon.testing import Server
from tests.packing import SCRIPT, serving_packed, times

pytestmark = pytest.mark.slow

ROW = {"x": 1.0, "id": "a"}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Iterator[Server]:
    """One server of the toy model."""
    packed = packed_once(times(1), "toy", SCRIPT)
    with serving_packed(packed, tmp_path_factory.mktemp("traffic")) as running:
        yield running


def series(server: Server) -> dict[str, float]:
    """Every series that ``/metrics`` shows, but for histograms' buckets."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line[0] != "#" and "_bucket{" not in line)
    return {name: float(value) for name, value in pairs}


def paths(server: Server) -> set[str]:
    """The paths that BentoML's metrics know."""
    matches = (re.search(r'endpoint="([^"]*)"', name) for name in series(server))
    return {match.group(1) for match in matches if match}


def unknown(server: Server) -> float:
    """How many requests for paths that lead nowhere BentoML's metrics know."""
    return sum(
        count
        for name, count in series(server).items()
        if name.startswith("bentoml_service_request_total")
        and 'endpoint="other"' in name
        and 'http_response_code="404"' in name
    )


def test_unknown_paths_are_one_label(server: Server) -> None:
    """Each is answered 404 and counted, all under one name, static files and methods too."""
    before = unknown(server)
    with httpx.Client(base_url=server.url) as client:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            for number in range(10):
                for path in (f"/nope/{method}/{number}", f"/static_content/{number}"):
                    assert client.request(method, path).status_code in (404, 405)
        client.get("/livez")
    assert paths(server) <= {"other", "/static_content", "/livez", "/readyz", "/predict"}
    assert unknown(server) == before + 60


def test_the_paths_of_routes_are_answered_as_before(server: Server) -> None:
    """A route behind the counting gets the path that was asked for."""
    response = httpx.get(f"{server.url}/static_content/swagger-ui.css")
    assert (response.status_code, response.headers["content-type"][:8]) == (200, "text/css")
    answer = httpx.get(f"{server.url}/nope").json()
    assert "/nope" in answer["error"]["message"]


def test_names_of_unknown_fields_are_cut_and_bounded(server: Server) -> None:
    """A hundred have series, of 64 characters at most; every one is counted."""
    with httpx.Client(base_url=server.url) as client:
        for number in range(10):
            row = ROW | {f"{number}-{field}-" + "n" * 20_000: 1 for field in range(50)}
            assert client.post("/predict", json=row).status_code == 200
    counts = {
        name: count
        for name, count in series(server).items()
        if name.startswith("gnomon_unknown_fields_total")
    }
    assert len(counts) == 101
    assert sum(counts.values()) == 500
    assert max(map(len, counts)) < 200


def test_every_metric_shown_is_documented(server: Server) -> None:
    """Whatever a running server shows, BentoML's own too, has a row in docs/metrics.md."""
    httpx.post(f"{server.url}/predict", json=ROW)
    shown = re.findall(r"^# TYPE (\S+) (\S+)$", httpx.get(f"{server.url}/metrics").text, re.M)
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert ("gnomon_rows_received_total", "counter") in documented
    assert {(name, kind) for name, kind in shown} <= documented
