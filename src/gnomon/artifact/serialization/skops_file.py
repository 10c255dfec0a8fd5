"""The content of a skops file, read without skops and without running anything.

A skops file is a zip archive: ``schema.json`` is a tree of nodes, each with the skops loader that
will load it; arrays are separate members. Here every node is checked, with what its loader would do
with the name in it. A node of a kind that skops does not write is refused, as is a file that would
need more memory than it has bytes.
"""

from __future__ import annotations

import builtins
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, TypeGuard

from gnomon.artifact.serialization.trust import NameReference, Use
from gnomon.errors import ArtifactCorrupt

__all__ = ["LOADERS", "PROTOCOLS", "SCHEMA", "names", "open_archive", "read_schema", "types"]

SCHEMA = "schema.json"

MOST_SCHEMA_BYTES = 256 * 2**20
"""A tree of a forest needs 40 kB: this allows for 6,000 trees. Parsed JSON takes up to 25 times as
much memory."""

MOST_RANGE = 1_000_000
"""The most values of a range, a parameter of a search: many classes that get it make them all."""

MOST_MEMBERS = 200_000
"""The most arrays of one pipeline; a tree has two."""

PROTOCOLS = (1, 2)
"""The protocols of skops 0.8 and later. Files of protocol 0 have names in other places."""


class _Kind(NamedTuple):
    """What a skops loader does with the name in its node, and which names it trusts."""

    use: Use
    plain: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()


_SCALARS = ("builtins.int", "builtins.float", "builtins.str", "builtins.bool")
_CONTAINERS = ("builtins.list", "builtins.set", "builtins.map", "builtins.tuple")
_ARRAYS = frozenset({"numpy.ndarray"})

