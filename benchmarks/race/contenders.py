"""The contenders: how each is started, what its requests look like and where its answers are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.race.cases import Answer

__all__ = ["BASE", "CONTENDERS", "Contender", "named"]

Record = dict[str, Any]
SERVICES = "benchmarks.contenders"


def _as_it_is(record: Record) -> Any:
    return record


def _as_v2(record: Record) -> Any:
    row = {"name": "rows", "datatype": "BYTES", "shape": [1, 1], "data": [json.dumps(record)]}
    return {"inputs": [row]}


def _as_split(record: Record) -> Any:
    return {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}}


def _plain(answer: Any, classes: list[str]) -> Answer:
    return answer["prediction"], answer["probabilities"]


def _from_array(answer: Any, classes: list[str]) -> Answer:
    (row,) = answer
    return classes[row.index(max(row))], dict(zip(classes, row, strict=True))


def _from_v2(answer: Any, classes: list[str]) -> Answer:
    found = {output["name"]: output["data"] for output in answer["outputs"]}
    return found["prediction"][0], dict(zip(classes, found["probabilities"], strict=True))


def _from_mlflow(answer: Any, classes: list[str]) -> Answer:
    return _plain(answer["predictions"][0], classes)


@dataclass(frozen=True)
class Contender:
    """A way to serve a pipeline.

    Attributes:
        name: what the tables call it.
        command: starts it, from the repository's root; ``{port}``, ``{spare}`` (another free port)
            and ``{folder}`` (its own, empty) are filled in.
        environment: the file of ``contenders/requirements`` it is installed from; None for this
            project's own.
        prepare: runs once before it is started.
        path: where predictions are asked for.
        wrap: a request's body from a record.
        read: label and probabilities from a response's body.
        variables: its environment variables.
        shadowed: for Gnomon, whether every request is also scored in the shadow; None for others.
    """

    name: str
    command: tuple[str, ...]
    environment: str | None = None
    prepare: tuple[str, ...] = ()
    path: str = "/predict"
    wrap: Callable[[Record], Any] = _as_it_is
    read: Callable[[Any, list[str]], Answer] = _plain
    variables: dict[str, str] = field(default_factory=dict)
    shadowed: bool | None = None


def _bento(service: str) -> tuple[str, ...]:
    return (
        "bentoml", "serve", f"{SERVICES}.{service}", "--host", "127.0.0.1", "--port", "{port}"
    )  # fmt: skip


def _uvicorn(app: str) -> tuple[str, ...]:
    return ("uvicorn", f"{SERVICES}.{app}", "--port", "{port}", "--log-level", "warning")


CONTENDERS = (
    Contender(
        "gnomon, log and full shadow", _bento("gnomon_service:Gateway"), shadowed=True
    ),
    Contender("gnomon, log", _bento("gnomon_service:Gateway"), shadowed=False),
    Contender("gnomon, neither", _bento("gnomon_unlogged:Gateway"), shadowed=False),
    Contender("FastAPI", _uvicorn("fastapi_service:app"), environment="fastapi"),
    Contender(
        "FastAPI, async def",
        _uvicorn("fastapi_service:app"),
        environment="fastapi",
        path="/predict-on-the-loop",
    ),
    Contender(
        "BentoML",
        _bento("bentoml_service:Plain"),
        environment="bentoml",
        wrap=lambda record: {"record": record},
    ),
    Contender(
        "BentoML, adaptive batching",
        _bento("bentoml_service:Batching"),
        environment="bentoml",
        wrap=lambda record: {"rows": [list(record.values())]},
        read=_from_array,
    ),
    Contender(
        "MLServer, adaptive batching",
        ("mlserver", "start", "benchmarks/contenders/mlserver_settings"),
        environment="mlserver",
        path="/v2/models/pipeline/infer",
        wrap=_as_v2,
        read=_from_v2,
        variables={"MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{spare}"},
    ),
    Contender(
        "LitServe, batches of 64",
        ("python", "-m", f"{SERVICES}.litserve_service", "--port", "{port}"),
        environment="litserve",
    ),
    Contender(
        "mlflow models serve",
        ("mlflow", "models", "serve", "-m", "{folder}/model", "--env-manager", "local",
         "--port", "{port}"),
        environment="mlflow",
        prepare=("python", "-m", f"{SERVICES}.mlflow_model", "{folder}/model"),
        path="/invocations",
        wrap=_as_split,
        read=_from_mlflow,
        variables={"UVICORN_LOG_LEVEL": "warning"},
    ),
)  # fmt: skip

BASE = CONTENDERS[0].name
"""The one that the others are compared with."""


def named(name: str) -> Contender:
    """Return the contender of this name."""
    return next(contender for contender in CONTENDERS if contender.name == name)
