"""The user's own code that a pipeline needs, and its copy in the artifact.

Code counts as the user's own if it is neither in the standard library nor in an installed package.
The complete top-level package of a class is copied, and every module of the user's own that it
imports, so that the copy needs nothing else.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from gnomon.artifact.vendored_code.installed_packages import in_packages
from gnomon.errors import PackRefused

__all__ = ["Code", "find_code", "vendor"]

Module = ModuleType | str | Path
Code = Module | Sequence[Module]

MOST_BYTES = 64 * 1024 * 1024
"""The most code and data that is vendored; more suggests a data set next to the code."""

_NEVER = frozenset({"__pycache__", "node_modules"})


def find_code(pipeline: Any, given: Code = ()) -> dict[str, Path]:
    """Find the user's top-level modules that a pipeline needs: name and file or folder.

    Args:
        pipeline: a fitted pipeline.
        given: additional modules: a module, its name, or its file or folder.

    Raises:
        PackRefused: a class or function from ``__main__``, one that cannot be imported by its
            name, or one whose source cannot be found.
    """
    found: dict[str, Path] = {}
    wanted = [*_given(given), *(root for root in _roots(pipeline))]
    while wanted:
        name, path = wanted.pop()
        if name not in found:
            found[name] = path
            wanted += _imported(path)
    return dict(sorted(found.items()))


def vendor(code: dict[str, Path], folder: Path) -> dict[str, str]:
    """Copy code into ``folder``; return its modules and their files.

    Raises:
        PackRefused: there are compiled modules, or more than :data:`MOST_BYTES`.
    """
    modules: dict[str, str] = {}
    room = MOST_BYTES
    for name, source in code.items():
        for path in _files(source):
            relative = path.relative_to(source.parent)
            room -= path.stat().st_size
            if room < 0:
                raise PackRefused(
                    f"the packages to vendor have more than {MOST_BYTES // 2**20} MiB",
                    where=str(source),
                    hint="move data out of the package",
                )
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            modules |= _module(relative)
        if source.is_dir():
            modules |= _namespaces(folder / name, folder, modules)
    return dict(sorted(modules.items()))


def commit(paths: Iterable[Path]) -> tuple[str | None, bool | None]:
    """Return the git commit of the code, and whether the repository has uncommitted changes."""
    for path in paths:
        folder = str(path if path.is_dir() else path.parent)
        head = _git(folder, "rev-parse", "HEAD")
        if head:
            return head, bool(_git(folder, "status", "--porcelain"))
    return None, None


def distributions(code: dict[str, Path], types: Iterable[str]) -> set[str]:
    """Return installed distributions that the code imports or the pipeline's types come from."""
    tops = {name.partition(".")[0] for name in types}
    for source in code.values():
        for path in _files(source):
            if path.suffix == ".py":
                tops |= {name.partition(".")[0] for name in _imports(path)}
    tops -= code.keys()
    return {
        one.metadata["Name"]
        for one in metadata.distributions()
        if not tops.isdisjoint(_top_level(one))
    }


def _top_level(distribution: metadata.Distribution) -> set[str]:
    """Return the first part of every module that a distribution installs.

    As ``metadata.packages_distributions`` finds it, which makes a path of every installed file,
    for half a second.
    """
    if declared := distribution.read_text("top_level.txt"):
        return set(declared.split())
    if record := distribution.read_text("RECORD"):
        return {re.split("[/.,]", line, maxsplit=1)[0] for line in record.splitlines()}
    return {file.parts[0].partition(".")[0] for file in distribution.files or ()}


class _Probe(pickle.Pickler):
    """A pickler that visits every class and function that a pickle of the pipeline would name."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.seen: dict[int, type | FunctionType | BuiltinFunctionType] = {}

    def persistent_id(self, obj: Any) -> None:
        if isinstance(obj, type | FunctionType | BuiltinFunctionType):
            check_importable(obj)
            self.seen[id(obj)] = obj


def check_importable(named: Any) -> None:
    """Refuse a class or function that another process could not import.

    Raises:
        PackRefused: it is from ``__main__``, a lambda, or defined inside a function.
    """
    module, name = getattr(named, "__module__", None), named.__qualname__
    if module is None or module == "builtins":
        return
    if "<lambda>" in name or "<locals>" in name:
        what = "a lambda" if "<lambda>" in name else "defined inside a function"
        raise PackRefused(
            f"`{name}` of module {module} is {what}, which cannot be loaded by name",
            where=f"{module}.{name}",
            hint="define it with `def` or `class` at the top level of a module",
        )
    if module == "__main__":
        raise PackRefused(
            f"`{name}` is defined in __main__, which no other process can import",
            where=name,
            hint="move it to a separate module and import it from there",
        )


def _roots(pipeline: Any) -> Iterator[tuple[str, Path]]:
    """Yield the user's top-level modules that the pipeline's classes come from."""
    probe = _Probe()
    try:
        probe.dump(pipeline)
    except PackRefused:
        raise
    except Exception as error:
        raise PackRefused(
            f"the pipeline contains something that cannot be stored: {error}",
            hint="keep open files, connections, locks and generators out of fitted steps",
        ) from error
    for named in probe.seen.values():
        module = getattr(named, "__module__", None)
        if module and module != "builtins":
            _check_name(module)
        if module and module != "builtins" and not is_installed(module):
            yield _root(module, f"{module}.{named.__qualname__}")


def _check_name(module: str) -> None:
    """Refuse a module of the user's own with the name of one of Python's.

    Raises:
        PackRefused: it is; a worker would be given Python's.
    """
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if top in sys.stdlib_module_names and file and not in_packages(Path(file)):
        raise PackRefused(
            f"your module `{top}` has the name of one of Python's, which a worker imports instead",
            where=file,
            hint="give it another name",
        )


def is_installed(module: str) -> bool:
    """Return whether a module belongs to Python, to an installed package, or to Gnomon itself."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "gnomon":
        return True
    spec = _spec(top)
    if spec is None:
        return False
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return any(in_packages(Path(place)) for place in places)


