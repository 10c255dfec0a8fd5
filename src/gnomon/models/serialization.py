"""The pipeline as bytes and back, and what those bytes name, read without running them.

skops is the default: it stores state, not instructions, and loads only types on a list. Its files
are rewritten here so that the same pipeline always gives the same bytes: skops names members after
memory addresses. Pickle is written only when asked for, and read with the recorded list as the
only globals it can reach.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import zipfile
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from gnomon.errors import ArtifactCorrupt, PackRefused, UntrustedTypes
from gnomon.models.manifest import Serializer

__all__ = ["dump", "import_for_loading", "load", "named_types", "untrusted_types"]

_SCHEMA = "schema.json"
_UNSHARED = frozenset({"JsonNode", "TypeNode", "FunctionNode"})
_EPOCH = (1980, 1, 1, 0, 0, 0)

_SAFE_PACKAGES = frozenset({"sklearn", "numpy", "scipy"})
_UNSAFE_PARTS = frozenset(
    {"testing", "tests", "f2py", "distutils", "io", "datasets", "_npyio_impl", "_datasource"}
)
_SAFE_NAMES = frozenset(
    {
        "collections.OrderedDict",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "functools.partial",
        "operator.itemgetter",
        "zoneinfo.ZoneInfo",
    }
)


def dump(pipeline: Any, serializer: Serializer) -> bytes:
    """A pipeline as bytes.

    Raises:
        PackRefused: the serializer cannot store something in it.
    """
    if serializer == "pickle":
        return pickle.dumps(pipeline, protocol=5)
    from skops.io import dumps

    try:
        return _canonical(dumps(pipeline))
    except Exception as error:
        raise PackRefused(
            f"skops cannot store this pipeline: {error}",
            hint='replace the step, or pack with serializer="pickle" if every place that loads '
            "the artifact may run its code",
        ) from error


def import_for_loading() -> None:
    """Import skops without the list of the estimators that it trusts by itself.

    To make the list it imports the whole of scikit-learn: a seventh of a worker's start, and 11 MB.
    :func:`load` does without, as it trusts the types that the artifact names and no other. Only for
    a process that never packs: to :func:`untrusted_types` the list is everything.
    """
    import sklearn.utils

    all_estimators = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        import skops.io  # noqa: F401
    finally:
        sklearn.utils.all_estimators = all_estimators


def load(content: bytes, serializer: Serializer, types: Collection[str]) -> Any:
    """The pipeline in some bytes; this imports and runs the code of ``types``, and no other.

    Raises:
        UntrustedTypes: the bytes name a type that is not in ``types``.
    """
    if serializer == "pickle":
        return _Unpickler(io.BytesIO(content), frozenset(types)).load()
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return loads(content, trusted=list(types))
    except UntrustedTypesFoundException as error:
        raise UntrustedTypes(str(error)) from None


def named_types(content: bytes, serializer: Serializer) -> tuple[str, ...]:
    """Every type and function the serialized pipeline names, sorted. Nothing is executed.

    Raises:
        ArtifactCorrupt: the bytes are not what the serializer writes.
        UntrustedTypes: a pickle that hides what it names.
    """
    try:
        names = _pickle_globals(content) if serializer == "pickle" else _skops_names(content)
        return tuple(sorted(set(names)))
    except (ValueError, KeyError, zipfile.BadZipFile, IndexError) as error:
        raise ArtifactCorrupt(f"the pipeline cannot be read as {serializer}: {error}") from None


def untrusted_types(content: bytes) -> list[str]:
    """Those types in a skops file that skops does not trust by itself."""
    from skops.io import get_untrusted_types

    return list(get_untrusted_types(data=content))


def is_known_safe(name: str) -> bool:
    """Whether a type or function belongs to scikit-learn, numpy, scipy or plain Python values.

    Parts of those packages that read files or run programs are left out.
    """
    package, *parts = name.split(".")
    if name in _SAFE_NAMES:
        return True
    return package in _SAFE_PACKAGES and not _UNSAFE_PARTS.intersection(parts)


class _Unpickler(pickle.Unpickler):
    """Reaches only the globals on its list."""

    def __init__(self, file: io.BytesIO, allowed: frozenset[str]) -> None:
        super().__init__(file)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._allowed:
            raise UntrustedTypes(f"the pickle names {module}.{name}, which was not recorded")
        return super().find_class(module, name)


def _canonical(content: bytes) -> bytes:
    """A skops file with members and ids numbered in order instead of named by memory address."""
    numbers: dict[str, int] = {}
    members: dict[str, str] = {}

    def number(key: str) -> int:
        return numbers.setdefault(key, len(numbers) + 1)

    def rewrite(node: Any) -> Any:
        if isinstance(node, list):
            return [rewrite(item) for item in node]
        if not isinstance(node, dict):
            return node
        state = {key: rewrite(value) for key, value in node.items() if key != "__id__"}
        if "__loader__" in node:
            if isinstance(file := node.get("file"), str):
                stem, _, suffix = file.partition(".")
                state["file"] = members[file] = f"{number(stem)}.{suffix}"
            if "__id__" in node and node["__loader__"] not in _UNSHARED:
                state["__id__"] = number(str(node["__id__"]))
        return state

    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = rewrite(json.loads(source.read(_SCHEMA)))
        contents = {new: source.read(old) for old, new in members.items()}
    contents[_SCHEMA] = json.dumps(schema, indent=1).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name, data in contents.items():
            target.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


def _skops_names(content: bytes) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        schema = json.loads(file.read(_SCHEMA))
    yield from _node_names(schema)


def _node_names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("__loader__", "JsonNode") != "JsonNode":
            yield f"{node['__module__']}.{node['__class__']}"
        node = node.values()
    elif not isinstance(node, list):
        return
    for child in node:
        yield from _node_names(child)


def _pickle_globals(content: bytes) -> Iterator[str]:
    """The globals a pickle names, from its opcodes.

    ``STACK_GLOBAL`` takes module and name from the stack, where they were pushed as strings or
    fetched from the memo, which is followed here. A stream that brings them there in any other way
    was not written by a pickler.
    """
    memo: dict[int, str | None] = {}
    pushed: list[str | None] = []
    argument: Any
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
            pushed.append(None)
        elif name == "STACK_GLOBAL":
            yield _joined(pushed[-2:])
            pushed.append(None)
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if argument is None else int(argument)] = pushed[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            pushed.append(memo[int(argument)])
        elif name.startswith("EXT"):
            raise UntrustedTypes("the pickle names a type by an extension code")
        elif "UNICODE" in name:
            pushed.append(argument)
        else:
            pushed.append(None)


def _joined(parts: Iterable[str | None]) -> str:
    module, name = parts
    if module is None or name is None:
        raise UntrustedTypes("the pickle hides the name of a type")
    return f"{module}.{name}"
