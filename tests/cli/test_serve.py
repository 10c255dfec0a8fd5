"""A new deployment, trained and served, as in the five minutes of the README."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

import gnomon
from gnomon.cli.serve import _reason
from gnomon.files import create
from gnomon.testing import free_port
from tests.cli.running import Shell
from tests.forking import run_python
from tests.load import until
from tests.packing import write_service
from tests.service.standin import TOKEN, StandIn, serving

ROW = {
    "flower": "mine",
    "sepal_length": 5.1,
    "sepal_width": 3.5,
    "petal_length": 1.4,
    "petal_width": 0.2,
}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_new_deployment_trains_serves_and_answers(shell: Shell) -> None:
    """Init, train, serve, predict, start a shadow, send, replay and promote it; Ctrl-C stops the
    server cleanly.
    """
    text = shell("init", "My Iris").out
    assert "model my-iris" in text
    assert "gnomon serve" in text
    folder = shell.folder / "My Iris"
    deployed = Shell(folder, shell.environment)
    train = [sys.executable, "-m", "models.train"]
    subprocess.run(train, cwd=folder, env=deployed.variables, check=True, timeout=120)

    def run(*words: str) -> None:
        """Run a module of the deployment, without another second of imports."""
        done = run_python(["-m", *words], cwd=folder, env=deployed.variables)
        assert done.returncode == 0, done.stdout + done.stderr

    port = free_port()
    told_by_server = shell.folder / "server.txt"  # A pipe would be read until its last child ends.
    with told_by_server.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "gnomon", "serve", "--port", str(port)],
            cwd=folder,
            env=deployed.variables,
            stdout=out,
            start_new_session=True,
        )
    try:
        with gnomon.Client(f"http://127.0.0.1:{port}") as client:
            client.wait_ready(90)
            answer = client.predict(ROW)
            assert answer.prediction == "setosa"
            assert answer.probabilities["setosa"] > 0.9
        run("models.train", "squares")
        deployed("shadow", "start", "my-iris:latest")
        assert f"at http://127.0.0.1:{port}" in deployed("status").out
        run("models.send", f"http://127.0.0.1:{port}")
        compared = deployed("compare", "my-iris", "--table", "logistic.parquet", "--json").json
        assert (compared["verdict"], compared["coverage"]["compared"]) == ("ok", 1_000)
        run("shadow.replay", "--day", f"{datetime.now(UTC):%Y-%m-%d}")
        assert len(list(folder.glob(".gnomon/skew/my-iris/*.json"))) == 2
        assert "is live" in deployed("promote", "my-iris", "--wait", "60").out
        server.send_signal(signal.SIGINT)
        server.wait(60)
        output = told_by_server.read_text()
        assert server.returncode == 0, output
        assert f"Ready. Look at it: http://127.0.0.1:{port}" in output
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def test_nothing_is_overwritten(shell: Shell) -> None:
    """If one of the files exists, the folder is not changed."""
    (shell.folder / "mine" / "models").mkdir(parents=True)
    (shell.folder / "mine" / "models" / "train.py").write_text("precious")
    assert "models/train.py" in shell("init", "mine", expect=2).err
    assert [p.name for p in (shell.folder / "mine").rglob("*") if p.is_file()] == ["train.py"]


def test_a_new_deployment_may_have_another_name(shell: Shell) -> None:
    """It is written into an existing folder."""
    shell("init", ".", "--name", "wine")
    assert 'gateway("wine"' in (shell.folder / "service" / "__init__.py").read_text()
    assert (shell.folder / ".gitignore").read_text().startswith(".gnomon/")
    assert not list(shell.folder.rglob("*.tmpl"))


def test_a_name_no_tag_can_have_is_refused(shell: Shell) -> None:
    """Rather than failing at the first pack."""
    assert "--name" in shell("init", "folder", "--name", "___", expect=2).err


def test_a_folder_without_a_deployment_is_a_plain_error(shell: Shell) -> None:
    """It says how to make one."""
    assert "gnomon init" in shell("serve", expect=2).err


@pytest.mark.parametrize(
    "setting", [{"GNOMON_HOSTS": "https://a.example"}, {"GNOMON_ORIGINS": "a.example"}]
)
def test_a_host_or_origin_of_the_wrong_form_is_a_plain_error(
    shell: Shell, setting: dict[str, str]
) -> None:
    """Before a server is started, which would say so in a traceback."""
    [(name, _)] = setting.items()
    assert f"at: {name}" in shell("serve", expect=2, **setting).err


@pytest.mark.parametrize(
    "words",
    [("promote", "iris"), ("shadow", "start", "iris"), ("shadow", "stop", "iris"), ("rollback",),
     ("status",), ("history",)],
)  # fmt: skip
def test_a_decision_in_a_folder_without_a_deployment_is_refused(
    shell: Shell, words: tuple[str, ...], tmp_path: Path
) -> None:
    """It creates no storage root that no server follows."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    environment = {k: v for k, v in shell.environment.items() if k != "GNOMON_ROOT"}
    message = Shell(nowhere, environment)(*words, expect=2).err
    assert "GNOMON_ROOT" in message
    assert "deployment" in message
    assert not list(nowhere.iterdir())