def _spec(top: str) -> ModuleSpec | None:
    module = sys.modules.get(top)
    if module is not None and module.__spec__ is not None:
        return module.__spec__
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _root(module: str, needed_by: str) -> tuple[str, Path]:
    """Return a module's top-level module and the file or folder of that."""
    top = module.partition(".")[0]
    spec = _spec(top)
    places = _places(spec) if spec else []
    own = sys.modules.get(module)
    file = getattr(own, "__file__", None)
    if len(places) > 1:
        raise PackRefused(
            f"the namespace package `{top}`, which `{needed_by}` belongs to, is spread over "
            f"several folders: {', '.join(map(str, places))}; the modules of one can be copied "
            "into an artifact",
            where=module,
            hint="move what the pipeline needs into one of them, or install it as a package",
        )
    if not places or not places[0].exists() or (file and not Path(file).exists()):
        raise PackRefused(
            f"cannot find the code of `{needed_by}`",
            where=module,
            hint="keep it in a file that can be imported, or name the file in `code=`",
        )
    return top, places[0]


def _places(spec: ModuleSpec) -> list[Path]:
    """Return the file of a module, or the folder of a package."""
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin and spec.has_location else []


def _given(code: Code) -> Iterator[tuple[str, Path]]:
    for entry in (code,) if isinstance(code, Module) else code:
        if isinstance(entry, Path):
            if not entry.exists():
                raise PackRefused("no such file or folder in `code=`", where=str(entry))
            yield entry.stem, entry.absolute()
        else:
            name = entry if isinstance(entry, str) else entry.__name__
            yield _root(name, name)


def _imported(source: Path) -> Iterator[tuple[str, Path]]:
    """Yield the user's top-level modules that a module or package imports."""
    seen: set[str] = set()
    for path in _files(source):
        if path.suffix != ".py":
            continue
        new = {name.partition(".")[0] for name in _imports(path)} - seen
        seen |= new
        for name in sorted(new):
            if not is_installed(name) and _spec(name) is not None:
                yield _root(name, f"{name}, which {path.name} imports")


def _imports(path: Path) -> tuple[str, ...]:
    """Return the absolute imports anywhere in a source file."""
    try:
        return _imports_of(path.read_bytes())
    except SyntaxError as error:
        raise PackRefused(
            f"not Python that this version can read: {error.msg}", where=str(path)
        ) from None


# Parsing a package takes longer than most of packing, and is asked for twice.
@lru_cache(maxsize=1024)
def _imports_of(source: bytes) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append(node.module)
    return tuple(found)


def _files(source: Path) -> Iterator[Path]:
    """Yield the files of a module or package, without caches and hidden files."""
    if source.is_file():
        yield source
        return
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if path.is_file() and not any(part in _NEVER or part.startswith(".") for part in parts):
            yield path


def _module(relative: Path) -> dict[str, str]:
    """Return the module name of a vendored file, if it is a module."""
    if relative.suffix in (".so", ".pyd"):
        raise PackRefused(
            f"{relative.name} is a compiled module, which runs on only one platform",
            where=str(relative),
            hint="install it as a package, so that it is required instead of vendored",
        )
    if relative.suffix != ".py" or not all(part.isidentifier() for part in relative.parent.parts):
        return {}
    parts = relative.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return {name: relative.as_posix()}


def _namespaces(folder: Path, root: Path, modules: dict[str, str]) -> dict[str, str]:
    """Return the folders below ``folder`` that have modules and no ``__init__.py``."""
    holders = {path.parent for path in folder.rglob("*.py")} | {folder}
    relatives = {holder.relative_to(root) for holder in holders}
    parents = {parent for relative in relatives for parent in relative.parents if parent.parts}
    names = {".".join(relative.parts): relative.as_posix() for relative in relatives | parents}
    return {name: f"{path}/" for name, path in names.items() if name not in modules}


def _git(folder: str, *command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *command], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
