"""Everything a user can set, call or type is documented, and nothing else."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import msgspec
import pytest
import typer.main

from gnomon.cli.app import app
from gnomon.errors import GnomonError
from gnomon.service.openapi.document import openapi
from gnomon.settings import Settings
from tests.cli.commands import shown_leaves
from tests.service.standin import CONTRACT
from tests.skew.diagnosis.injections import CAUSES

DOCS = Path(__file__).resolve().parent.parent / "docs"
TOP = typer.main.get_command(app)


def setting_rows() -> list[str]:
    """The table of settings, as the code says it; copy a row from here when the test fails."""
    words = inspect.cleandoc(Settings.__doc__ or "").partition("Attributes:\n")[2]
    meanings = dict(re.findall(r"^    (\w+): (.*(?:\n        .*)*)", words, re.MULTILINE))
    rows = []
    for field in msgspec.structs.fields(Settings):
        default = "" if field.default is None else f"`{field.default}`"
        meaning = re.sub(r"\s+", " ", meanings[field.name]).replace("``", "`")
        rows.append(f"| `GNOMON_{field.name.upper()}` | {default} | {meaning} |")
    return rows


def test_every_setting_is_documented_as_the_code_says() -> None:
    """Name, default and meaning, in the order of the code; no row is left of one that is gone."""
    written = (DOCS / "settings.md").read_text().splitlines()
    assert [line for line in written if line.startswith("| `GNOMON_")] == setting_rows()


def cli_page() -> tuple[str, dict[str, str]]:
    """What docs/cli.md says before its first section, and each section by its command."""
    head, *parts = re.split(r"^## gnomon ", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)
    sections = {part.partition("\n")[0]: part for part in parts}
    assert len(sections) == len(parts), "two sections of one command"
    return head, sections


def options(path: tuple[str, ...]) -> set[str]:
    """The long options of a command."""
    command = TOP
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    long = {name for parameter in command.params for name in parameter.opts}
    return {name for name in long if name.startswith("--")} - {"--help"}


def named_options(text: str) -> set[str]:
    """The options that a text names as code, but for ``--help``."""
    code = " ".join(re.findall(r"`([^`\n]+)`", text))
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)) - {"--help"}


@pytest.mark.parametrize("path", shown_leaves(TOP), ids=" ".join)
def test_every_command_and_option_is_documented(path: tuple[str, ...]) -> None:
    """A heading of its own names the command; options of many commands may be at the top."""
    head, sections = cli_page()
    assert " ".join(path) in sections, f"no section `## gnomon {' '.join(path)}` in docs/cli.md"
    many = {o for o in options(path) if sum(o in options(other) for other in shown_leaves(TOP)) > 2}
    written = named_options(sections[" ".join(path)]) | (named_options(head) & many)
    assert options(path) - written == set()


@pytest.mark.parametrize("path", shown_leaves(TOP), ids=" ".join)
def test_no_documented_option_is_gone(path: tuple[str, ...]) -> None:
    """A section names options of its own command only."""
    _, sections = cli_page()
    assert named_options(sections[" ".join(path)]) - options(path) == set()


def commands_of(page: Path) -> list[str]:
    """Every command line of ``gnomon`` that a page shows, in a block or as code in a sentence."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    blocks = "\n".join(re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    inline = re.findall(r"`(gnomon [^`\n]+)`", text)
    return [*inline, *re.findall(r"^(?:\$ )?(?:\w+=\S+ )*(gnomon [^#|>\n]+)", blocks, re.MULTILINE)]


@pytest.mark.parametrize(
    "page", sorted([*DOCS.glob("*.md"), DOCS.parent / "README.md"]), ids=lambda page: page.stem
)
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    """Every command line on any page is a command and takes the options that are shown."""
    for line in commands_of(page):
        words = re.sub(r"[()\[\],]", " ", line).split()[1:]
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            continue  # `gnomon --help`, or a placeholder for any verb
        paths = [path for path in shown_leaves(TOP) if path == tuple(words[: len(path)])]
        groups = {path[0] for path in shown_leaves(TOP) if len(path) > 1}
        if not paths and words[0] in groups and len(words) == 1:
            continue  # the group by itself
        assert paths, f"no such command: {line}"
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options(paths[0]) | {"--help"}, line


def test_options_of_many_commands_exist() -> None:
    """What is said at the top holds for commands below."""
    head, _ = cli_page()
    assert named_options(head) <= set().union(*map(options, shown_leaves(TOP)))


def test_every_cause_of_the_proof_has_a_worked_example() -> None:
    """They are in the order of the proof, as ``python -m benchmarks.skew.examples`` writes them."""
    page = (DOCS / "causes.md").read_text()
    assert re.findall("^## (.*)", page, re.MULTILINE) == [name.capitalize() for name in CAUSES]


def test_no_documented_command_is_gone() -> None:
    """Every section is a command."""
    sections = re.findall(r"^## gnomon (.+)$", (DOCS / "cli.md").read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(" ".join(path) for path in shown_leaves(TOP))


def test_every_route_is_documented() -> None:
    """It is documented with its method, and no route that is gone is."""
    text = (DOCS / "http.md").read_text()
    described = {
        (method.upper(), path)
        for path, item in openapi(CONTRACT, "flights:one")["paths"].items()
        for method in item
    }
    assert set(re.findall(r"^\| `(GET|POST) (/\S*)` \|", text, re.MULTILINE)) == described


def test_every_error_code_is_documented_with_its_status() -> None:
    """The status is that of the hierarchy of ``gnomon.errors``."""

    def codes(kind: type[GnomonError]) -> set[tuple[str, str]]:
        below = [codes(child) for child in kind.__subclasses__()]
        return {(kind.code, str(kind.status))}.union(*below)

    text = (DOCS / "http.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)) == codes(GnomonError)
