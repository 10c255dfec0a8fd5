"""Known causes of skew, put into real data on purpose, and how often the diagnosis names them."""
