"""``python -m demo``: train, serve, shadow, compare, promote, roll back; about four minutes."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from demo.output import DemoOutput
from demo.place import DemoFailed, Place
from demo.story import tell
from gnomon.errors import GnomonError

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """The command line; 0 when everything the demo claims was so."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--flights", type=int, help="send only this many (all of April: 28,330)")
    asked = parser.parse_args()
    output, place = DemoOutput(), Place(ROOT, ROOT / ".demo")
    began = time.monotonic()
    try:
        place.enter()
        asyncio.run(tell(output, place, asked.flights))
    except (DemoFailed, GnomonError) as error:
        output.failed(str(error))
        return 1
    except KeyboardInterrupt:
        output.failed("stopped")
        return 130
    output.say(f"Done in {(time.monotonic() - began) / 60:.1f} minutes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
