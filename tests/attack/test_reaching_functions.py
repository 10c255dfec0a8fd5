"""Functions of numpy, scipy, pandas and Python that import, execute or open their arguments.

Some look like values or parts of an estimator, and a manifest could have declared them trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from gnomon.artifact import inspect
from gnomon.artifact.serialization.skops_file import names, nodes
from gnomon.errors import ArtifactCorrupt, UntrustedTypes
from tests.attack.forging import Node, call, claims, mapping, named, plant, reseal, sequence, text
from tests.attack.watching import Watcher

SHELL = "touch /tmp/gnomon-attack"


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    with Watcher() as watching:
        yield watching


def method(of: Node, name: str) -> Node:
    return named("MethodNode", "builtins", "str", content={"func": name, "obj": of})


def distribution(template: Node, key: str = "str") -> Node:
    """A distribution of scipy, which executes this text when it gets its state."""
    state = mapping(_parse_arg_template=template)
    state["key_types"]["content"] = [named("TypeNode", "builtins", key)]
    return named("ObjectNode", "scipy.stats._continuous_distns", "norm_gen", content=state)


CALLED = [
    ("uuid", "_get_command_stdout", ("touch", "/tmp/gnomon-attack")),
    ("numpy.core", "_ufunc_reconstruct", ("posix", "system")),
    ("numpy", "test", ()),
    ("numpy.ma.mrecords", "openfile", ("/etc/passwd",)),
    ("numpy._core._methods", "_dump", ("x", "/tmp/gnomon-attack")),
    ("numpy.lib.stride_tricks", "as_strided", ("x", [9], [9])),
    ("scipy._lib._uarray._backend", "unpickle_function", ("posix", "system", None)),
    ("scipy._lib._array_api_docs_tables", "make_flat_capabilities_table", ("antigravity",)),
    ("sklearn.tree._export", "export_graphviz", ("x", "/tmp/gnomon-attack")),
    ("sklearn.utils._set_output", "check_library_installed", ("antigravity",)),
    ("sklearn.utils.validation", "check_memory", ("/tmp/gnomon-attack",)),
    ("pandas", "show_versions", ("/tmp/gnomon-attack",)),
    ("pandas", "test", ()),
    ("pandas", "read_csv", ("/etc/passwd",)),
    ("pandas._testing._io", "round_trip_pickle", ("x", "/tmp/gnomon-attack")),
    ("pandas.compat.pickle_compat", "loads", ("x",)),
    ("pandas.compat._optional", "import_optional_dependency", ("antigravity",)),
    ("pandas._libs.parsers", "TextReader", ("/etc/passwd",)),
    ("pyarrow", "output_stream", ("/tmp/gnomon-attack",)),
    ("pyarrow.lib", "OSFile", ("/tmp/gnomon-attack", "w")),
    ("pyarrow.fs", "LocalFileSystem", ()),
    ("prometheus_client", "start_http_server", (0,)),
]


@pytest.mark.parametrize(("module", "name", "arguments"), CALLED)
def test_a_function_that_reaches_out_may_not_be_trusted(
    copied: Path, module: str, name: str, arguments: tuple[Any, ...]
) -> None:
    """It may not be trusted whatever the manifest claims, since no pipeline needs one."""
    plant(copied, call(module, name, *arguments))
    claims(copied, f"{module}.{name}", trusted=True)
    with pytest.raises(UntrustedTypes, match="no pipeline may run"):
        inspect(copied)


def test_a_function_that_returns_any_other_is_refused_where_it_is_kept(copied: Path) -> None:
    """Inspect treats numpy's functions as plain when they are kept, and skops refuses them only on
    load; with this one a later step could call ``os.system``.
    """
    plant(copied, named("FunctionNode", "numpy.core", "_ufunc_reconstruct"))
    reseal(copied)
    with pytest.raises(UntrustedTypes, match="_ufunc_reconstruct"):
        inspect(copied)


def test_a_getter_has_no_other_name(copied: Path, watcher: Watcher) -> None:
    """In scikit-learn's modules ``attrgetter`` is an attribute like any other."""
    name = "sklearn.feature_selection._base.attrgetter"
    plant(copied, call(*name.rsplit(".", 1), "__class__.__init__.__globals__"))
    claims(copied, name, trusted=True)
    assert watcher.ask(copied)["load"]["said"][0] == "UntrustedTypes"


FRAME = named("ObjectNode", "pandas.core.frame", "DataFrame", content=mapping())
STATES = {
    "a distribution that runs text": distribution(text(f"import os; os.system({SHELL!r})")),
    "a distribution that runs bytes": distribution(
        named("BytesNode", "builtins", "bytes", file="x.bin")
    ),
    "a distribution with another key": distribution(text(SHELL), key="repr"),
    "a distribution that runs more": distribution(
        text(scipy.stats.norm._parse_arg_template + f"import os\nos.system({SHELL!r})\n")
    ),
    "a vectorizer of files": named(
        "ObjectNode",
        "sklearn.feature_extraction.text",
        "CountVectorizer",
        content=mapping(input=text("filename")),
    ),
    "a frame's method that writes": method(FRAME, "to_pickle"),
    "a frame's method under a false name": method(call("pandas", "DataFrame"), "to_csv"),
    "a method that is got to be called later": named(
        "OperatorFuncNode", "operator", "attrgetter", attrs=sequence(text("to_csv"))
    ),
    "a path's method": method(call("pathlib", "Path", "/tmp/x"), "unlink"),
    "a path's other method": method(call("pathlib", "Path", "/tmp/x"), "rename"),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_state_or_a_method_that_reaches_out_is_refused(copied: Path, kind: str) -> None:
    plant(copied, STATES[kind])
    reseal(copied)
    with pytest.raises(ArtifactCorrupt, match=r"that (skops|it) does not write"):
        inspect(copied)


def test_what_scipy_and_estimators_write_is_read() -> None:
    """Every distribution has one of the texts that are accepted, and a method of an estimator may
    be called `transform`."""
    texts = {
        found._parse_arg_template
        for found in vars(scipy.stats).values()
        if hasattr(found, "_parse_arg_template")
    }
    assert len(texts) > 5
    kept = [distribution(text(one)) for one in texts]
    estimator = named("ObjectNode", "sklearn.preprocessing._data", "StandardScaler")
    assert len([*nodes(sequence(*kept, method(estimator, "transform")))]) > len(texts)
    assert [*names(sequence(*kept))]
