"""Where online and offline part first, and why, confirmed by undoing it."""
