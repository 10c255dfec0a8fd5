import pytest
from rich.console import Console

from gnomon.report import Report, print_report
from tests.report.example import a_healthy_report, a_report


def printed(report: Report, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False, record=True, file=None)
    with console.capture() as capture:
        print_report(report, console)
    return capture.get()


def test_the_six_answers_come_first() -> None:
    """Verdict, title, then what, where, since when, how many, how sure, what to do."""
    lines = printed(a_report()).splitlines()
    assert "≠ DIVERGED" in lines[0]
    assert "Online hour is 4 hours ahead of offline" in lines[2]
    labels = ["What ", "Where", "Since", "How many", "How sure", "What to do"]
    at = [next(i for i, line in enumerate(lines) if label in line) for label in labels]
    assert at == sorted(at)
    assert at[-1] < 20


def test_the_walk_points_at_the_first_column() -> None:
    """Steps in order, the first column marked, long lists cut short."""
    text = printed(a_report())
    text = text[text.index("Step by step") :]
    assert text.index("inputs") < text.index("columns/clock") < text.index("columns/late")
    assert "hour  ◀ first to differ" in text
    assert "9 columns, all equal" in text
    assert "and 18 more" in text


def test_divergence_over_time_is_one_character_a_bucket() -> None:
    """Two days of agreement, then eighteen of divergence."""
    line = next(line for line in printed(a_report()).splitlines() if "█" in line)
    assert line.strip() == "█" * 18
    assert line.startswith("  " + "  " + "█")


def test_a_healthy_report_is_short() -> None:
    """No walk, no timeline: the verdict and the columns."""
    text = printed(a_healthy_report())
    assert "= AGREES" in text
    assert "Step by step" not in text
    assert len(text.splitlines()) < 25


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Long names fold."""
    assert max(map(len, printed(a_report(), width).splitlines())) <= width
