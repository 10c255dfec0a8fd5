import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from gnomon.report import Report, to_html
from tests.report.example import HOSTILE, a_healthy_report, a_report

VOID = {"meta", "rect", "line", "path", "br"}


class Elements(HTMLParser):
    """Every element with its attributes, and whether all were closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += data


@pytest.mark.parametrize("report", [a_report(), a_healthy_report()])
def test_the_page_needs_nothing_from_anywhere(report: Report) -> None:
    """It is well-formed and has no address, script, font or image of another file."""
    page = to_html(report)
    elements = Elements(page)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in elements.found}
    attributes = {name for _, attrs in elements.found for name in attrs}
    assert not {"src", "href", "srcset"} & attributes
    assert not re.search(r"https?://|@import|url\(", page)


def test_values_cannot_become_markup() -> None:
    """Keys, labels and evidence are written as text."""
    page = to_html(a_report())
    assert HOSTILE not in page
    assert HOSTILE in Elements(page).text


def test_the_page_says_what_the_report_says() -> None:
    """Title, summary, figures, first column, examples, coverage and command are on it."""
    report = a_report()
    text = Elements(to_html(report)).text
    assert text.lstrip().startswith("≠ Online hour is 4 hours ahead")
    for part in (
        report.summary.since,
        report.summary.action,
        "first to differ",
        "and 18 more columns that differ",
        report.examples[0].request_id,
        "0.30000000000000004",
        "3 rows, such as trip=t9",
        "not an output, feature or step column",
        report.command,
        "% of 1,000 rows, estimated from 500",
        "2 more",
        "Each column alone set to its offline value",
        "990 of 990",
        "0.0512 to 0",
    ):
        assert part in text, part


def test_columns_that_differ_are_shown_over_time() -> None:
    """Each with its worst bucket, on the axis of all; those that agree are left out."""
    report = a_report()
    text = Elements(to_html(report)).text
    assert "Share of rows that diverge, by 1 day, 0 to 100%" in text
    assert "80% at 2013-04-03" in text
    assert "estimated" in text
    agreeing = replace(report, over_time=report.over_time[1:2])
    assert "At worst" not in Elements(to_html(agreeing)).text


def test_no_verdict_is_told_by_colour_alone() -> None:
    """Each verdict has its own sign and word."""
    for verdict, tone, sign, word in (
        ("ok", "good", "=", "agrees"),
        ("diverged", "bad", "≠", "diverged"),
        ("unknown", "unsure", "?", "unknown"),
    ):
        page = to_html(replace(a_report(), verdict=verdict))
        assert re.search(
            rf'class="verdict {tone}"><b aria-hidden="true">{re.escape(sign)}</b>{word}<', page
        )


def test_every_plot_is_described_and_has_units() -> None:
    """Plots are images with a text, and axes say what they measure."""
    elements = Elements(to_html(a_report()))
    plots = [attrs for tag, attrs in elements.found if tag == "svg" and attrs.get("role") == "img"]
    assert len(plots) == 4
    assert all(attrs.get("aria-label") for attrs in plots)
    assert "at (UTC)" in elements.text
    assert "columns/clock/hour (hour)" in elements.text


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], tuple[int, int]]:
    """Opens a page in a real browser, so many pixels wide; the widths of content and window."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")

    def measure(page: str, width: int) -> tuple[int, int]:
        folder = tmp_path_factory.mktemp("browser")
        path = folder / "page.html"
        # A frame, because a browser's own window is never as narrow as a phone.
        path.write_text(
            f'<title></title><iframe style="width:{width}px;border:0" srcdoc="{escape(page)}">'
            "</iframe><script>onload = () => { const f = frames[0]; document.title ="
            "[f.document.documentElement.scrollWidth, f.innerWidth] }</script>"
        )
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", f"--user-data-dir={folder / 'profile'}",
             "--dump-dom", f"file://{path}"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        found = re.search(r"<title>(\d+),(\d+)</title>", done.stdout)
        assert found, done.stderr
        return int(found[1]), int(found[2])

    return measure


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_window(
    measured: Callable[[str, int], tuple[int, int]], width: int
) -> None:
    """On a phone and on a desktop, the page never scrolls sideways."""
    content, window = measured(to_html(a_report()), width)
    assert content <= window == width


def test_versions_of_a_key_do_not_swell_what_was_matched() -> None:
    """Keys are counted separately from rows and from rows that are known only later."""
    text = to_html(a_report())
    for said in ("1,000, of 400 keys", "390 of 400 keys (97.5%)", "12 rows, such as trip=t3"):
        assert said in text


def test_a_page_may_run_no_script_and_load_nothing() -> None:
    """Its own policy says so, in case anything was written into it."""
    page = to_html(a_report())
    [policy] = re.findall('http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script-src" not in policy
