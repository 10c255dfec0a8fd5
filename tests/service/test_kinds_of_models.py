"""Models of every kind on a real server: predictions, shadow, replay, and comparison with a
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import gnomon
from gnomon.artifact import load, pack
from gnomon.log import InferenceLog
from gnomon.rollout.gates.gates import evaluate
from gnomon.service.answer_shape import answer_shape
from gnomon.service.client.clients import Client
from gnomon.testing import Server, serving
from tests.load import until
from tests.packing import write_service
from tests.service.kinds_of_models import KINDS, ROWS, X

pytestmark = pytest.mark.slow

TRIED = ("linear", "labels", "outliers", "scaled")
"""One for each shape of an answer."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with a version of one model for each kind."""
    place = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(place))
        for name in TRIED:
            model, y = KINDS[name]
            model.fit(X, y) if y is not None else model.fit(X)
            pack("kinds", model, X, y, version=name, entity_key=("id",), leakage="off")
        yield place


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of all of them, one after the other."""
    place = tmp_path_factory.mktemp("served")
    write_service(place / "deployment", '"kinds"')
    variables = {"BENTOML_HOME": str(home)}
    with serving(place / "deployment", place / "root", environment=variables) as running:
        yield running


@pytest.mark.parametrize("name", TRIED)
def test_each_kind_of_model_is_served_shadowed_replayed_and_compared(
    name: str,
    server: Server,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answers are those of training, in the shape of the OpenAPI document; replay and
    comparison agree, and gates and drift are measured for every output.
    """
    monkeypatch.setenv("BENTOML_HOME", str(home))
    tag = f"kinds:{name}"
    with server.client() as client:
        if client.status().live.artifact != tag:
            client.promote(tag, force=True)
        for shadow in client.status().shadows:
            client.stop_shadow(shadow.artifact)
        client.start_shadow(tag, same=True)
        answer = client.predict(ROWS)
        _check_answers(server, name, answer)
        until(lambda: _scored(client, tag) >= len(ROWS), "the shadow to score")
        (shadow,) = client.status().shadows
        assert (shadow.failed, shadow.disagreed) == (0, 0)
        state = gnomon.rollout_history("kinds", settings=server.settings).state
        log = InferenceLog(server.settings, "kinds")
        assert evaluate(log, state, gnomon.Policy(), tag).verdict != "fail"
    settings = server.settings
    again = gnomon.replay(tag, settings=settings, policy=gnomon.Policy())
    assert again.report.verdict == "ok"
    assert again.report.coverage.compared == len(ROWS) + 1
    expected = load(tag).predict(X)
    key = "input/id" if "id" in expected.schema.names else "id"
    table = expected.to_pandas().assign(**{key: X["id"]})
    table.to_parquet(tmp_path / "offline.parquet")
    offline = gnomon.compare_offline(
        tag, tmp_path / "offline.parquet", settings=settings, policy=gnomon.Policy()
    )
    assert offline.report.verdict == "ok"
    assert offline.report.coverage.compared == len(ROWS) + 1
    assert {column.name for column in offline.report.columns} >= set(expected.schema.names)
    drift = gnomon.measure_drift(tag, step_rows=0, policy=gnomon.Policy(), settings=settings)
    measured = {column.name for column in drift.report.columns if column.kind == "output"}
    assert measured == set(expected.schema.names)


def _check_answers(server: Server, name: str, answer: Any) -> None:
    """Every value is that of the model's own method on the training frame, up to rounding."""
    loaded = load(f"kinds:{name}")
    shape = answer_shape(loaded.artifact.contract)
    expected = loaded.predict(X).take(list(range(0, len(X), 9)))
    response = httpx.post(f"{server.url}/predict", json=ROWS.iloc[0].to_dict()).json()
    assert set(response) == {"request_id", "artifact", *shape}
    document = httpx.get(f"{server.url}/docs.json").json()
    assert set(document["components"]["schemas"]["Prediction"]["required"]) == set(response)
    assert name in httpx.get(server.url).text
    for at, prediction in enumerate(answer):
        assert prediction.error is None
        _check_row(shape, prediction, lambda column, at=at: expected.column(column)[at].as_py())


def _check_row(shape: Any, answer: Any, value: Callable[[str], Any]) -> None:
    for key, part in shape.items():
        actual = answer[key] if isinstance(answer, dict) else getattr(answer, key)
        if isinstance(part, dict):
            _check_row(part, actual, value)
        else:
            expected = value(part.name)
            if isinstance(expected, float):  # Other sizes of batch add sums in other orders.
                expected = pytest.approx(expected, rel=1e-12, abs=1e-14)
            assert actual == expected


def _scored(client: Client, tag: str) -> int:
    return sum(s.scored for s in client.status().shadows if s.artifact == tag)
