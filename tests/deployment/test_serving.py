"""The deployment served: a small model, a real server, real flights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import gnomon
from gnomon.errors import InvalidRequest
from gnomon.skew import skew_record
from gnomon.storage import Storage
from gnomon.testing import Server, serving
from models.data import FEATURES, flights, records
from models.pipelines import logistic
from preprocessing.contract import contract
from tests.forking import run_python

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model store."""
    return tmp_path_factory.mktemp("bentoml")


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The repository's own service with a model of a few thousand flights."""
    known = flights(1).dropna(subset="outcome").head(4_000)
    features = known[list(FEATURES)]
    pipeline = logistic().fit(features, known["outcome"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        gnomon.pack(
            "flights",
            pipeline,
            features,
            known["outcome"],
            contract=contract(features, pipeline.classes_.tolist()),
            version="small",
        )
    root, environment = tmp_path_factory.mktemp("root"), {"BENTOML_HOME": str(home)}
    with serving(ROOT, root, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def april() -> list[dict[str, Any]]:
    return list(records(flights(4).head(300)))


def test_every_flight_gets_an_answer(server: Server, april: list[dict[str, Any]]) -> None:
    """With and without weather and plane, and to airports that training did not see."""
    sparse = april[0] | dict.fromkeys(("temp", "pressure", "plane_year", "plane_seats"))
    unseen = april[1] | {"dest": "ABQ"}
    with server.client() as client:
        answers = client.predict([*april, sparse, unseen])
    assert len(answers) == len(april) + 2
    assert answers.artifact == "flights:small"
    for answer in answers:
        assert answer.error is None
        assert answer.prediction in {"late", "on_time"}
        assert sum(answer.probabilities.values()) == pytest.approx(1)


def _in_new_york(flight: dict[str, Any]) -> str:
    moment = datetime.fromisoformat(flight["time_hour"])
    return moment.astimezone(ZoneInfo("America/New_York")).isoformat()


def test_what_this_deployment_does_not_serve_is_refused(
    server: Server, april: list[dict[str, Any]]
) -> None:
    """Another origin, or a time of another zone, is an error with its place.

    The same instant with another offset is accepted.
    """
    with server.client() as client:
        with pytest.raises(InvalidRequest, match="origin"):
            client.predict(april[0] | {"origin": "BOS"})
        with pytest.raises(InvalidRequest, match="time_hour"):
            client.predict(april[0] | {"time_hour": "2013-04-01T05:00:00"})
        same = client.predict([april[0], april[0] | {"time_hour": _in_new_york(april[0])}])
    assert same[0].probabilities == same[1].probabilities


def test_the_scheduled_replay_finds_live_as_it_was(
    server: Server, home: Path, april: list[dict[str, Any]]
) -> None:
    """The job replays today's answers of live, keeps a report, feeds the gate, and exits with 0."""
    with server.client() as client:
        client.predict(april)
    environment = {"BENTOML_HOME": str(home), "GNOMON_ROOT": server.settings.root}
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    _run(["shadow.replay", "--day", day], ROOT, {**os.environ, **environment})
    (page,) = Path(server.settings.root).glob("reports/flights/replay-small-*.html")
    told = skew_record.read(Storage(server.settings), "flights:small")
    assert told is not None
    assert (told.disagreed, told.report) == (0, str(page))
    assert told.rows >= len(april)


@pytest.mark.usefixtures("fresh_children")  # One that was forked has Gnomon already.
def test_a_bento_carries_the_service_and_gnomon(tmp_path: Path) -> None:
    """`bentoml build` makes a bento whose sources work where no gnomon is installed."""
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path)}
    _run(["bentoml", "build", "--version", "one"], ROOT, environment)
    source = tmp_path / "bentos" / "gateway" / "one" / "src"
    code = "import service, gnomon; print(gnomon.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(source)
    bare = [sys.executable, "-S", "-c", "import gnomon; print(gnomon.__version__)"]
    said = subprocess.run(bare, cwd=source, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == gnomon.__version__


@pytest.mark.usefixtures("fresh_children")
def test_a_bento_of_the_skeleton_is_served_where_nothing_else_is(tmp_path: Path) -> None:
    """Built, exported and unpacked as in a container, with an empty store and root: it brings its
    artifact, answers and logs. If it is imported, the artifact is in the store.
    """
    there = {**os.environ, "BENTOML_HOME": str(tmp_path / "home")}
    folder, bento = tmp_path / "shop", tmp_path / "shop.bento"
    folder.mkdir()
    for command in (
        ["gnomon", "init", "."],
        ["models.train"],
        ["bentoml", "build", "--version", "one"],
        ["bentoml", "export", "gateway:one", str(bento)],
    ):
        _run(command, folder, there)
    built = tmp_path / "home" / "bentos" / "gateway" / "one"
    assert (built / "src" / "shadow" / "policy.toml").is_file()
    assert "gnomon" in (built / "env/python/requirements.txt").read_text()
    unpacked = tmp_path / "unpacked"
    shutil.unpack_archive(bento, unpacked, "tar")
    (artifact,) = [p for p in (unpacked / "models" / "shop").iterdir() if p.is_dir()]
    root = tmp_path / "root"
    empty = {"BENTOML_HOME": str(tmp_path / "empty"), "GNOMON_ROOT": str(root)}
    with serving(unpacked / "src", root, environment=empty) as server, server.client() as client:
        record: dict[str, Any] = {
            f"{p}_{d}": 1.5 for p in ("sepal", "petal") for d in ("length", "width")
        }
        answer = client.predict(record | {"flower": "mine"})
        assert answer.artifact == f"shop:{artifact.name}"
        assert gnomon.open_log("shop", settings=server.settings).sql("FROM log").num_rows == 1
    imported = {**there, "BENTOML_HOME": str(tmp_path / "imported")}
    _run(["bentoml", "import", str(bento)], tmp_path, imported)
    listed = _run(["gnomon", "artifacts", "shop"], tmp_path, imported)
    assert artifact.name in listed
    here = tmp_path / "here"
    relative = {"BENTOML_HOME": imported["BENTOML_HOME"], "GNOMON_ROOT": ".gnomon"}
    with serving(here, here, environment=relative, service="gateway:one"):
        # Not in the bento: the log would be deleted with it, and the next one begin without.
        assert f"shop:{artifact.name}" in _run(["gnomon", "status"], here, {**there, **relative})
        assert not [*(tmp_path / "imported").rglob(".gnomon")]


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a module that may have Gnomon already; what it printed."""
    done = run_python(["-m", *command], cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
