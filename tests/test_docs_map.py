"""The index, the glossary and CONTRIBUTING.md name what exists, and all of it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
LARGEST_SHARE = 20.0
"""Percent of the lines; a room that grows past it has more than one subject."""


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rooms() -> dict[str, float]:
    """Each room's share of the lines of src/gnomon, in percent."""
    lines: Counter[str] = Counter()
    for file in (ROOT / "src" / "gnomon").rglob("*.py"):
        first, *rest = file.relative_to(ROOT / "src" / "gnomon").parts
        lines[f"{first}/" if rest else "top level"] += file.read_text().count("\n")
    return {room: 100 * count / lines.total() for room, count in lines.items()}


@pytest.mark.parametrize(
    "page", [*PAGES, CONTRIBUTING, ROOT / "README.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """They lead to a file, and to a heading of it where one is named."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_pages_link_their_terms_to_the_glossary() -> None:
    """Every page but the generated ones, as each uses terms that a newcomer does not know."""
    generated = {"api.md", "causes.md"}
    pages = [page for page in PAGES if page.name not in {"glossary.md", *generated}]
    assert [page.name for page in pages if "](glossary.md" not in page.read_text()] == []


def test_the_index_has_every_page() -> None:
    """Once, and the README links to the index."""
    rows = re.findall(
        r"^\| \[[^\]]+\]\((\w+\.md)\)", (ROOT / "docs" / "README.md").read_text(), re.M
    )
    assert sorted(rows) == [page.name for page in PAGES if page.name != "README.md"]
    assert "](docs/README.md)" in (ROOT / "README.md").read_text()


def test_every_term_is_explained_once_with_a_link() -> None:
    """Terms are in alphabetical order, after the terms of the design."""
    first, second = (ROOT / "docs" / "glossary.md").read_text().split("## Others")
    row = re.compile(r"^\| ([^|]+) \| [^|]+ \| \[[^\]]+\]\([^)]+\) \|$", re.MULTILINE)
    words, others = row.findall(first), row.findall(second)
    assert len(words) + len(others) == len(re.findall(r"^\| (?!term)", first + second, re.M))
    assert len(set(words + others)) == len(words + others)
    assert others == sorted(others, key=str.lower)


def test_every_path_in_contributing_exists() -> None:
    """Files and folders; a rename must reach the map."""
    named = re.findall(r"`([\w.\-]+/[\w./\-]*|[\w\-]+\.(?:md|toml|py))`", prose(CONTRIBUTING))
    named = [path for path in named if not (ROOT / "src" / "gnomon" / path).is_dir()]
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_map_has_every_room_with_its_share() -> None:
    """The table is made again by the command below it when it is off by more than 3 points."""
    rows = re.findall(r"^\| `?([\w ]+/?)`? \| .* \| ([\d.]+)% \|$", CONTRIBUTING.read_text(), re.M)
    written, found = {room: float(share) for room, share in rows}, rooms()
    assert sorted(written) == sorted(found)
    assert {r: written[r] for r in found if abs(written[r] - found[r]) > 3} == {}


def test_no_room_is_too_large() -> None:
    """A newcomer finds a subject by its room only while a room is about one."""
    assert {room: share for room, share in rooms().items() if share >= LARGEST_SHARE} == {}


def test_every_question_is_answered() -> None:
    """Each by a file or folder of the package."""
    answers = re.findall(
        r"^\| (\d+)\. .*\? \| `(src/gnomon/[^`]+)` \|$", CONTRIBUTING.read_text(), re.M
    )
    assert [int(number) for number, _ in answers] == list(range(1, 17))


@pytest.mark.parametrize(
    "page", [*PAGES, CONTRIBUTING, ROOT / "README.md"], ids=lambda page: page.name
)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    """``test_x.py`` or ``room/test_x.py``, the latter with or without ``tests/`` before it."""
    there = [file.relative_to(ROOT).as_posix() for file in (ROOT / "tests").rglob("test_*.py")]
    for named in re.findall(r"[\w/]*test_\w+\.py", page.read_text()):
        assert any(f"/{file}".endswith(f"/{named}") for file in there), named
