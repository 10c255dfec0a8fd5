"""The scheduled replay: a day's requests run again, for live and for every shadow.

``python -m shadow.replay`` takes yesterday, in UTC; ``--day 2013-04-01`` another. Each replay keeps
a report under the storage root and feeds the skew gate. The exit code is the worst of theirs (0
they agree, 1 they diverge or it is inconclusive, 2 an error), so that the nightly scheduler can
raise an alarm.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, timedelta

import gnomon

__all__ = ["replay"]

MODEL = "flights"


def replay(day: date) -> int:
    """Replay what live and the shadows answered on a day; return the worst exit code."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    worst = 0
    for tag, role in gnomon.running_artifacts(MODEL):
        try:
            check = gnomon.replay(tag, role=role, start=start, end=start + timedelta(days=1))
        except Exception as error:  # The others still have their turn; 1 is only ever a verdict.
            print(f"{tag} as {role}: {type(error).__name__}: {error}", file=sys.stderr)
            worst = 2
            continue
        print(f"{tag} as {role}: {check.report.verdict}, see {check.page}")
        worst = max(worst, 0 if check.agrees else 1)
    return worst


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m shadow.replay", description=__doc__)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    parser.add_argument("--day", type=date.fromisoformat, default=yesterday)
    return replay(parser.parse_args().day)


if __name__ == "__main__":
    sys.exit(main())
