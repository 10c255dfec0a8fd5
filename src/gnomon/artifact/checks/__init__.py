"""What packing checks of a pipeline and its training data before an artifact is made."""
