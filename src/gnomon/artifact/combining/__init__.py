"""An artifact of two: the model of one on the preprocessing of another, for debugging."""
