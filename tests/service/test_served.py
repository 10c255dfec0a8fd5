"""Every documented route, on the real gateway behind BentoML."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.errors import InvalidRequest, UnknownArtifact
from gnomon.testing import Server
from tests.load import gateways
from tests.packing import SCRIPT, serving_packed, times, write_service

pytestmark = pytest.mark.slow

OPENED = """
import asyncio, gc
from service import Gateway

async def main():
    opened = Gateway.inner()
    await opened.start()
    print(gc.get_freeze_count(), len(gc.get_objects()))
    await opened.stop()

asyncio.run(main())
"""
"""Opens a gateway as BentoML does, and says how many objects a full collection leaves out."""


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> None:
    """None here: this is the room's server of new interpreters, started as in production."""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[[str, str, str], Path]
) -> Iterator[Server]:
    """One server of the toy model; its first artifact goes live by itself."""
    packed = packed_once(times(1), "toy", SCRIPT)
    with serving_packed(packed, tmp_path_factory.mktemp("served")) as running:
        yield running


def test_every_get_route_answers_as_described(server: Server) -> None:
    """Status and content type are those of ``/docs.json``, which the server makes itself."""
    document = httpx.get(f"{server.url}/docs.json").json()
    token = (Path(server.settings.root) / "control.token").read_text().strip()
    incomplete = set()  # What these are about has to be said.
    for path, item in document["paths"].items():
        if "get" in item:
            answer = httpx.get(  # Some are answered by a process of their own.
                server.url + path, headers={"authorization": f"Bearer {token}"}, timeout=120
            )
            if answer.status_code == 422:
                incomplete.add(path)
                continue
            [kind] = item["get"]["responses"]["200"]["content"]
            assert answer.status_code == 200, path
            assert answer.headers.get("content-type", kind).startswith(kind), path
    assert incomplete == {"/gnomon/gates/on-history", "/gnomon/history/at", "/gnomon/labels/wanted"}


def test_the_documented_example_is_answered(server: Server) -> None:
    """The record in the document, the row on the page and the curl line are one and work."""
    document = httpx.get(f"{server.url}/docs.json").json()
    record = document["components"]["schemas"]["Record"]["example"]
    answer = httpx.post(f"{server.url}/predict", json=record).json()
    described = document["components"]["schemas"]["Prediction"]
    assert set(answer) == set(described["required"])
    assert answer["prediction"] == record["x"]


def test_the_gateway_does_without_pandas_and_scikit_learn(server: Server) -> None:
    """Importing them would add seconds to a start or to the first requests, and 100 MB."""
    assert httpx.post(f"{server.url}/predict", json={"x": 2.5, "id": "a"}).status_code == 200
    [gateway] = gateways(server)
    files = {Path(mapped.path).parts for mapped in gateway.memory_maps()}
    assert any("pyarrow" in parts for parts in files)
    assert not any("pandas" in parts or "sklearn" in parts for parts in files)


def test_a_gateway_freezes_its_start_up_objects_for_the_garbage_collector(tmp_path: Path) -> None:
    """A full garbage collection would visit all imported objects, which takes a quarter of a
    second.
    """
    write_service(tmp_path)
    environment = {"BENTOML_HOME": str(tmp_path / "home"), "GNOMON_ROOT": str(tmp_path / "root")}
    own = {name: value for name, value in os.environ.items() if not name.startswith("GNOMON_")}
    done = subprocess.run(
        [sys.executable, "-c", OPENED], cwd=tmp_path, env={**own, **environment},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    frozen, left = map(int, done.stdout.split()[-2:])
    assert frozen > 10 * left


def test_public_routes_show_no_token_or_path(server: Server) -> None:
    """Neither the token nor a path of the machine is on the page or in the public status."""
    token = (Path(server.settings.root) / "control.token").read_text().strip()
    for path in ("/", "/status.json", "/docs.json"):
        text = httpx.get(server.url + path).text
        assert token not in text
        assert str(server.settings.root) not in text


def test_unknown_routes_and_methods_are_answered_in_the_one_shape(server: Server) -> None:
    """By the front door, by the control routes and by BentoML alike."""
    for path in ("/nope", "/gnomon/nope", "/predictions"):
        answer = httpx.get(server.url + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_route")
    for path, right in (("/predict", "POST"), ("/gnomon/promote", "POST"), ("/", "GET, HEAD")):
        answer = httpx.put(server.url + path)
        assert (answer.status_code, answer.headers["allow"]) == (405, right)


def test_a_client_talks_to_it(server: Server) -> None:
    """Predictions, status, history, and errors as their own classes."""
    with server.client() as client:
        assert client.predict([{"x": 2.0, "id": "a"}, {"x": -1.0, "id": "b"}])[1].error is not None
        assert client.status().ready
        assert [event.kind for event in client.history()] == ["promote"]
        with pytest.raises(UnknownArtifact):
            client.start_shadow("toy:nope")
    with (
        gnomon.Client(server.url) as other,
        pytest.raises(gnomon.GnomonError, match="token"),
    ):
        other.rollback()


def test_rows_without_names_are_the_features_in_order(server: Server) -> None:
    """Of an array the live artifact says the names; answers are a frame again."""
    with server.client() as client:
        answered = client.predict([[2.5, "a"], [4.0, "b"]]).to_frame()
        assert answered["prediction"].tolist() == [2.5, 4.0]
        frame = client.predict([["a", 2.5], ["b", -1.0]], columns=["id", "x"]).to_frame()
        assert frame["prediction"].isna().tolist() == [False, True]
        assert "negative x" in frame["error"][1]
        assert client.predict(pd.Series({"x": 3.0, "id": "c"})).to_frame()["prediction"][0] == 3.0
        with pytest.raises(InvalidRequest, match="each of the 2 features, got 1"):
            client.predict(np.array([[1.0]]))
