"""The pipeline as bytes and back, and the names in those bytes, read without running them.

skops is the default: it stores state, not instructions, and loads only types on a list. Its files
are rewritten here so that the same pipeline always gives the same bytes: skops names members after
memory addresses. Pickle is written only on request. When it is read, it can reach only the recorded
globals; this does not make it safe, because it can run anything with those.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import zipfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib import import_module
from inspect import isabstract
from typing import Any, BinaryIO

from gnomon.artifact.folder import parsing
from gnomon.artifact.manifest import Serializer
from gnomon.artifact.serialization.experimental import enable_experimental
from gnomon.artifact.serialization.metadata_routing import without_routing
from gnomon.artifact.serialization.skops_arrays import check_arrays
from gnomon.artifact.serialization.skops_file import SCHEMA, names, open_archive, read_schema, types
from gnomon.artifact.serialization.trust import (
    NameReference,
    check_resolved,
    check_use,
    is_plain_in_pickle,
    judge,
)
from gnomon.artifact.serialization.unstorable_attributes import cannot_store, check_storable
from gnomon.compat.skops import write
from gnomon.errors import PackRefused, UntrustedTypes

__all__ = ["dump", "load", "named", "named_types", "untrusted_types"]

_UNSHARED = frozenset({"JsonNode", "TypeNode", "FunctionNode"})
_BOOLEANS = frozenset({"bool", "bool_"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


def dump(pipeline: Any, serializer: Serializer) -> bytes:
    """Serialize a pipeline to bytes.

    Raises:
        PackRefused: the serializer cannot store something in it.
    """
    if serializer == "pickle":
        return pickle.dumps(pipeline, protocol=5)
    try:
        return _canonical(write(pipeline, check_storable))
    except RecursionError as error:
        with without_routing(pipeline) as found:
            if found:
                return _canonical(write(pipeline, check_storable))
        raise PackRefused(
            "skops cannot store this pipeline: an object in it contains itself, or objects are "
            "nested too deeply",
            hint='let no attribute refer back to its owner, or pack with serializer="pickle" if '
            "every place that loads the artifact may run its code",
        ) from error
    except Exception as error:
        raise cannot_store(pipeline, error) from error


def load(
    content: bytes,
    serializer: Serializer,
    trusted: Collection[str],
    modules: Collection[str] = (),
    where: str = "the pipeline",
) -> Any:
    """Load the pipeline in some bytes after checking its names; see :mod:`.trust`.

    Args:
        content: the bytes.
        serializer: the serializer that wrote them.
        trusted: the types and functions that its packer trusted.
        modules: the names of its vendored modules.
        where: the file, for the message.

    Raises:
        ArtifactCorrupt: the bytes are not what the serializer writes.
        UntrustedTypes: they name something forbidden, or something neither plain nor trusted.
    """
    with parsing(f"the pipeline as {serializer}", where):
        found = named(io.BytesIO(content), serializer)
    accepted = {uses.name for uses in judge(found, trusted, modules, where)}
    if serializer == "pickle":
        enable_experimental(found)
        allowed = frozenset(one.full for one in found)
        return _Unpickler(io.BytesIO(content), allowed, modules, where).load()
    with parsing("the pipeline's arrays", where):
        check_arrays(io.BytesIO(content))
    enable_experimental(found)
    return _load_skops(content, found, accepted, modules, where)


def _load_skops(
    content: bytes,
    found: Sequence[NameReference],
    accepted: set[str],
    modules: Collection[str],
    where: str,
) -> Any:
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    for one in found:
        if one.full in accepted:
            name = one.name.partition(".")[0]  # of a method, its class
            value = _resolve(one.module, name)
            check_resolved(one.full, value, modules, where)
            check_use(one, value, where)
    estimators = {
        one.full for one in found if one.plain and one.use == "made" and is_public_estimator(one)
    }
    try:
        return loads(content, trusted=sorted(accepted | estimators))
    except UntrustedTypesFoundException as error:
        raise UntrustedTypes(str(error), where=where) from None


def _resolve(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def is_public_estimator(one: NameReference) -> bool:
    """Return whether this is on skops's list of scikit-learn's estimators.

    skops makes that list by importing all of scikit-learn, see :mod:`gnomon.compat.skops`. This
    checks only one class; a test compares the result with the list.
    """
    if one.module.partition(".")[0] != "sklearn":
        return False
    from sklearn.base import BaseEstimator

    kind = _resolve(one.module, one.name)
    public = one.module.partition("._")[0]  # the public module with the class
    return (
        isinstance(kind, type)
        and issubclass(kind, BaseEstimator)
        and kind is not BaseEstimator
        and (kind.__module__, kind.__qualname__) == (one.module, one.name)
        and getattr(import_module(public), one.name, None) is kind
        and not one.name.startswith("_")
        and not isabstract(kind)
    )


def named(file: BinaryIO, serializer: Serializer) -> list[NameReference]:
    """List everything that loading these bytes would run, without executing anything.

    Raises:
        ArtifactCorrupt: the bytes are not what the serializer writes.
        UntrustedTypes: a pickle that hides what it names.
    """
    if serializer == "pickle":
        return sorted(
            {
                NameReference(module, name, "unpickled", is_plain_in_pickle(f"{module}.{name}"))
                for module, name in _pickle_globals(file)
            }
        )
    with open_archive(file) as archive:
        return sorted(set(names(read_schema(archive))))


def named_types(content: bytes, serializer: Serializer) -> tuple[str, ...]:
    """List every type and function that the serialized pipeline names, without executing it.

    Raises:
        ArtifactCorrupt: the bytes are not what the serializer writes.
        UntrustedTypes: a pickle that hides what it names.
    """
    file = io.BytesIO(content)
    with parsing(f"the pipeline as {serializer}", "the pipeline"):
        if serializer == "pickle":
            found = {f"{module}.{name}" for module, name in _pickle_globals(file)}
        else:
            with open_archive(file) as archive:
                found = set(types(read_schema(archive)))
    return tuple(sorted(found))


def untrusted_types(content: bytes) -> list[str]:
    """List the types in a skops file that skops does not trust by itself."""
    from skops.io import get_untrusted_types

    return list(get_untrusted_types(data=content))


class _Unpickler(pickle.Unpickler):
    """An unpickler that reaches only listed globals, and no forbidden ones under other names."""

    def __init__(
        self, file: io.BytesIO, allowed: frozenset[str], modules: Collection[str], where: str
    ) -> None:
        super().__init__(file)
        self._allowed, self._modules, self._where = allowed, modules, where

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in self._allowed:
            raise UntrustedTypes(f"the pickle names {full}, which was not recorded")
        value = super().find_class(module, name)
        check_resolved(full, value, self._modules, self._where)
        return value


def _canonical(content: bytes) -> bytes:
    """Rewrite a skops file: number members and ids in order, not by memory address."""
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
            if node["__loader__"] == "DictNode":
                state["content"] = _with_false(state)
            if "__id__" in node and node["__loader__"] not in _UNSHARED:
                state["__id__"] = number(str(node["__id__"]))
        return state

    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = rewrite(json.loads(source.read(SCHEMA)))
        contents = {new: source.read(old) for old, new in members.items()}
    contents[SCHEMA] = json.dumps(schema, indent=1).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name, data in contents.items():
            target.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


def _with_false(node: dict[str, Any]) -> dict[str, Any]:
    """Return a dictionary's items; the key False gets a name that ``bool`` turns into False."""
    kinds = (key["__class__"] for key in node["key_types"]["content"])
    return {
        "" if kind in _BOOLEANS and name == "false" else name: value
        for kind, (name, value) in zip(kinds, node["content"].items(), strict=True)
    }


def _pickle_globals(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """Yield the globals that a pickle names, from its opcodes.

    ``STACK_GLOBAL`` takes module and name from the stack, where they were pushed as strings or
    fetched from the memo, which is followed here. A stream that puts them there in any other way
    was not written by a pickler.
    """
    memo: dict[int, str | None] = {}
    pushed: deque[str | None] = deque([None, None], maxlen=2)
    argument: Any
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            yield module, attribute
            pushed.append(None)
        elif name == "STACK_GLOBAL":
            yield _joined(pushed)
            pushed.append(None)
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            place = len(memo) if argument is None else int(argument)
            if place > len(memo):  # an unpickler would reserve all places up to it
                raise ValueError(f"the place {place} in a memo of {len(memo)}")
            memo[place] = pushed[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            pushed.append(memo[int(argument)])
        elif name.startswith("EXT"):
            raise UntrustedTypes("the pickle names a type by an extension code")
        elif "UNICODE" in name:
            pushed.append(argument)
        else:
            pushed.append(None)


def _joined(parts: Iterable[str | None]) -> tuple[str, str]:
    module, name = parts
    if module is None or name is None:
        raise UntrustedTypes("the pickle hides the name of a type")
    return module, name