def test_a_port_in_use_is_a_plain_error(shell: Shell) -> None:
    """Before the start, which takes seconds."""
    (shell.folder / "bentofile.yaml").write_text("service: x:y\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "--port" in shell("serve", "--port", str(port), expect=2).err


def test_a_service_that_cannot_start_ends_the_command(shell: Shell) -> None:
    """It ends with BentoML's own message and an exit code that is not 0."""
    (shell.folder / "bentofile.yaml").write_text('service: "nothing:Here"\n')
    done = subprocess.run(
        [sys.executable, "-m", "gnomon", "serve", "--port", str(free_port())],
        cwd=shell.folder,
        env=shell.variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "nothing" in done.stdout + done.stderr


def test_a_deployment_is_found_from_elsewhere(shell: Shell, tmp_path: Path) -> None:
    """The folder is an argument; missing files are named with their full path."""
    missing = tmp_path / "nowhere"
    assert str(missing) in shell("serve", str(missing), expect=2).err.replace("\n", "")


@pytest.mark.slow
def test_a_server_ends_with_the_command_that_started_it(shell: Shell, tmp_path: Path) -> None:
    """Even if the command is killed with ``kill -9``, no process keeps the port."""
    folder, port = tmp_path / "deployment", free_port()
    write_service(folder)
    (folder / "bentofile.yaml").write_text("service: service:Gateway\n")
    with (tmp_path / "server.txt").open("w") as out:
        command = subprocess.Popen(
            [sys.executable, "-m", "gnomon", "serve", "--port", str(port)],
            cwd=folder,
            env=shell.variables,
            stdout=out,
            stderr=out,
        )
    left = [psutil.Process(command.pid)]
    try:
        until(lambda: _is_alive(f"http://127.0.0.1:{port}"), "it answers", 60)
        left += left[0].children(recursive=True)
        assert len(left) > 2
        command.kill()
        _, alive = psutil.wait_procs(left[1:], timeout=30)
        assert alive == []
    finally:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        command.wait()


def _is_alive(url: str) -> bool:
    """Whether a server answers, though it has nothing to serve."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/livez").status_code == 200
    return False


def test_a_server_is_not_asked_why_it_is_not_ready_before_it_has_made_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would log a refused caller that nobody knows."""
    monkeypatch.setenv("GNOMON_ROOT", str(tmp_path))
    monkeypatch.setenv("GNOMON_TOKEN", "of another server")
    standin = StandIn()
    standin.ready = False
    with serving(standin) as url:
        assert _reason(url) == ""
        assert (standin.tokens, standin.refused) == ([], [])
        create(tmp_path / "control.token", TOKEN.encode(), mode=0o600)
        _reason(url)
    assert (standin.tokens, standin.refused) == ([f"Bearer {TOKEN}"], [])
