"""Writes ``docs/api.md`` from the docstrings: ``python -m tests.api_reference``."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import gnomon
from gnomon import errors

__all__ = ["PAGE", "reference"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"

OTHER_MODULES = {"gnomon.service": ("gateway",), "gnomon.testing": ("Server", "serving")}
"""Public names that are not in ``gnomon`` itself."""

_HEAD = """# API reference

Every public name, as its docstring has it. [python.md](python.md) is the shorter way in. This page
is generated: after a change of a docstring run `python -m tests.api_reference`.
"""

_END = "\x00"
_SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields")


def reference() -> str:
    """The page."""
    parts = [_HEAD]
    for module, name in public_names():
        parts.append(described(f"{module}.{name}", getattr(import_module(module), name)))
    parts.append(errors_table())
    return "\n".join(parts)


def public_names() -> Iterator[tuple[str, str]]:
    """Yield each public name with the module it is imported from."""
    yield from (("gnomon", name) for name in gnomon.__all__ if name != "__version__")
    for module, names in OTHER_MODULES.items():
        yield from ((module, name) for name in names)


def errors_table() -> str:
    """The section of the errors: one row for each class, as its docstring begins."""
    lines = [
        "## `gnomon.errors`\n",
        "Every error that Gnomon raises on purpose is a `gnomon.GnomonError`, with `message`,",
        "`where`, `hint`, `code` and `status`.\n",
        "| class | base | status | code | meaning |",
        "|---|---|---|---|---|",
    ]
    for name in errors.__all__:
        kind = getattr(errors, name)
        if inspect.isclass(kind) and issubclass(kind, errors.GnomonError):
            meaning = prose((inspect.getdoc(kind) or "").partition("\n\n")[0]).replace("\n", " ")
            base = kind.__base__.__name__
            lines.append(f"| `{name}` | `{base}` | {kind.status} | `{kind.code}` | {meaning}|")
    return "\n".join(lines) + "\n"


def described(name: str, thing: Any) -> str:
    """The section of one name; a class has its public methods in it."""
    call = "" if inspect.isclass(thing) else signature(thing)
    lines = [f"## `{name}`\n"]
    if call:
        lines.append(f"```python\n{name}{call}\n```\n")
    lines.append(prose(inspect.getdoc(thing) or ""))
    if inspect.isclass(thing):
        lines += [method(member, found) for member, found in methods(thing)]
    return "\n".join(lines)


def methods(of: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class or its bases in the package define."""
    for name, found in inspect.getmembers(of):
        owner = next((base for base in of.__mro__ if name in vars(base)), object)
        if name.startswith("_") or not owner.__module__.startswith("gnomon"):
            continue
        if isinstance(found, property) or inspect.isroutine(found):
            yield name, found


def method(name: str, found: Any) -> str:
    """A method or a property, under its class."""
    call = "" if isinstance(found, property) else signature(found)
    return f"### `.{name}{call}`\n\n{prose(inspect.getdoc(found) or '')}"


def signature(function: Callable[..., Any]) -> str:
    """Names and defaults of the arguments; their types are in the code."""
    parameters = inspect.signature(function).parameters.values()
    shown = [p.replace(annotation=p.empty) for p in parameters if p.name not in ("self", "cls")]
    return str(inspect.Signature(shown))


def prose(docstring: str) -> str:
    """A docstring as Markdown."""
    text = re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", docstring).replace("``", "`")
    out: list[str] = []
    section = False
    for line in text.splitlines():
        if line.rstrip(":") in _SECTIONS and line.endswith(":"):
            section = True
            out += [f"{line.rstrip(':')}:", ""]
        elif section and re.match(r"    \S", line):
            name, colon, meaning = line.strip().partition(": ")
            out.append(f"- `{name}`: {meaning}" if colon else f"- {line.strip()}")
        elif section and line.startswith("        "):
            out.append(f"  {line.strip()}")
        else:
            section = section and not line
            out.append(code_block(line))
    return "\n".join(fenced(out)) + "\n"


def code_block(line: str) -> str:
    """A line that ends in ``::`` introduces code."""
    return line.removesuffix(":") if line.endswith("::") and line != "::" else line


def fenced(lines: list[str]) -> Iterator[str]:
    """Indented blocks with fences around them."""
    block: list[str] = []
    for line in [*lines, _END]:
        if line.startswith("    ") or (block and not line):
            block.append(line.removeprefix("    "))
            continue
        if block:
            code = "\n".join(block).strip("\n")
            yield f"```python\n{code}\n```\n"
            block = []
        if line not in ("::", _END):
            yield line


def main() -> None:
    """Write the page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # BentoML's, of what it uses itself.
        PAGE.write_text(reference())


if __name__ == "__main__":
    main()
