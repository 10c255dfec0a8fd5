"""Online against offline: replays of the log, and tables of offline predictions."""
