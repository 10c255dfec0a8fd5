"""Whether a module that this process has imported runs the source that an artifact holds.

A notebook that packs a pipeline has imported the user's modules already, and an artifact that it
then loads brings its own copies. Where the two are the same code, the imported modules are used:
their classes are those of the pipelines that the notebook holds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["codes_of", "edited_since_import", "place_of"]


def codes_of(source: bytes, file: str) -> frozenset[CodeType]:
    """The code of every function and class body in some source."""
    return frozenset(_nested(compile(source, file, "exec", dont_inherit=True)))


def edited_since_import(module: ModuleType, codes: frozenset[CodeType]) -> str | None:
    """A function or method that a module has from its file, and that is not among these codes.

    The file may have been edited after the module was imported, and the bytes on disk are not
    what runs then. What decorators make, or what is defined elsewhere, is not looked at, nor are
    constants: the golden rows are.
    """
    file = getattr(module, "__file__", None)
    for function in _functions(vars(module), module.__name__, set()):
        code = function.__code__
        if code.co_filename == file and code not in codes:
            return function.__qualname__
    return None


def place_of(module: ModuleType) -> Path | None:
    """The file a module was imported from; the folder of a namespace package."""
    if file := getattr(module, "__file__", None):
        return Path(file)
    folders = list(getattr(module, "__path__", ()))
    return Path(folders[0]) if folders else None


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _functions(names: Any, module: str, seen: set[int]) -> Iterator[FunctionType]:
    """The functions and methods in a namespace that say they are of this module."""
    for value in list(names.values()):
        if isinstance(value, type):
            if value.__module__ == module and id(value) not in seen:
                seen.add(id(value))
                yield from _functions(vars(value), module, seen)
            continue
        for function in _unwrapped(value):
            if function.__module__ == module:
                yield function


def _unwrapped(value: Any) -> Iterator[FunctionType]:
    """The functions behind a method, a property, or a decorator that says what it wraps."""
    if isinstance(value, staticmethod | classmethod):
        yield from _unwrapped(value.__func__)
    elif isinstance(value, property):
        for part in (value.fget, value.fset, value.fdel):
            yield from _unwrapped(part)
    elif isinstance(value, functools.cached_property):
        yield from _unwrapped(value.func)
    elif isinstance(value, FunctionType):
        yield value
        yield from _unwrapped(getattr(value, "__wrapped__", None))
