"""Functions of numpy, scipy, pandas and Python that import, execute or open their arguments.

Some look like values or parts of an estimator, and a manifest could have declared them trusted.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from gnomon.artifact import inspect
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.serialization.skops_file import names, nodes
from gnomon.errors import ArtifactCorrupt, UntrustedTypes
from tests.attack.forging import (
    Node,
    call,
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


def call_with(module: str, name: str, *arguments: Node) -> Node:
    return named("ConstructorFromReduceNode", module, name, content=sequence(*arguments))


ATTRIBUTE_OF = ("sklearn.utils.validation", "_check_response_method")
"""It returns any attribute of any object."""
CHECK_ARRAY = named("FunctionNode", "sklearn.utils.validation", "check_array")
EVAL = call_with(
    "operator",
    "getitem",
    call_with(
        "operator",
        "getitem",
        call_with(*ATTRIBUTE_OF, CHECK_ARRAY, text("__globals__")),
        text("__builtins__"),
    ),
    text("eval"),
)
RUN_EVAL = call_with(
    "builtins",
    "list",
    call_with("builtins", "map", EVAL, sequence(text(f"__import__('os').system({SHELL!r})"))),
)
UNPICKLE = call_with(
    "scipy._lib.array_api_extra._lib._utils._helpers",
    "pickle_unflatten",
    sequence(),
    sequence(named("BytesNode", "builtins", "bytes", file="x.bin")),
)


def partial_of(module: str, name: str, **keywords: Node) -> Node:
    content = {
        "func": named("FunctionNode", module, name),
        "args": sequence(),
        "kwds": mapping(**keywords),
        "namespace": text(None),
    }
    return named("PartialNode", "functools", "partial", content=content)


def partial_method(of: Node, name: str, *arguments: Node) -> Node:
    node = partial_of("builtins", "len")
    node["content"]["func"] = method(of, name)
    node["content"]["args"] = sequence(*arguments)
    return node


CHAINS = {
    "a function that unpickles": UNPICKLE,
    "a function that opens a socket": call("pyarrow.util", "find_free_port"),
    "a formatter that gets attributes": partial_method(
        named("ObjectNode", "string", "Formatter"),
        "get_field",
        text("wind.__class__.__init__.__globals__[sys]"),
    ),
    "a function that gets attributes": RUN_EVAL,
    "an attribute of the rows": partial_of(*ATTRIBUTE_OF, response_method=text("to_pickle")),
    "a call of the rows": partial_of(
        "pandas.core.common", "apply_if_callable", obj=text("/tmp/gnomon-attack")
    ),
    "a method of the rows by its name": partial_of(
        "pandas.core.apply", "frame_apply", func=text("to_pickle")
    ),
    "an import of a test's helper": call("pandas.util._test_decorators", "skip_if_no", "this"),
    "a function of a model's own code": call("preprocessing.clock", "miles_to_km", 1),
}


@pytest.mark.parametrize("kind", CHAINS)
def test_functions_that_lead_to_others_are_not_loaded(
    copied: Path, kind: str, watcher: Watcher
) -> None:
    """skops calls classes only, to make their objects, and keeps no function that gets attributes
    by their names: one of scikit-learn was a way to ``eval``."""
    content = {**members(copied), "x.bin": pickle.dumps(Bomb())}
    write_members(copied, content)
    plant(copied, CHAINS[kind])
    claims(copied, *all_names_unchecked(CHAINS[kind]), trusted=True)
    answer = watcher.ask(copied)["load"]
    # The last one calls `map`, which belongs to no pipeline.
    assert answer["said"][0] in ("UntrustedTypes", "ArtifactCorrupt")
    assert answer["done"] == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.cluster._kmeans", "_kmeans_single_lloyd"),
        ("scipy._lib.array_api_compat.numpy._aliases", "asarray"),
    ],
)
def test_private_functions_that_estimators_keep_may_be_trusted(
    copied: Path, module: str, name: str
) -> None:
    """Those of `BisectingKMeans` and `SplineTransformer`."""
    plant(copied, named("FunctionNode", module, name))
    claims(copied, f"{module}.{name}", trusted=True)
    assert f"{module}.{name}" in {uses.name for uses in inspect(copied).runs}


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (SHELL,)


def range_of(count: int) -> Node:
    return call("builtins", "range", count)


def dict_of(kind: tuple[str, str], key: str) -> Node:
    keys = sequence(named("TypeNode", *kind), kind="list")
    return named("DictNode", "builtins", "dict", content={key: text(1)}, key_types=keys)


ENDLESS = {
    "a list of a range": call_with("builtins", "list", range_of(3)),
    "a long range": sequence(range_of(10**12)),
    "a range that is too long for Python": range_of(10**30),
    "a set of values that are not in a list": call_with("builtins", "frozenset", range_of(3)),
    "an index of a range": call_with("pandas", "Index", range_of(3)),
    "a long index": call_with("pandas", "RangeIndex", range_of(10**12)),
    "an index of a number": call("pandas", "RangeIndex", 10**12),
    "an index of nothing": call("pandas", "Index"),
    "a series of a number": call_with(
        "pandas", "Series", text(0), call_with("pandas", "RangeIndex", range_of(10**6))
    ),
    "categories of a range": call_with("pandas", "CategoricalDtype", range_of(3)),
    "bytes of a number": call("builtins", "bytes", 10**12),
    "a numpy scalar of many bytes": call("numpy", "void", 2**31 - 1),
    "calls": call_with("builtins", "map", named("FunctionNode", "numpy", "ones"), text([10**12])),
    "a fraction": call("fractions", "Fraction", "1e9_999_999_999"),
    "a decimal number": call("decimal", "Decimal", "1E+999999999"),
    "a decimal number of digits": call_with("decimal", "Decimal", sequence(text(0))),
    "a fraction as a key": dict_of(("fractions", "Fraction"), "1e9999999999"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_values_that_would_take_all_memory_or_time_are_refused(copied: Path, kind: str) -> None:
    plant(copied, ENDLESS[kind])
    claims(copied, *all_names_unchecked(ENDLESS[kind]), trusted=True)
    with pytest.raises(ArtifactCorrupt, match="that skops does not write"):
        inspect(copied)


@pytest.mark.parametrize(
    ("module", "name", "argument"),
    [
        ("numpy._core.numerictypes", "bytes", 10**12),
        ("uuid", "bytes_", 10**12),
        ("statistics", "Fraction", "1e9_999_999_999"),
        ("pandas._libs.lib", "Decimal", "1E+999999999"),
        ("scipy._lib.array_api_compat.numpy", "void", 2**31 - 1),
    ],
)
def test_the_same_values_under_other_names_are_refused(
    copied: Path, watcher: Watcher, module: str, name: str, argument: Any
) -> None:
    """Many modules import builtin types and numbers; skops names each by its own module."""
    plant(copied, call(module, name, argument))
    claims(copied, f"{module}.{name}", trusted=True)
    answer = watcher.ask(copied)["load"]
    assert answer["said"][0] == "UntrustedTypes"
    assert "no pipeline may run that" in answer["said"][1]


def all_names_unchecked(node: Any) -> set[str]:
    """The names in a node that :func:`names` would refuse."""
    if isinstance(node, list):
        return {one for item in node for one in all_names_unchecked(item)}
    if not isinstance(node, dict):
        return set()
    inner = {one for item in node.values() for one in all_names_unchecked(item)}
    return inner | (
        {f"{node['__module__']}.{node['__class__']}"} if "__module__" in node else set()
    )


@pytest.mark.parametrize(
    "value",
    [range(3, 90, 2), frozenset({1, "a"}), Fraction(-1, 3), Decimal("1E+90"), Decimal("-Infinity")],
)
def test_values_of_these_types_are_loaded(value: object) -> None:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    content = pipeline_bytes.dump(value, "skops")
    assert pipeline_bytes.load(content, "skops", [kind]) == value
