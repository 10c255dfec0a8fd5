"""Labels: what predictions turned out to be, stored as they come and joined with the log."""
