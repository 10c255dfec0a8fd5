"""How well each column agrees between online and offline, over all rows and over time."""
