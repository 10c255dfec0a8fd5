"""``python -m gnomon.shadow.feed``."""

from gnomon.shadow.feed.process import main

main()
