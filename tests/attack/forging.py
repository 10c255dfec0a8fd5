"""An attacker's changes inside an artifact, with all hashes corrected."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gnomon.artifact.manifest import sha256

Node = dict[str, Any]


def members(folder: Path) -> dict[str, bytes]:
    """The members of its pipeline."""
    with zipfile.ZipFile(folder / "pipeline.skops") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(folder: Path, content: dict[str, bytes]) -> None:
    """Put them back, stored as packing stores them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    (folder / "pipeline.skops").write_bytes(buffer.getvalue())


def change_schema(folder: Path, change: Callable[[Node], Node]) -> None:
    """Rewrite the tree of nodes."""
    content = members(folder)
    content["schema.json"] = json.dumps(change(json.loads(content["schema.json"]))).encode()
    write_members(folder, content)


def plant(folder: Path, node: Node) -> None:
    """Make a node the parameter ``memory`` of the pipeline, where any object may be."""

    def change(schema: Node) -> Node:
        attributes = schema["content"]["content"]
        attributes["memory"] = node
        schema["content"]["key_types"]["content"] = [
            named("TypeNode", "builtins", "str") for _ in attributes
        ]
        return schema

    change_schema(folder, change)


def reseal(folder: Path, **changes: Any) -> None:
    """Write the manifest as JSON without Gnomon, with correct hashes and any claims."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes()) | changes
    if "files" not in changes:
        manifest["files"] = {
            found.relative_to(folder).as_posix(): sha256(found.read_bytes())
            for found in sorted(folder.rglob("*"))
            if found.is_file() and found.name not in ("manifest.json", "manifest.sha256")
        }
    seal(folder, json.dumps(manifest).encode())


def seal(folder: Path, content: bytes) -> None:
    """Write the manifest and the hash of it."""
    (folder / "manifest.json").write_bytes(content)
    (folder / "manifest.sha256").write_text(f"{sha256(content)}  manifest.json\n")


def claims(folder: Path, *names: str, trusted: bool) -> None:
    """List names in the manifest as types and, where the attacker does so, as trusted."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    more = {"types": [*manifest["types"], *names]}
    if trusted:
        more["trusted"] = [*manifest["trusted"], *names]
    reseal(folder, **more)


def named(loader: str, module: str, name: str, **more: Any) -> Node:
    """A node."""
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def text(value: Any) -> Node:
    """A JSON value as a node."""
    return named("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def sequence(*nodes: Node, kind: str = "tuple") -> Node:
    """A tuple or list as a node."""
    loader = {"tuple": "TupleNode", "list": "ListNode"}[kind]
    return named(loader, "builtins", kind, content=list(nodes))


def mapping(**entries: Node) -> Node:
    """A dict of text keys as a node."""
    keys = sequence(*(named("TypeNode", "builtins", "str") for _ in entries), kind="list")
    return named("DictNode", "builtins", "dict", content=entries, key_types=keys)


def call(module: str, name: str, *arguments: Any) -> Node:
    """A node that calls a function when it is loaded."""
    content = sequence(*(text(argument) for argument in arguments))
    return named("ConstructorFromReduceNode", module, name, content=content)


def of_another_python(folder: Path) -> None:
    """Say that it was packed under Python 3.9."""
    environment = json.loads((folder / "manifest.json").read_bytes())["environment"]
    reseal(folder, environment={**environment, "python": "3.9.1"})
