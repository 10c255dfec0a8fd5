"""The page on deployment: every setting on it exists, and what it says to probe is served."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from gnomon.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "deployment.md").read_text()


def blocks(language: str) -> list[str]:
    """The blocks of code of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_setting_is_one() -> None:
    """A variable that is no setting keeps a server from starting."""
    named = set(re.findall(r"GNOMON_(\w+)", PAGE))
    assert {"ROOT", "SPOOL", "REPLICA", "HOSTS", "CONTROL_TOKEN"} <= named
    assert {name.lower() for name in named} <= set(Settings.__struct_fields__)


def test_the_settings_of_each_example_are_accepted() -> None:
    """A server reads them; the root in object storage has its spool."""
    compose, statefulset = (msgspec.yaml.decode(block) for block in blocks("yaml"))
    given = compose["services"]["shop"]["environment"]
    assert Settings.read(given).hosts == "shop.example.com"
    (container,) = statefulset["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one.get("value", "from-elsewhere") for one in container["env"]}
    assert Settings.read(environment).spool_path == Path("/data/spool")
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (unit,) = blocks("ini")
    lines = re.findall(r"^Environment=(GNOMON_\w+)=(.*)$", unit, re.MULTILINE)
    assert Settings.read(dict(lines)).root == "/var/lib/shop/gnomon"


def test_there_is_time_to_stop() -> None:
    """Each example waits at least as long as a server may take, before it kills."""
    most = Settings().deadline + 15
    seconds = re.findall(
        r"(?:stop_grace_period|terminationGracePeriodSeconds|TimeoutStopSec)[:=] ?(\d+)", PAGE
    )
    assert len(seconds) == 3
    assert all(int(one) >= most for one in seconds)


def test_the_file_of_a_bento_has_an_absolute_path() -> None:
    """BentoML makes a URL of it without the working directory: a relative path is one in ``/``."""
    given = re.findall(r"^bentoml (export|import) (?:gateway:latest )?(\S+)", PAGE, re.MULTILINE)
    assert given == [("export", '"$PWD/shop.bento"'), ("import", '"$PWD/shop.bento"')]
