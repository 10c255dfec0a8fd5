"""The scheduled replay: a day's answers run again, for live and for every shadow.

``python -m shadow.replay`` takes yesterday, in UTC; ``--day 2013-04-01`` another. It runs
``gnomon replay`` for each artifact, which keeps a report under the storage root and tells the skew
gate. The exit code is the worst of theirs (0 they agree, 1 they diverge, 2 an error), so that
whatever runs it every night can raise the alarm.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

from gnomon.rollout.history import History
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["replay"]

MODEL = "flights"


def replay(day: date) -> int:
    """Replay what live and the shadows answered on a day; the worst exit code."""
    history = History(Storage(Settings.read()), MODEL)
    history.refresh()
    state = history.state
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    span = ["--start", start.isoformat(), "--end", (start + timedelta(days=1)).isoformat()]
    answering = [(state.live, "live")] if state.live else []
    answering += [(tag, "shadow") for tag in state.shadows]
    return max(
        (
            subprocess.run(
                [sys.executable, "-m", "gnomon", "replay", tag, "--role", role, *span]
            ).returncode
            for tag, role in answering
        ),
        default=0,
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m shadow.replay", description=__doc__)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    parser.add_argument("--day", type=date.fromisoformat, default=yesterday)
    return replay(parser.parse_args().day)


if __name__ == "__main__":
    sys.exit(main())
