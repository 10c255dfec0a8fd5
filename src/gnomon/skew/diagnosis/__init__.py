"""Where online and offline diverge first, and why, confirmed by undoing it."""
