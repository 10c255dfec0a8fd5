"""Code hidden in a pipeline: inspect names or refuses it, and load runs none of it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.artifact import Artifact, inspect, load
from gnomon.errors import ArtifactCorrupt, UntrustedTypes
from tests.attack.forging import (
    Node,
    call,
    change_schema,
    claims,
    mapping,
    members,
    named,
    plant,
    reseal,
    sequence,
    text,
    write_members,
)
from tests.attack.watching import Watcher


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    with Watcher() as watching:
        yield watching


def os_by_another_way() -> Node:
    """``sklearn.utils.validation`` imports nothing like it; numpy's modules do."""
    return named("FunctionNode", "numpy.lib._utils_impl", "os")


def method(of: Node, name: str) -> Node:
    return named("MethodNode", of["__module__"], of["__class__"], content={"func": name, "obj": of})


def keyed_by(kind: Node) -> Node:
    """A dict whose keys are made by calling ``kind``."""
    return named(
        "DictNode",
        "builtins",
        "dict",
        content={"touch /tmp/gnomon-attack": text(1)},
        key_types=sequence(kind, kind="list"),
    )


SHELL = "touch /tmp/gnomon-attack"

FORBIDDEN: dict[str, tuple[Node, list[str]]] = {
    "posix.system": (call("posix", "system", SHELL), ["posix.system"]),
    "os.system": (call("os", "system", SHELL), ["os.system"]),
    "subprocess.call": (call("subprocess", "getoutput", SHELL), ["subprocess.getoutput"]),
    "eval": (call("builtins", "eval", "1"), ["builtins.eval"]),
    "getattr": (call("builtins", "getattr", "a", "upper"), ["builtins.getattr"]),
    "import": (call("importlib", "import_module", "antigravity"), ["importlib.import_module"]),
    "timeit": (call("timeit", "timeit", "1"), ["timeit.timeit"]),
    "numpy.load": (call("numpy", "load", "/tmp/x", None, True), ["numpy.load"]),
    "numpy.fromfile": (call("numpy", "fromfile", "/etc/passwd"), ["numpy.fromfile"]),
    "pandas.read_pickle": (call("pandas", "read_pickle", "/tmp/x"), ["pandas.read_pickle"]),
    "joblib": (call("joblib.numpy_pickle", "load", "/tmp/x"), ["joblib.numpy_pickle.load"]),
    "gnomon.load": (call("gnomon.artifact.loading", "load", "x"), ["gnomon.artifact.loading.load"]),
    "skops": (call("skops.io._persist", "loads", "x"), ["skops.io._persist.loads"]),
    "a list": (named("ListNode", "posix", "system", content=[text(SHELL)]), ["posix.system"]),
    "a tuple": (named("TupleNode", "posix", "system", content=[text(SHELL)]), ["posix.system"]),
    "a kept function": (named("FunctionNode", "posix", "system"), ["posix.system"]),
    "a type": (named("TypeNode", "posix", "system"), ["posix.system"]),
    "a loss": (
        named(
            "LossNode",
            "posix",
            "system",
            content=mapping(),
            __reduce__={"args": sequence(text(SHELL))},
        ),
        ["posix.system"],
    ),
    "a partial": (
        named(
            "PartialNode",
            "functools",
            "partial",
            content={
                "func": named("FunctionNode", "posix", "system"),
                "args": sequence(text(SHELL)),
                "kwds": mapping(),
                "namespace": text(None),
            },
        ),
        ["functools.partial", "posix.system"],
    ),
    "a module by another way": (
        method(os_by_another_way(), "system"),
        ["numpy.lib._utils_impl.os", "numpy.lib._utils_impl.os.system"],
    ),
    "the key of a dict": (
        keyed_by(named("TypeNode", "posix", "system")),
        ["posix.system"],
    ),
    "no name": (named("FunctionNode", "numpy", "a b"), ["numpy.a b"]),
    "a file of C": (call("ctypes", "CDLL", "libc.so.6"), ["ctypes.CDLL"]),
}


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "listed"])
@pytest.mark.parametrize("kind", FORBIDDEN)
def test_what_runs_commands_is_refused_whatever_the_manifest_says(
    copied: Path, kind: str, trusted: bool, watcher: Watcher
) -> None:
    """Inspect reports it and load refuses it, whether the manifest trusts or only lists it."""
    node, names = FORBIDDEN[kind]
    plant(copied, node)
    claims(copied, *names, trusted=trusted)
    with pytest.raises(UntrustedTypes):
        inspect(copied)
    answer = watcher.ask(copied)
    for what in ("inspect", "load"):
        assert answer[what]["said"][0] == "UntrustedTypes"
        assert answer[what]["done"] == []


