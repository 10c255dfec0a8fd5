"""The private parts of circus that Gnomon uses exist; a failure names what a release changed."""

from __future__ import annotations

import inspect
import warnings
from importlib.metadata import version

import pytest

with warnings.catch_warnings():  # BentoML uses what its own dependencies have deprecated.
    warnings.simplefilter("ignore")
    from bentoml._internal.utils import circus as looked_up
    from circus.arbiter import Arbiter as Base

    from gnomon.compat import circus
    from gnomon.service.supervision import PromptArbiter, restart_promptly


def gone(what: str) -> str:
    """The sentence for a part that a release has removed or changed."""
    return (
        f"kantoku {version('kantoku')} or bentoml {version('bentoml')} has no {what} as Gnomon "
        "knows it: a gateway that has ended is started again only after ten seconds"
    )


@pytest.mark.filterwarnings("ignore:There is no current event loop")  # Of Python 3.12, for tornado.
def test_bentoml_makes_the_arbiter_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks the class up in the module where Gnomon replaces it."""
    monkeypatch.setattr(looked_up, "Arbiter", circus.Arbiter)
    restart_promptly()
    arbiter = looked_up.create_standalone_arbiter([])
    try:
        assert isinstance(arbiter, PromptArbiter), gone("`Arbiter` looked up when one is made")
        assert arbiter.check_delay < 1, gone("`check_delay`")
    finally:
        arbiter.ctrl.stop()
        arbiter.context.destroy(0)


def test_an_arbiter_looks_at_its_processes_by_a_method() -> None:
    """Which a subclass may override, and which refuses while it starts or stops them."""
    assert issubclass(circus.Arbiter, Base)
    assert "check_delay" in inspect.signature(Base.__init__).parameters, gone("`check_delay`")
    assert callable(getattr(Base, "manage_watchers", None)), gone("`manage_watchers`")
    assert issubclass(circus.ConflictError, Exception)
