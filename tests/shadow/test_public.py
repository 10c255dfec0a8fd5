import subprocess
import sys

import gnomon.shadow


def test_the_public_names_are_these() -> None:
    """What a user may import from the room; a change here is a change of the product."""
    assert gnomon.shadow.__all__ == [
        "Comparison",
        "Event",
        "History",
        "InferenceLog",
        "Policy",
        "RolloutState",
        "compare",
    ]
    for name in gnomon.shadow.__all__:
        assert getattr(gnomon.shadow, name).__doc__


def test_a_feed_imports_nothing_heavy() -> None:
    """A feed starts in a moment and runs no user code: no pandas, scikit-learn, Delta or DuckDB."""
    heavy = {"bentoml", "deltalake", "duckdb", "pandas", "sklearn", "skops"}
    code = f"import sys, gnomon.shadow.feed.process; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