_KINDS: Mapping[str, _Kind] = {
    "BytearrayNode": _Kind("made", frozenset({"builtins.bytearray"})),
    "BytesNode": _Kind("made", frozenset({"builtins.bytes"})),
    "ConstructorFromReduceNode": _Kind("called"),
    "DTypeNode": _Kind("made"),
    "DefaultDictNode": _Kind("called", frozenset({"collections.defaultdict"})),
    "DictNode": _Kind("called", frozenset({"builtins.dict", "collections.OrderedDict"})),
    "FunctionNode": _Kind("kept", packages=("numpy", "scipy.special")),
    "ListNode": _Kind("called", frozenset({"builtins.list"})),
    "LossNode": _Kind("called", packages=("sklearn._loss", "sklearn.linear_model._sgd_fast")),
    "MaskedArrayNode": _Kind(
        "made", frozenset({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"})
    ),
    "MethodNode": _Kind("method"),
    "NdArrayNode": _Kind("called", _ARRAYS, packages=("numpy",)),
    "ObjectNode": _Kind("made", packages=("sklearn",)),
    "OperatorFuncNode": _Kind("called"),
    "PartialNode": _Kind("made"),
    "QuantileForestNode": _Kind("called"),
    "RandomGeneratorNode": _Kind("made", frozenset({"numpy.random._generator.Generator"})),
    "RandomStateNode": _Kind("made", frozenset({"numpy.random.mtrand.RandomState"})),
    "SetNode": _Kind("called", frozenset({"builtins.set"})),
    "SliceNode": _Kind("made", frozenset({"builtins.slice"})),
    "SparseMatrixNode": _Kind("made"),
    "TreeNode": _Kind("made"),
    "TupleNode": _Kind("called", frozenset({"builtins.tuple"})),
    "TypeNode": _Kind("kept", frozenset({*_SCALARS, *_CONTAINERS}), packages=("numpy",)),
}
"""Every skops loader with a name to run; ``plain`` and ``packages`` are a superset of what skops
trusts by itself, and loading checks with skops again. ``CachedNode`` is never written."""

LOADERS = frozenset({"CachedNode", "JsonNode", *_KINDS})
"""Every known skops loader; ``tests/compat/test_skops.py`` compares it with skops's own list."""

_TEXT = ("builtins", "str")
_GETTERS = frozenset({"attrgetter", "itemgetter", "methodcaller"})
_NAMING_GETTERS = frozenset({"attrgetter", "methodcaller"})
"""Those that reach by a name, on whatever they are called with."""
_CONVERTING = frozenset(
    {
        *("to_datetime", "to_dict", "to_flat_index", "to_frame", "to_list", "to_numpy"),
        *("to_period", "to_pydatetime", "to_pytimedelta", "to_series", "to_timestamp"),
    }
)
_REACHING_METHODS = frozenset(
    {
        *("agg", "aggregate", "apply", "dump", "dumps", "eval", "pipe", "query", "save"),
        *("set_output", "tofile", "transform"),
        *("chmod", "hardlink_to", "lchmod", "link_to", "mkdir", "open", "read_bytes", "read_text"),
        *("rmdir", "symlink_to", "touch", "unlink", "write_bytes", "write_text"),
    }
)
"""Methods of pandas, numpy and paths that use files, evaluate text, or call others by their names;
so do all that begin with ``to_`` but for the ones above."""

_LABELS = frozenset({"pandas.Index", "pandas.RangeIndex"})
_OF_PANDAS = {
    "CategoricalDtype": (_LABELS | {"builtins.str"},),  # JSON is called text
    "Index": (frozenset({"builtins.list"}),),
    "RangeIndex": (frozenset({"builtins.range"}),),
    "Series": (frozenset({"builtins.list", "numpy.ndarray"}), _LABELS),
}
"""What the types of pandas are called with before text and numbers; a range has its own check."""

_ALLOCATING = frozenset({"void"})
"""Scalars of numpy that have as many bytes as they are told to; skops writes scalars as arrays."""

_NUMBERS = frozenset({"fractions", "decimal", "_decimal", "_pydecimal"})
_SHORT_NUMBER = re.compile(r"[^eE]*([eE][+-]?\d{1,5})?")
"""``Fraction("1e999999999")`` computes for hours."""

_STATE_THAT_RUNS = "_parse_arg_template"
"""An attribute of scipy's distributions that they execute when they get their state."""
_GENERATED = re.compile(
    r"\s*def _parse_args\(self, (?P<names>(?:[A-Za-z_]\w*, )*) ?(?P<given>loc=0(?:, scale=1)?)\):"
    r"\s+return \((?P=names)\), (?P<taken>loc(?:, (?:scale|1))?)"
    r"\s+def _parse_args_rvs\(self, (?P=names) ?(?P=given), size=None\):"
    r"\s+return self\._argcheck_rvs\((?P=names) ?(?P=taken), size=size\)"
    r"\s+def _parse_args_stats\(self, (?P=names) ?(?P=given), moments='mv'\):"
    r"\s+return \((?P=names)\), (?P=taken), moments\s*"
)
"""The only text that scipy puts there; see ``parse_arg_template`` in ``_distn_infrastructure``."""


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open the archive and check its list of members.

    Raises:
        ArtifactCorrupt: a member is compressed, named twice, or encrypted; or there are too many.
            Packing stores members uncompressed, so none is larger than the file.
    """
    archive = zipfile.ZipFile(file)
    members = archive.infolist()
    found = [info.filename for info in members]
    if len(members) > MOST_MEMBERS:
        raise _corrupt(f"{len(members):,} members; expected at most {MOST_MEMBERS:,}")
    if len(set(found)) < len(found):
        raise _corrupt("a member is named twice: one could be checked and another loaded")
    for info in members:
        packed = info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size
        if packed or info.flag_bits & 1:
            raise _corrupt(f"the member {info.filename!a} is compressed or encrypted")
    total = sum(info.file_size for info in members)
    if total > file.seek(0, 2):
        raise _corrupt("its members overlap: together they are larger than the file")
    return archive


def read_schema(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the tree of nodes.

    Raises:
        ArtifactCorrupt: there is none, it is too large, or it has an unsupported protocol.
    """
    try:
        size = archive.getinfo(SCHEMA).file_size
    except KeyError:
        raise _corrupt(f"there is no {SCHEMA}") from None
    if size > MOST_SCHEMA_BYTES:
        raise _corrupt(f"{SCHEMA} has {size:,} bytes; expected at most {MOST_SCHEMA_BYTES:,}")
    schema = json.loads(archive.read(SCHEMA))
    if not isinstance(schema, dict):
        raise _corrupt(f"{SCHEMA} is not an object")
    protocol = schema.get("protocol")
    if type(protocol) is not int or protocol not in PROTOCOLS:
        raise _corrupt(f"expected skops protocol 1 or 2, got {protocol!a}")
    return schema


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of the tree, parents first.

    Raises:
        ArtifactCorrupt: a node that skops does not write.
    """
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if "__loader__" in value:
                _check_node(value)
                yield value


def types(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the type or function that each node names."""
    for node in nodes(schema):
        if node["__loader__"] != "JsonNode":
            yield f"{node['__module__']}.{node['__class__']}"


def names(schema: dict[str, Any]) -> Iterator[NameReference]:
    """Yield every name that loading would run, with what it would do with it."""
    for node in nodes(schema):
        loader = node["__loader__"]
        if loader == "JsonNode":
            continue
        kind = _KINDS[loader]
        module, name = node["__module__"], node["__class__"]
        if loader == "MethodNode":
            name = f"{name}.{node['content']['func']}"
        yield NameReference(module, name, kind.use, _is_plain(kind, module, name))
        if loader == "DictNode":
            for key in node["key_types"]["content"]:
                known = _is_plain(_KINDS["TypeNode"], key["__module__"], key["__class__"])
                yield NameReference(key["__module__"], key["__class__"], "called", known)


def _is_plain(kind: _Kind, module: str, name: str) -> bool:
    inside = any(module == top or module.startswith(f"{top}.") for top in kind.packages)
    return inside or f"{module}.{name}" in kind.plain


def _check_node(node: dict[str, Any]) -> None:
    loader = node["__loader__"]
    if not isinstance(loader, str) or (loader != "JsonNode" and loader not in _KINDS):
        raise _corrupt(f"a node of an unknown kind: {loader!a}")
    module, name = node.get("__module__"), node.get("__class__")
    if not isinstance(module, str) or not isinstance(name, str):
        raise _corrupt(f"a {loader} without a name")
    is_getter = name in _NAMING_GETTERS and module in ("operator", "_operator")
    if is_getter and loader != "OperatorFuncNode":
        raise _corrupt(f"a {loader} of {module}.{name}")
    number = node.get("__id__", 1)
    if type(number) is not int or number < 1:
        raise _corrupt(f"a {loader} whose id is {number!a}")
    check = _CHECKS.get(loader)
    if check is not None and not check(node):
        raise _corrupt(f"a {loader} of a form that skops does not write")
    if loader not in ("JsonNode", "OperatorFuncNode") and not _check_state(node):
        raise _corrupt(f"a {loader} of {module}.{name} with a state that it does not write")


def _check_json(node: dict[str, Any]) -> bool:
    return isinstance(node.get("content"), str)


def _check_constructor(node: dict[str, Any]) -> bool:
    """Check what values are made of that could take all memory, or compute for hours.

    Of the builtin types skops writes only two in this way: others have nodes of their own, or, as
    ``map``, belong to no pipeline. ``bytes`` allocates as much as it is told to.
    """
    module, name, arguments = node["__module__"], node["__class__"], node.get("content")
    if module.partition(".")[0] == "numpy" and name in _ALLOCATING:
        return False
    is_type = module == "builtins" and isinstance(getattr(builtins, name, None), type)
    of_pandas = _OF_PANDAS.get(name) if module == "pandas" else None
    if module not in _NUMBERS and not is_type and of_pandas is None:
        return True  # Whether it may be called is decided by its name.
    given = _members(arguments, "TupleNode")
    if given is None:
        return False
    if of_pandas is not None:
        return _are(given, of_pandas)
    if module in _NUMBERS:
        return all(_is_short_number(_json(one)) for one in given)
    if name == "frozenset":
        return all(_is_node(one, "ListNode") for one in given)
    return name == "range" and _is_short_range([_json(one) for one in given])


def _are(given: list[Any], kinds: tuple[frozenset[str], ...]) -> bool:
    """Return whether the first arguments are of these types; all others are JSON."""
    if len(given) < len(kinds) or not all(isinstance(one, dict) for one in given):
        return False
    named = (f"{one.get('__module__')}.{one.get('__class__')}" for one in given)
    return all(name in kind for name, kind in zip(named, kinds, strict=False)) and all(
        _is_node(one, "JsonNode") for one in given[len(kinds) :]
    )


def _is_node(value: Any, loader: str) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and value.get("__loader__") == loader


def _members(value: Any, loader: str) -> list[Any] | None:
    """Return the content of a node of this kind; None if it is not one or its content no list."""
    content = value.get("content") if _is_node(value, loader) else None
    return content if isinstance(content, list) else None


def _is_short_range(bounds: list[Any]) -> bool:
    try:
        return len(range(*bounds)) <= MOST_RANGE
    except (OverflowError, TypeError, ValueError):
        return False


def _is_short_number(value: Any) -> bool:
    is_text = isinstance(value, str) and _SHORT_NUMBER.fullmatch(value)
    return bool(is_text) or type(value) is int


def _check_leaf(node: dict[str, Any]) -> bool:
    """Refuse content: in older protocols it had another name."""
    return "content" not in node


def _check_method(node: dict[str, Any]) -> bool:
    """Check the method's name, which goes to ``getattr``: dunder names could reach anything."""
    content = node.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("func"), str):
        return False
    name, of = content["func"], content.get("obj")
    if not name.isidentifier() or name.startswith("__"):
        return False
    if _is_node(of, "ObjectNode"):
        top = str(of.get("__module__")).partition(".")[0]
        if top not in ("numpy", "pandas", *sys.stdlib_module_names):
            return True  # An estimator: its class is trusted.
    return _is_harmless_method(name.lstrip("_")) and name not in ("rename", "replace")


def _check_state(node: dict[str, Any]) -> bool:
    """Check the parts of an object's state that its class executes or opens."""
    content = node.get("content")
    state = content.get("content") if isinstance(content, dict) else None
    top, *rest = node["__module__"].split(".")
    if top == "scipy" and rest[:1] == ["stats"] and node["__loader__"] == "ObjectNode":
        if not isinstance(state, dict) or not _has_text_keys(node["content"]):
            return False
        given = state.get(_STATE_THAT_RUNS)
        return given is None or bool(_GENERATED.fullmatch(_text(given) or ""))
    if node["__module__"] == "sklearn.feature_extraction.text" and isinstance(state, dict):
        return "input" not in state or _text(state["input"]) == "content"
    return True


def _has_text_keys(node: dict[str, Any]) -> bool:
    """Whether the keys of a dict are text as it is in the file."""
    types = node.get("key_types")
    kinds = types.get("content") if isinstance(types, dict) else None
    return isinstance(kinds, list) and all(
        isinstance(kind, dict) and (kind.get("__module__"), kind.get("__class__")) == _TEXT
        for kind in kinds
    )


def _check_getter(node: dict[str, Any]) -> bool:
    """skops calls ``operator.<name>`` with what the file says; ``operator.call`` calls anything.

    What it makes is called with the rows: the method it calls may not be one of those of a frame
    that write files or evaluate text, nor an attribute one that leads to the interpreter.
    """
    if node["__module__"] != "operator" or node["__class__"] not in _GETTERS:
        return False
    if node["__class__"] == "itemgetter":
        return True
    given = _texts(node.get("attrs"))
    if node["__class__"] == "attrgetter":
        # A method that it gets may be called by a later step.
        parts = [part for one in given for part in (one or "_").split(".")]
        return bool(given) and all(map(_is_harmless_method, parts))
    return bool(given) and given[0] is not None and _is_harmless_method(given[0])


def _texts(arguments: Any) -> list[str | None]:
    """The arguments of a node; None for one that is not text."""
    if not isinstance(arguments, dict) or not isinstance(arguments.get("content"), list):
        return []
    return [_text(one) for one in arguments["content"]]


def _text(node: Any) -> str | None:
    found = _json(node)
    return found if isinstance(found, str) else None


def _json(node: Any) -> Any:
    """Return the value of a node that has one as JSON; None for others."""
    if not _is_node(node, "JsonNode"):
        return None
    try:
        return json.loads(node["content"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def _is_harmless(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def _is_harmless_method(name: str) -> bool:
    writes = name.startswith("to_") and name not in _CONVERTING
    reaches = writes or name in _REACHING_METHODS
    return _is_harmless(name) and not reaches


def _check_dict(node: dict[str, Any]) -> bool:
    """Check the types of a dictionary's keys, which are called with each key."""
    keys = _members(node.get("key_types"), "ListNode")
    if keys is None:
        return False
    for key in keys:
        if not _is_node(key, "TypeNode"):
            return False
        _check_node(key)
    is_number = any(key["__module__"] in _NUMBERS for key in keys)
    return not is_number or all(map(_is_short_number, node["content"]))


_CHECKS = {
    "ConstructorFromReduceNode": _check_constructor,
    "DictNode": _check_dict,
    "FunctionNode": _check_leaf,
    "JsonNode": _check_json,
    "MethodNode": _check_method,
    "OperatorFuncNode": _check_getter,
    "TypeNode": _check_leaf,
}


def _corrupt(what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(
        f"the pipeline cannot be read as skops: {what}", hint="do not load it; find out who made it"
    )
