"""Check whether a module imported in this process is the code that an artifact holds.

A notebook that packs a pipeline has already imported the user's modules, and an artifact that it
loads afterwards brings copies of them. If both are the same code, the imported modules are used, so
that their classes are those of the pipelines in the notebook.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["codes_of", "edited_since_import", "place_of"]


def codes_of(source: bytes, file: str) -> frozenset[CodeType]:
    """Return the code objects of every function and class body in a source file."""
    return frozenset(_nested(compile(source, file, "exec", dont_inherit=True)))


def edited_since_import(module: ModuleType, codes: frozenset[CodeType]) -> str | None:
    """Return a function or method of a module whose code is not among ``codes``; None if all are.

    If the file was edited after the module was imported, what runs is not what is on disk.
    Functions that decorators create or that are defined elsewhere are not checked, and neither are
    constants; the golden rows detect those.
    """
    file = getattr(module, "__file__", None)
    for function in _functions(vars(module), module.__name__, set()):
        code = function.__code__
        if code.co_filename == file and code not in codes:
            return function.__qualname__
    return None


def place_of(module: ModuleType) -> Path | None:
    """Return the file that a module was imported from, or the folder of a namespace package."""
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
    """Yield the functions and methods in a namespace whose ``__module__`` is this module."""
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
    """Yield the functions of a method or a property, and those that a decorator wraps."""
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
