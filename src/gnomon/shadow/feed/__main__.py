"""``python -m gnomon.shadow.feed``: started by the gateway, and ends with it.

It runs at a lower priority than live, and when memory runs out the kernel kills the feed or its
worker before any process of live.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gnomon.compat.platform import die_with_parent
from gnomon.compat.pyarrow import leave_pandas_out
from gnomon.errors import GnomonError
from gnomon.policy import Policy
from gnomon.printable import printable
from gnomon.shadow.feed.process import Feed
from gnomon.shadow.feed.progress import Progress
from gnomon.shadow.feed.run import Run
from gnomon.worker.background import enter_background
from gnomon.worker.spawn import inherited

NICENESS = 10
OUT_OF_MEMORY_SCORE = 1000
"""The kernel's ``oom_score_adj``, with which the feed and its worker are killed first."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a feed until its parent socket closes."""
    die_with_parent(os.getppid())
    leave_pandas_out()
    settings = enter_background(niceness=NICENESS, oom_score=OUT_OF_MEMORY_SCORE)
    options = _parser().parse_args(arguments)
    parent_socket = socket.socket(fileno=options.parent_socket)
    run = Run(
        artifact=options.artifact,
        epoch=options.epoch,
        since=options.since,
        fraction=options.fraction,
        entity_key=tuple(options.entity_key),
    )
    try:
        policy = Policy.read(options.policy) if options.policy else Policy()
        Feed(run, policy, settings, options.slice, parent_socket).run()
    except GnomonError as error:
        report = Progress(position=options.since, error=str(error))
        parent_socket.sendall(msgspec.json.encode(report) + b"\n")
        sys.exit(printable(f"the shadow feed of {options.artifact} ends: {error}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gnomon.shadow.feed", description=__doc__)
    parser.add_argument("--artifact", required=True, help="the shadow's tag")
    parser.add_argument("--slice", required=True)
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--entity-key", action="append", default=[], help="sampled by this feature")
    parser.add_argument("--since", required=True, help="a position in the requests")
    parser.add_argument("--epoch", type=int, required=True, help="when the rollout started it")
    parser.add_argument("--policy", type=Path)
    parser.add_argument(
        "--parent-socket", type=inherited, required=True, help="a socket's descriptor"
    )
    return parser


if __name__ == "__main__":
    main()
