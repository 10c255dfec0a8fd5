"""Check whether a module imported in this process is the code that an artifact holds.

A notebook that packs a pipeline has already imported the user's modules, and an artifact that it
loads afterwards brings copies of them. If both are the same code, the imported modules are used, so
that their classes are those of the pipelines in the notebook.
"""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["changed_since_import", "codes_of", "edited_since_import", "place_of"]


def codes_of(source: bytes, file: str) -> frozenset[CodeType]:
    """Return the code objects of every function and class body in a source file."""
    return frozenset(_nested(compile(source, file, "exec", dont_inherit=True)))


def edited_since_import(module: ModuleType, codes: frozenset[CodeType]) -> str | None:
    """Return a function or method of a module whose code is not among ``codes``; None if all are.

    If the file was edited after the module was imported, what runs is not what is on disk.
    Functions that decorators create or that are defined elsewhere are not checked here; see
    :func:`changed_since_import`.
    """
    file = getattr(module, "__file__", None)
    for function in _functions(vars(module), module.__name__, set()):
        code = function.__code__
        if code.co_filename == file and code not in codes:
            return function.__qualname__
    return None


def changed_since_import(
    module: ModuleType, source: bytes, codes: frozenset[CodeType]
) -> str | None:
    """Return a name that a module has something else under than its source says; None if none.

    Somebody may have replaced a function, a class or a constant in memory, to try something out.
    Only names that the source binds once are checked, and that no function binds: functions and
    methods without decorators, classes without decorators, and constants that are numbers, text,
    None or tuples of these. The golden rows detect most of the rest.

    Args:
        module: the imported module.
        source: what its file contains.
        codes: those of ``source``; see :func:`codes_of`.
    """
    tree = ast.parse(source)
    own = _bound_once(tree)
    for statement in tree.body:
        for name in _named(statement) & own:
            if not _is_as_written(vars(module).get(name, _MISSING), statement, module, codes):
                return name
    return None


_MISSING = object()
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_CONSTANTS = (int, float, str, bytes, complex, tuple, type(None))


def _named(statement: ast.stmt) -> set[str]:
    """Return the name that a statement binds, if it can be checked."""
    if isinstance(statement, _Function | ast.ClassDef):
        return set() if statement.decorator_list else {statement.name}
    if isinstance(statement, ast.Assign) and isinstance(_literal(statement.value), _CONSTANTS):
        return {one.id for one in statement.targets if isinstance(one, ast.Name)}
    return set()


def _bound_once(tree: ast.AST) -> set[str]:
    """Return the names that are bound once, wherever that is, and never from inside a function."""
    bound: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, _Function | ast.ClassDef):
            bound[node.name] += 1
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound[node.id] += 1
        elif isinstance(node, ast.alias):
            bound[node.asname or node.name] += 1
        elif isinstance(node, ast.Global):
            bound.update(name for name in node.names for _ in range(2))
    return {name for name, times in bound.items() if times == 1}


def _is_as_written(
    value: Any, statement: ast.stmt, owner: ModuleType | type, codes: frozenset[CodeType]
) -> bool:
    if isinstance(statement, _Function):
        made = [*_unwrapped(value)]
        return any(one.__name__ == statement.name and one.__code__ in codes for one in made)
    if isinstance(statement, ast.ClassDef):
        module = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
        if not isinstance(value, type) or value.__module__ != module:
            return False
        own = _bound_once(ast.Module(statement.body, []))
        methods = [one for one in statement.body if isinstance(one, _Function)]
        return value.__name__ == statement.name and all(
            _is_as_written(vars(value).get(one.name), one, value, codes)
            for one in methods
            if one.name in own and not one.decorator_list and not one.name.startswith("__")
        )
    assert isinstance(statement, ast.Assign)
    written = _literal(statement.value)
    return type(value) is type(written) and (value == written or value != value)


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return _MISSING


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