def getter(name: str, *arguments: str) -> Node:
    """What calls a method, or gets an attribute, of whatever it is called with."""
    return named("OperatorFuncNode", "operator", name, attrs=sequence(*map(text, arguments)))


UNKNOWN: dict[str, Node] = {
    "operator.call": named("OperatorFuncNode", "operator", "call", attrs=sequence(text("x"))),
    "a method that writes files": getter("methodcaller", "to_pickle", "/tmp/x"),
    "a method that evaluates": getter("methodcaller", "eval", "1"),
    "a method that calls others": getter("methodcaller", "apply", "to_pickle"),
    "a way to the interpreter": getter("attrgetter", "a.__init__.__globals__"),
    "a getter of nothing": getter("methodcaller"),
    "a getter made in another way": call("operator", "methodcaller", "to_pickle", "/tmp/x"),
    "a getter of C": named("FunctionNode", "_operator", "methodcaller"),
    "a hook": method(named("ObjectNode", "sklearn.base", "BaseEstimator"), "__reduce__"),
    "a method of a path": method(named("ObjectNode", "sklearn.base", "BaseEstimator"), "a.b"),
    "a kind that is none": named("PickleNode", "builtins", "str", content="x"),
    "a cached node": named("CachedNode", "builtins", "str", __id__=1),
    "a function of protocol 0": named(
        "FunctionNode", "numpy", "exp", content={"module_path": "posix", "function": "system"}
    ),
    "a key made by a method": keyed_by(method(os_by_another_way(), "system")),
    "an id that is no number": {**text(1), "__id__": True},
    "JSON that is none": named("JsonNode", "builtins", "str", content={"a": 1}),
    "an array of pickles": named("NdArrayNode", "numpy", "ndarray", type="numpy", file="evil.npy"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_skops_does_not_write_is_refused(copied: Path, kind: str, watcher: Watcher) -> None:
    """It is refused whatever the manifest claims."""
    if kind == "an array of pickles":
        buffer = io.BytesIO()
        np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
        write_members(copied, {**members(copied), "evil.npy": buffer.getvalue()})
    plant(copied, UNKNOWN[kind])
    claims(
        copied,
        *("operator.methodcaller", "operator.attrgetter", "_operator.methodcaller"),
        *("operator.call", "sklearn.base.BaseEstimator", "sklearn.base.BaseEstimator.__reduce__"),
        trusted=True,
    )
    answer = watcher.ask(copied)
    assert answer["load"]["said"][0] in ("ArtifactCorrupt", "UntrustedTypes")
    assert answer["load"]["done"] == []


@pytest.mark.parametrize("protocol", [0, 3, True, "2", None, 1e400])
def test_another_protocol_is_refused(copied: Path, protocol: Any) -> None:
    """Under another protocol the same bytes mean something else."""
    change_schema(copied, lambda schema: schema | {"protocol": protocol})
    reseal(copied)
    with pytest.raises(ArtifactCorrupt, match="protocol"):
        inspect(copied)


def test_a_name_that_nobody_trusted_is_refused(copied: Path) -> None:
    """It is listed under `types` alone, as nothing of skops's own would be."""
    plant(copied, call("lightgbm.sklearn", "LGBMClassifier"))
    claims(copied, "lightgbm.sklearn.LGBMClassifier", trusted=False)
    with pytest.raises(UntrustedTypes, match="neither skops nor the manifest"):
        inspect(copied)


def test_a_trusted_name_is_shown_with_what_it_can_do(copied: Path, packed: Artifact) -> None:
    """Whether it is the artifact's code or an installed package's, and when it runs."""
    plant(copied, call("lightgbm.sklearn", "LGBMClassifier"))
    claims(copied, "lightgbm.sklearn.LGBMClassifier", trusted=True)
    shown = {uses.name: (uses.origin, uses.uses) for uses in inspect(copied).runs}
    assert shown["lightgbm.sklearn.LGBMClassifier"] == ("installed package", ("called",))
    assert shown["preprocessing.clock.HourOfDay"] == ("own code", ("made",))
    assert shown["preprocessing.clock.miles_to_km"] == ("own code", ("kept",))
    assert "sklearn.pipeline.Pipeline" not in shown
    assert {uses.name for uses in packed.runs} == set(packed.manifest.trusted)


def test_the_type_of_a_key_is_shown_as_called(copied: Path) -> None:
    """skops makes each key of a dict by calling its type, when the file is loaded."""
    plant(copied, keyed_by(named("TypeNode", "preprocessing.clock", "miles_to_km")))
    reseal(copied)
    shown = {uses.name: uses.uses for uses in inspect(copied).runs}
    assert shown["preprocessing.clock.miles_to_km"] == ("called", "kept")


def test_an_estimator_may_not_be_called(copied: Path) -> None:
    """skops trusts scikit-learn's estimators to be made from their state, not to be called."""
    plant(copied, call("sklearn.linear_model._logistic", "LogisticRegression", "l2"))
    reseal(copied)
    with pytest.raises(UntrustedTypes, match="LogisticRegression"):
        inspect(copied)


def test_what_is_no_estimator_is_refused_by_skops_itself(copied: Path, watcher: Watcher) -> None:
    """Inspect accepts scikit-learn's classes by package; load lets skops check each one."""
    plant(copied, named("ObjectNode", "sklearn.utils._bunch", "Bunch", content=mapping()))
    claims(copied, "sklearn.utils._bunch.Bunch", trusted=False)
    assert watcher.ask(copied)["load"]["said"][0] == "UntrustedTypes"


def test_own_code_may_not_be_another_name_for_a_command(copied: Path, watcher: Watcher) -> None:
    """The artifact's own module imports ``os.system``; the pipeline names it there."""
    code = copied / "code" / "preprocessing" / "constants.py"
    code.write_text(code.read_text() + "from os import system as shell\n")
    plant(copied, call("preprocessing.constants", "shell", SHELL))
    claims(copied, "preprocessing.constants.shell", trusted=True)
    assert [use.name for use in inspect(copied).runs if "shell" in use.name]
    answer = watcher.ask(copied)["load"]
    assert answer["said"][0] == "UntrustedTypes"
    assert answer["done"] == []


def test_a_pickle_may_name_no_command(copied: Path, watcher: Watcher) -> None:
    """Neither the list in its manifest nor the attribute of a module can name one."""

    class Bomb:
        def __reduce__(self) -> Any:
            import os

            return os.system, (SHELL,)

    hidden = b"\x80\x04\x8c\x15numpy.lib._utils_impl\x8c\tos.system\x93\x8c\x01x\x85R."
    (copied / "pipeline.skops").unlink()
    for content, name in (
        (pickle.dumps(Bomb()), "posix.system"),
        (hidden, "numpy.lib._utils_impl.os.system"),
    ):
        (copied / "pipeline.pkl").write_bytes(content)
        reseal(copied, serializer="pickle", types=[name], trusted=[name])
        with pytest.raises(UntrustedTypes, match="no pipeline may run"):
            inspect(copied)
        assert watcher.ask(copied)["load"]["done"] == []


def test_one_name_for_two_members_is_refused(copied: Path) -> None:
    """One of them would be checked, the other loaded."""
    content = members(copied)
    buffer = io.BytesIO()
    with pytest.warns(UserWarning), zipfile.ZipFile(buffer, "w") as archive:  # noqa: PT030, PT031
        for name, data in [*content.items(), ("schema.json", json.dumps({}).encode())]:
            archive.writestr(name, data)
    (copied / "pipeline.skops").write_bytes(buffer.getvalue())
    reseal(copied)
    with pytest.raises(ArtifactCorrupt, match="named twice"):
        inspect(copied)


def test_a_cycle_is_an_error(copied: Path, watcher: Watcher) -> None:
    """A node that holds itself."""
    inner = sequence({**sequence(), "__id__": 10**6}, kind="list")
    plant(copied, {**inner, "__id__": 10**6})
    reseal(copied)
    answer = watcher.ask(copied)["load"]
    assert answer["said"][0] in ("ArtifactError", "ArtifactCorrupt")


def test_loading_is_for_what_was_inspected(copied: Path, packed: Artifact) -> None:
    """A worker gets the digest, and refuses another artifact in its place."""
    reseal(copied, seeds={})
    with pytest.raises(ArtifactCorrupt, match="expected the artifact with digest"):
        load(copied, digest=packed.digest)


def test_the_watch_sees_what_runs(copied: Path, watcher: Watcher) -> None:
    """The control of this file: an artifact's own code may run a command, and it is seen."""
    code = copied / "code" / "preprocessing" / "constants.py"
    code.write_text(code.read_text() + "import os\nos.system('true')\n")
    reseal(copied)
    answer = watcher.ask(copied)
    assert answer["inspect"]["done"] == []
    assert answer["load"]["done"] == ["os.system"]
