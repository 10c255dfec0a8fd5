"""The agreement of each column between online and offline, over all rows and over time."""
