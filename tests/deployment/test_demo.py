"""The demo fails when one of its claims does not hold; CI also runs it completely."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from demo.output import DemoOutput
from demo.place import DemoFailed, Place
from demo.traffic import send
from gnomon.testing import free_port

ROOT = Path(__file__).resolve().parents[2]


def test_a_claim_that_does_not_hold_ends_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """A claim that holds is printed; one that does not is an error with the claim."""
    output = DemoOutput()
    output.claim(True, "one and one is two")
    with pytest.raises(DemoFailed, match="one and one is three"):
        output.claim(False, "one and one is three")
    assert capsys.readouterr().out.strip() == "✓ one and one is two"


def test_a_command_must_exit_as_the_story_says(tmp_path: Path) -> None:
    """An unexpected exit code ends the demo, with the command's output."""
    place = Place(ROOT, tmp_path)
    assert place.python("gnomon", "--version").startswith("gnomon ")
    with pytest.raises(DemoFailed, match=r"(?s)expected `gnomon nonsense`.*got 2.*nonsense"):
        place.python("gnomon", "nonsense")
    with pytest.raises(DemoFailed, match="to exit with 1, got 0"):
        place.python("gnomon", "--version", expect=1)


def test_a_request_without_an_answer_is_a_failure() -> None:
    """Without a server every flight fails, and none counts as answered."""
    done: list[None] = []
    rows = [{"flight_id": str(number)} for number in range(50)]
    url = f"http://127.0.0.1:{free_port()}"
    sent = asyncio.run(send(url, rows, lambda: done.append(None)))
    assert sent.answered == 0
    assert sorted(failure.partition(":")[0] for failure in sent.failures) == sorted(
        row["flight_id"] for row in rows
    )
    assert len(done) == 50


def test_the_demo_keeps_to_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's settings and store are not used, and files of an earlier demo are removed."""
    for name in (
        "BENTOML_HOME",
        "BENTOML_CONFIG",
        "GNOMON_ROOT",
        "GNOMON_DEADLINE",
        "OMP_NUM_THREADS",
    ):
        monkeypatch.setenv(name, "1")
    place = Place(ROOT, tmp_path / "demo")
    place.reports.mkdir(parents=True)
    (place.reports / "old.html").write_text("old")
    place.enter()
    ours = {k: v for k, v in os.environ.items() if k.startswith(("GNOMON_", "BENTOML_"))}
    assert ours == {
        "BENTOML_HOME": str(tmp_path / "demo" / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "GNOMON_ROOT": str(tmp_path / "demo" / "gnomon"),
    }
    assert not list(place.reports.iterdir())
