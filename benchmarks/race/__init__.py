"""The race: the same pipelines behind several servers, on one machine, in one run."""
